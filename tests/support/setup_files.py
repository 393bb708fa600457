"""Settings files that `ringbearer setup` edits, and the expected difference."""

from __future__ import annotations

import configparser
import importlib
import itertools
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from lab.clients import Completed
from support.command_line import CommandLine, assert_complaint, names_in

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")

#: The default files, relative to the project or to HOME.
FILES = {"uv": "pyproject.toml", "poetry": "pyproject.toml", "tox": "tox.ini"}
FILES["pip"] = "AppData/Roaming/pip/pip.ini" if os.name == "nt" else ".config/pip/pip.conf"

_HUNK = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@$")


def read_pip(text: str) -> configparser.RawConfigParser:
    """A file, parsed as by pip."""
    parser = configparser.RawConfigParser()
    parser.read_string(text)
    return parser


def read_tox(text: str) -> configparser.ConfigParser:
    """A file, parsed as by tox."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    return parser


def read_toml(text: str) -> dict:
    """A file of uv or Poetry, parsed."""
    return tomllib.loads(text)


#: How the file of each tool is read.
READERS = {"uv": read_toml, "poetry": read_toml, "tox": read_tox, "pip": read_pip}


def applied(difference: str, before: str) -> list[str]:
    """The lines after applying a unified diff; a diff that `patch` would refuse fails the test."""
    old, made, place = before.splitlines(), [], 0
    _, _, *lines = difference.splitlines()
    while lines:
        hunk = _HUNK.match(lines.pop(0))
        assert hunk, difference
        first, kept, new_first, new = map(int, hunk.groups())
        start = first - 1 if kept else first
        made += old[place:start]
        place = start
        assert new_first == len(made) + 1, difference
        counts = [0, 0]
        while lines and not lines[0].startswith("@@"):
            mark, line = lines[0][0], lines.pop(0)[1:]
            assert mark in " +", difference
            if mark == " ":
                assert line == old[place], (line, old[place])
                place += 1
            counts = [counts[0] + (mark == " "), counts[1] + 1]
            made.append(line)
        assert counts == [kept, new], difference
    return made + old[place:]


def added(before: bytes, after: bytes) -> list[bytes]:
    """The inserted lines with their ends. All other bytes must be unchanged, but the last line may get an end."""
    new, old = [], before.splitlines(keepends=True)
    for line in after.splitlines(keepends=True):
        if old and (line == old[0] or (len(old) == 1 and line.rstrip(b"\r\n") == old[0])):
            old.pop(0)
        else:
            new.append(line)
    assert old == [], (before, after)
    return new


@dataclass
class Change:
    """The outcome of a run with `--write`."""

    path: Path
    before: bytes | None
    ended: Completed

    @property
    def after(self) -> str:
        """The text of the file."""
        return self.path.read_bytes().decode()

    def assert_made(self) -> Change:
        """Exactly the printed change was made."""
        self.ended.check()
        heads = [f"--- {self.path}", f"+++ {self.path}"]
        assert self.ended.stdout.splitlines()[:2] == heads, self.ended
        assert self.ended.stdout.count("\n+") > 1, self.ended
        old = (self.before or b"").decode()
        assert applied(self.ended.stdout, old) == self.after.splitlines()
        assert added(old.encode(), self.path.read_bytes()) != []
        assert names_in(self.path.parent) == [self.path.name]
        return self

    def assert_refused(self, *parts: str) -> Change:
        """It prints the reason and the advice, and the file is unchanged."""
        assert_complaint(self.ended, f"{self.path} cannot be changed: ", *parts)
        there = self.path.read_bytes() if os.path.isfile(self.path) else None
        assert there == self.before, there
        assert names_in(self.path.parent) == ([self.path.name] if self.before is not None else [])
        return self

    def assert_needless(self) -> Change:
        """It reports that there is nothing to change."""
        assert self.ended.check().stdout == f"{self.path}: nothing to change\n" and self.ended.stderr == ""
        assert self.path.read_bytes() == self.before
        return self


class Setup:
    """Runs `ringbearer setup` for one index, with each file in its own directory."""

    def __init__(self, ringbearer: CommandLine, directory: Path) -> None:
        self.ringbearer = ringbearer
        self.url = ringbearer.url
        #: The same with the user name, for tools that need one.
        self.named_url = ringbearer.url.replace("//", "//VssSessionToken@")
        self._directory = directory
        self._numbers = itertools.count()

    def printed(self, tool: str, *options: str) -> str:
        """Its output for a tool."""
        return self.ringbearer("setup", tool, self.url, *options).check().stdout

    def __call__(self, tool: str, before: str | bytes | None, *options: str, name: str | None = None) -> Change:
        """Lets it write to a file with this content; None: the file does not exist."""
        path = self._directory / str(next(self._numbers)) / (name or os.path.basename(FILES[tool]))
        path.parent.mkdir()
        content = before.encode() if isinstance(before, str) else before
        if content is not None:
            path.write_bytes(content)
        return Change(path, content, self.again(tool, path, *options))

    def again(self, tool: str, path: Path, *options: str) -> Completed:
        """Lets it write to an existing file."""
        return self.ringbearer("setup", tool, self.url, "--write", "--file", path, *options)

"""`ringbearer doctor`: the native program, the wheel's program and the wheel's module."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from support.snapshots import UPDATE, assert_snapshot

#: Both tools use the keyring on PATH.
SET_UP = {"UV_KEYRING_PROVIDER": "subprocess", "PIP_KEYRING_PROVIDER": "subprocess"}

#: The title of the section about the tools.
TOOLS = "tools on this machine"

#: The shape of a finding's line: state, name, time, detail.
LINE = re.compile(r"^  (ok|FAIL|warn|skip|-) +(\S.*?) +(?:(\d+) ms)? +(\S.*)$")

#: The column of the details.
DETAIL = 38


@dataclass
class Finding:
    """One finding of the JSON output."""

    name: str
    state: str
    detail: str
    fix: str | None
    milliseconds: int


@dataclass
class Examination:
    """The JSON output of the doctor."""

    completed: Completed
    document: dict = field(repr=False)

    @property
    def code(self) -> int:
        """The exit code."""
        return self.completed.code

    @property
    def titles(self) -> list[str]:
        """The URLs that were examined."""
        return [section["title"] for section in self.document["sections"] if section["title"] != TOOLS]

    def findings(self, name: str | None = None) -> list[Finding]:
        """All findings, or those of a name."""
        listed = [Finding(**one) for section in self.document["sections"] for one in section["findings"]]
        return [one for one in listed if name in (None, one.name)]

    def finding(self, name: str) -> Finding:
        """The only finding of a name."""
        found = self.findings(name)
        assert len(found) == 1, (name, self.document)
        return found[0]

    def fix(self, name: str) -> str:
        """The fix of the only bad finding of a name."""
        [found] = [one for one in self.findings(name) if one.fix is not None]
        return found.fix


class Doctor:
    """Runs the doctor with the fake programs on PATH."""

    def __init__(
        self,
        cloud: PracticeCloud,
        native: Client,
        client: Client,
        home: Path,
        fake_programs: FakePrograms,
        environments: object,
    ) -> None:
        self.cloud = cloud
        self.home = home
        self.fake_programs = fake_programs
        self.native = native
        #: The client of each program, and its arguments.
        self.programs: dict[str, tuple[Client, list[str]]] = {
            "native": (native, ["ringbearer"]),
            "console script": (client, ["ringbearer"]),
            "module": (client, ["python", "-m", "ringbearer"]),
        }
        self._environments = re.compile(re.escape(str(environments)) + r"/([\w.-]+?)-[0-9a-f]{12}\b")

    def environment(self, path: Iterable[object] = (), **variables: str | None) -> dict[str, str]:
        """Its environment; ``path`` comes first on PATH."""
        return self.cloud.environment(self.home, path=[*path, self.fake_programs.directory], **variables)

    def __call__(
        self,
        *words: object,
        path: Iterable[object] = (),
        directory: object | None = None,
        program: str = "native",
        **variables: str | None,
    ) -> Completed:
        """Run it with a short limit."""
        client, command = self.programs[program]
        environment = self.environment(path, **variables)
        return client.run([*command, "doctor", *words], environment, 20, directory=directory)

    def examine(self, *words: object, **more: object) -> Examination:
        """The JSON output."""
        ended = self(*words, "--json", **more)
        assert ended.stderr == "", ended
        return Examination(ended, json.loads(ended.stdout))

    def assert_shows(self, name: str, *words: object, section: str = "", **more: object) -> None:
        """The output and the exit code of the three programs match the snapshot; everything before the title of a
        section is ignored.
        """
        for program in self.programs:
            ended = self(*words, program=program, **more)
            shown = " ".join(["$ ringbearer doctor", *map(str, words)])
            part = ended.output[ended.output.index(section) :]
            text = f"{shown}\n{part}exit code {ended.code}\n"
            assert_snapshot(name, self.normalised(text), UPDATE and program == "native")

    def normalised(self, text: str) -> str:
        """Replace everything that depends on the run or the machine."""
        folder = str(self.home.parent)
        places = {os.path.realpath(self.home): "~", str(self.home): "~"}
        places.update({os.path.realpath(folder): "/tmp/test", folder: "/tmp/test"})
        for place, known in places.items():
            text = text.replace(place, known)
        text = self._environments.sub(r"/environments/\1", text)
        text = text.replace("Library/Caches", ".cache")
        text = re.sub(r"\b127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
        # Where nothing can be cached, as in many containers.
        text = re.sub(
            r"(?m)^(  -     cache .*)each process signs in for itself: .*$", r"\1no token is kept in this session", text
        )
        text = re.sub(r"\bexpires in (a minute|\d+ \w+)", "expires in N minutes", text)
        return "".join(map(_without_time, text.splitlines(keepends=True)))


def _without_time(line: str) -> str:
    """Findings faster than a millisecond have no time, which may differ between runs."""
    found = LINE.match(line)
    return f"  {found[1]:4}  {found[2]:18}      N ms  {found[4]}\n" if found else line

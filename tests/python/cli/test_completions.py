"""`ringbearer completions`: the shells offer what the help lists."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from support.command_line import CommandLine, assert_complaint, names_in

SHELLS = ["bash", "zsh", "fish", "powershell"]
TOOLS = {"uv", "pip", "poetry", "tox", "github-actions"}

#: The completions after an option; a set lists words, anything else is a file or free text.
VALUES = {("get", "--mode"): {"password", "creds"}, ("get", "--output"): {"plain", "json"}}
FREE = [
    ("token", "--output-file"),
    ("exec", "--variable"),
    *(("login", "--tenant"), ("login", "--account"), ("logout", "--account")),
    ("setup", "--name"),
    ("setup", "--file"),
    ("store init", "--key"),
]

BASH = shutil.which("bash")
FISH = shutil.which("fish")
needs_bash = pytest.mark.skipif(BASH is None, reason="bash is not installed")


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program."""
    return CommandLine(either, cloud, home, fake_programs)


def script(ringbearer: CommandLine, shell: str) -> str:
    return ringbearer("completions", shell).check().stdout


def listed(text: str) -> set[str]:
    """The commands under the heading of a help text."""
    return set(re.findall(r"^  ([\w-]+)  ", text.partition("Commands:")[2].partition("Options:")[0], re.MULTILINE))


def long_options(text: str) -> set[str]:
    """The options of a help text, in its usage or on a line of their own."""
    usage = text.partition("\nUsage: ")[2].partition("\n")[0]
    own = re.findall(r"^  (?:-\w, )?(--[a-z-]+)", text, re.MULTILINE)
    return {*re.findall(r"--[a-z-]+", usage), *own, "--help"}


def helps(ringbearer: CommandLine) -> dict[str, str]:
    """The help of each command, and of each nested one."""
    commands = sorted(listed(ringbearer("--help").stdout))
    found = {command: ringbearer(command, "--help").check().stdout for command in commands}
    for command in commands:
        for nested in sorted(listed(found[command])):
            found[f"{command} {nested}"] = ringbearer(command, nested, "--help").check().stdout
    return found


class Bash:
    """The real bash with the script; it runs what pressing Tab would run."""

    def __init__(self, ringbearer: CommandLine, directory: Path) -> None:
        self._ringbearer = ringbearer
        self.directory = directory
        (directory / "script").write_text(script(ringbearer, "bash"))

    def offers(self, *lines: str) -> list[set[str]]:
        """The script's completions at the end of each line."""
        program = ["source ./script", "ask() {", "  [[ $(complete -p ringbearer) =~ -F\\ ([^ ]+) ]]"]
        program += ['  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMPREPLY=()', '  "${BASH_REMATCH[1]}"']
        program += ['  printf "%s " "${COMPREPLY[@]}"', "  echo", "}"]
        for line in lines:
            words = ["ringbearer", *line.split(" ")]
            program.append("ask " + " ".join(map(shlex.quote, words)))
        command = [BASH, "--norc", "--noprofile", "-c", "\n".join(program)]
        environment = self._ringbearer.environment()
        ended = subprocess.run(
            command, cwd=self.directory, env=environment, capture_output=True, text=True, check=True, timeout=20
        )
        assert ended.stderr == ""
        found = [set(line.split()) for line in ended.stdout.splitlines()]
        assert len(found) == len(lines)
        return found


@pytest.fixture
def bash(ringbearer: CommandLine, tmp_path: Path) -> Bash:
    """bash, in a directory of its own."""
    (tmp_path / "bash").mkdir()
    return Bash(ringbearer, tmp_path / "bash")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_is_parsed_by_its_shell(ringbearer: CommandLine, shell: str) -> None:
    text = script(ringbearer, shell)
    assert text.isascii() and text.endswith("\n") and text.splitlines()[-1].strip()
    program = shutil.which(shell) if shell != "powershell" else None
    if program:
        ended = subprocess.run([program, "-n"], input=text, capture_output=True, text=True, check=False, timeout=20)
        assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_has_all_commands_options_and_operands(ringbearer: CommandLine, shell: str) -> None:
    text = script(ringbearer, shell)
    known = helps(ringbearer)
    words = {*listed(ringbearer("--help").stdout), *listed(known["store"]), *TOOLS, *SHELLS}
    words |= {value for values in VALUES.values() for value in values}
    options = {option for one in known.values() for option in long_options(one)} | {"--version"}
    # fish writes an option without the hyphens.
    named = {option.lstrip("-") for option in options} if shell == "fish" else options
    assert sorted(word for word in words | named if not re.search(rf"(?<![\w-]){word}(?![\w-])", text)) == []


@needs_bash
def test_bash_completes_commands(bash: Bash, ringbearer: CommandLine) -> None:
    commands = listed(ringbearer("--help").stdout)
    options = {"--help", "--version"}
    begun = ["", "tok", "s", "--", "--v", "x", *sorted(commands)]
    offered = dict(zip(begun, bash.offers(*begun)))
    assert offered == {one: {word for word in commands | options if word.startswith(one)} for one in begun}
    assert offered[""] == commands | options and offered["tok"] == {"token"}


@needs_bash
def test_bash_completes_the_options_of_each_command(bash: Bash, ringbearer: CommandLine) -> None:
    known = helps(ringbearer)
    offered = bash.offers(*(f"{command} URL --" for command in known))
    assert dict(zip(known, offered)) == {command: long_options(text) for command, text in known.items()}


@needs_bash
def test_bash_completes_words(bash: Bash, ringbearer: CommandLine) -> None:
    store = listed(ringbearer("store", "--help").stdout)
    tools, shells, some, commands, one = bash.offers("setup ", "completions ", "setup p", "store ", "store ro")
    assert tools - {"--name", "--file", "--write", "--help"} == TOOLS
    assert shells - {"--help"} == set(SHELLS)
    assert some == {"pip", "poetry"}
    assert commands == {*store, "--help"} and one == {"rotate"}


@needs_bash
def test_bash_completes_values_of_options(bash: Bash) -> None:
    lines = [f"{command} URL {option} " for command, option in VALUES]
    assert bash.offers(*lines) == list(VALUES.values())
    assert bash.offers("get --mode c", "get URL --output p") == [{"creds"}, {"plain"}]
    # The shell completes files by itself where the script offers nothing.
    offered = bash.offers(*(f"{command} URL {option} " for command, option in FREE))
    assert dict(zip(FREE, offered)) == {one: set() for one in FREE}


@needs_bash
def test_words_after_two_hyphens_are_not_completed(bash: Bash) -> None:
    assert bash.offers("exec URL -- docker --", "exec -- docker ") == [set(), set()]


@needs_bash
def test_bash_runs_nothing_from_the_command_line(bash: Bash) -> None:
    before = names_in(bash.directory)
    typed = ["$(touch\tran)", "`touch\tran`", "*", "--mode;touch\tran", "a'b", "~", "$HOME", "${x:=y}"]
    assert bash.offers(*typed, *(f"get {one}" for one in typed)) == [set()] * 2 * len(typed)
    assert names_in(bash.directory) == before


@pytest.mark.skipif(FISH is None, reason="fish is not installed")
def test_fish_completes_the_same(ringbearer: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "script.fish").write_text(script(ringbearer, "fish"))

    def offers(line: str) -> set[str]:
        command = [FISH, "--no-config", "-c", f"source script.fish; complete -C {shlex.quote('ringbearer ' + line)}"]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=20)
        return {line.split("\t")[0] for line in ended.stdout.splitlines()}

    known = helps(ringbearer)
    assert offers("") == {command for command in known if " " not in command}
    assert offers("setup ") == TOOLS and offers("completions ") == set(SHELLS)
    assert offers("get URL --mode ") == VALUES["get", "--mode"]
    for command, text in known.items():
        assert (command, long_options(text) - offers(f"{command} URL --")) == (command, set())


def test_unknown_shell_lists_the_supported_ones(ringbearer: CommandLine) -> None:
    assert_complaint(ringbearer("completions", "csh"), '"csh"', "bash|zsh|fish|powershell", code=2)
    assert_complaint(ringbearer("completions"), "missing argument bash|zsh|fish|powershell", code=2)
    assert_complaint(ringbearer("completions", "bash", "zsh"), '"zsh"', code=2)

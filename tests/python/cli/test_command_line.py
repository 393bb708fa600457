"""The command line: help, its examples, and error messages with advice."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from support.command_line import CommandLine

ROOT = Path(__file__).resolve().parents[3]

COMMANDS = ["get", "set", "del", "login", "logout", "doctor", "cache", "token", "exec", "setup", "store", "completions"]
STORE_COMMANDS = ["init", "status", "list", "rotate", "rekey", "export", "import", "lock"]
CACHE_COMMANDS = ["list", "clear"]
NESTED = [("store", STORE_COMMANDS), ("cache", CACHE_COMMANDS)]
HELPS = [(), *((command,) for command in COMMANDS), *((name, one) for name, below in NESTED for one in below)]


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program, for a user without a login, an agent or a store."""
    return CommandLine(either, cloud, home, fake_programs)


def examples(help_text: str) -> list[str]:
    """The command lines under the last heading."""
    return [line.strip() for line in help_text.partition("\nExamples:\n")[2].splitlines() if line.strip()]


def assert_usage_error(ended: Completed, *known: str) -> None:
    assert ended.code == 2 and ended.stdout == "", ended
    assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, ended
    for word in known:
        assert word in ended.stderr, ended


@pytest.mark.parametrize("words", HELPS, ids=lambda words: " ".join(words) or "(none)")
def test_every_help_has_its_usage_and_an_example_on_stdout(ringbearer: CommandLine, words: tuple[str, ...]) -> None:
    ended = ringbearer(*words, "--help")
    assert ended.code == 0 and ended.stderr == "", ended
    assert re.search(rf"\nUsage: {' '.join(('ringbearer', *words))}[ \n]", ended.stdout)
    assert any(line.startswith("ringbearer ") for line in examples(ended.stdout)), ended
    assert max(map(len, ended.stdout.splitlines())) <= 120
    assert ringbearer(*words, "-h").stdout == ended.stdout


def test_help_is_a_command_too(ringbearer: CommandLine) -> None:
    for words in HELPS:
        assert ringbearer("help", *words).check().stdout == ringbearer(*words, "--help").stdout, words
    assert_usage_error(ringbearer("help", "tokn"), "tokn", "`token`")


@pytest.mark.parametrize("words", [[], ["store"], ["cache"]], ids=["(none)", "store", "cache"])
def test_help_is_shown_without_a_command(ringbearer: CommandLine, words: list[str]) -> None:
    assert ringbearer(*words).check().stdout == ringbearer(*words, "--help").check().stdout


def test_the_helps_name_each_command(ringbearer: CommandLine) -> None:
    for words, commands in (([], COMMANDS), (["store"], STORE_COMMANDS), (["cache"], CACHE_COMMANDS)):
        text = ringbearer(*words, "--help").stdout.partition("Commands:")[2].partition("Options:")[0]
        assert re.findall(r"^  ([\w-]+)  ", text, flags=re.MULTILINE) == commands


def test_all_ways_to_call_it_are_one(
    native: Client, client: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms
) -> None:
    first, second = (CommandLine(program, cloud, home, fake_programs) for program in (native, client))
    for words in (*((*words, "--help") for words in HELPS), ("--version",), ("tokn",), ("token",), ("store", "lst")):
        as_module = client.run(["python", "-m", "ringbearer", *words], first.environment())
        found = {(ended.code, ended.stdout, ended.stderr) for ended in (first(*words), second(*words), as_module)}
        assert len(found) == 1, found


@pytest.mark.parametrize("words", HELPS, ids=lambda words: " ".join(words) or "(none)")
def test_every_example_of_the_help_is_understood(ringbearer: CommandLine, words: tuple[str, ...]) -> None:
    lines = examples(ringbearer(*words, "--help").check().stdout)
    # Pipes and redirections are the shell's.
    for command in (part.partition(" > ")[0] for line in lines for part in line.split(" | ")):
        program, *arguments = shlex.split(command)
        # A sign-in waits for a person.
        if program == "ringbearer" and (arguments[0] != "login" or "--list" in arguments):
            ended = ringbearer(*arguments, stdin="s3cr3t\n")
            assert "usage: " not in ended.stderr and "Traceback" not in ended.stderr, ended
            assert ended.code in (0, 1, 3, 5, 127) or "`python -m ringbearer" in ended.stderr, ended


def test_version_shows_commit_tls_and_platform(ringbearer: CommandLine, client: Client) -> None:
    version = client.run(["python", "-c", "import ringbearer; print(ringbearer.__version__)"], ringbearer.environment())
    locked = (ROOT / "Cargo.lock").read_text(encoding="utf-8")
    rustls, ring = (re.search(rf'name = "{name}"\nversion = "([^"]+)"', locked)[1] for name in ("rustls", "ring"))
    for option in ("--version", "-V"):
        ended = ringbearer(option).check()
        first, commit, tls, platform = ended.stdout.splitlines()
        assert first == "ringbearer " + version.check().stdout.strip() and ended.stderr == ""
        assert re.fullmatch(r"commit ([0-9a-f]{12,}|unknown)", commit)
        assert tls == f"TLS rustls {rustls} with ring {ring}"
        assert re.fullmatch(r"platform \w+(-\w+){2,3}", platform)
        assert {"linux": "linux", "darwin": "apple", "win32": "windows"}[sys.platform] in platform


def test_the_commit_is_one_of_this_repositorys(ringbearer: CommandLine) -> None:
    commit = ringbearer("--version").check().stdout.splitlines()[1].partition(" ")[2]
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        resolve = [git, "rev-parse", "--verify", "--quiet", commit + "^{commit}"]
        found = subprocess.run(resolve, cwd=ROOT, capture_output=True, text=True, check=False)
        assert found.stdout.startswith(commit) and len(found.stdout.strip()) >= 40, commit


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *(("tokn", "token"), ("tokens", "token"), ("otken", "token"), ("docter", "doctor"), ("dcotor", "doctor")),
        *(("stroe", "store"), ("excec", "exec"), ("setpu", "setup"), ("complet", "completions"), ("gte", "get")),
        *(("delete", "del"), ("remove", "del"), ("mint-token", "token")),
        *(("signin", "login"), ("sign-in", "login"), ("signout", "logout"), ("logn", "login"), ("logut", "logout")),
    ],
)
def test_unknown_command_is_answered_with_a_suggestion(ringbearer: CommandLine, word: str, meant: str) -> None:
    assert_usage_error(ringbearer(word), f'no command "{word}"', f"`{meant}`", "--help")
    assert_usage_error(ringbearer(word, "https://example.com/", "--json"), f'no command "{word}"')


def test_a_command_like_no_other_is_answered_with_the_known_ones(ringbearer: CommandLine) -> None:
    for word in ("frobnicate", "", " ", "é", "-", "TOKEN-OF-MINE", "x" * 5000):
        assert_usage_error(ringbearer(word), *COMMANDS)


def test_unknown_store_command_is_answered_with_the_known_ones(ringbearer: CommandLine) -> None:
    assert_usage_error(ringbearer("store", "rotte"), 'no command "rotte"', "`rotate`", "--help")
    assert_usage_error(ringbearer("store", "frobnicate"), "frobnicate", *STORE_COMMANDS)


def test_an_option_before_the_command_is_answered_with_the_usage(ringbearer: CommandLine) -> None:
    assert_usage_error(ringbearer("--verbose"), "--verbose", "ringbearer COMMAND", "--help")
    assert_usage_error(ringbearer("store", "--json"), "--json", "ringbearer store COMMAND", "--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option_is_answered_with_the_usage(ringbearer: CommandLine, command: str) -> None:
    assert_usage_error(ringbearer(command, "--jsno"), "--jsno", f"ringbearer {command}")


@pytest.mark.parametrize("command", STORE_COMMANDS)
def test_unknown_store_option_is_answered_with_the_usage(ringbearer: CommandLine, command: str) -> None:
    assert_usage_error(ringbearer("store", command, "--jsno"), "--jsno", f"ringbearer store {command}")
    assert_usage_error(ringbearer("store", command, "a", "b"), f"ringbearer store {command}")


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("rekey", "--key"),
        ("rekey --key", "--key"),
        ("init --key", "--key"),
        ("export", "FILE"),
        ("import", "--from-keyring"),
        ("import --replace", "--from-keyring"),
        ("import --from-keyring", "--from-keyring"),
        ("import --from-keyring a.B --name service", "--name SERVICE USER"),
        ("import file --from-keyring a.B", "--from-keyring"),
        ("import file --name service user", "--from-keyring"),
        ("import --name service user", "--from-keyring"),
        ("export file --replace", "FILE"),
        ("list --key id", "--json"),
        ("status --drop-broken", "--json"),
    ],
)
def test_missing_and_surplus_arguments_are_reported(ringbearer: CommandLine, words: str, known: str) -> None:
    assert_usage_error(ringbearer("store", *words.split()), "usage: ", known)


def test_argument_that_is_not_unicode_is_an_error(ringbearer: CommandLine) -> None:
    odd = "\udcff"
    commands = (
        [],
        ["store"],
        ["store", "export"],
        ["store", "init", "--key"],
        ["help"],
        ["doctor"],
        ["token"],
        ["exec"],
    )
    commands += (["login"], ["login", "--tenant"], ["login", "--account"], ["logout", "--account"])
    commands += (["setup"], ["setup", "uv"], ["completions"], ["exec", odd, "--"], ["exec", "--variable"], ["get"])
    for words in commands:
        ended = ringbearer(*words, odd)
        assert ended.code in (1, 2, 127) and "Traceback" not in ended.stderr and "panicked" not in ended.stderr, ended
        assert ended.stdout == "" or words == ["doctor"], ended


def test_arguments_are_escaped_in_messages(ringbearer: CommandLine) -> None:
    odd = "\x1b[31m"
    commands = ([], ["store"], ["store", "list"], ["help"], ["token"], ["exec"], ["setup"], ["setup", "uv"])
    commands += (["login"], ["logout"], ["logout", "--account"])
    for words in (*commands, ["completions"], ["exec", "--"], ["exec", "URL", "--variable"], ["doctor", "a"]):
        ended = ringbearer(*words, odd)
        assert ended.code in (1, 2, 5, 127) and "\x1b" not in ended.output, ended
    for words in (["store", "init", "--" + odd], ["token", "--" + odd], ["--" + odd], ["-" + odd]):
        ended = ringbearer(*words)
        assert ended.code == 2 and "\x1b" not in ended.output, ended


def test_the_name_of_a_file_does_not_reach_the_terminal_raw(ringbearer: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m"
    path.mkdir()
    for words in (["token", ringbearer.url, "--output-file", path], ["setup", "uv", ringbearer.url, "--file", path]):
        assert "\x1b" not in ringbearer.with_token(*words).output
    for words in (["setup", "uv", ringbearer.url, "--write", "--file", path], ["exec", ringbearer.url, "--", path]):
        assert "\x1b" not in ringbearer.with_token(*words).output


def test_help_needs_neither_home_nor_agent(ringbearer: CommandLine) -> None:
    for words in (["store", "rotate"], ["doctor"], []):
        assert ringbearer(*words, "--help", HOME="", USERPROFILE=None, PATH="").code == 0

"""The command line explains itself: help, examples that work, and complaints that say what would."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.store import StoreUser

COMMANDS = ["init", "status", "list", "rotate", "rekey", "export", "import", "lock"]
HELPS = [(), ("store",), *(("store", command) for command in COMMANDS)]


@pytest.fixture
def user(client: Client, home: Path) -> StoreUser:
    """Somebody without an agent and without a store."""
    return StoreUser(client, home, None)


@pytest.fixture(params=["ringbearer", "python -m ringbearer"])
def program(request: pytest.FixtureRequest) -> list[str]:
    """Both ways to call it."""
    return request.param.split()


def examples(help_text: str) -> list[str]:
    """The command lines under the heading at the end."""
    return [line.strip() for line in help_text.partition("\nExamples:\n")[2].splitlines() if line.strip()]


def assert_usage_error(ended: Completed, *known: str) -> None:
    assert ended.code == 2 and ended.stdout == "", ended
    assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, ended
    for word in known:
        assert word in ended.stderr, ended


@pytest.mark.parametrize("words", HELPS, ids=lambda words: " ".join(words) or "(none)")
def test_every_help_has_its_usage_and_an_example_on_stdout(user: StoreUser, words: tuple[str, ...]) -> None:
    ended = user.command("ringbearer", *words, "--help")
    assert ended.code == 0 and ended.stderr == "", ended
    assert f"\nUsage: {' '.join(('ringbearer', *words))} " in ended.stdout
    assert any(line.startswith("ringbearer ") for line in examples(ended.stdout)), ended
    assert max(map(len, ended.stdout.splitlines())) <= 120
    assert user.command("ringbearer", *words, "-h").stdout == ended.stdout


def test_without_a_command_there_is_help(user: StoreUser, program: list[str]) -> None:
    for words in ([], ["store"]):
        ended = user.command(*program, *words)
        assert ended.code == 0, ended
        assert ended.stdout == user.command(*program, *words, "--help").stdout


def test_the_help_of_the_store_names_each_command(user: StoreUser) -> None:
    text = user.command("ringbearer", "store", "--help").stdout
    listed = re.findall(r"^  (\w+)  ", text.partition("Commands:")[2].partition("Options:")[0], flags=re.MULTILINE)
    assert listed == COMMANDS


def test_the_version_is_that_of_the_package(user: StoreUser, program: list[str]) -> None:
    version = user.command("python", "-c", "import ringbearer; print(ringbearer.__version__)").stdout
    for option in ("--version", "-V"):
        assert user.command(*program, option).check().stdout == "ringbearer " + version


@pytest.mark.parametrize("words", HELPS, ids=lambda words: " ".join(words) or "(none)")
def test_every_example_of_the_help_is_understood(user: StoreUser, words: tuple[str, ...]) -> None:
    lines = examples(user.command("ringbearer", *words, "--help").check().stdout)
    for line in lines:
        # What follows a pipe is another program's, and so are the lines that call another.
        command = shlex.split(line.partition(" | ")[0])
        if command[0] == "ringbearer":
            ended = user.command(*command)
            assert ended.code != 2 and "Traceback" not in ended.stderr, ended


def test_an_unknown_command_is_answered_with_the_known_ones(user: StoreUser, program: list[str]) -> None:
    assert_usage_error(user.command(*program, "stroe"), "stroe", "store")


def test_an_unknown_command_of_the_store_is_answered_with_the_known_ones(user: StoreUser, program: list[str]) -> None:
    assert_usage_error(user.command(*program, "store", "rotte"), "rotte", *COMMANDS)


def test_an_option_before_the_command_is_answered_with_the_usage(user: StoreUser) -> None:
    assert_usage_error(user.command("ringbearer", "--verbose"), "--verbose", "ringbearer COMMAND", "--help")
    assert_usage_error(user.command("ringbearer", "store", "--json"), "--json", "ringbearer store COMMAND", "--help")


@pytest.mark.parametrize("command", COMMANDS)
def test_an_unknown_option_is_answered_with_the_usage_of_the_command(user: StoreUser, command: str) -> None:
    assert_usage_error(user.command("ringbearer", "store", command, "--jsno"), "--jsno", f"ringbearer store {command}")
    assert_usage_error(user.command("ringbearer", "store", command, "a", "b"), f"ringbearer store {command}")


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
def test_what_is_missing_or_does_not_belong_is_told(user: StoreUser, words: str, known: str) -> None:
    assert_usage_error(user.command("ringbearer", "store", *words.split()), "usage: ", known)


def test_an_argument_that_is_no_text_is_an_error_and_no_traceback(user: StoreUser) -> None:
    for words in (["\udcff"], ["store", "\udcff"], ["store", "export", "\udcff"], ["store", "init", "--key", "\udcff"]):
        ended = user.command("ringbearer", *words)
        assert ended.code in (1, 2) and "Traceback" not in ended.stderr, ended


def test_what_was_typed_does_not_reach_the_terminal_raw(user: StoreUser) -> None:
    for words in (["\x1b[31m"], ["store", "\x1b[31m"], ["store", "init", "--\x1b[31m"], ["store", "list", "\x1b[31m"]):
        ended = user.command("ringbearer", *words)
        assert ended.code == 2 and "\x1b" not in ended.output, ended


def test_help_needs_neither_home_nor_agent(user: StoreUser) -> None:
    ended = user.command("ringbearer", "store", "rotate", "--help", HOME="")
    assert ended.code == 0, ended

"""The arguments of `ringbearer login` and `ringbearer logout`, before anybody has signed in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from support.command_line import CommandLine, assert_complaint

CHAINGUARD = "https://libraries.cgr.dev/python/simple/"
FOREIGN = "https://packages.example.com/simple/"


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program."""
    return CommandLine(either, cloud, home, fake_programs)


@pytest.mark.parametrize(
    ("words", "known"),
    [
        ("login --browser --device-code", "--browser cannot be used with --device-code"),
        ("login --list https://pkgs.dev.azure.com/contoso/_packaging/f/pypi/simple/", "--list cannot be used with URL"),
        *((f"login --list --{option}", f"with --{option}") for option in ("browser", "device-code", "fresh")),
        *((f"login --list --{option} a", f"with --{option}") for option in ("tenant", "account")),
        ("login a b", '"b"'),
        ("login --tenant", "--tenant"),
        ("logout ada@contoso.example", "ada@contoso.example"),
        ("logout --account", "--account"),
        ("logout --json", "--json"),
    ],
)
def test_wrong_arguments_are_answered_with_the_usage(ringbearer: CommandLine, words: str, known: str) -> None:
    command = words.split()[0]
    assert_complaint(ringbearer(*words.split()), known, f"usage: ringbearer {command}", "--help", code=2)
    ringbearer.assert_no_sign_in()


def test_a_url_without_a_sign_in_names_doctor(ringbearer: CommandLine) -> None:
    for url, known in ((FOREIGN, "packages.example.com"), (CHAINGUARD, "Chainguard"), ("https://", "this is not")):
        for words in ((), ("--device-code",), ("--browser", "--json")):
            assert_complaint(ringbearer("login", url, *words), known, "`ringbearer doctor URL`")
    ringbearer.assert_no_sign_in()


def test_the_password_of_a_url_is_not_shown(ringbearer: CommandLine) -> None:
    for words in (("login",), ("login", "--list"), ("login", "--jsno"), ("login", "a")):
        ended = ringbearer(*words, "https://ada:s3cr3t@packages.example.com/simple/")
        assert ended.code in (1, 2) and "s3cr3t" not in ended.output, ended


def test_without_a_url_an_index_must_be_set_up(ringbearer: CommandLine) -> None:
    for url in (FOREIGN, CHAINGUARD):
        ended = ringbearer("login", UV_DEFAULT_INDEX=url, PIP_INDEX_URL=url)
        assert_complaint(ended, "which index?", "ringbearer login URL", code=2)
    ringbearer.assert_no_sign_in()


def test_nobody_is_signed_in_at_first(ringbearer: CommandLine) -> None:
    for words in (("login", "--list"), ("logout",)):
        ended = ringbearer(*words)
        assert (ended.code, ended.stdout, ended.stderr) == (0, "", "ringbearer: nobody is signed in\n")
    ended = ringbearer("login", "--list", "--json")
    assert (ended.code, json.loads(ended.stdout), ended.stderr) == (0, [], "")
    assert_complaint(ringbearer("logout", "--account", "ada@contoso.example"), "ada@contoso.example", code=5)
    ringbearer.assert_no_sign_in()

"""The native programs start, and know where they run."""

from __future__ import annotations

import pytest
from lab.windows.user import WindowsUser
from lab.wine import LOOPBACK, on_loopback
from support.windows_answers import assert_complaint


def test_version_names_the_platform(user: WindowsUser) -> None:
    ended = user.run("ringbearer", "--version").check()
    assert ended.stdout.startswith("ringbearer ") and "platform x86_64-pc-windows-gnu" in ended.stdout, ended
    assert ended.stderr == ""


@pytest.mark.parametrize("program", ["ringbearer", "keyring"])
def test_help_is_on_standard_output(user: WindowsUser, program: str) -> None:
    ended = user.run(program, "--help").check()
    assert f"{program} " in ended.stdout and ended.stderr == ""


@pytest.mark.parametrize("program", ["ringbearer", "keyring"])
def test_unknown_command_exits_with_2(user: WindowsUser, program: str) -> None:
    assert_complaint(user.run(program, "frobnicate"), "frobnicate", code=2)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completions_name_the_commands(user: WindowsUser, shell: str) -> None:
    ended = user.run("ringbearer", "completions", shell).check()
    assert "doctor" in ended.stdout and ended.stderr == ""


def test_programs_see_the_home_of_the_test(user: WindowsUser) -> None:
    ended = user.run("cmd", "/c", "set").check()
    shown = dict(line.split("=", 1) for line in ended.stdout.splitlines() if "=" in line)
    assert shown["USERPROFILE"] == user.wine.path(user.home)
    assert shown["APPDATA"] == user.wine.path(user.app_data)
    assert shown["LOCALAPPDATA"] == user.wine.path(user.local_app_data)
    assert {name: shown[name] for name in LOOPBACK} == LOOPBACK
    assert not [name for name in shown if name.startswith("LAB_")], shown


@pytest.mark.parametrize("name", [name for name, value in LOOPBACK.items() if value != "true"])
def test_no_program_may_ask_the_metadata_service(user: WindowsUser, name: str) -> None:
    with pytest.raises(ValueError, match="loopback"):
        on_loopback({name: "http://192.0.2.1"})
    assert "127.0.0.1" in user.environment(**{name: None})[name]

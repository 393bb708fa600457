"""The native programs start, and know where they run."""

from __future__ import annotations

import pytest
from lab.windows.user import WindowsUser


def test_version_names_the_platform(user: WindowsUser) -> None:
    ended = user.run("ringbearer", "--version").check()
    assert ended.stdout.startswith("ringbearer ") and "platform x86_64-pc-windows-gnu" in ended.stdout, ended
    assert ended.stderr == ""


def test_programs_see_the_home_of_the_test(user: WindowsUser) -> None:
    ended = user.run("cmd", "/c", "set").check()
    shown = dict(line.split("=", 1) for line in ended.stdout.splitlines() if "=" in line)
    assert shown["USERPROFILE"] == user.wine.path(user.home)
    assert shown["APPDATA"] == user.wine.path(user.app_data)
    assert shown["LOCALAPPDATA"] == user.wine.path(user.local_app_data)
    assert shown["AZURE_POD_IDENTITY_AUTHORITY_HOST"] == "http://127.0.0.1:9"
    assert not [name for name in shown if name.startswith("LAB_")], shown


def test_no_program_may_ask_the_metadata_service(user: WindowsUser) -> None:
    with pytest.raises(ValueError, match="loopback"):
        user.run("ringbearer", "--version", variables={"AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://10.0.0.1"})
    assert user.environment(AZURE_POD_IDENTITY_AUTHORITY_HOST=None)["AZURE_POD_IDENTITY_AUTHORITY_HOST"]

"""What happens on a console: the password prompt, Ctrl-C, and the part that children have in it."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import windows
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer
from lab.windows.console import CONTROL_C_EXIT, Console
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.store import WindowsStore
from lab.windows.user import WindowsUser
from lab.wine import compiled

PROMPT = "Password for 'alice' in 'svc':"


@pytest.fixture
def store(store_user: WindowsUser) -> WindowsStore:
    """A user with a key; the store does not exist yet."""
    made = WindowsStore(store_user)
    store_user.variables["SSH_AGENT_KEYRING_STORE_PATH"] = made.shown_path
    return made


@pytest.mark.parametrize("program", ["keyring", "ringbearer"])
def test_password_is_asked_for_without_echo(store: WindowsStore, program: str) -> None:
    console = Console(store.user, program, "set", "svc", "alice")
    console.wait_for_prompt(PROMPT)
    console.type("p\u00e4sx\x7fs \u20ac w\u00f6rd\r")
    ended = console.ended()
    assert (ended.code, ended.text.strip()) == (0, PROMPT), ended
    assert store.get("svc", "alice") == "p\u00e4ss \u20ac w\u00f6rd"


def test_ctrl_c_ends_the_prompt(store: WindowsStore) -> None:
    console = Console(store.user, "keyring", "set", "svc", "alice")
    console.wait_for_prompt(PROMPT)
    console.type("half a pass\x03")
    ended = console.ended()
    assert (ended.code, ended.text.strip()) == (CONTROL_C_EXIT, PROMPT), ended
    assert not store.path.exists()


def test_prompt_ends_at_the_limit(store: WindowsStore) -> None:
    store.user.variables["RINGBEARER_TIMEOUT"] = "2"
    console = Console(store.user, "keyring", "set", "svc", "alice")
    console.wait_for_prompt(PROMPT)
    assert console.ended().code == 1


def test_piped_password_is_not_asked_for(store: WindowsStore) -> None:
    store.set("svc", "alice", "piped")
    assert store.get("svc", "alice") == "piped"
    ended = store.user.run("keyring", "set", "svc", "alice", input="")
    assert ended.code and PROMPT not in ended.output


def test_ctrl_c_ends_a_lookup_with_all_its_children(
    cloud_user: WindowsUser, cloud: PracticeCloud, fake_programs: WindowsPrograms
) -> None:
    fake_programs.az(Answer(hang="child"))
    console = Console(cloud_user, "keyring", "get", cloud.azure.feed.url(), "VssSessionToken")
    fake_programs.wait_for_beat("az")
    console.type("\x03")
    assert console.ended().code == CONTROL_C_EXIT
    assert not fake_programs.beats("az")


def test_exec_waits_for_a_program_that_handles_ctrl_c(cloud_user: WindowsUser, cloud: PracticeCloud) -> None:
    cloud_user.variables["ARTIFACTS_KEYRING_NOFUSS_TOKEN"] = cloud.azure.contoso.personal_access_token()
    program = cloud_user.wine.path(compiled(Path(windows.__file__).with_name("interruptible.c")))
    console = Console(cloud_user, "ringbearer", "exec", cloud.azure.feed.url(), "--", program)
    console.wait_for("ready")
    console.type("\x03")
    ended = console.ended()
    assert (ended.code, "cleaned" in ended.text) == (1007 & 0xFF, True), ended


def test_child_cannot_write_to_the_console(user: WindowsUser, fake_programs: WindowsPrograms) -> None:
    Path(fake_programs.directory, "keyring.cmd").write_bytes(
        b"@echo off\r\necho shown >CON\r\necho another.Keyring (priority: 1)\r\n"
    )
    ended = Console(user, "keyring", "--list-backends").ended()
    assert "another.Keyring" in ended.text and "shown" not in ended.text, ended


def test_exec_leaves_the_console_to_its_program(cloud_user: WindowsUser, cloud: PracticeCloud) -> None:
    cloud_user.variables["ARTIFACTS_KEYRING_NOFUSS_TOKEN"] = cloud.azure.contoso.personal_access_token()
    words = ["exec", cloud.azure.feed.url(), "--", "cmd", "/c", "echo shown>CON"]
    assert "shown" in Console(cloud_user, "ringbearer", *words).ended().text

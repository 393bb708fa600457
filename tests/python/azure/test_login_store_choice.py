"""RINGBEARER_LOGIN_STORE: where a login is kept, and what happens where none can be."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.environment import link_program
from lab.secret_service import SecretService
from lab.ssh import Agent, Key
from support.command_line import assert_complaint
from support.login_user import MOST, LoginUser

if sys.platform != "linux":
    pytest.skip("the places are Linux's", allow_module_level=True)

STORE, KEYRING, SESSION = "ringbearer's store", "the desktop's keyring", "the memory of the login session"


@pytest.fixture
def user(
    login_user: LoginUser, unlocked_keyring: SecretService, agent: Agent, keys: dict[str, Key]
) -> Iterator[LoginUser]:
    """A user with all three places, and `az` behind the login."""
    kernel_keys.need_sharing()
    agent.add(keys["ed25519"])
    login_user.variables.update(unlocked_keyring.variables, SSH_AUTH_SOCK=agent.socket)
    link_program("secret-tool", login_user.fake_programs.directory)
    login_user("store", "init").check()
    login_user.log_in_with_az()
    yield login_user
    login_user("logout").check()


def test_first_place_that_works_is_taken(user: LoginUser) -> None:
    assert user.login() == STORE
    user.assert_served()
    (user.home / ".local" / "share" / "ssh-agent-keyring" / "store.json").unlink()
    assert user.login() == KEYRING
    user.assert_served()
    user.variables.update(DBUS_SESSION_BUS_ADDRESS=None, XDG_RUNTIME_DIR=None)
    assert user.login() == SESSION
    user.assert_served()
    # A login replaces the one before, wherever that was.
    assert [login["kept_in"] for login in user.listed()] == [SESSION]


def test_named_place_is_taken_in_place_of_the_first(user: LoginUser) -> None:
    for name, place in (("session", SESSION), ("Keyring", KEYRING), ("store", STORE)):
        assert user.login(RINGBEARER_LOGIN_STORE=name) == place
        user.assert_served()


@pytest.mark.parametrize("name", ["store", "keyring", "session"])
def test_named_place_that_does_not_work_is_an_error(user: LoginUser, tmp_path: Path, name: str) -> None:
    """No other place is taken instead, and nobody signs in."""
    hint = "create a store with `ringbearer store init`, or choose another place"
    if name == "store":
        user.variables["SSH_AUTH_SOCK"] = str(tmp_path / "nothing")
        hint = "ssh-agent"
    elif name == "keyring":
        user.variables["DBUS_SESSION_BUS_ADDRESS"] = f"unix:path={tmp_path}/nothing"
    elif name == "session":
        user.prefix = kernel_keys.withheld(tmp_path)
    ended = user("login", user.url, "--device-code", RINGBEARER_LOGIN_STORE=name)
    assert_complaint(ended, f"RINGBEARER_LOGIN_STORE is {name}, which does not work: ", hint)
    user.assert_no_sign_in()
    assert user.listed() == []


def test_unknown_place_is_an_error(login_user: LoginUser) -> None:
    ended = login_user("login", login_user.url, "--device-code", RINGBEARER_LOGIN_STORE="file")
    assert_complaint(ended, 'unknown RINGBEARER_LOGIN_STORE "file"', "choose one of store, keyring, session, off")
    login_user.assert_no_sign_in()


def test_without_any_place_the_error_names_each(login_user: LoginUser, tmp_path: Path) -> None:
    kernel_keys.need_sharing()
    login_user.prefix = kernel_keys.withheld(tmp_path)
    ended = login_user("login", login_user.url, "--device-code")
    reasons = ["store: there is no store", "keyring: there is no D-Bus session", "session: the kernel's key service"]
    assert_complaint(ended, *reasons, "`ringbearer store init`")
    assert len(ended.stderr) <= MOST, ended
    login_user.assert_no_sign_in()
    assert not login_user.file.exists()


@pytest.mark.parametrize(
    "setting",
    [
        {"RINGBEARER_LOGIN_STORE": "off"},
        {"ARTIFACTS_CREDENTIALPROVIDER_MSAL_FILECACHE_ENABLED": "false"},
        {"NUGET_CREDENTIALPROVIDER_MSAL_FILECACHE_ENABLED": "False"},
    ],
    ids=lambda setting: "=".join(*setting.items()),
)
def test_no_login_is_kept_or_used_if_it_is_off(user: LoginUser, setting: dict[str, str]) -> None:
    assert user.login(**setting) is None
    assert user.listed() == [] and not user.file.exists()
    user.login()
    ended = user.look_up(**setting).check()
    assert ended.stderr == "" and len(user.fake_programs.invocations("az")) == 1, ended
    user.assert_no_refresh()


def test_named_place_overrides_the_variable_of_credprovider(user: LoginUser) -> None:
    off = {"ARTIFACTS_CREDENTIALPROVIDER_MSAL_FILECACHE_ENABLED": "false"}
    assert user.login(RINGBEARER_LOGIN_STORE="session", **off) == SESSION
    user.assert_served(RINGBEARER_LOGIN_STORE="session", **off)

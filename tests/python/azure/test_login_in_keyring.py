"""A login in the desktop's keyring: GNOME Keyring, through `secret-tool` and through Python's `keyring`."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import executions, secret_service
from lab.clients import Client, ClientEnvironments
from lab.environment import link_program
from lab.secret_service import SecretService
from support.command_line import assert_complaint
from support.login_user import ADA, LoginUser
from support.native_keyring import PLAINTEXT

if sys.platform != "linux":
    pytest.skip("the Secret Service is Linux's", allow_module_level=True)

PLACE = "the desktop's keyring"


@pytest.fixture
def own_keyring() -> Iterator[SecretService]:
    """A keyring to lock."""
    secret_service.need_programs()
    made = SecretService()
    yield made
    made.close()


def desktop(user: LoginUser, keyring: SecretService, tool: str, environments: ClientEnvironments) -> LoginUser:
    """The user at that desktop, with one of the two programs on PATH, and `az` behind the login."""
    user.variables.update(keyring.variables, RINGBEARER_LOGIN_STORE="keyring")
    folder = Path(user.fake_programs.directory)
    if tool == "secret-tool":
        link_program("secret-tool", str(folder))
    else:
        os.symlink(environments.client().program("keyring"), folder / "keyring")
    user.log_in_with_az()
    return user


@pytest.fixture(params=["secret-tool", "keyring"])
def tool(request: pytest.FixtureRequest) -> str:
    """The program that reaches the keyring."""
    return request.param


@pytest.fixture
def user(
    login_user: LoginUser, unlocked_keyring: SecretService, tool: str, client_environments: ClientEnvironments
) -> Iterator[LoginUser]:
    """A user at a desktop, who logs out at the end."""
    yield desktop(login_user, unlocked_keyring, tool, client_environments)
    login_user("logout").check()


def test_keyring_serves_and_forgets_the_login(user: LoginUser, unlocked_keyring: SecretService) -> None:
    assert user.login() == PLACE
    user.assert_served()
    assert [login["kept_in"] for login in user.listed()] == [PLACE]
    user.assert_in_no_file()
    assert not any(token.encode() in unlocked_keyring.content() for token in user.cloud.entra.refresh_tokens)
    user("logout").check()
    user.assert_only_az_serves()


def test_no_argument_of_a_program_holds_a_secret(user: LoginUser, tmp_path: Path) -> None:
    """Every user of the machine can read the arguments of a process."""
    user.login()
    log = tmp_path / "log"
    user.look_up(before=tuple(executions.watching(log, length=8000))).check()
    text = log.read_text()
    assert "azure-login" in text and not any(secret in text for secret in user.cloud.entra.secrets)


def test_locked_keyring_is_named_at_once_and_az_asked(
    login_user: LoginUser, own_keyring: SecretService, tool: str, client_environments: ClientEnvironments
) -> None:
    user = desktop(login_user, own_keyring, tool, client_environments)
    user.login()
    own_keyring.lock()
    user.assert_az_serves("login", ADA, f"{PLACE}: it is locked", "unlock it")
    # Nobody signs in for a login that cannot be kept.
    user.cloud.log.clear()
    ended = user("login", user.url, "--device-code")
    assert_complaint(ended, "RINGBEARER_LOGIN_STORE is keyring, which does not work: it is locked; unlock it")
    assert ended.duration < 15, ended
    assert user.log.requests() == []


def test_plain_text_keyring_of_the_user_is_never_chosen(
    login_user: LoginUser, unlocked_keyring: SecretService, beside: Callable[..., Client], tmp_path: Path
) -> None:
    """Python's keyring with keyrings.alt, which the user has made the default."""
    user, python = login_user, beside("alt")
    os.symlink(python.program("keyring"), Path(user.fake_programs.directory) / "keyring")
    user.variables.update(RINGBEARER_LOGIN_STORE="keyring", PYTHON_KEYRING_BACKEND=PLAINTEXT)
    ended = user("login", user.url, "--device-code")
    assert ended.code == 1 and "D-Bus" in ended.stderr, ended
    # With a bus that has no Secret Service.
    user.variables.update(DBUS_SESSION_BUS_ADDRESS=f"unix:path={tmp_path}/bus")
    ended = user("login", user.url, "--device-code")
    assert ended.code == 1 and "RINGBEARER_LOGIN_STORE is keyring" in ended.stderr, ended
    # With one: it is kept there, not in the file.
    user.variables.update(unlocked_keyring.variables)
    assert user.login() == PLACE
    assert list(user.home.rglob("*.cfg")) == [] and list(user.home.rglob("*pass*")) == []
    user.assert_in_no_file()
    user("logout").check()

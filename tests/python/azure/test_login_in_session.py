"""A login in the memory of the login session: the kernel's key retention service."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.environment import TRUST_VARIABLES
from lab.fake_programs import FakePrograms
from support.login_user import ADA, LoginUser

if sys.platform != "linux":
    pytest.skip("the kernel's keys are Linux's", allow_module_level=True)

PLACE = "the memory of the login session"
#: A user of the machine who has no other keys.
NOBODY_ELSE = 54321


@pytest.fixture
def user(login_user: LoginUser) -> LoginUser:
    """A user without a store or a desktop, who logged in with `az` as well."""
    kernel_keys.need_sharing()
    login_user.log_in_with_az()
    return login_user


def test_session_is_the_place_without_store_and_desktop(user: LoginUser) -> None:
    assert user.login() == PLACE
    user.assert_served()
    user.assert_served()
    user.assert_in_no_file()


def test_another_session_has_no_login_and_says_so(user: LoginUser) -> None:
    user.login()
    kernel_keys.new_session()
    user.assert_az_serves(ADA, "is not kept in this login session", "ringbearer login URL")
    assert user.login() == PLACE and [login["account"] for login in user.listed()] == [ADA]


def test_cache_commands_leave_the_login_alone(user: LoginUser) -> None:
    user.variables["RINGBEARER_CACHE"] = None
    user.login()
    user.look_up().check()
    listed = user("cache", "list", "--json").check()
    assert len(json.loads(listed.stdout)["tokens"]) == 1
    user("cache", "clear").check()
    assert json.loads(user("cache", "list", "--json").check().stdout)["tokens"] == []
    user.assert_served()


def test_logout_ends_it_in_this_session(user: LoginUser) -> None:
    user.login()
    assert f"kept in {PLACE}" in user("logout").check().stdout
    user.assert_only_az_serves()


@pytest.fixture
def unprivileged(native: Client, cloud: PracticeCloud, fake_programs: FakePrograms, short_path: Path) -> LoginUser:
    """A user who is not root, whose quota is small, in a session of their own."""
    kernel_keys.need_sharing()
    if os.getuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to become a user without keys")
    home, programs = short_path / "home", short_path / "bin"
    home.mkdir()
    shutil.copytree(native.bin, programs, ignore=lambda _, names: {*names} - {"keyring", "ringbearer"})
    authorities = shutil.copy(cloud.ca_file, short_path)
    made = LoginUser(Client(str(short_path)), cloud, home, fake_programs)
    made.variables.update({name: authorities for name in TRUST_VARIABLES})
    made.prefix = (shutil.which("setpriv"), f"--reuid={NOBODY_ELSE}", f"--regid={NOBODY_ELSE}", "--clear-groups")
    for path in (short_path, home, home / "tmp"):
        path.mkdir(exist_ok=True)
        path.chmod(0o755)
        os.chown(path, NOBODY_ELSE, NOBODY_ELSE)
    kernel_keys.give_session(NOBODY_ELSE)
    return made


def test_full_quota_drops_the_oldest_tokens_for_a_login(unprivileged: LoginUser, cloud: PracticeCloud) -> None:
    user, bob = unprivileged, cloud.entra.add_user("bob@contoso.example")

    def cached() -> list[str]:
        tokens = json.loads(user("cache", "list", "--json").check().stdout)["tokens"]
        return sorted(token["for"] for token in tokens)

    assert user.login() == PLACE
    for number in range(3):
        feed = cloud.azure.organisation(f"corp-{number}", cloud.azure.tenant).feed("tools")
        user.look_up(url=feed.url(), RINGBEARER_CACHE=None).check()
    assert cached() == ["corp-0", "corp-1", "corp-2"]
    kernel_keys.fill_quota(NOBODY_ELSE)
    assert user.login(bob) == PLACE
    assert "corp-0" not in cached() and "corp-2" in cached()
    assert [login["account"] for login in user.listed()] == [bob.name, ADA]
    for name in (bob.name, ADA):
        user.assert_served(ARTIFACTS_CREDENTIALPROVIDER_MSAL_LOGIN_HINT=name)

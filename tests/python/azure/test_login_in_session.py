"""A login in the memory of the login session: the kernel's key retention service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab import kernel_keys
from support.login_user import ADA, LoginUser

if sys.platform != "linux":
    pytest.skip("the kernel's keys are Linux's", allow_module_level=True)

PLACE = "the memory of the login session"
#: A user of the machine who has no other keys.
NOBODY_ELSE = 54321
#: The quota of an unprivileged user in bytes (/proc/sys/kernel/keys/maxbytes).
QUOTA = Path("/proc/sys/kernel/keys/maxbytes")


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
    user.assert_az_serves(ADA, "no longer kept", "ringbearer login URL")
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


@pytest.mark.skipif(os.getuid() != 0, reason="needs root, to become a user with a quota of its own")
def test_full_quota_drops_cached_tokens_for_a_login(user: LoginUser, short_path: Path) -> None:
    program = Unprivileged(user, short_path)
    program.login(user.ada)
    fill = int(QUOTA.read_text()) // 1000
    tokens = 0
    for number in range(fill):
        cached = program.cached_after_look_up(number)
        if cached == tokens:
            break
        tokens = cached
    assert tokens > 2, "the quota is not used up"
    bob = user.cloud.entra.add_user("bob@contoso.example")
    program.login(bob)
    assert program.cached() < tokens
    names = [login["account"] for login in program.json("ringbearer", "login", "--list", "--json")]
    assert names == [bob.name, ADA]
    for name in names:
        ended = program.run("keyring", "get", user.url, "x", MSAL_LOGIN_HINT=name, RINGBEARER_CACHE="off")
        assert ended.returncode == 0 and ended.stderr == "", ended

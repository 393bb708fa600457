"""A login in ringbearer's store, with a real ssh-agent."""

from __future__ import annotations

import os

import pytest
from lab.clients import Client
from lab.ssh import Agent, Key
from support.login_user import ADA, LoginUser

if os.name == "nt":
    pytest.skip("`windows` tests the store there", allow_module_level=True)

PLACE = "ringbearer's store"


@pytest.fixture
def user(login_user: LoginUser, agent: Agent, keys: dict[str, Key]) -> LoginUser:
    """A user with an empty store, and `az` behind the login."""
    agent.add(keys["ed25519"])
    login_user.variables["SSH_AUTH_SOCK"] = agent.socket
    login_user("store", "init").check()
    login_user.log_in_with_az()
    return login_user


def test_store_is_the_first_place_and_serves_both_programs(user: LoginUser, client: Client) -> None:
    assert user.login() == PLACE
    user.assert_served()
    user.program = client
    user.assert_served()


def test_store_has_the_login_encrypted_and_lists_it(user: LoginUser) -> None:
    user.login()
    user.assert_in_no_file()
    ended = user("store", "list").check()
    assert "ringbearer:azure-login" in ended.stdout, ended
    assert not any(secret in ended.output for secret in user.cloud.entra.secrets)


def test_refreshed_token_replaces_the_kept_one(user: LoginUser) -> None:
    user.login()
    for _ in range(3):
        user.assert_served()
    sent = [one.form["refresh_token"] for one in user.log.requests() if one.form.get("grant_type") == "refresh_token"]
    assert sent == user.cloud.entra.refresh_tokens[:-1]
    user.assert_in_no_file()


@pytest.mark.parametrize("trouble", ["locked", "gone", "without the key", "removed"])
def test_store_that_cannot_be_read_is_named_and_az_asked(
    user: LoginUser, agent: Agent, keys: dict[str, Key], trouble: str
) -> None:
    user.login()
    if trouble == "locked":
        agent.lock("practice")
    elif trouble == "gone":
        user.variables["SSH_AUTH_SOCK"] = None
    elif trouble == "without the key":
        agent.remove(keys["ed25519"])
    else:
        (user.home / ".local" / "share" / "ssh-agent-keyring" / "store.json").unlink()
    user.assert_az_serves("login", ADA, "azure_cli served")
    assert [login["account"] for login in user.listed()] == [ADA]
    if trouble == "locked":
        agent.unlock("practice")
        assert user.look_up().check().stderr == ""
    elif trouble == "removed":
        user("logout").check()
        user.assert_only_az_serves()


def test_logout_removes_it_from_the_store(user: LoginUser) -> None:
    user.login()
    user("logout").check()
    assert user("store", "list").stdout.count("ringbearer:azure-login") == 0
    assert user.listed() == [] and not user.file.exists()

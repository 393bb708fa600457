"""`poetry config http-basic`: Poetry stores a password in keyring, and fails if nothing there can store it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.ssh import Agent
from lab.store import RINGBEARER, StoreUser
from support.backend_list import where_keyring_has_no_store

PASSWORD = "the-password"
HTTP_BASIC = ["http-basic.contoso", "alice", PASSWORD]
SERVICE = "poetry-repository-contoso"

# The operating system's own store in the chain would accept Poetry's password.
pytestmark = where_keyring_has_no_store

Config = Callable[..., Completed]


@pytest.fixture
def user(store: StoreUser, poetry: Client) -> StoreUser:
    """A user with Poetry, an agent with a key, and no store yet."""
    return store.with_client(poetry, RINGBEARER)


@pytest.fixture
def config(user: StoreUser) -> Config:
    """Runs `poetry config`."""

    def config(*words: str, **variables: str) -> Completed:
        return user.command("poetry", "--no-interaction", "config", *words, **variables)

    return config


def files_with(user: StoreUser, text: str) -> list[str]:
    """The files of Poetry and keyring that contain a text."""
    places = [Path(user.home, ".config"), Path(user.home, ".local"), Path(user.home, ".cache")]
    paths = [path for place in places for path in place.rglob("*") if path.is_file()]
    return [path.name for path in paths if text.encode() in path.read_bytes()]


@pytest.mark.parametrize("words", [HTTP_BASIC, ["pypi-token.contoso", PASSWORD]], ids=["http-basic", "pypi-token"])
def test_poetry_fails_without_a_store_and_writes_no_password(user: StoreUser, config: Config, words: list[str]) -> None:
    ended = config(*words)
    assert ended.code == 1
    message = " ".join(ended.stderr.split())
    assert f"Unable to store the password for {SERVICE} in the key ring: no keyring backend here stores" in message
    assert "`ringbearer store init`" in message and "POETRY_KEYRING_ENABLED=false" in message
    assert PASSWORD not in ended.output
    assert files_with(user, PASSWORD) == [] == files_with(user, "alice")


def test_poetry_without_keyring_writes_and_clears_its_file(user: StoreUser, config: Config) -> None:
    ended = config(*HTTP_BASIC, POETRY_KEYRING_ENABLED="false").check()
    assert "Using a plaintext file to store credentials" in ended.output
    assert files_with(user, PASSWORD) == ["auth.toml"]
    config("--unset", HTTP_BASIC[0], POETRY_KEYRING_ENABLED="false").check()
    assert files_with(user, PASSWORD) == []


def test_poetry_keeps_the_password_in_a_store_until_unset(user: StoreUser, config: Config) -> None:
    user.command("ringbearer", "store", "init").check()
    ended = config(*HTTP_BASIC).check()
    assert ended.output.strip() == ""
    assert user.get(SERVICE, "alice") == PASSWORD
    # The name is in Poetry's file, the password in none.
    assert files_with(user, PASSWORD) == [] and files_with(user, "alice") == ["auth.toml"]
    assert config("--unset", HTTP_BASIC[0]).check().output.strip() == ""
    assert user.get(SERVICE, "alice") is None and user.content()["records"] == {}
    assert files_with(user, "alice") == []


def test_an_empty_user_name_is_kept_and_unset_too(user: StoreUser, config: Config) -> None:
    user.command("ringbearer", "store", "init").check()
    config("http-basic.contoso", "", PASSWORD).check()
    assert user.get(SERVICE, "__poetry_source_empty_username__") == PASSWORD
    assert files_with(user, PASSWORD) == []


def test_poetry_treats_a_locked_store_as_no_keyring_and_says_so(user: StoreUser, config: Config, agent: Agent) -> None:
    user.command("ringbearer", "store", "init").check()
    agent.lock("of-a-test")
    # Poetry probes keyring, and ignores one that raises. The store is unchanged.
    assert "Using a plaintext file to store credentials" in config(*HTTP_BASIC).check().output
    assert files_with(user, PASSWORD) == ["auth.toml"]
    assert user.content()["records"] == {}

"""The vectors: stores of the published package, opened by agents with their keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

import pytest
from lab.clients import Client
from lab.gpg_agent import GpgAgent, is_installed
from lab.ssh import Agent, Key, copy_key
from lab.store import StoreUser
from lab.store_secrets import VECTORS, Secret, lost, vector_secrets
from lab.stripping_agent import StrippingAgent

MAIN = sorted(path for kind in ("ed25519", "rsa2048") for path in (VECTORS / kind).glob("store-*.json"))
LEADING_ZERO = sorted((VECTORS / "rsa2048-leading-zero").glob("store-*.json"))


def name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def secrets_of(store: Path) -> list[Secret]:
    """The expected content of a store, from the file beside it."""
    expected = json.loads(store.with_name("expected-" + store.name).read_text(encoding="utf-8"))
    plain = [json.loads(bytes.fromhex(record["plaintext_hex"])) for record in expected["records"]]
    return [Secret(one["service"], one["username"], one["password"]) for one in plain]


@pytest.fixture
def user(client: Client, home: Path, agent: Agent) -> StoreUser:
    """A user whose agent holds no keys yet."""
    return StoreUser(client, home, agent.socket)


def test_all_stores_of_the_vectors_are_here() -> None:
    assert [len(MAIN), len(LEADING_ZERO)] == [6, 2]


@pytest.mark.parametrize("vector", MAIN, ids=name)
def test_real_agent_opens_every_secret_of_the_vectors(user: StoreUser, agent: Agent, home: Path, vector: Path) -> None:
    agent.add(copy_key(vector.with_name("id"), home / "keys"))
    user.write(vector.read_bytes())
    assert len(user.content()["records"]) == len(vector_secrets())
    assert lost(user, vector_secrets()) == []
    assert Path(user.path).read_bytes() == vector.read_bytes()


def openssh(key: Key) -> Agent:
    agent = Agent()
    agent.add(key)
    return agent


#: Agents that keep the leading zeros of an RSA signature, and agents that strip them.
AGENTS: list[Callable[[Key], object]] = [
    openssh,
    StrippingAgent,
    pytest.param(GpgAgent, marks=pytest.mark.skipif(not is_installed(), reason="gpg-agent is not installed")),
]


@pytest.fixture(params=AGENTS, ids=["OpenSSH's agent", "an agent that strips zeros", "gpg-agent"])
def any_agent(request: pytest.FixtureRequest, home: Path) -> Iterator[object]:
    """An agent with the key whose signatures of the vectors' challenges start with a zero byte."""
    made = request.param(copy_key(LEADING_ZERO[0].with_name("id"), home / "keys"))
    yield made
    made.close()


@pytest.mark.parametrize("vector", LEADING_ZERO, ids=name)
def test_store_of_either_kind_of_agent_opens_with_both(
    client: Client, home: Path, any_agent: Agent | StrippingAgent | GpgAgent, vector: Path
) -> None:
    user = StoreUser(client, home, any_agent.socket)
    user.write(vector.read_bytes())
    secrets = secrets_of(vector)
    assert len(secrets) == len(user.content()["records"]) > 0
    assert lost(user, secrets) == []
    user.set("added", "carol", "new")
    assert lost(user, [*secrets, Secret("added", "carol", "new")]) == []
    if isinstance(any_agent, StrippingAgent):
        assert set(any_agent.lengths) == {255}


def test_store_of_an_agent_that_strips_zeros_opens_with_openssh(
    client: Client, home: Path, any_agent: Agent | StrippingAgent | GpgAgent, user: StoreUser, agent: Agent
) -> None:
    StoreUser(client, home, any_agent.socket).set("svc", "alice", "s3cr3t")
    agent.add(copy_key(LEADING_ZERO[0].with_name("id"), home / "other"))
    assert user.get("svc", "alice") == "s3cr3t"

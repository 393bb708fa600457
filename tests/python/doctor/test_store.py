"""The store that an ssh-agent unlocks, which has the passwords of all other hosts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.known_store import KnownStore
from lab.messages import Request, Response
from lab.packages import wheel
from lab.simple_index import SimpleIndex, challenge
from lab.ssh import Agent
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, TOOLS, Doctor

HOST = "registry.example"
INDEX = f"https://{HOST}/team/simple/"


@pytest.fixture
def stored(doctor: Doctor, known_store: KnownStore) -> KnownStore:
    """A store with a password for the index, whose key is in the agent."""
    known_store.fill([(INDEX, "frodo", "mellon"), ("https://other.example/", "sam", "potatoes")])
    return known_store


@pytest.fixture
def other_agent() -> Iterator[Agent]:
    """An agent without a key."""
    made = Agent()
    yield made
    made.close()


def test_the_store_has_a_password_for_the_index(doctor: Doctor, stored: KnownStore) -> None:
    doctor.assert_shows("store-serves", INDEX, SSH_AUTH_SOCK=stored.socket)


def test_the_store_has_nothing_for_the_index(doctor: Doctor, stored: KnownStore) -> None:
    doctor.assert_shows("store-has-nothing", "https://unknown.example/simple/", SSH_AUTH_SOCK=stored.socket)


def test_the_agent_does_not_have_the_key_of_the_store(doctor: Doctor, stored: KnownStore, other_agent: Agent) -> None:
    doctor.assert_shows("store-agent-without-key", INDEX, SSH_AUTH_SOCK=other_agent.socket)


def test_no_agent_answers(doctor: Doctor, stored: KnownStore) -> None:
    doctor.assert_shows("store-agent-gone", INDEX, SSH_AUTH_SOCK=str(doctor.home / "gone"))


def test_the_store_is_damaged(doctor: Doctor, stored: KnownStore) -> None:
    stored.write("half a st")
    doctor.assert_shows("store-damaged", INDEX, SSH_AUTH_SOCK=stored.socket)


def test_locked_store_is_reported_for_an_index_too(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, stored: KnownStore, other_agent: Agent
) -> None:
    socket = other_agent.socket
    doctor.assert_shows("store-beside-an-index", cloud.azure.feed.url(), section=TOOLS, SSH_AUTH_SOCK=socket)


def test_no_store_and_an_agent(doctor: Doctor, other_agent: Agent) -> None:
    doctor.assert_shows("store-not-set-up", INDEX, SSH_AUTH_SOCK=other_agent.socket)


def test_store_without_an_agent_variable_is_locked_not_missing(doctor: Doctor, stored: KnownStore) -> None:
    found = doctor.examine(INDEX)
    assert found.code == 1
    assert [one.state for one in found.findings("store")] == ["bad"] * len(found.findings("store"))
    said = " ".join(one.detail for one in found.findings("store"))
    assert "locked" in said and "not set up" not in said, said


def test_settings_of_the_store_that_cannot_be_read_are_a_finding(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, stored: KnownStore
) -> None:
    # All other findings are still printed, and programs get their JSON document.
    Path(stored.config_path).parent.mkdir(parents=True)
    Path(stored.config_path).write_text("half a set")
    found = doctor.examine(cloud.azure.feed.url(), SSH_AUTH_SOCK=stored.socket)
    assert found.finding("credential").state == "good"
    assert found.finding("store").state == "bad"
    assert "config.json" in found.finding("store").detail


# -- what the doctor says, and what uv and pip then do


@pytest.fixture
def foreign(cloud: PracticeCloud) -> SimpleIndex:
    """An index of an unknown registry; its password is mellon."""
    index = SimpleIndex(f"https://{HOST}/team")
    index.add(wheel("greetings", "2.0"))

    def serve(request: Request) -> Response:
        if request.basic != ("frodo", "mellon"):
            return challenge(HOST)
        return index.answer(request) or Response(404)

    cloud.sites.add(HOST, serve)
    return index


@pytest.mark.parametrize("service", [INDEX, HOST], ids=["by its URL", "by its host"])
def test_the_password_that_uv_and_pip_find_is_found(
    cloud: PracticeCloud,
    doctor: Doctor,
    native: Client,
    tool: Client,
    foreign: SimpleIndex,
    known_store: KnownStore,
    service: str,
) -> None:
    known_store.fill([(service, "frodo", "mellon")])
    url = with_user_name(foreign.url, "frodo")
    path = [native.bin, tool.bin]
    settings = {**SET_UP, "SSH_AUTH_SOCK": known_store.socket}
    environment = doctor.environment(path, **settings, UV_PYTHON=tool.python)
    for command in (
        ["uv", "pip", "install", "--target", "by-uv", "--default-index", url, "greetings"],
        ["pip", "install", "--target", "by-pip", "--index-url", url, "greetings"],
    ):
        tool.run(command, environment).check()
    found = doctor.examine(url, path=path, **settings)
    assert (found.code, found.findings("store")[0].state) == (0, "good"), found.findings("store")
    assert cloud.log.hosts_that_saw("mellon") == [HOST]

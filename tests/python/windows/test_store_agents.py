"""The ssh-agent's pipe: Windows' own name, none, and agents that do not sign."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from lab.ssh import Agent, Key
from lab.windows.agent_pipe import DEFAULT, AgentPipe
from lab.windows.store import WindowsStore
from lab.windows.user import WindowsUser
from lab.wine import Wine
from support.windows_answers import assert_complaint


@pytest.fixture
def used(store_user: WindowsUser) -> WindowsStore:
    """A user with a store."""
    made = WindowsStore(store_user)
    made.command("init").check()
    return made


@pytest.fixture
def service(wine: Wine, agent: Agent) -> Iterator[AgentPipe]:
    """The pipe of Windows' own agent service. Only this file has one, and pytest runs it in one process."""
    made = AgentPipe(wine)
    made.socket = agent.socket
    yield made
    made.close()


def test_pipe_of_the_service_is_found_without_a_variable(
    used: WindowsStore, store_user: WindowsUser, service: AgentPipe
) -> None:
    assert service.name == DEFAULT
    del store_user.variables["SSH_AUTH_SOCK"]
    used.command("list").check()


def test_without_the_service_the_message_says_how_to_start_it(used: WindowsStore, store_user: WindowsUser) -> None:
    del store_user.variables["SSH_AUTH_SOCK"]
    ended = used.command("list")
    assert_complaint(ended, "Start-Service ssh-agent", code=3)
    # The variable is not set, and need not be.
    assert "SSH_AUTH_SOCK" not in ended.stderr


def test_pipe_of_a_variable_that_is_not_there_is_named(used: WindowsStore, store_user: WindowsUser) -> None:
    store_user.variables["SSH_AUTH_SOCK"] = "\\\\.\\pipe\\no-such-agent"
    assert_complaint(used.command("list"), "\\\\.\\pipe\\no-such-agent", code=3)


def test_without_an_agent_no_store_is_created(store_user: WindowsUser) -> None:
    store_user.variables["SSH_AUTH_SOCK"] = "\\\\.\\pipe\\no-such-agent"
    ended = store_user.run("keyring", "set", "svc", "alice", input="s3cr3t\n")
    assert ended.code == 1 and "s3cr3t" not in ended.output
    assert not WindowsStore(store_user).path.exists()


def test_key_that_the_agent_lacks_is_named(used: WindowsStore, agent: Agent, keys: dict[str, Key]) -> None:
    agent.remove(keys["ed25519"])
    assert_complaint(used.command("list"), keys["ed25519"].fingerprint, "ssh-add", code=3)
    assert used.command("status").code == 3


def test_locked_agent_is_reported_and_works_once_unlocked(used: WindowsStore, agent: Agent) -> None:
    agent.lock("of-a-test")
    assert_complaint(used.command("list"), "ssh-add -X", code=3)
    agent.unlock("of-a-test")
    used.command("list").check()


def test_agent_that_hangs_up_is_reported(used: WindowsStore, pipe: AgentPipe) -> None:
    pipe.socket = None
    ended = used.command("list")
    assert ended.code == 3 and ended.stderr.count("\n") == 1, ended


def test_agent_that_never_answers_ends_at_the_limit(used: WindowsStore, agent: Agent, store_user: WindowsUser) -> None:
    agent.stop()
    ended = store_user.run("ringbearer", "store", "list", variables={"RINGBEARER_TIMEOUT": "2"})
    assert ended.code == 3 and ended.duration < 15, ended


def test_eight_programs_ask_the_agent_at_once(used: WindowsStore, store_user: WindowsUser) -> None:
    started = [store_user.start("ringbearer", "store", "list") for _ in range(8)]
    assert [(ended.code, ended.stderr) for ended in store_user.all(*started)] == [(0, "")] * 8

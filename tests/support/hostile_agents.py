"""Store calls with an agent that misbehaves, and the expected errors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager

from lab.hostile_agent import Fault, HostileAgent
from lab.ssh import Key
from lab.store import Answer, Failure, Request, StoreUser

LOCKED = "keyring.errors.KeyringLocked"
NOT_SET = "keyring.errors.PasswordSetError"

GET = ("get_password", ("service", "alice"))
SET = ("set_password", ("service", "alice", "another-password"))


@contextmanager
def serving(agents: dict[str, HostileAgent]) -> Iterator[dict[str, HostileAgent]]:
    """The agents, until the end of the ``with``."""
    with ExitStack() as stack:
        for agent in agents.values():
            stack.enter_context(agent)
        yield agents


def agents(
    key: Key, faults: dict[str, Fault], on_list: bool = False, on_sign: bool = False
) -> AbstractContextManager[dict[str, HostileAgent]]:
    """An agent for each fault, until the end of the block."""
    return serving(
        {
            name: HostileAgent(key, fault if on_list else None, fault if on_sign else None)
            for name, fault in faults.items()
        }
    )


def sockets(agents: dict[str, HostileAgent]) -> dict[str, str]:
    """Their sockets."""
    return {name: agent.socket for name, agent in agents.items()}


def ask_each(
    store: StoreUser, sockets: dict[str, str], calls: list[tuple[str, tuple[str, ...]]], **variables: str | None
) -> dict[str, Answer]:
    """The same calls with one agent after the other, in one process."""
    requests = [
        Request(method, arguments, {"SSH_AUTH_SOCK": path}) for path in sockets.values() for method, arguments in calls
    ]
    names = [f"{name}: {method}" for name in sockets for method, _ in calls]
    return dict(zip(names, store.ask(requests, **variables)))


def ask_at_once(
    store: StoreUser, sockets: dict[str, str], calls: list[tuple[str, tuple[str, ...]]], **variables: str | None
) -> dict[str, Answer]:
    """The same in parallel, with one process per agent, for slow agents."""

    def ask(item: tuple[str, str]) -> dict[str, Answer]:
        return ask_each(store, dict([item]), calls, **variables)

    with ThreadPoolExecutor(len(sockets)) as pool:
        return {name: answer for found in pool.map(ask, sockets.items()) for name, answer in found.items()}


def is_proper_error(error: Failure | None, method: str) -> bool:
    """Whether an error has the right type, one line about the agent, and a hint."""
    return (
        error is not None
        and LOCKED in error.bases
        and (NOT_SET in error.bases) == (method == "set_password")
        and "ssh-agent" in error.message
        and "; " in error.message
        and "\n" not in error.message
        and len(error.message) < 600
    )


def improper_errors(answers: dict[str, Answer]) -> dict[str, object]:
    """The calls that did not fail as expected."""
    wrong = {}
    for name, answer in answers.items():
        if not is_proper_error(answer.error, name.rpartition(": ")[2]):
            wrong[name] = f"{answer.error.type}: {answer.error.message}" if answer.error else answer.result
    return wrong


def files(store: StoreUser) -> dict[str, tuple[bytes, int, int, int]]:
    """Content and metadata of the directory of the store."""
    found = {}
    for folder, _, names in os.walk(os.path.join(store.home, ".local")):
        for name in names:
            path = os.path.join(folder, name)
            status = os.stat(path)
            with open(path, "rb") as stream:
                found[path] = (stream.read(), status.st_mtime_ns, status.st_ino, status.st_mode)
    return found

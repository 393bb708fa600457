"""A silent or slow agent: every wait has a limit, Ctrl-C ends it, and nothing is written."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lab import hostile_agent as hostile
from lab.clients import kill_group
from lab.hostile_agent import LIST, SIGN, HostileAgent
from lab.interruptible import Interruptible, eventually
from lab.ssh import Agent, Key
from lab.store import StoreUser
from support.hostile_agents import GET, SET, ask_at_once, ask_each, files, improper_errors, serving, sockets

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither Unix sockets nor signals for one process")

#: Allowance for a busy machine.
BUSY = 3.0
#: Limit of the whole lookup in seconds, since the limit for a signature, a minute, is too long for a test.
LIMIT = 0.5
SHORT = {"RINGBEARER_TIMEOUT": str(LIMIT)}


@pytest.fixture
def filled(store: StoreUser) -> StoreUser:
    """With a store that has a password."""
    store.set("service", "alice", "the-password")
    return store


@contextmanager
def full_queue() -> Iterator[str]:
    """A socket that accepts no connection and whose queue is full."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as directory, socket.socket(socket.AF_UNIX) as listener:
        path = os.path.join(directory, "s")
        listener.bind(path)
        listener.listen(0)
        queued = []
        try:
            while len(queued) < 4096:
                queued.append(socket.socket(socket.AF_UNIX))
                queued[-1].setblocking(False)
                queued[-1].connect(path)
        except (BlockingIOError, ConnectionRefusedError):
            pass
        try:
            yield path
        finally:
            for one in queued:
                one.close()


def test_agent_that_lists_no_keys_times_out_after_five_seconds(store: StoreUser, keys: dict[str, Key]) -> None:
    with HostileAgent(keys["ed25519"], listing=hostile.hang()) as agent:
        answers = ask_each(store, {"silent": agent.socket}, [SET])
    assert improper_errors(answers) == {}
    [answer] = answers.values()
    assert 4.9 < answer.seconds < 5 + BUSY
    assert "within 5 s" in answer.error.message
    assert files(store) == {}


def hanging(keys: dict[str, Key]) -> dict[str, HostileAgent]:
    """Agents that never complete their answer."""
    key = keys["ed25519"]
    return {
        "hangs on sign": HostileAgent(key, signing=hostile.hang()),
        "drips the signature": HostileAgent(key, signing=hostile.drip()),
        "hangs in the length": HostileAgent(key, signing=lambda _: hostile.Reply(b"\0\0", hang=True)),
        "hangs in the signature": HostileAgent(key, signing=hostile.announce(83)),
        "refuses and never lists": HostileAgent(key, hostile.hang(), hostile.say(b"\x05")),
        "refuses and drips the list": HostileAgent(key, hostile.drip(), hostile.say(b"\x05")),
    }


def test_silent_or_slow_agent_times_out_with_the_look_up(filled: StoreUser, keys: dict[str, Key]) -> None:
    before = files(filled)
    with serving(hanging(keys)) as served:
        answers = ask_at_once(filled, sockets(served), [GET, SET], **SHORT)
    assert [name for name, answer in answers.items() if not 0.9 * LIMIT < answer.seconds < LIMIT + BUSY] == []
    assert files(filled) == before
    assert improper_errors(answers) == {}


def test_hanging_agent_creates_no_store(store: StoreUser, keys: dict[str, Key]) -> None:
    key = keys["ed25519"]
    made = {
        "hangs on list": HostileAgent(key, hostile.hang()),
        "drips the list": HostileAgent(key, hostile.drip()),
        "hangs on sign": HostileAgent(key, None, hostile.hang()),
        "hangs on the second signature": HostileAgent(key, None, hostile.hang(after=1)),
    }
    with serving(made) as served:
        answers = ask_at_once(store, sockets(served), [SET], **SHORT)
        assert served["hangs on the second signature"].count(SIGN) == 2
    assert [name for name, answer in answers.items() if not 0.9 * LIMIT < answer.seconds < LIMIT + BUSY] == []
    assert files(store) == {}
    assert improper_errors(answers) == {}


def test_agent_that_accepts_no_connection_times_out(filled: StoreUser) -> None:
    before = files(filled)
    with full_queue() as path:
        answers = ask_each(filled, {"full": path}, [GET, SET], **SHORT)
        shown = filled.command("ringbearer", "store", "status", SSH_AUTH_SOCK=path, **SHORT)
    assert [answer.seconds for answer in answers.values() if answer.seconds > LIMIT + BUSY] == []
    assert shown.code == 3 and shown.duration < LIMIT + BUSY
    assert files(filled) == before
    assert improper_errors(answers) == {}


def test_suspended_ssh_agent_times_out(filled: StoreUser, agent: Agent) -> None:
    before = files(filled)
    agent.stop()
    answers = ask_each(filled, {"suspended": agent.socket}, [GET, SET], **SHORT)
    assert [answer.seconds for answer in answers.values() if answer.seconds > LIMIT + BUSY] == []
    assert files(filled) == before
    assert improper_errors(answers) == {}


#: Makes the call of its arguments, and prints when it was interrupted.
INTERRUPTED = """
import sys, time
from ringbearer.backends import SSHAgentKeyring
backend = SSHAgentKeyring()
for method in sys.argv[1:]:
    arguments = ["service", "alice", "another-password"][: 3 if method == "set_password" else 2]
    try:
        print("asking", flush=True)
        getattr(backend, method)(*arguments)
        print("answered", flush=True)
    except KeyboardInterrupt:
        print("interrupted", time.monotonic(), flush=True)
"""


@pytest.fixture
def start() -> Iterator:
    started: list[subprocess.Popen[bytes]] = []

    def start(store: StoreUser, *words: str, **variables: str) -> Interruptible:
        started.append(store.client.start(words, store.environment(**variables)))
        return Interruptible(started[-1])

    yield start
    for process in started:
        kill_group(process)
        process.communicate()


def test_ctrl_c_ends_the_wait_for_a_signature_without_a_write(filled: StoreUser, keys: dict[str, Key], start) -> None:
    before = files(filled)
    methods = ["get_password", "set_password", "delete_password", "get_credential"]
    with HostileAgent(keys["ed25519"], signing=hostile.hang()) as agent:
        running = start(filled, "python", "-c", INTERRUPTED, *methods, SSH_AUTH_SOCK=agent.socket)
        for count in range(1, len(methods) + 1):
            assert running.line() == "asking"
            agent.wait_for(SIGN, count)
            assert running.interrupt() < 1
        assert running.end() == (0, "")
    assert files(filled) == before


def test_ctrl_c_during_the_creation_leaves_no_store(store: StoreUser, keys: dict[str, Key], start) -> None:
    key = keys["ed25519"]
    for listing, signing, kind, count in (
        (hostile.hang(), None, LIST, 1),
        (None, hostile.hang(), SIGN, 1),
        (None, hostile.hang(after=1), SIGN, 2),
    ):
        with HostileAgent(key, listing, signing) as agent:
            running = start(store, "python", "-c", INTERRUPTED, "set_password", SSH_AUTH_SOCK=agent.socket)
            assert running.line() == "asking"
            agent.wait_for(kind, count)
            assert running.interrupt() < 1
            assert running.end() == (0, "")
    assert files(store) == {}


def test_ctrl_c_ends_the_wait_for_a_connection_to_the_agent(filled: StoreUser, start) -> None:
    with full_queue() as path:
        running = start(filled, "python", "-c", INTERRUPTED, "get_password", SSH_AUTH_SOCK=path)
        assert running.line() == "asking"
        # The wait cannot be observed from outside.
        time.sleep(0.1)
        assert running.interrupt() < 1
        assert running.end() == (0, "")


def test_signature_after_ctrl_c_writes_nothing(filled: StoreUser, keys: dict[str, Key], start) -> None:
    before, release = files(filled), threading.Event()

    def late(request: hostile.Request) -> hostile.Reply:
        release.wait(30)
        return hostile.Reply(hostile.frame(request.honest))

    with HostileAgent(keys["ed25519"], signing=late) as agent:
        words = ["set_password", "delete_password", "get_password"]
        running = start(filled, "python", "-c", INTERRUPTED, *words, SSH_AUTH_SOCK=agent.socket)
        for count in (1, 2):
            assert running.line() == "asking"
            agent.wait_for(SIGN, count)
            assert running.interrupt() < 1
        release.set()
        assert [running.line(), running.line()] == ["asking", "answered"]
        assert running.end() == (0, "")
    assert files(filled) == before


@pytest.mark.parametrize("signatures", [0, 1, 2])
def test_ctrl_c_ends_a_command_with_130_and_keeps_the_store(
    filled: StoreUser, keys: dict[str, Key], start, signatures: int
) -> None:
    # Two signatures for the new key, one for the old.
    before = files(filled)
    with HostileAgent(keys["ed25519"], signing=hostile.hang(after=signatures)) as agent:
        running = start(filled, "ringbearer", "store", "rotate", SSH_AUTH_SOCK=agent.socket)
        agent.wait_for(SIGN, signatures + 1)
        sent = time.monotonic()
        os.kill(running.process.pid, signal.SIGINT)
        code, stderr = running.end()
    assert time.monotonic() - sent < BUSY
    assert code == 130
    assert "Traceback" not in stderr
    assert files(filled) == before
    assert filled.get("service", "alice") == "the-password"


def test_program_exits_at_once_while_a_thread_awaits_the_agent(filled: StoreUser, keys: dict[str, Key], start) -> None:
    program = """
import threading, sys
from ringbearer.backends import SSHAgentKeyring
thread = threading.Thread(target=SSHAgentKeyring().get_password, args=("service", "alice"), daemon=True)
try:
    # It may be at the agent before this is left.
    thread.start()
    threading.Event().wait(60)
except KeyboardInterrupt:
    print("leaving", flush=True)
"""
    with HostileAgent(keys["ed25519"], signing=hostile.hang()) as agent:
        running = start(filled, "python", "-c", program, SSH_AUTH_SOCK=agent.socket)
        agent.wait_for(SIGN)
        os.kill(running.process.pid, signal.SIGINT)
        assert running.line() == "leaving"
        assert running.end() == (0, "")


def test_wait_for_the_agent_does_not_block_other_processes(filled: StoreUser, keys: dict[str, Key], start) -> None:
    with HostileAgent(keys["ed25519"], signing=hostile.hang()) as agent:
        running = start(filled, "python", "-c", INTERRUPTED, "set_password", SSH_AUTH_SOCK=agent.socket)
        agent.wait_for(SIGN)
        filled.set("service", "bob", "his")
        assert filled.get("service", "bob") == "his"
        assert running.line() == "asking"
        assert running.interrupt() < 1
    assert eventually(lambda: running.process.poll() is not None)

"""Many threads in one process, and a fork while one waits for the agent."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from lab import hostile_agent as hostile
from lab.clients import kill_group
from lab.hostile_agent import SIGN, HostileAgent
from lab.ssh import Key
from lab.store import StoreUser

THREADS = """
import sys, threading
from ringbearer.backends import SSHAgentKeyring
backend = SSHAgentKeyring()
failures = []
begin = threading.Barrier(8)
def work(name):
    begin.wait()
    try:
        for number in range(20):
            backend.set_password("service", f"{name}-{number}", f"password of {name}-{number}")
            assert backend.get_password("service", f"{name}-{number}") == f"password of {name}-{number}"
            assert backend.get_password("service", f"nobody-{name}") is None
    except BaseException as error:
        failures.append(f"{name}: {error!r}")
threads = [threading.Thread(target=work, args=(name,)) for name in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(failures)
"""


@pytest.mark.parametrize("cache", ["0", "60"])
def test_eight_threads_create_and_fill_a_store_without_loss(store: StoreUser, cache: str) -> None:
    environment = store.environment(RINGBEARER_STORE_CACHE_SECONDS=cache)
    ended = store.client.run(["python", "-c", THREADS], environment, timeout=120).check()
    assert ended.stdout == "[]\n"
    assert len(store.content()["records"]) == 160
    assert store.get("service", "7-19") == "password of 7-19"


#: A thread makes a call; on command, the process forks, and the child makes its own.
FORK = """
import os, sys, threading
from ringbearer.backends import SSHAgentKeyring
backend = SSHAgentKeyring()
thread = threading.Thread(target=backend.get_password, args=("service", "alice"), daemon=True)
thread.start()
sys.stdin.readline()
number = os.fork()
if number == 0:
    print("child", backend.get_password("service", "alice"), flush=True)
    backend.set_password("service", "child", "its password")
    os._exit(0)
print("status", os.waitpid(number, 0)[1], flush=True)
print("waiting", thread.is_alive(), flush=True)
print("parent", backend.get_password("service", "child"), flush=True)
"""


@pytest.fixture
def start() -> Iterator:
    started: list[subprocess.Popen[bytes]] = []

    def start(store: StoreUser, program: str, **variables: str) -> subprocess.Popen[bytes]:
        command = ["python", "-W", "ignore", "-c", program]
        started.append(store.client.start(command, store.environment(**variables), with_stdin=True))
        return started[-1]

    yield start
    for process in started:
        kill_group(process)
        process.communicate()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.parametrize("cache", ["0", "60"])
def test_child_forked_during_a_wait_for_the_agent_uses_the_store(
    store: StoreUser, keys: dict[str, Key], start, cache: str
) -> None:
    store.set("service", "alice", "the-password")
    with HostileAgent(keys["ed25519"], signing=hostile.hang_once()) as agent:
        process = start(store, FORK, SSH_AUTH_SOCK=agent.socket, RINGBEARER_STORE_CACHE_SECONDS=cache)
        agent.wait_for(SIGN)
        stdout, stderr = process.communicate(b"\n", timeout=30)
        # One each for the thread, the child and the parent: a child has its own keys.
        assert agent.count(SIGN) == (4 if cache == "0" else 3)
    assert (process.returncode, stderr) == (0, b"")
    assert stdout.decode().splitlines() == [
        "child the-password",
        "status 0",
        "waiting True",
        "parent its password",
    ]


#: Makes a call, forks, makes one in the child, and another one.
FORK_WITH_KEYS = """
import os
from ringbearer.backends import SSHAgentKeyring
backend = SSHAgentKeyring()
for _ in range(2):
    assert backend.get_password("service", "alice") == "the-password"
number = os.fork()
if number == 0:
    for _ in range(2):
        assert backend.get_password("service", "alice") == "the-password"
    os._exit(0)
assert os.waitpid(number, 0)[1] == 0
assert backend.get_password("service", "alice") == "the-password"
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_keys_that_are_kept_do_not_cross_a_fork(store: StoreUser, keys: dict[str, Key], start) -> None:
    store.set("service", "alice", "the-password")
    with HostileAgent(keys["ed25519"]) as agent:
        process = start(store, FORK_WITH_KEYS, SSH_AUTH_SOCK=agent.socket, RINGBEARER_STORE_CACHE_SECONDS="60")
        _, stderr = process.communicate(timeout=30)
        assert agent.count(SIGN) == 2
    assert (process.returncode, stderr) == (0, b"")

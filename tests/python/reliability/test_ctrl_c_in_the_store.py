"""Ctrl-C during local waits: for the agent, for the lock of the store, for another process."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time

import pytest

if os.name != "nt":
    from lab.keyboard import Keyboard
from lab import hostile_agent as hostile
from lab import kernel_keys
from lab.clients import Client, kill_group
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.hostile_agent import LIST, SIGN, HostileAgent
from lab.interruptible import Interruptible, eventually
from lab.ssh import Key
from lab.store import StoreUser
from lab.store_session import held_lock
from support.native_keyring import NativeKeyring
from support.start_program import StartProgram

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals for one process")

#: Seconds from Ctrl-C to its effect: median and maximum.
USUAL, LONGEST = 0.25, 1.0

TIMES = 3

#: Stores a password in a loop, and prints when it was interrupted.
SETTING = """
import time
from ringbearer.backends import SSHAgentKeyring
backend = SSHAgentKeyring()
while True:
    print("asking", flush=True)
    try:
        backend.set_password("service", "alice", "another")
        print("answered", flush=True)
    except KeyboardInterrupt:
        print("interrupted", time.monotonic(), flush=True)
"""


def interrupted(process: subprocess.Popen[bytes], code: int = -signal.SIGINT) -> float:
    """How long a program takes to end, silently."""
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=10)
    assert (process.returncode, stdout, stderr) == (code, b"", b"")
    return time.monotonic() - sent


def assert_prompt(delays: list[float]) -> None:
    assert statistics.median(delays) < USUAL, delays
    assert max(delays) < LONGEST, delays


@pytest.fixture
def filled(store: StoreUser) -> StoreUser:
    """With a store that has a password."""
    store.set("service", "alice", "the-password")
    return store


WORDS = {
    "get": ["keyring", "get", "service", "alice"],
    "set": ["keyring", "set", "service", "alice"],
    "del": ["keyring", "del", "service", "alice"],
    "rotate": ["ringbearer", "store", "rotate"],
}


@pytest.mark.parametrize("words", WORDS)
def test_ctrl_c_ends_the_native_wait_for_a_signature(
    filled: StoreUser, keys: dict[str, Key], native: Client, start_program: StartProgram, words: str
) -> None:
    delays = []
    with HostileAgent(keys["ed25519"], signing=hostile.hang()) as agent:
        environment = {**filled.environment(SSH_AUTH_SOCK=agent.socket), "PATH": native.bin}
        for count in range(1, TIMES + 1):
            process = start_program(native, WORDS[words], environment, b"another")
            agent.wait_for(SIGN, count)
            delays.append(interrupted(process))
    assert_prompt(delays)
    assert filled.get("service", "alice") == "the-password"


def test_ctrl_c_ends_the_native_wait_for_an_agents_keys(
    store: StoreUser, keys: dict[str, Key], native: Client, start_program: StartProgram
) -> None:
    delays = []
    with HostileAgent(keys["ed25519"], listing=hostile.hang()) as agent:
        environment = {**store.environment(SSH_AUTH_SOCK=agent.socket), "PATH": native.bin}
        for count in range(1, TIMES + 1):
            process = start_program(native, ["ringbearer", "store", "init"], environment)
            agent.wait_for(LIST, count)
            delays.append(interrupted(process))
    assert_prompt(delays)
    assert not os.path.exists(store.path)


def test_ctrl_c_ends_the_wait_for_the_store_lock_in_python(filled: StoreUser, start_program: StartProgram) -> None:
    delays = []
    with held_lock(filled):
        running = Interruptible(start_program(filled.client, ["python", "-c", SETTING], filled.environment()))
        for _ in range(TIMES):
            assert running.line() == "asking"
            # The wait cannot be observed from outside.
            time.sleep(0.1)
            delays.append(running.interrupt())
        kill_group(running.process)
    assert_prompt(delays)
    assert filled.get("service", "alice") == "the-password"


def test_ctrl_c_ends_the_native_wait_for_the_store_lock(
    filled: StoreUser, native: Client, start_program: StartProgram
) -> None:
    delays = []
    environment = {**filled.environment(), "PATH": native.bin}
    with held_lock(filled):
        for _ in range(TIMES):
            process = start_program(native, WORDS["set"], environment, b"another")
            time.sleep(0.15)
            assert process.poll() is None
            delays.append(interrupted(process))
    assert_prompt(delays)
    assert filled.get("service", "alice") == "the-password"


def test_ctrl_c_ends_the_wait_for_another_process_only(
    cloud: PracticeCloud, native: Client, home, fake_programs: FakePrograms, start_program: StartProgram
) -> None:
    kernel_keys.need_sharing()
    fake_programs.az(Answer(hang=True))
    environment = NativeKeyring(cloud, native, home, [fake_programs.directory]).environment()
    words = ["keyring", "get", cloud.azure.feed.url(), "frodo"]
    first = start_program(native, words, environment)
    assert eventually(fake_programs.running)
    delays = []
    for _ in range(TIMES):
        process = start_program(native, words, environment)
        time.sleep(0.15)
        delays.append(interrupted(process))
    assert_prompt(delays)
    assert first.poll() is None and len(fake_programs.invocations("az")) == 1


@pytest.mark.parametrize("by", ["key", "signal"])
@pytest.mark.parametrize("program", ["native keyring", "native ringbearer", "client ringbearer"])
def test_ctrl_c_ends_the_wait_for_a_typed_password(
    request: pytest.FixtureRequest, cloud: PracticeCloud, filled: StoreUser, program: str, by: str
) -> None:
    fixture, name = program.split()
    path = request.getfixturevalue(fixture).program(name)
    environment = cloud.environment(filled.home, SSH_AUTH_SOCK=filled.socket)
    delays = []
    for _ in range(TIMES):
        keyboard = Keyboard([path, "set", "service", "alice"], environment)
        keyboard.wait_for(b": ")
        keyboard.type(b"half of it")
        sent = time.monotonic()
        if by == "key":
            keyboard.type(b"\x03")
        else:
            keyboard.process.send_signal(signal.SIGINT)
        ended = keyboard.ended()
        delays.append(time.monotonic() - sent)
        assert ended.code in (130, -signal.SIGINT) and ended.is_restored, ended
    assert_prompt(delays)
    assert filled.get("service", "alice") == "the-password"

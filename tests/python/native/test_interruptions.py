"""Ctrl-C and SIGTERM end the program at once and leave no process behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.interruptible import eventually
from lab.store import StoreUser
from support.azure_user import AzureUser
from support.native_keyring import NativeKeyring, keyring_script

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows ends all processes of a console together")

#: Seconds from the signal to the exit: if a program must be ended, and if a blocking system call must be
#: abandoned.
AT_ONCE, SOON = 1, 1.5

with_each_signal = pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
with_each_native_program = pytest.mark.parametrize("program", ["keyring", "ringbearer"])


def interrupted(process: subprocess.Popen[bytes], number: int, limit: float = AT_ONCE) -> tuple[int, bytes, bytes]:
    """Exit status, stdout and stderr of a process after a signal, which ends it in time."""
    begun = time.monotonic()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=10)
    assert time.monotonic() - begun < limit
    return process.returncode, stdout, stderr


@with_each_signal
@with_each_native_program
@pytest.mark.parametrize("hang", [True, "child"], ids=["az", "a child of az"])
def test_signal_ends_the_program_and_a_slow_az_with_children(
    cloud: PracticeCloud,
    native: Client,
    azure_user: AzureUser,
    fake_programs: FakePrograms,
    program: str,
    name: str,
    hang: bool | str,
) -> None:
    fake_programs.az(Answer(hang=hang))
    number = getattr(signal, name)
    process = native.start([program, "get", cloud.azure.feed.url(), "frodo"], azure_user.environment())
    assert eventually(fake_programs.running)
    assert interrupted(process, number) == (-number, b"", b"")
    assert eventually(lambda: fake_programs.running() == [], AT_ONCE)


@pytest.mark.parametrize("program", ["ringbearer", "python -m ringbearer"])
def test_ctrl_c_ends_the_wheels_own_program_too_and_az_with_it(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, fake_programs: FakePrograms, program: str
) -> None:
    fake_programs.az(Answer(hang="child"))
    process = client.start([*program.split(), "get", cloud.azure.feed.url(), "frodo"], azure_user.environment())
    assert eventually(fake_programs.running)
    assert interrupted(process, signal.SIGINT) == (130, b"", b"")
    assert eventually(lambda: fake_programs.running() == [], AT_ONCE)


@with_each_signal
def test_a_signal_ends_the_wait_for_a_silent_server(
    cloud: PracticeCloud, native: Client, azure_user: AzureUser, name: str
) -> None:
    cloud.faults.add(faults.silence(), host="pkgs.dev.azure.com")
    number = getattr(signal, name)
    process = native.start(["keyring", "get", cloud.azure.feed.url(), "frodo"], azure_user.environment())
    assert eventually(lambda: cloud.log.requests("pkgs.dev.azure.com"))
    assert interrupted(process, number, SOON) == (-number, b"", b"")


def test_signal_does_not_lead_to_another_keyring(
    cloud: PracticeCloud, native: Client, azure_user: AzureUser, fake_programs: FakePrograms
) -> None:
    fake_programs.az(Answer(hang=True))
    fake_programs.program("keyring", Answer("other\n"))
    process = native.start(["keyring", "get", cloud.azure.feed.url(), "frodo"], azure_user.environment(native.bin))
    assert eventually(fake_programs.running)
    assert interrupted(process, signal.SIGINT) == (-signal.SIGINT, b"", b"")
    assert fake_programs.invocations("keyring") == []


@with_each_signal
def test_signal_ends_the_wait_for_a_piped_password(native: Client, store: StoreUser, name: str) -> None:
    store.set("other", "other", "other")
    number = getattr(signal, name)
    environment = {**store.environment(), "PATH": native.bin}
    process = native.start(["keyring", "set", "registry.example", "frodo"], environment, with_stdin=True)
    process.stdin.write(b"half of it")
    process.stdin.flush()
    # It sleeps in a read.
    assert eventually(lambda: is_waiting_for_input(process.pid))
    begun = time.monotonic()
    process.send_signal(number)
    assert process.wait(10) == -number
    assert time.monotonic() - begun < SOON
    assert process.stderr.read() == b""
    process.communicate()
    assert store.get("registry.example", "frodo") is None


def is_waiting_for_input(number: int) -> bool:
    """Whether a thread of a process waits for a pipe."""
    if sys.platform != "linux":
        time.sleep(0.2)
        return True
    threads = Path(f"/proc/{number}/task")
    return any("pipe" in (thread / "wchan").read_text() for thread in threads.iterdir())


@with_each_signal
def test_signal_ends_the_backend_list_and_the_keyring_behind(
    cloud: PracticeCloud, native: Client, home: Path, fake_programs: FakePrograms, name: str
) -> None:
    fake_programs.program("keyring", Answer(hang="child"))
    number = getattr(signal, name)
    keyring = NativeKeyring(cloud, native, home, [fake_programs.directory])
    process = native.start(["keyring", "--list-backends"], keyring.environment())
    assert eventually(fake_programs.running)
    assert interrupted(process, number) == (-number, b"", b"")
    assert eventually(lambda: fake_programs.running() == [], AT_ONCE)


@with_each_signal
def test_ignored_signal_is_ignored_by_the_next_keyring_too(
    cloud: PracticeCloud, native: Client, home: Path, tmp_path: Path, name: str
) -> None:
    behind = keyring_script(tmp_path / "behind", f"kill -{name[3:]} $$", "echo survived")
    keyring = NativeKeyring(cloud, native, home, [behind])
    command = ["/bin/sh", "-c", f'trap "" {name[3:]}; exec "$@"', "sh", native.program("keyring"), "get", "a", "b"]
    ended = native.run(command, keyring.environment())
    assert (ended.code, ended.stdout) == (0, "survived\n")


@pytest.fixture
def python(beside: Callable[..., Client]) -> Client:
    """The Python keyring with ringbearer and a backend that stores passwords."""
    return beside("alt")


def test_ctrl_c_after_the_next_keyring_took_over_is_for_that_one(
    cloud: PracticeCloud, native: Client, home: Path, python: Client
) -> None:
    keyring = NativeKeyring(cloud, native, home, [python.bin])
    process = native.start(["keyring", "set", "registry.example", "frodo"], keyring.environment(), with_stdin=True)
    assert eventually(lambda: b"python" in Path(f"/proc/{process.pid}/cmdline").read_bytes()) or sys.platform != "linux"
    assert eventually(lambda: is_waiting_for_input(process.pid))
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=10)
    assert b"KeyboardInterrupt" in stderr and process.returncode == -signal.SIGINT

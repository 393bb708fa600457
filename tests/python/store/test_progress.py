"""Long operations: a progress bar on a terminal, waits for the lock, and Ctrl-C."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.known_store import KnownStore
from lab.opened import Opened
from lab.ssh import Agent
from lab.store import Request, StoreUser
from lab.terminal import Watching

#: Seconds before a progress bar appears.
PATIENCE = 1

shows_opening = pytest.mark.skipif(sys.platform != "linux", reason="needs inotify to see a process wait for a lock")


@pytest.fixture
def silent_agent() -> Iterator[socket.socket]:
    """A socket that accepts connections and never answers."""
    # A socket's path may have 107 bytes, which the directories of tests exceed.
    directory = tempfile.mkdtemp(prefix="silent-")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.path.join(directory, "s"))
        listener.listen()
        listener.settimeout(30)
        yield listener
    shutil.rmtree(directory)


@pytest.fixture
def held(store: StoreUser) -> Iterator[StoreUser]:
    """A user with a store whose lock the test holds."""
    store.set("service", "alice", "old")
    with open(store.path + ".lock", "rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield store


def watch(store: StoreUser, *words: str) -> Watching:
    command = [store.client.program("ringbearer"), "store", *words]
    return Watching(command, store.environment())


def test_long_work_shows_a_bar_that_is_gone_in_the_end(store: StoreUser, agent: Agent, tmp_path: Path) -> None:
    store.ask([Request("set_password", ("service", f"user {number}", "password")) for number in range(3)])
    store.command("ringbearer", "store", "export", str(tmp_path / "in")).check()
    # Confirming a signature takes a person seconds; only a huge store takes a second by itself.
    agent.stop()
    commands = [["list"], ["rotate"], ["export", str(tmp_path / "out")], ["import", str(tmp_path / "in")]]
    all_watching = [watch(store, *words) for words in commands]
    without_a_person = store.client.start(["ringbearer", "store", "list"], store.environment())
    time.sleep(PATIENCE + 1)
    os.kill(agent.process.pid, signal.SIGCONT)
    for watched in [watching.ended() for watching in all_watching]:
        assert watched.code == 0, watched
        assert "] " in watched.terminal and " of " in watched.terminal and "\r\x1b[K" in watched.terminal, watched
        assert not any("] " in line or " of " in line for line in watched.screen()), watched
        # None of it is on standard output.
        assert b"\x1b" not in watched.stdout and b" of " not in watched.stdout, watched
    _, stderr = without_a_person.communicate(timeout=60)
    assert (without_a_person.returncode, stderr) == (0, b"")


def test_short_work_shows_no_bar(store: StoreUser) -> None:
    store.set("service", "alice", "s3cr3t")
    for command in ("list", "rotate"):
        watched = watch(store, command).ended()
        assert (watched.code, watched.terminal) == (0, ""), watched


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["text", "json"])
def test_closed_pipe_is_not_an_error(known_store: KnownStore, options: list[str]) -> None:
    # More than a pipe holds, so that the writer is still running when the reader is gone.
    known_store.fill((f"service {number:05}", "u" * 100, "p") for number in range(2000))
    process = known_store.client.start(["ringbearer", "store", "list", *options], known_store.environment())
    assert process.stdout.read(10)
    process.stdout.close()
    assert process.wait(30) == 0 and process.stderr.read() == b""
    process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_standard_output_that_is_full_is_an_error_in_one_line(store: StoreUser) -> None:
    store.set("service", "alice", "s3cr3t")
    with open("/dev/full", "wb") as full:
        command = [store.client.program("ringbearer"), "store", "list"]
        ended = subprocess.run(command, env=store.environment(), stdout=full, stderr=subprocess.PIPE, timeout=30)
    assert ended.returncode == 1, ended
    assert ended.stderr.startswith(b"ringbearer: standard output cannot be written") and ended.stderr.count(b"\n") == 1


@pytest.mark.parametrize("command", ["status", "init", "list", "rotate", "import"])
def test_ctrl_c_while_the_agent_is_asked_ends_a_command_with_130(
    store: StoreUser, silent_agent: socket.socket, tmp_path: Path, command: str
) -> None:
    if command != "init":
        store.set("service", "alice", "s3cr3t")
    before = Path(store.path).read_bytes() if command != "init" else None
    file = tmp_path / "file.json"
    file.write_text('{"ringbearer-export": 1, "records": []}', encoding="utf-8")
    words = [str(file)] if command == "import" else []
    environment = store.environment(SSH_AUTH_SOCK=silent_agent.getsockname())
    process = store.client.start(["ringbearer", "store", command, *words], environment)
    connection, _ = silent_agent.accept()
    started = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    connection.close()
    assert (process.returncode, stdout, stderr) == (130, b"", b"")
    assert time.monotonic() - started < 4
    assert not os.path.exists(store.path) if before is None else Path(store.path).read_bytes() == before


@shows_opening
def test_ctrl_c_during_the_wait_for_the_lock_exits_with_130(held: StoreUser) -> None:
    with Opened(held.path + ".lock") as lock:
        process = held.client.start(["ringbearer", "store", "rotate"], held.environment())
        assert lock.wait()
    os.kill(process.pid, signal.SIGINT)
    stdout, stderr = process.communicate(timeout=30)
    assert (process.returncode, stdout, stderr) == (130, b"", b"")


@shows_opening
@pytest.mark.parametrize("program", ["set_password", "rotate"])
def test_write_waits_for_the_lock_and_succeeds_once_free(store: StoreUser, program: str) -> None:
    store.set("service", "alice", "old")
    before = Path(store.path).read_bytes()
    lock_path = store.path + ".lock"
    with open(lock_path, "rb") as stream, Opened(lock_path) as lock:
        fcntl.flock(stream, fcntl.LOCK_EX)
        if program == "rotate":
            process = store.client.start(["ringbearer", "store", "rotate"], store.environment())
        else:
            running = store.start([Request("set_password", ("service", "bob", "new"))])
            process = running.process
        assert lock.wait()
        assert process.poll() is None and Path(store.path).read_bytes() == before
    if program == "rotate":
        assert process.communicate(timeout=30)[1] == b"" and process.returncode == 0
    else:
        [answer] = running.answers()
        assert answer.error is None and store.get("service", "bob") == "new"
    assert Path(store.path).read_bytes() != before and store.get("service", "alice") == "old"


def test_lock_that_is_never_released_is_named_at_the_deadline(held: StoreUser) -> None:
    process = held.client.start(["ringbearer", "store", "rotate"], held.environment(RINGBEARER_TIMEOUT="2"))
    error = held.fails("set_password", "service", "alice", "new", RINGBEARER_TIMEOUT="2")
    _, stderr = process.communicate(timeout=30)
    assert "keyring.errors.PasswordSetError" in error.bases and process.returncode == 1
    for text in (error.message, stderr.decode()):
        assert held.path + ".lock" in text, text
    assert held.get("service", "alice") == "old"

"""Interpreters that exit or fork during a lookup, and lookups during shutdown: no crash, no hang."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import pytest
from lab import faults
from lab.clients import Client, Completed, kill_group
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_token
from lab.interruptible import eventually

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither forks nor hanging fake programs")

#: Time limit for the exit of an interpreter, in seconds.
SOON = 2.0

#: Two lookups in daemon threads; READY is printed when they run.
UNDER_WAY = """
import atexit, gc, keyring, os, sys, threading, time
keyring.get_keyring()
def ask(service):
    keyring.get_credential(service, None)
for service in sys.argv[1:]:
    threading.Thread(target=ask, args=(service,), daemon=True).start()
sys.stdin.readline()
"""

#: How the interpreter ends, and its exit code.
ENDS = {
    "the end of the program": ("", 0),
    "sys.exit": ("sys.exit(3)", 3),
    "an exception": ("raise LookupError('over')", 1),
    "os._exit": ("os._exit(4)", 4),
    "sys.exit in a function that atexit calls": ("atexit.register(sys.exit, 5)", None),
    "with garbage to collect": ("loop = []; loop.append(loop); del loop; gc.collect(); sys.exit(6)", 6),
}

#: A lookup during interpreter shutdown.
LATE = {
    "atexit": """
import atexit, keyring, sys
keyring.get_keyring()
atexit.register(lambda: print(keyring.get_credential(sys.argv[1], None).password))
""",
    "a destructor": """
import keyring, sys
backend = [one for one in keyring.backend.get_all_keyring() if type(one).__name__ == "AzureArtifactsKeyring"][0]
class Late:
    def __init__(self, get, service, write):
        self.get, self.service, self.write = get, service, write
    def __del__(self):
        self.write(1, self.get(self.service, None).password.encode() + b"\\n")
import os
kept = Late(backend.get_credential, sys.argv[1], os.write)
sys.kept = kept
""",
    "a thread that is waited for": """
import keyring, sys, threading, time
keyring.get_keyring()
def ask():
    time.sleep(0.2)
    print(keyring.get_credential(sys.argv[1], None).password)
threading.Thread(target=ask).start()
sys.exit(0)
""",
}


@pytest.fixture
def started(client: Client, cloud: PracticeCloud, fake_programs: FakePrograms, home) -> Iterator:
    """Starts the lookups; they run when it returns."""
    processes = []

    def start(end: str):
        urls = [cloud.azure.organisation(f"o{number}", cloud.azure.tenant).feed("f").url() for number in range(2)]
        environment = cloud.environment(home, path=[fake_programs.directory])
        command = ["python", "-c", UNDER_WAY + end, *urls]
        processes.append(client.start(command, environment, with_stdin=True))
        return processes[-1]

    yield start
    for process in processes:
        kill_group(process)
        process.communicate()


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("waits_for", ["a server", "a program"])
def test_interpreter_exits_at_once_while_look_ups_are_running(
    cloud: PracticeCloud, fake_programs: FakePrograms, started, how: str, waits_for: str
) -> None:
    end, code = ENDS[how]
    if waits_for == "a server":
        cloud.faults.add(faults.silence())
    fake_programs.az(Answer(hang=True))
    process = started(end)
    if waits_for == "a server":
        cloud.log.wait_for(2, host="pkgs.dev.azure.com")
    else:
        assert eventually(fake_programs.running)
    begun = time.monotonic()
    stdout, stderr = process.communicate(b"\n", timeout=10)
    assert time.monotonic() - begun < SOON
    assert process.returncode in ((code,) if code is not None else (0, 5)), stderr
    assert stdout == b""
    assert b"Fatal" not in stderr and b"panicked" not in stderr and b"_enter_buffered_busy" not in stderr
    assert stderr == b"" or how in ("an exception", "sys.exit in a function that atexit calls"), stderr


def test_program_of_a_look_up_ends_with_the_interpreter(fake_programs: FakePrograms, started) -> None:
    fake_programs.az(Answer(hang="child"))
    process = started("sys.exit(0)")
    assert eventually(fake_programs.running)
    process.communicate(b"\n", timeout=10)
    assert eventually(lambda: not fake_programs.running(), 2), "the program is still running"


@pytest.mark.parametrize("when", LATE)
def test_look_up_during_shutdown_is_answered_or_fails_cleanly(
    cloud: PracticeCloud, client: Client, fake_programs: FakePrograms, home, when: str
) -> None:
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    environment = cloud.environment(home, path=[fake_programs.directory])
    ended: Completed = client.run(["python", "-c", LATE[when], cloud.azure.feed.url()], environment, 10)
    assert ended.code == 0, ended
    assert "panicked" not in ended.stderr and "Fatal" not in ended.stderr
    assert ended.stdout.splitlines() == cloud.azure.session_tokens.issued
    assert ended.duration < 5


@pytest.mark.parametrize("point", ["GET", "az", "POST"])
@pytest.mark.parametrize("how", ["os.fork", "os.fork in a thread", "multiprocessing"])
def test_fork_during_a_look_up_harms_neither_process(
    cloud: PracticeCloud, client: Client, fake_programs: FakePrograms, home, point: str, how: str
) -> None:
    answers = az_token(cloud.azure.directory.user_token(cloud.azure.user))
    for answer in answers:
        answer.delay = 0.3 if point == "az" else 0
    fake_programs.az(*answers)
    if point != "az":
        cloud.faults.add(faults.latency(0.4), method=point, times=1)
    environment = cloud.environment(home, path=[fake_programs.directory])
    command = ["python", "-W", "ignore", "-c", FORK, cloud.azure.feed.url(), how]
    process = client.start(command, environment, with_stdin=True)
    if point == "az":
        assert eventually(lambda: fake_programs.invocations("az"))
    else:
        cloud.log.wait_for(1, method=point)
    stdout, stderr = process.communicate(b"\n", timeout=20)
    assert (process.returncode, stderr) == (0, b"")
    said = dict(line.split() for line in stdout.decode().splitlines())
    issued = cloud.azure.session_tokens.issued
    # Each has its own token, and the parent keeps its own.
    assert said["status"] == "0"
    assert {said["child"], said["parent"]} == set(issued) and len(issued) == 2
    assert said["again"] == said["parent"]


FORK = """
import keyring, multiprocessing, os, sys, threading
service, how = sys.argv[1:]
keyring.get_keyring()
def ask(name):
    print(name, keyring.get_credential(service, None).password, flush=True)
asking = threading.Thread(target=ask, args=("parent",))
asking.start()
sys.stdin.readline()
def fork():
    if how == "multiprocessing":
        child = multiprocessing.get_context("fork").Process(target=ask, args=("child",))
        child.start()
        child.join()
        print("status", child.exitcode, flush=True)
        return
    number = os.fork()
    if number == 0:
        ask("child")
        sys.exit(0) if threading.current_thread() is threading.main_thread() else os._exit(0)
    print("status", os.waitpid(number, 0)[1], flush=True)
if how == "os.fork in a thread":
    forking = threading.Thread(target=fork)
    forking.start()
    forking.join()
else:
    fork()
asking.join()
ask("again")
"""

"""Every wait has a limit, and Ctrl-C always works."""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from lab import faults
from lab.clients import Client, kill_group
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_token
from lab.interruptible import Interruptible, eventually
from lab.look_up import LookUp, Lookups

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals for one process")

#: The promised time from Ctrl-C to KeyboardInterrupt.
INTERRUPT_LIMIT = 0.25
#: Allowance for a busy machine.
BUSY_LIMIT = 1.0

#: Looks up each service, and prints when each lookup was interrupted.
INTERRUPTED = """
import keyring, sys, time
for service in sys.argv[1:]:
    print("asking", flush=True)
    try:
        keyring.get_credential(service, None)
        print("answered", flush=True)
    except KeyboardInterrupt:
        print("interrupted", time.monotonic(), flush=True)
"""


@pytest.fixture
def start(client: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> Iterator:
    started: list[subprocess.Popen[bytes]] = []

    def start(program: str, services: Sequence[str], **variables: str) -> Interruptible:
        environment = cloud.environment(home, path=[fake_programs.directory], **variables)
        process = client.start(["python", "-c", program, *services], environment)
        started.append(process)
        return Interruptible(process)

    yield start
    for process in started:
        kill_group(process)
        process.communicate()


def services(cloud: PracticeCloud, count: int = 3) -> list[str]:
    names = [f"patient-{number}" for number in range(count)]
    return [cloud.azure.organisation(name, cloud.azure.tenant).feed("tools").url() for name in names]


def assert_prompt(delays: list[float]) -> None:
    assert statistics.median(delays) < INTERRUPT_LIMIT, delays
    assert max(delays) < BUSY_LIMIT, delays


def test_ctrl_c_ends_the_wait_for_a_silent_server(cloud: PracticeCloud, start) -> None:
    cloud.faults.add(faults.silence())
    running = start(INTERRUPTED, services(cloud))
    delays = []
    for count in (1, 2, 3):
        assert running.line() == "asking"
        cloud.log.wait_for(count, host="pkgs.dev.azure.com")
        delays.append(running.interrupt())
    assert_prompt(delays)
    assert running.end() == (0, "")


def test_look_up_after_ctrl_c_ignores_the_cancelled_one(
    cloud: PracticeCloud, start, fake_programs: FakePrograms
) -> None:
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    cloud.faults.add(faults.silence(), times=1)
    running = start(INTERRUPTED, [cloud.azure.feed.url()] * 2)
    assert running.line() == "asking"
    cloud.log.wait_for(1, host="pkgs.dev.azure.com")
    running.interrupt()
    interrupted = time.monotonic()
    assert [running.line(), running.line()] == ["asking", "answered"]
    # The abandoned request stays open for its 30 seconds.
    assert time.monotonic() - interrupted < 10


def test_ctrl_c_ends_the_wait_for_a_silent_proxy_or_slow_body(cloud: PracticeCloud, start) -> None:
    cloud.faults.add(faults.silence(), method="CONNECT", times=2)
    cloud.faults.add(faults.drip(0.05))
    running = start(INTERRUPTED, services(cloud, 4))
    delays = []
    for method, count in (("CONNECT", 1), ("CONNECT", 2), ("GET", 1), ("GET", 2)):
        assert running.line() == "asking"
        cloud.log.wait_for(count, method=method)
        delays.append(running.interrupt())
    assert_prompt(delays)


def test_ctrl_c_ends_the_pause_before_a_retry(cloud: PracticeCloud, start) -> None:
    cloud.faults.add(faults.status(429, {"Retry-After": "60"}))
    running = start(INTERRUPTED, services(cloud))
    delays = []
    for count in (1, 2, 3):
        assert running.line() == "asking"
        assert eventually(lambda count=count: len(cloud.log.requests(status=429)) == count)
        delays.append(running.interrupt())
    assert_prompt(delays)
    assert len(cloud.log.requests()) == 3


@pytest.mark.parametrize("hang", [True, "child"])
def test_ctrl_c_ends_a_program_with_its_children(
    cloud: PracticeCloud, start, fake_programs: FakePrograms, hang: bool | str
) -> None:
    fake_programs.az(Answer(hang=hang))
    running = start(INTERRUPTED, services(cloud))
    delays: list[float] = []
    earlier: set[int] = set()
    for _ in range(3):
        assert running.line() == "asking"
        assert eventually(lambda seen=frozenset(earlier): set(fake_programs.running()) - seen)
        earlier.update(fake_programs.running())
        delays.append(running.interrupt())
        # The next lookup has started its own program by now.
        assert eventually(lambda seen=frozenset(earlier): not seen & set(fake_programs.running()), 2), (
            "the program is still running"
        )
    assert_prompt(delays)


@pytest.mark.parametrize("hang", [True, "child"])
def test_a_program_does_not_outlive_an_interrupted_interpreter(
    cloud: PracticeCloud, start, fake_programs: FakePrograms, hang: bool | str
) -> None:
    fake_programs.az(Answer(hang=hang))
    running = start("import keyring, sys; keyring.get_credential(sys.argv[1], None)", services(cloud))
    assert eventually(fake_programs.running)
    os.kill(running.process.pid, signal.SIGINT)
    code, stderr = running.end()
    assert code == -signal.SIGINT
    assert "KeyboardInterrupt" in stderr
    assert eventually(lambda: not fake_programs.running(), 2), "the program is still running"


def test_ctrl_c_ends_the_wait_for_the_sign_in_of_another_thread(
    cloud: PracticeCloud, start, fake_programs: FakePrograms
) -> None:
    fake_programs.az(Answer(hang=True))
    program = """
import keyring, os, sys, threading, time
threading.Thread(target=keyring.get_credential, args=(sys.argv[1], None), daemon=True).start()
while not os.listdir(sys.argv[2]):
    time.sleep(0.01)
for _ in range(3):
    try:
        print("asking", flush=True)
        keyring.get_credential(sys.argv[1], None)
    except KeyboardInterrupt:
        print("interrupted", time.monotonic(), flush=True)
"""
    calls = os.path.join(os.path.dirname(fake_programs.directory), "calls")
    running = start(program, [*services(cloud, 1), calls])
    delays = []
    for _ in range(3):
        assert running.line() == "asking"
        # The wait for the other thread cannot be observed from outside.
        time.sleep(0.1)
        delays.append(running.interrupt())
    assert_prompt(delays)
    assert len(fake_programs.invocations("az")) == 1
    assert running.end() == (0, "")


def test_the_exception_of_any_signal_handler_ends_a_look_up(cloud: PracticeCloud, start) -> None:
    cloud.faults.add(faults.silence())
    program = """
import keyring, signal, sys, time
class Alarm(Exception): pass
def ring(*_): raise Alarm("ring")
signal.signal(signal.SIGUSR1, ring)
try:
    keyring.get_credential(sys.argv[1], None)
except Alarm:
    print("interrupted", time.monotonic(), flush=True)
"""
    running = start(program, services(cloud, 1))
    cloud.log.wait_for(host="pkgs.dev.azure.com")
    assert running.interrupt(signal.SIGUSR1) < BUSY_LIMIT
    assert running.end() == (0, "")


def test_a_signal_that_raises_nothing_does_not_end_a_look_up(
    cloud: PracticeCloud, start, fake_programs: FakePrograms
) -> None:
    program = """
import keyring, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: print("handled", flush=True))
print("asking", flush=True)
found = keyring.get_credential(sys.argv[1], None)
print(found.username, flush=True)
"""
    cloud.faults.add(faults.latency(1.0), host="pkgs.dev.azure.com")
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    running = start(program, services(cloud, 1))
    cloud.log.wait_for(host="pkgs.dev.azure.com")
    os.kill(running.process.pid, signal.SIGUSR1)
    assert [running.line() for _ in range(3)] == ["asking", "handled", "VssSessionToken"]


def test_exception_in_a_log_handler_ends_the_look_up(cloud: PracticeCloud, start, fake_programs: FakePrograms) -> None:
    # Ctrl-C may come while Python is busy with a log line of the lookup.
    fake_programs.az(Answer(hang=True))
    program = """
import keyring, logging, sys, time
class Interrupting(logging.Handler):
    def emit(self, record):
        raise KeyboardInterrupt
logger = logging.getLogger("ringbearer")
logger.addHandler(Interrupting())
logger.setLevel(logging.DEBUG)
try:
    keyring.get_credential(sys.argv[1], None)
except KeyboardInterrupt:
    print("interrupted", flush=True)
time.sleep(3)
"""
    running = start(program, services(cloud, 1))
    assert running.line() == "interrupted"
    # If the lookup continues, it has started the program by then.
    assert running.end() == (0, "")
    assert fake_programs.running() == [], "the program is still running"


def test_a_look_up_that_may_take_a_second_is_over_after_a_second(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    fake_programs.az(Answer(hang="child"))
    made = [cloud.azure.organisation(f"slow-{number}", cloud.azure.tenant) for number in range(5)]
    urls = [organisation.feed("tools").url("visualstudio.com") for organisation in made]
    hosts = [url.split("/")[2] for url in urls]
    cloud.faults.add(faults.silence(), host=hosts[0])
    cloud.faults.add(faults.drip(), host=hosts[1])
    cloud.faults.add(faults.status(503), host=hosts[2])
    cloud.faults.add(faults.silence(), host=hosts[3], method="CONNECT")
    answers = look_up.all([LookUp(url) for url in urls], RINGBEARER_TIMEOUT="1")
    # More time, for processes that run beside it.
    assert max(answer.seconds for answer in answers) < 3.5
    assert [answer.credential for answer in answers] == [None] * len(urls)
    assert eventually(lambda: not fake_programs.running(), 2)
    said = {host: answer.warnings for host, answer in zip(hosts, answers)}
    assert [host for host in hosts if len(said[host]) != 1] == [], said
    assert [host for host in hosts if host not in said[host][0]] == [], said
    assert [host for host in hosts if "; " not in said[host][0]] == [], said


def test_other_threads_run_while_a_look_up_waits(cloud: PracticeCloud, start) -> None:
    cloud.faults.add(faults.silence())
    program = """
import keyring, sys, threading, time
counted = 0
def count():
    global counted
    while True:
        counted += 1
        time.sleep(0.001)
threading.Thread(target=count, daemon=True).start()
keyring.get_credential(sys.argv[1], None)
print(counted, flush=True)
"""
    running = start(program, services(cloud, 1), RINGBEARER_TIMEOUT="1")
    assert int(running.line()) > 50
    assert running.end()[0] == 0


def test_an_interpreter_exits_cleanly_with_look_ups_in_flight(cloud: PracticeCloud, start) -> None:
    cloud.faults.add(faults.silence())
    program = """
import keyring, sys, threading
try:
    # The last may be at the server before its start is left.
    for service in sys.argv[1:]:
        threading.Thread(target=keyring.get_credential, args=(service, None), daemon=True).start()
    threading.Event().wait(60)
except KeyboardInterrupt:
    print("leaving", flush=True)
"""
    running = start(program, services(cloud, 8))
    cloud.log.wait_for(8, host="pkgs.dev.azure.com")
    os.kill(running.process.pid, signal.SIGINT)
    assert running.line() == "leaving"
    assert running.end() == (0, "")


def test_interpreter_exits_at_once_after_an_interrupt(cloud: PracticeCloud, start) -> None:
    cloud.faults.add(faults.silence())
    running = start(INTERRUPTED, services(cloud, 1))
    cloud.log.wait_for(host="pkgs.dev.azure.com")
    assert running.line() == "asking"
    running.interrupt()
    started = time.monotonic()
    assert running.end() == (0, "")
    assert time.monotonic() - started < 2

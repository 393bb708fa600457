"""Ctrl-C in every wait of a lookup, in Python and in the native program: each request in each stage, and each program.

The waits are derived from the requests of successful lookups.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.blocking_points import BlockingPoint, BlockingPoints
from lab.clients import Client, kill_group
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.interruptible import Interruptible, eventually

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals for one process")

#: Seconds from Ctrl-C to its effect: median and maximum.
USUAL, LONGEST = 0.25, 1.0

#: Makes the lookups that it reads, one per line, and prints when each was interrupted.
ASKING = """
import json, keyring, os, sys, time
keyring.get_keyring()
for line in sys.stdin:
    case = json.loads(line)
    before = dict(os.environ)
    os.environ.update(case["variables"])
    print("asking", flush=True)
    try:
        found = keyring.get_credential(case["service"], None)
        print("answered", found is not None, flush=True)
    except KeyboardInterrupt:
        print("interrupted", time.monotonic(), flush=True)
    for name in set(os.environ) - set(before):
        del os.environ[name]
    os.environ.update(before)
"""


@pytest.fixture
def waits(cloud: PracticeCloud, fake_programs: FakePrograms, tmp_path: Path, home: Path) -> Iterator[BlockingPoints]:
    made = BlockingPoints(cloud, fake_programs, tmp_path, home)
    yield made
    made.close()


class LookUpProcess:
    """A Python process that makes the requested lookups."""

    def __init__(self, client: Client, environment: dict[str, str]) -> None:
        self.process = client.start(["python", "-c", ASKING], environment, with_stdin=True)
        self._running = Interruptible(self.process)

    def ask(self, service: str, variables: dict[str, str]) -> None:
        self.process.stdin.write(json.dumps({"service": service, "variables": variables}).encode() + b"\n")
        self.process.stdin.flush()
        assert self._running.line() == "asking"

    def line(self) -> str:
        return self._running.line()

    def interrupt(self) -> float:
        return self._running.interrupt()


@pytest.fixture
def look_up_process(
    client: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms
) -> Iterator[LookUpProcess]:
    made = LookUpProcess(client, cloud.environment(home, path=[fake_programs.directory]))
    yield made
    kill_group(made.process)
    made.process.communicate()


def every_wait(cloud: PracticeCloud, waits: BlockingPoints, look_up_process: LookUpProcess) -> Iterator[BlockingPoint]:
    """All blocking points, after the lookups were recorded."""
    for flow in waits.flows():
        cloud.faults.clear()
        cloud.log.clear()
        look_up_process.ask(*waits.fresh(flow))
        assert look_up_process.line() == "answered True", flow.name
        requests = sorted(cloud.log.requests() + cloud.log.requests(method="CONNECT"), key=lambda one: one.time)
        assert requests, flow.name
        yield from waits.of_requests(flow, requests)
        cloud.faults.clear()
        yield from waits.of_connecting(flow)
    cloud.faults.clear()
    yield from waits.of_programs()


def assert_prompt(delays: dict[str, float]) -> None:
    slow = sorted(((delay, name) for name, delay in delays.items()), reverse=True)[:5]
    assert statistics.median(delays.values()) < USUAL, slow
    assert slow[0][0] < LONGEST, slow
    print(f"{len(delays)} waits, median {statistics.median(delays.values()) * 1000:.0f} ms, slowest {slow}")


def test_ctrl_c_ends_every_wait_of_a_look_up_in_python(
    cloud: PracticeCloud, waits: BlockingPoints, look_up_process: LookUpProcess, fake_programs: FakePrograms
) -> None:
    delays = {}
    for wait in every_wait(cloud, waits, look_up_process):
        waiting = wait.begin()
        look_up_process.ask(wait.service, wait.variables)
        assert eventually(waiting, 5), wait.name
        delays[wait.name] = look_up_process.interrupt()
    assert_prompt(delays)
    assert len(delays) > 40
    assert eventually(lambda: not fake_programs.running(), 2), "a program is still running"


def test_ctrl_c_ends_every_wait_of_the_native_program(
    cloud: PracticeCloud,
    waits: BlockingPoints,
    look_up_process: LookUpProcess,
    native: Client,
    fake_programs: FakePrograms,
    home: Path,
) -> None:
    delays, ended = {}, {}
    for wait in every_wait(cloud, waits, look_up_process):
        waiting = wait.begin()
        variables = {"RINGBEARER_CACHE": "off", **wait.variables}
        environment = cloud.environment(home, path=[fake_programs.directory], **variables)
        process = native.start(["keyring", "--mode", "creds", "get", wait.service], environment)
        try:
            assert eventually(waiting, 5), wait.name
            sent = time.monotonic()
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=10)
            delays[wait.name] = time.monotonic() - sent
            ended[wait.name] = (process.returncode, stdout, stderr)
        except subprocess.TimeoutExpired:
            kill_group(process)
            raise
    assert {name: end for name, end in ended.items() if end != (-signal.SIGINT, b"", b"")} == {}
    assert_prompt(delays)
    assert len(delays) > 40
    assert eventually(lambda: not fake_programs.running(), 2), "a program is still running"

"""Foreign services: None within microseconds and without I/O, from each read-only backend and from the chain."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import lab
import pytest
from lab import strace
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp, Lookups
from lab.registries import REGISTRIES
from lab.registry import Registry

#: The names of the backends and the hosts that they claim, for the program.
_ARGUMENTS = json.dumps(
    [[one.backend for one in REGISTRIES.values()], [host for one in REGISTRIES.values() for host in one.claimed_hosts]]
)
_PROGRAM = Path(lab.__file__).with_name("foreign_program.py")
#: System calls for memory and about the process itself.
_MEMORY = {"brk", "mmap", "munmap", "mremap", "madvise", "mprotect", "getpid", "gettid", "futex", "sched_yield"}


@pytest.fixture
def environment(
    cloud: PracticeCloud, home: Path, fake_programs: FakePrograms, logins: dict[str, str]
) -> dict[str, str]:
    """A user of every registry, with failures raised and every step logged."""
    path = [fake_programs.directory]
    return cloud.environment(home, path=path, RINGBEARER_DEBUG="1", RINGBEARER_STRICT="1", **logins)


def test_logins_of_these_tests_serve_every_registry(look_up: Lookups, registries: dict[str, Registry]) -> None:
    logins = [registry.login_by_variables() for registry in registries.values()]
    variables = {name: value for _, login in logins for name, value in login.items()}
    answers = look_up.all([LookUp(registry.index_url) for registry in registries.values()], **variables)
    assert [answer.credential[0] for answer in answers] == [user for user, _ in logins]


def test_foreign_or_malformed_service_is_none_in_microseconds(
    cloud: PracticeCloud, client: Client, environment: dict[str, str]
) -> None:
    ended = client.run(["python", _PROGRAM, "asked", _ARGUMENTS], environment).check()
    found = json.loads(ended.stdout)
    assert found["answers"] == []
    assert found["count"] > 250
    assert found["threads"] == 0
    assert ended.stderr == ""
    assert cloud.log.requests() == cloud.log.connections() == []
    assert cloud.log.refused() == []
    assert found["slow"] == []


@pytest.mark.skipif(strace.MISSING is not None, reason=f"nothing else sees system calls: {strace.MISSING}")
def test_foreign_service_causes_no_system_call(client: Client, environment: dict[str, str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    command = [shutil.which("strace"), "-f", "-qq", "-o", log, client.python, _PROGRAM, "traced", _ARGUMENTS]
    client.run(command, environment).check()
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    marks = [[number for number, line in enumerate(lines) if mark in line] for mark in ("/the-beginning", "/the-end")]
    [[start], [end]] = marks
    calls = [re.match(r"\d+ +(\w+)\(", line) for line in lines[start + 1 : end]]
    assert len(calls) > 100
    assert {call[1] if call else "?" for call in calls} - _MEMORY == set()

"""Writers without the lock, such as the published package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from lab.known_store import KnownStore
from lab.store import Request
from lab.store_session import held_lock, temporaries

PROGRAM = Path(__file__).resolve().parents[2] / "lab" / "foreign_writer_program.py"
THERE = {("there", f"user-{number}"): f"secret-{number}" for number in range(200)}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can exchange two files atomically")
def test_writes_survive_a_writer_that_never_locks(known_store: KnownStore) -> None:
    known_store.fill((*name, password) for name, password in THERE.items())
    names = [("ours", f"{process}-{number}") for process in range(2) for number in range(40)]
    requests = [Request("set_password", (*name, f"secret of {name}")) for name in names]
    with held_lock(known_store):
        ours = [known_store.start(requests[:40]), known_store.start(requests[40:])]
        other = subprocess.Popen(
            [sys.executable, str(PROGRAM), known_store.path, "300"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert other.stderr.readline() == b"begun\n"
    assert [answer.error for process in ours for answer in process.answers() if answer.error] == []
    stdout, stderr = other.communicate(timeout=60)
    assert other.returncode == 0, stderr.decode()
    stored = known_store.content()["records"]
    assert [name for name in json.loads(stdout) if name not in stored] == []
    read = known_store.ask([Request("get_password", name) for name in [*THERE, *names]])
    assert [answer.result for answer in read] == [*THERE.values(), *(f"secret of {name}" for name in names)]
    assert temporaries(known_store) == []
    assert len(stored) == len(THERE) + len(names) + len(json.loads(stdout))


def test_change_made_in_place_by_another_writer_is_seen(known_store: KnownStore) -> None:
    known_store.fill([("service", "one", "1")])
    with held_lock(known_store):
        waiting = known_store.start([Request("set_password", ("service", "mine", "2"))])
        # It may have read the store already; it must not rely on that.
        content = known_store.text([("service", "one", "changed"), ("service", "theirs", "3")])
        with open(known_store.path, "r+b") as stream:
            stream.write(content)
            stream.truncate()
    assert [answer.error for answer in waiting.answers()] == [None]
    expected = {("service", "one"): "changed", ("service", "theirs"): "3", ("service", "mine"): "2"}
    assert known_store.entries() == expected


def test_store_created_in_the_meantime_is_kept(known_store: KnownStore) -> None:
    with held_lock(known_store):
        waiting = known_store.start([Request("set_password", ("service", "mine", "2"))])
        known_store.fill([("service", "theirs", "1")])
    assert [answer.error for answer in waiting.answers()] == [None]
    assert known_store.entries() == {("service", "theirs"): "1", ("service", "mine"): "2"}


def test_store_broken_in_the_meantime_is_refused_and_kept(known_store: KnownStore) -> None:
    known_store.fill([("service", "one", "1")])
    with held_lock(known_store):
        waiting = known_store.start([Request("set_password", ("service", "mine", "2"))])
        known_store.write(b"\0" * 500)
    [answer] = waiting.answers()
    assert answer.error is not None and "ringbearer.errors.StoreCorrupted" in answer.error.bases
    with open(known_store.path, "rb") as stream:
        assert stream.read() == b"\0" * 500


def test_store_removed_in_the_meantime_is_created_again(
    known_store: KnownStore,
) -> None:
    known_store.fill([("service", "one", "1")])
    with held_lock(known_store):
        waiting = known_store.start([Request("set_password", ("service", "mine", "2"))])
        deleting = known_store.start([Request("delete_password", ("service", "one"))])
        os.rename(known_store.path, known_store.path + ".moved")
    assert [answer.error for answer in waiting.answers()] == [None]
    [answer] = deleting.answers()
    assert answer.error is not None and answer.error.message == "Password not found"
    assert known_store.get("service", "mine") == "2" and known_store.get("service", "one") is None

"""Writers that are killed: acknowledged passwords are stored, and nothing blocks the next writer."""

from __future__ import annotations

import os
import random
import time

import pytest
from lab.acknowledging import Setters, password
from lab.known_store import KnownStore
from lab.store import Request, StoreUser
from lab.store_session import StoreSession, held_lock, is_locked, temporaries

ROUNDS = 60


def beside(store: StoreUser, name: str) -> str:
    return os.path.join(os.path.dirname(store.path), name)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_killed_processes_lose_no_acknowledged_password(
    known_store: KnownStore,
) -> None:
    expected = {("there", f"user-{number}"): f"secret-{number}" for number in range(300)}
    known_store.fill((*name, secret) for name, secret in expected.items())
    chance = random.Random()
    with Setters(known_store) as setters:
        for number in range(ROUNDS):
            process = setters.begin(f"round{number}")
            said = [setters.line() for _ in range(chance.randrange(3))]
            time.sleep(chance.uniform(0, 0.008))
            said += setters.kill(process)
            expected.update({("kill", username): password(username) for username in said})
            # The password in progress may be stored or not; any other state is a loss.
            next_one = f"round{number}-{len(said)}"
            found = known_store.entries()
            if ("kill", next_one) in found:
                expected["kill", next_one] = password(next_one)
            assert found == expected, f"round {number}"
            assert not is_locked(known_store)
            # The next writer removes the leftovers of the last.
            assert len(temporaries(known_store)) <= 1
    known_store.set("after", "user", "x")
    assert temporaries(known_store) == []
    assert known_store.entries() == {**expected, ("after", "user"): "x"}


def test_next_write_removes_only_leftovers_of_a_killed_one(known_store: KnownStore) -> None:
    known_store.fill([("service", "user", "secret")])
    left = [".store.json.ringbearer-abcdef123456", ".store.json.ringbearer-x"]
    others = [".store.json.tmp", ".other.json.ringbearer-abcdef123456", "store.json.ringbearer-x", "store.json.bak"]
    for name in left + others:
        with open(beside(known_store, name), "w", encoding="utf-8") as stream:
            stream.write("half a sto")
    os.symlink(known_store.path, beside(known_store, ".store.json.ringbearer-link"))
    os.mkdir(beside(known_store, ".store.json.ringbearer-directory"))
    others += [".store.json.ringbearer-link", ".store.json.ringbearer-directory"]
    assert known_store.get("service", "user") == "secret"
    assert set(left) <= set(os.listdir(beside(known_store, "")))
    known_store.set("service", "other", "new")
    assert sorted(os.listdir(beside(known_store, ""))) == sorted([*others, "store.json", "store.json.lock"])
    assert known_store.entries() == {("service", "user"): "secret", ("service", "other"): "new"}


def test_write_waits_for_the_lock_and_a_read_does_not(known_store: KnownStore) -> None:
    known_store.fill([("service", "user", "secret")])
    with StoreSession(known_store) as session:
        with held_lock(known_store):
            session.send("set_password", "service", "other", "new")
            # Reading needs no lock.
            assert known_store.get("service", "user") == "secret"
            assert known_store.get("service", "other") is None
        assert session.answer().error is None
    assert known_store.get("service", "other") == "new"


def test_a_temporary_file_and_the_lock_are_for_their_owner_alone(known_store: KnownStore) -> None:
    known_store.fill([("service", "user", "secret")])
    with StoreSession(known_store, umask=0) as session:
        session.set("service", "user", "new")
    modes = {name: os.stat(beside(known_store, name)).st_mode & 0o7777 for name in ("store.json", "store.json.lock")}
    assert modes == {"store.json": 0o600, "store.json.lock": 0o600}


def test_write_makes_a_readable_store_private(known_store: KnownStore) -> None:
    known_store.fill([("service", "user", "secret")])
    os.chmod(known_store.path, 0o644)
    known_store.ask([Request("get_password", ("service", "user"))])
    assert os.stat(known_store.path).st_mode & 0o7777 == 0o644
    known_store.set("service", "user", "new")
    assert os.stat(known_store.path).st_mode & 0o7777 == 0o600

"""Many processes at one store at the same time: no record is lost or restored, and no process fails.

The test holds the store's lock until every process has started, so that all continue at once.
"""

from __future__ import annotations

import os

from lab.known_store import KnownStore
from lab.store import Answer, Request, RunningStore, StoreUser
from lab.store_session import held_lock

PROCESSES = range(20)
TIMES = range(20)


def together(store: StoreUser, *work: list[Request]) -> list[list[Answer]]:
    """The answers of concurrent processes."""
    before = file(store)
    with held_lock(store):
        running: list[RunningStore] = [store.start(requests) for requests in work]
        # None wrote without waiting for the lock.
        assert file(store) == before
    return [process.answers() for process in running]


def file(store: StoreUser) -> bytes:
    if not os.path.exists(store.path):
        return b""
    with open(store.path, "rb") as stream:
        return stream.read()


def errors(answers: list[list[Answer]]) -> list[str]:
    return [answer.error.text for of_process in answers for answer in of_process if answer.error]


def setting(service: str, username: str, password: str) -> Request:
    return Request("set_password", (service, username, password))


def deleting(service: str, username: str) -> Request:
    return Request("delete_password", (service, username))


def getting(service: str, username: str, times: int = 1) -> Request:
    return Request("get_password", (service, username), times=times)


def test_twenty_processes_with_twenty_passwords_lose_nothing(store: StoreUser) -> None:
    store.set("before", "user", "was there")
    names = [[(f"service-{process}", f"user-{time}") for time in TIMES] for process in PROCESSES]
    work = [[setting(*name, f"secret of {name}") for name in of_process] for of_process in names]
    assert errors(together(store, *work)) == []
    every = [name for of_process in names for name in of_process]
    read = store.ask([getting(*name) for name in every] + [getting("before", "user")])
    assert [answer.result for answer in read] == [f"secret of {name}" for name in every] + ["was there"]
    assert len(store.content()["records"]) == 401


def test_processes_racing_to_create_a_store_lose_nothing(store: StoreUser) -> None:
    answers = together(store, *([setting("race", f"user-{process}", f"secret-{process}")] for process in PROCESSES))
    assert errors(answers) == []
    read = store.ask([getting("race", f"user-{process}") for process in PROCESSES])
    assert [answer.result for answer in read] == [f"secret-{process}" for process in PROCESSES]
    assert len(store.content()["records"]) == 20


def test_concurrent_deletes_and_sets_all_take_effect(known_store: KnownStore) -> None:
    staying = {("stays", f"user-{number}"): f"staying-{number}" for number in range(50)}
    going = [[("goes", f"{process}-{time}") for time in range(10)] for process in range(10)]
    doomed = {name: "doomed" for of_process in going for name in of_process}
    known_store.fill((*name, password) for name, password in {**staying, **doomed}.items())
    coming = [[("comes", f"{process}-{time}") for time in range(10)] for process in range(10)]
    work = [[deleting(*name) for name in of_process] for of_process in going]
    work += [[setting(*name, f"new {name[1]}") for name in of_process] for of_process in coming]
    assert errors(together(known_store, *work)) == []
    come = {name: f"new {name[1]}" for of_process in coming for name in of_process}
    assert known_store.entries() == {**staying, **come}


def test_readers_find_every_record_while_others_write(known_store: KnownStore) -> None:
    there = {("there", f"user-{number}"): f"secret-{number}" for number in range(100)}
    known_store.fill((*name, password) for name, password in there.items())
    writers = [[setting("new", f"{process}-{time}", "x") for time in TIMES] for process in range(4)]
    # Readers need no lock; the first password starts them with the others.
    readers = [
        [setting("new", f"reader-{process}", "x"), getting("there", f"user-{process}", times=60)]
        for process in range(4)
    ]
    answers = together(known_store, *writers, *readers)
    assert errors(answers) == []
    for process, (_, *read) in enumerate(answers[4:]):
        assert {answer.result for answer in read} == {f"secret-{process}"}


def test_concurrent_deletes_of_one_password_succeed_once(
    known_store: KnownStore,
) -> None:
    known_store.fill([("same", "user", "x"), ("other", "user", "y")])
    answers = together(known_store, *([deleting("same", "user")] for _ in range(8)))
    failures = [answer.error for [answer] in answers if answer.error]
    assert {(failure.type, failure.message) for failure in failures} == {("StoreNotFound", "Password not found")}
    assert len(failures) == 7
    assert known_store.entries() == {("other", "user"): "y"}


def test_concurrent_sets_of_one_password_leave_one_complete(known_store: KnownStore) -> None:
    known_store.fill([("same", "user", "old")])
    secrets = [str(process) * 1000 for process in range(8)]
    assert errors(together(known_store, *([setting("same", "user", secret)] * 5 for secret in secrets))) == []
    [(name, password)] = known_store.entries().items()
    assert name == ("same", "user") and password in secrets

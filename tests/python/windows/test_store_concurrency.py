"""Many programs at one store at the same time: no record is lost, and no program fails."""

from __future__ import annotations

import pytest
from lab.fake_programs import Answer
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.store import WindowsStore
from lab.windows.user import WindowsUser

WRITERS = 8


@pytest.fixture
def store(store_user: WindowsUser) -> WindowsStore:
    """A store with a record that every reader asks for."""
    made = WindowsStore(store_user)
    made.command("init").check()
    return made


def test_eight_programs_that_set_at_once_lose_nothing(store: WindowsStore) -> None:
    started = [store.start_set("svc", f"user-{number}", f"secret-{number}\n") for number in range(WRITERS)]
    assert [(ended.code, ended.output) for ended in store.user.all(*started)] == [(0, "")] * WRITERS
    assert store.passwords() == {("svc", f"user-{number}"): f"secret-{number}" for number in range(WRITERS)}
    assert store.files() == ["store.json", "store.json.lock"]


def test_eight_programs_that_create_the_store_lose_nothing(store_user: WindowsUser) -> None:
    store = WindowsStore(store_user)
    started = [
        store_user.start("ringbearer", "set", "svc", f"user-{number}", input=f"secret-{number}\n")
        for number in range(WRITERS)
    ]
    assert [(ended.code, ended.output) for ended in store_user.all(*started)] == [(0, "")] * WRITERS
    assert store.passwords() == {("svc", f"user-{number}"): f"secret-{number}" for number in range(WRITERS)}


def test_readers_find_their_record_while_others_write(store: WindowsStore) -> None:
    store.set("there", "user", "was there")
    user = store.user
    readers = [user.start("keyring", "get", "there", "user") for _ in range(WRITERS)]
    writers = [store.start_set("svc", f"user-{number}", f"secret-{number}\n") for number in range(WRITERS // 2)]
    readers += [user.start("keyring", "get", "there", "user") for _ in range(WRITERS)]
    assert [(ended.code, ended.stdout, ended.stderr) for ended in user.all(*readers)] == [(0, "was there\n", "")] * (
        2 * WRITERS
    )
    assert [(ended.code, ended.output) for ended in user.all(*writers)] == [(0, "")] * len(writers)
    assert len(store.content()["records"]) == 1 + len(writers)


def test_programs_that_rotate_and_set_at_once_lose_nothing(store: WindowsStore) -> None:
    user = store.user
    store.set("there", "user", "was there")
    started = [user.start("ringbearer", "store", "rotate") for _ in range(2)]
    started += [store.start_set("svc", f"user-{number}", f"secret-{number}\n") for number in range(4)]
    ended = user.all(*started)
    assert [one.code for one in ended] == [0] * len(started), [one.stderr for one in ended]
    passwords = store.passwords()
    assert passwords["there", "user"] == "was there" and len(passwords) == 5


def test_program_that_reads_the_file_does_not_stop_a_writer(
    store: WindowsStore, fake_programs: WindowsPrograms
) -> None:
    # As an editor or a backup: cmd.exe keeps the file open while its program runs.
    program = fake_programs.command("reader", Answer(delay=3))
    reader = store.user.start("cmd", "/c", *program, "<", store.shown_path)
    fake_programs.wait_for_call()
    store.set("svc", "alice", "s3cr3t")
    reader.wait().check()
    assert store.get("svc", "alice") == "s3cr3t"

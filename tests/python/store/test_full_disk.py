"""A disk that is full, and other limits: an error that says so, the store as it was, nothing left behind."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from lab import namespace
from lab.known_store import KnownStore
from lab.small_disk import SmallDisk, on_small_disk
from lab.store_session import StoreSession, temporaries

resource = pytest.importorskip("resource", reason="limits are a matter of POSIX")

needs_namespace = pytest.mark.skipif(
    not namespace.AVAILABLE, reason="a disk of its own needs a mount namespace, which this machine does not allow"
)

Disk = tuple[StoreSession, SmallDisk]


@pytest.fixture
def disk(known_store: KnownStore) -> Iterator[Disk]:
    """A process with a disk of its own, and some records on it. They are too large to be written twice."""
    os.makedirs(os.path.dirname(known_store.path), mode=0o700)
    with StoreSession(known_store, on_small_disk(os.path.dirname(known_store.path))) as session:
        made = SmallDisk(known_store, session)
        with open(made.store_path, "wb") as stream:
            stream.write(known_store.text(("service", f"user-{number}", "x" * 500) for number in range(100)))
        os.chmod(made.store_path, 0o600)
        session.set("service", "first", "secret")
        yield session, made


def check_refusal(disk: Disk, path: str) -> None:
    """Nothing can be written, everything can be read, and nothing changes by trying."""
    session, place = disk
    before = place.content(), place.names(), place.free()
    calls = [("set_password", "service", "new", "new"), ("set_password", "service", "user-1", "other")]
    calls += [("delete_password", "service", "user-1")]
    for method, *arguments in calls * 5:
        error = session.fails(method, *arguments)
        base = "PasswordSetError" if method == "set_password" else "PasswordDeleteError"
        assert f"keyring.errors.{base}" in error.bases
        assert "no space left" in error.message and path in error.message
        assert (place.content(), place.names(), place.free()) == before
    assert session.get("service", "user-1") == "x" * 500 and session.get("service", "first") == "secret"


@needs_namespace
@pytest.mark.parametrize("leave", [0, 16 * 1024], ids=["nothing-free", "too-little-free"])
def test_on_a_full_disk_writes_are_refused_and_the_store_stays_as_it_is(
    disk: Disk, known_store: KnownStore, leave: int
) -> None:
    session, place = disk
    place.fill(leave)
    check_refusal(disk, known_store.path)
    place.make_room()
    session.call("delete_password", "service", "user-1")
    session.set("service", "new", "new")
    assert session.get("service", "user-1") is None and session.get("service", "new") == "new"
    assert place.names() == ["store.json", "store.json.lock"]


@needs_namespace
def test_on_a_disk_with_no_room_for_another_file_writes_are_refused_too(disk: Disk, known_store: KnownStore) -> None:
    session, place = disk
    place.fill_with_files()
    check_refusal(disk, known_store.path)
    place.make_room()
    session.set("service", "new", "new")
    assert session.get("service", "new") == "new"


@needs_namespace
def test_a_store_that_cannot_be_made_for_want_of_space_is_not_half_there(known_store: KnownStore) -> None:
    os.makedirs(os.path.dirname(known_store.path), mode=0o700)
    with StoreSession(known_store, on_small_disk(os.path.dirname(known_store.path))) as session:
        place = SmallDisk(known_store, session)
        place.fill()
        error = session.fails("set_password", "service", "user", "secret")
        assert "keyring.errors.PasswordSetError" in error.bases and "no space left" in error.message
        assert set(place.names()) <= {"filler", "store.json.lock"}
        assert session.get("service", "user") is None
        place.make_room()
        session.set("service", "user", "secret")
        assert session.get("service", "user") == "secret"


@needs_namespace
def test_the_error_on_a_full_disk_says_what_to_do(disk: Disk) -> None:
    session, place = disk
    place.fill()
    message = session.fails("set_password", "service", "new", "new").message
    assert re.search(r"\b(free|room|remove|delete)\b", message), message


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux sets the limits of another process")
def test_a_limit_on_the_size_of_files_is_an_error_that_changes_nothing(known_store: KnownStore) -> None:
    known_store.fill(("service", f"user-{number}", "x" * 500) for number in range(100))
    with open(known_store.path, "rb") as stream:
        content = stream.read()
    names = {"store.json", "store.json.lock"}
    with StoreSession(known_store) as session:
        # A write that goes over the limit is cut short first, and then fails. Python ignores the signal for it.
        for limit in (0, 1, 4096, len(content) // 2):
            resource.prlimit(session.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
            for error in (
                session.fails("set_password", "service", "new", "new"),
                session.fails("delete_password", "service", "user-1"),
            ):
                assert known_store.path in error.message and "too large" in error.message
            with open(known_store.path, "rb") as stream:
                assert stream.read() == content
            assert temporaries(known_store) == [] and set(os.listdir(os.path.dirname(known_store.path))) == names
            assert session.get("service", "user-1") == "x" * 500
        resource.prlimit(session.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        session.set("service", "new", "new")
        assert session.get("service", "new") == "new"

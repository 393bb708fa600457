"""A full disk and other limits: an error, the old store, and no leftovers."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from lab import namespace
from lab.known_store import KnownStore
from lab.small_disk import SmallDisk, on_small_disk
from lab.store_session import StoreSession, temporaries

resource = pytest.importorskip("resource", reason="Windows has no process limits")

needs_namespace = pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")

Disk = tuple[StoreSession, SmallDisk]


@pytest.fixture
def disk(known_store: KnownStore) -> Iterator[Disk]:
    """A process with its own disk and a store that is too large to be written twice."""
    os.makedirs(os.path.dirname(known_store.path), mode=0o700)
    with StoreSession(known_store, on_small_disk(os.path.dirname(known_store.path))) as session:
        made = SmallDisk(known_store, session)
        with open(made.store_path, "wb") as stream:
            stream.write(known_store.text(("service", f"user-{number}", "x" * 500) for number in range(100)))
        os.chmod(made.store_path, 0o600)
        session.set("service", "first", "secret")
        yield session, made


def check_refusal(disk: Disk, path: str) -> None:
    """Writes fail, reads succeed, and nothing changes."""
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
def test_full_disk_refuses_writes_and_keeps_the_store(disk: Disk, known_store: KnownStore, leave: int) -> None:
    session, place = disk
    place.fill(leave)
    check_refusal(disk, known_store.path)
    place.make_room()
    session.call("delete_password", "service", "user-1")
    session.set("service", "new", "new")
    assert session.get("service", "user-1") is None and session.get("service", "new") == "new"
    assert place.names() == ["store.json", "store.json.lock"]


@needs_namespace
def test_disk_without_free_inodes_refuses_writes(disk: Disk, known_store: KnownStore) -> None:
    session, place = disk
    place.fill_with_files()
    check_refusal(disk, known_store.path)
    place.make_room()
    session.set("service", "new", "new")
    assert session.get("service", "new") == "new"


@needs_namespace
def test_full_disk_leaves_no_partial_new_store(known_store: KnownStore) -> None:
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
def test_full_disk_error_has_advice(disk: Disk) -> None:
    session, place = disk
    place.fill()
    message = session.fails("set_password", "service", "new", "new").message
    assert re.search(r"\b(free|room|remove|delete)\b", message), message


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="only Linux can set the limits of another process")
def test_file_size_limit_is_an_error_and_keeps_the_store(known_store: KnownStore) -> None:
    known_store.fill(("service", f"user-{number}", "x" * 500) for number in range(100))
    with open(known_store.path, "rb") as stream:
        content = stream.read()
    names = {"store.json", "store.json.lock"}
    with StoreSession(known_store) as session:
        # A write beyond the limit is truncated first, then fails. Python ignores its signal.
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

"""The system calls that replace a store: their order, and what remains if one fails or the process is killed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from lab import strace
from lab.clients import ClientEnvironments
from lab.interruptible import eventually
from lab.known_store import KnownStore
from lab.store import PUBLISHED
from lab.store_session import StoreSession, is_locked, temporaries

pytestmark = pytest.mark.skipif(strace.MISSING is not None, reason=f"nothing else sees system calls: {strace.MISSING}")

OLD = {("service", f"user-{number}"): f"secret-{number}" for number in range(20)}
NEW = {**OLD, ("service", "new"): "new"}
RENAMES = strace.RENAMING


@pytest.fixture
def filled(known_store: KnownStore) -> KnownStore:
    """A store with a few records."""
    known_store.fill((*name, password) for name, password in OLD.items())
    return known_store


@pytest.mark.parametrize("method", ["set_password", "delete_password"])
def test_file_is_synced_before_the_rename_and_directory_after(filled: KnownStore, tmp_path: Path, method: str) -> None:
    log = tmp_path / "log"
    with StoreSession(filled, strace.tracing(log)) as session:
        session.call(method, "service", "user-0", *(["new"] if method == "set_password" else []))
    (first, [temporary]), (second, [source, target]), (third, [directory]) = strace.calls(log)
    assert [first, second, third] == ["sync", "rename", "sync"]
    assert os.path.basename(temporary).startswith(".store.json.ringbearer-")
    assert (source, target) == (temporary, filled.path)
    assert os.path.dirname(temporary) == directory == os.path.dirname(filled.path)


def test_first_write_syncs_the_directories_it_creates(known_store: KnownStore, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with StoreSession(known_store, strace.tracing(log)) as session:
        session.set("service", "user", "secret")
    synced = {path for what, paths in strace.calls(log) if what == "sync" for path in paths}
    # A new directory is durable only after its parent is synced.
    made = os.path.dirname(known_store.path)
    assert made in synced
    missing = []
    while made != known_store.home:
        made = os.path.dirname(made)
        missing += [] if made in synced else [os.path.relpath(made, known_store.home)]
    assert missing == []


@pytest.mark.parametrize(
    ("failure", "words"),
    [("EIO", "input/output error"), ("ENOSPC", "no space left"), ("EDQUOT", "quota exceeded")],
)
def test_failed_write_is_an_error_and_keeps_the_store(
    filled: KnownStore, tmp_path: Path, failure: str, words: str
) -> None:
    with StoreSession(filled, strace.tracing(tmp_path / "log", f"fsync:error={failure}:when=1")) as session:
        error = session.fails("set_password", "service", "new", "new")
    assert filled.entries() == OLD and temporaries(filled) == []
    assert "keyring.errors.PasswordSetError" in error.bases
    assert filled.path in error.message and words in error.message.lower()
    filled.set("service", "new", "new")
    assert filled.entries() == NEW


@pytest.mark.parametrize("name", RENAMES.split(","))
def test_a_rename_that_fails_changes_nothing(filled: KnownStore, tmp_path: Path, name: str) -> None:
    injections = f"{name}:error=EIO:when=1"
    with StoreSession(filled, strace.tracing(tmp_path / "log", injections)) as session:
        answer = session.ask("set_password", "service", "new", "new")
    # Only one variant of each call is used; the others are not disturbed.
    if answer.error is None:
        assert filled.entries() == NEW
    else:
        assert "keyring.errors.PasswordSetError" in answer.error.bases
        assert filled.entries() == OLD
        assert "(INJECTED)" in (tmp_path / "log").read_text(encoding="utf-8")
    assert temporaries(filled) == []


def test_failed_directory_sync_does_not_claim_an_unchanged_store(filled: KnownStore, tmp_path: Path) -> None:
    with StoreSession(filled, strace.tracing(tmp_path / "log", "fsync:error=EIO:when=2")) as session:
        error = session.fails("set_password", "service", "new", "new")
    assert "keyring.errors.PasswordSetError" in error.bases
    # The new file is in place, though perhaps not durable.
    assert filled.entries() == NEW and temporaries(filled) == []
    assert not any(words in error.message for words in ("nothing was changed", "is unchanged"))


@pytest.mark.parametrize(
    ("place", "left"),
    [("fsync:signal=KILL:when=1", 1), (f"{RENAMES}:signal=KILL:when=1", None), ("fsync:signal=KILL:when=2", 0)],
    ids=["while-the-file-is-synced", "while-it-is-renamed", "while-the-directory-is-synced"],
)
def test_process_killed_at_any_step_leaves_the_old_or_new_store(
    filled: KnownStore, tmp_path: Path, place: str, left: int | None
) -> None:
    with StoreSession(filled, strace.tracing(tmp_path / "log", place)) as session:
        session.send("set_password", "service", "new", "new")
        assert session.process.stdout.readline() == b""
    found = filled.entries()
    assert found == (NEW if left == 0 else OLD) or (left is None and found == NEW)
    assert len(temporaries(filled)) == left or (left is None and len(temporaries(filled)) == (found == OLD))
    assert not is_locked(filled)
    filled.set("service", "new", "new")
    assert filled.entries() == NEW and temporaries(filled) == []


@pytest.mark.skipif(sys.version_info < (3, 10), reason="ssh-agent-keyring needs Python 3.10")
def test_foreign_write_before_the_rename_is_noticed_and_kept(
    filled: KnownStore, client_environments: ClientEnvironments, tmp_path: Path
) -> None:
    published = filled.with_client(client_environments.ssh_agent_keyring("0.6.0"), PUBLISHED)
    # Each sync gives the other process time to write.
    slowly = strace.tracing(tmp_path / "log", "fsync:delay_enter=400000:when=1..3")
    with StoreSession(published) as other, StoreSession(filled, slowly) as session:
        session.send("set_password", "service", "new", "new")
        seen: set[str] = set()
        for number in range(2):
            assert eventually(lambda: set(temporaries(filled)) - seen)
            seen.update(temporaries(filled))
            if number == 0:
                other.set("theirs", "one", "1")
            else:
                other.call("delete_password", "service", "user-0")
        assert session.answer().error is None
    expected = {**NEW, ("theirs", "one"): "1"}
    del expected["service", "user-0"]
    assert filled.entries() == expected and temporaries(filled) == []
    # Two attempts failed.
    assert len(strace.calls(tmp_path / "log")) == 5

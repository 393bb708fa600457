"""Passwords are stored, read and deleted."""

from __future__ import annotations

import os
import stat

from lab.store import StoreUser


def test_password_is_read_by_another_process_until_deleted(store: StoreUser) -> None:
    assert store.get("service", "alice") is None
    store.set("service", "alice", "s3cr3t")
    assert store.get("service", "alice") == "s3cr3t"
    assert store.call("get_credential", "service", None) == ["alice", "s3cr3t"]
    assert store.get("service", "bob") is None
    store.delete("service", "alice")
    assert store.get("service", "alice") is None
    error = store.fails("delete_password", "service", "alice")
    assert "keyring.errors.PasswordDeleteError" in error.bases and error.message == "Password not found"


def test_the_file_is_for_its_owner_alone_and_shows_nothing(store: StoreUser) -> None:
    store.set("the-service", "the-user", "the-password")
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o600
    with open(store.path, encoding="utf-8") as stream:
        text = stream.read()
    assert not any(word in text for word in ("the-service", "the-user", "the-password"))


def test_published_versions_and_ringbearer_read_each_other(store: StoreUser, published: StoreUser) -> None:
    store.set("ours", "alice", "pässword-😀")
    assert published.get("ours", "alice") == "pässword-😀"
    published.set("theirs", "bob", "other")
    assert store.get("theirs", "bob") == "other"
    store.delete("theirs", "bob")
    assert published.get("theirs", "bob") is None

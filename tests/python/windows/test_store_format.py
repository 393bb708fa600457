"""The file of the store is the same on every system: the vectors are opened, and written as others read them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from lab.clients import Client
from lab.known_store import KnownStore
from lab.ssh import Agent, copy_key
from lab.store_secrets import VECTORS, vector_secrets
from lab.windows.agent_pipe import AgentPipe
from lab.windows.store import WindowsStore
from lab.windows.user import WindowsUser

STORES = sorted(path for kind in ("ed25519", "rsa2048") for path in (VECTORS / kind).glob("store-*.json"))


@pytest.fixture
def known(user: WindowsUser, agent: Agent, pipe: AgentPipe) -> KnownStore:
    """A store with known keys, which the test writes and reads without the code under test."""
    # It runs no program, so it needs none.
    return KnownStore(Client("/nonexistent"), user.home, agent)


def test_record_of_a_windows_program_is_read_by_others(known: KnownStore, user: WindowsUser) -> None:
    known.fill([("svc", "before", "was there")])
    store = WindowsStore(user)
    assert str(store.path) == known.path
    store.set("svc", "\u00e9\U0001f600", "s3cr3t")
    store.delete("svc", "before")
    assert known.entries() == {("svc", "\u00e9\U0001f600"): "s3cr3t"}
    # Line feeds as elsewhere: the file may be on a share.
    assert b"\r" not in store.path.read_bytes()


def test_record_of_others_is_read_by_a_windows_program(known: KnownStore, user: WindowsUser) -> None:
    known.fill([("svc", "alice", "s3cr3t"), ("a b", "\u00e9", "\U0001f600")])
    store = WindowsStore(user)
    assert store.get("svc", "alice") == "s3cr3t"
    assert store.raw("a b", "\u00e9") == "\U0001f600\n".encode()


@pytest.mark.parametrize("vector", STORES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_secret_of_the_vectors_is_exported(
    user: WindowsUser, agent: Agent, pipe: AgentPipe, vector: Path, tmp_path: Path
) -> None:
    agent.add(copy_key(vector.with_name("id"), tmp_path / "keys"))
    store = WindowsStore(user)
    store.path.parent.mkdir(parents=True)
    shutil.copyfile(vector, store.path)
    assert store.passwords() == {(one.service, one.username): one.password for one in vector_secrets()}
    assert store.path.read_bytes() == vector.read_bytes()

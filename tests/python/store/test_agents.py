"""Real OpenSSH agents with several keys: the key that a new store uses, and the key that opens it."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.clients import Client
from lab.confirming_agent import certify, without_certificate
from lab.ssh import Agent, Key, copy_key, make_key
from lab.store import Failure, Request, StoreUser

SK_LINE = (
    "sk-ssh-ed25519@openssh.com AAAAGnNrLXNzaC1lZDI1NTE5QG9wZW5zc2guY29tAAAAIFVHEpsUbMyDN1yhR6KQfEbzJUxwRYmFLvJXJt1v"
    "cNQdAAAABHNzaDo= me@home"
)


@pytest.fixture
def user(client: Client, home: Path, agent: Agent) -> StoreUser:
    """A user whose agent holds no keys yet."""
    return StoreUser(client, home, agent.socket)


def assert_not_made(user: StoreUser, error: Failure, *reasons: str) -> None:
    """Creating a store failed with keyring's exception and the reasons, and left no files."""
    assert {"keyring.errors.PasswordSetError", "builtins.RuntimeError"} <= set(error.bases)
    assert all(reason in error.message for reason in reasons), error.message
    assert not os.path.exists(os.path.dirname(user.path))


@pytest.mark.parametrize(("kind", "bits"), [("ed25519", None), ("rsa", 2048), ("rsa", 3072)])
def test_a_new_store_is_locked_with_the_key_of_the_agent(
    user: StoreUser, agent: Agent, home: Path, kind: str, bits: int | None
) -> None:
    key = make_key(home / "keys", kind, bits)
    agent.add(key)
    user.set("svc", "alice", "s3cr3t")
    assert user.content()["identity"] == {"public_key": key.text}
    assert user.get("svc", "alice") == "s3cr3t"
    user.delete("svc", "alice")
    assert user.get("svc", "alice") is None


def test_a_new_store_takes_the_first_key_that_can_lock_it(user: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    for kind in ("ecdsa", "ed25519", "rsa"):
        agent.add(keys[kind])
    user.set("svc", "alice", "s3cr3t")
    assert user.content()["identity"] == {"public_key": keys["ed25519"].text}


def test_a_new_store_takes_the_configured_key_wherever_it_stands(
    user: StoreUser, agent: Agent, keys: dict[str, Key]
) -> None:
    for kind in ("ecdsa", "ed25519", "rsa"):
        agent.add(keys[kind])
    user.configure(public_key=keys["rsa"].line)
    user.set("svc", "alice", "s3cr3t")
    assert user.content()["identity"] == {"public_key": keys["rsa"].text}


def test_a_certificate_is_passed_over_for_the_key_behind_it(user: StoreUser, agent: Agent, home: Path) -> None:
    key = make_key(home / "keys")
    certify(key, home / "authority")
    bare = without_certificate(key, home / "bare")
    agent.add(key)
    # Without the key, then with it again, listed after its certificate.
    agent.remove(bare)
    certificate_alone = user.fails("set_password", "svc", "alice", "s3cr3t")
    assert_not_made(user, certificate_alone, "no keys available", "1 ssh-ed25519-cert-v01@openssh.com")
    agent.add(bare)
    user.set("svc", "alice", "s3cr3t")
    assert user.content()["identity"] == {"public_key": key.text}
    assert user.get("svc", "alice") == "s3cr3t"


def test_keys_that_cannot_unlock_do_not_disturb_in_any_order(
    user: StoreUser, agent: Agent, home: Path, keys: dict[str, Key]
) -> None:
    certified = copy_key(keys["rsa"].path, home / "certified")
    certify(certified, home / "authority")
    agent.add(keys["ed25519"])
    user.set("svc", "alice", "s3cr3t")
    agent.remove(keys["ed25519"])
    all_keys = [keys["ecdsa"], certified, keys["ed25519"]]
    for order in itertools.permutations(all_keys):
        for key in order:
            agent.add(key)
        assert user.get("svc", "alice") == "s3cr3t", [key.path for key in order]
        for key in order:
            agent.remove(key)


def test_agent_with_only_ecdsa_keys_creates_no_store(user: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    agent.add(keys["ecdsa"])
    error = user.fails("set_password", "svc", "alice", "s3cr3t")
    assert_not_made(user, error, "no keys available", "1 ecdsa-sha2-nistp256", "differ each time", "`ssh-add`")


def test_agent_without_keys_creates_no_store(user: StoreUser) -> None:
    error = user.fails("set_password", "svc", "alice", "s3cr3t")
    assert_not_made(user, error, "ssh-agent has no keys available for keyring unlock", "`ssh-add`")


def test_configured_key_with_random_signatures_is_refused(
    store: StoreUser, agent: Agent, home: Path, keys: dict[str, Key]
) -> None:
    agent.add(keys["ecdsa"])
    certificate = certify(copy_key(keys["ed25519"].path, home / "certified"), home / "authority")
    for line, reason in [
        (keys["ecdsa"].line, "random number each time"),
        (certificate, "name the key that it certifies"),
        (SK_LINE, "counter"),
    ]:
        kind = line.split()[0]
        error = store.fails("set_password", "svc", "alice", "s3cr3t", SSH_AGENT_KEYRING_PUBLIC_KEY=line)
        assert_not_made(store, error, f"Unsupported SSH public key type: {kind}.", reason)


def test_the_configured_key_has_to_be_in_the_agent(store: StoreUser, keys: dict[str, Key]) -> None:
    store.configure(public_key=keys["rsa"].line)
    error = store.fails("set_password", "svc", "alice", "s3cr3t")
    assert_not_made(store, error, "Requested key is not available in ssh-agent", keys["rsa"].fingerprint)
    assert "keyring.errors.KeyringLocked" in error.bases


@pytest.fixture
def listener(tmp_path_factory: pytest.TempPathFactory, agent: Agent) -> Iterator[socket.socket]:
    """Another socket, which never answers and keeps its connections open for inspection."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as made:
        made.bind(agent.socket + "2")
        made.listen()
        made.setblocking(False)
        yield made


def test_without_a_store_nothing_but_a_set_asks_the_agent(user: StoreUser, listener: socket.socket) -> None:
    user.socket = listener.getsockname()
    names = ["svc", "alice"]
    answers = user.ask(
        [
            Request("get_password", names),
            Request("get_credential", names),
            Request("get_credential", ["svc", None]),
            Request("delete_password", names),
        ]
    )
    assert [answer.result for answer in answers] == [None] * 4
    assert [answer.error and answer.error.message for answer in answers] == [None, None, None, "Password not found"]
    assert user.command("keyring", "--list-backends").check().code == 0
    assert user.command("keyring", "-b", user.backend, "get", *names).code == 1
    with pytest.raises(BlockingIOError):
        listener.accept()
    user.fails("set_password", *names, "s3cr3t", RINGBEARER_TIMEOUT="0.5")
    listener.accept()[0].close()

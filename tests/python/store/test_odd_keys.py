"""Keys of an agent that a store cannot use, each with the reason."""

from __future__ import annotations

import os
from pathlib import Path

from lab.ssh import Agent, make_key
from lab.store import StoreUser


def test_host_restricted_key_is_locked_with_the_reason(store: StoreUser, agent: Agent, tmp_path: Path) -> None:
    key = make_key(tmp_path / "constrained")
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text(f"host.example {make_key(tmp_path / 'host').text}\n", encoding="utf-8")
    store.configure(public_key=key.line)
    agent.add(key)
    store.set("service", "alice", "s3cr3t")
    agent.remove(key)
    agent.add(key, "-h", "host.example", "-H", str(known_hosts))
    error = store.fails("get_password", "service", "alice")
    assert "keyring.errors.KeyringLocked" in error.bases
    assert "refused" in error.message and "ssh-add -h" in error.message, error.message
    assert store.command("ringbearer", "store", "list").code == 3


def test_overlong_rsa_key_is_refused_with_its_size(store: StoreUser, keys: object) -> None:
    # Such a key takes minutes to generate; a made-up public half is enough.
    import base64

    fields = [b"ssh-rsa", b"\1\0\1", b"\0" + b"\xff" * (9216 // 8)]
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    store.configure(public_key="ssh-rsa " + base64.b64encode(blob).decode())
    error = store.fails("set_password", "service", "alice", "s3cr3t")
    assert "9216 bits" in error.message and "8192" in error.message, error.message
    assert "keyring.errors.PasswordSetError" in error.bases and not os.path.exists(store.path)

"""A store whose keys the test knows: it writes and reads records without the code under test.

The keys are those of ``tests/vectors``. They open nothing else.
"""

from __future__ import annotations

import hmac
import json
import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .clients import Client
from .ssh import Agent, copy_key
from .store import StoreUser

_VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "ssh-agent" / "ed25519"

#: Service, user name and password.
Entry = tuple[str, str, str]


def planted(store: StoreUser, agent: Agent) -> StoreUser:
    """The user, now with a store with the keys of :func:`secrets_of_planted`, and its key in the agent."""
    agent.add(copy_key(_VECTORS / "id", store.home, "known"))
    store.write((_VECTORS / "store-0.6.0.json").read_bytes())
    return store


def expected_of_planted() -> dict:
    """Everything in that store, from the vectors."""
    return json.loads((_VECTORS / "expected-0.6.0.json").read_text())


def secrets_of_planted() -> dict[str, bytes]:
    """The keys of that store and the signature from which they are derived, by name."""
    expected = expected_of_planted()
    found = {name: bytes.fromhex(expected[f"{name}_hex"]) for name in ("kek", "dek", "index_key", "value_key")}
    found["signature"] = bytes.fromhex(expected["agent_signature_blob_hex"])[-64:]
    return found


class KnownStore(StoreUser):
    """A user whose store has known keys. There is no store before the first :meth:`fill`."""

    def __init__(self, client: Client, home: object, agent: Agent) -> None:
        super().__init__(client, home, agent.socket)
        agent.add(copy_key(_VECTORS / "id", os.path.join(self.home, "key")))
        with open(_VECTORS / "expected-fixed-rng.json", encoding="utf-8") as stream:
            expected = json.load(stream)
        self._index_key = bytes.fromhex(expected["index_key_hex"])
        self._cipher = ChaCha20Poly1305(bytes.fromhex(expected["value_key_hex"]))
        with open(_VECTORS / "store-fixed-rng.json", encoding="utf-8") as stream:
            self._empty = {**json.load(stream), "records": {}}

    def record_id(self, service: str, username: str) -> str:
        """The identifier of a record in the file."""
        return hmac.new(self._index_key, f"{service}\0{username}".encode(), "sha256").hexdigest()

    def text(self, entries: Iterable[Entry]) -> bytes:
        """A store with these records, as the published package would write it."""
        content = {**self._empty, "records": dict(map(self._seal, entries))}
        return json.dumps(content, indent=2, sort_keys=True).encode() + b"\n"

    def fill(self, entries: Iterable[Entry]) -> None:
        """Write a store with these records."""
        self.write(self.text(entries))

    def entries(self) -> dict[tuple[str, str], str]:
        """The decrypted records: the password by service and user name. An invalid record raises."""
        content = self.content()
        assert {name: content[name] for name in ("identity", "unlock", "version")} == {
            name: self._empty[name] for name in ("identity", "unlock", "version")
        }
        return dict(self._open(name, record) for name, record in content["records"].items())

    def _seal(self, entry: Entry) -> tuple[str, dict[str, str]]:
        service, username, password = entry
        name, nonce = self.record_id(service, username), os.urandom(12)
        members = {"password": password, "service": service, "username": username}
        plain = json.dumps(members, separators=(",", ":")).encode()
        sealed = self._cipher.encrypt(nonce, plain, name.encode())
        return name, {"ciphertext": urlsafe_b64encode(sealed).decode(), "nonce": urlsafe_b64encode(nonce).decode()}

    def _open(self, name: str, record: dict[str, str]) -> tuple[tuple[str, str], str]:
        nonce, sealed = (urlsafe_b64decode(record[member]) for member in ("nonce", "ciphertext"))
        members = json.loads(self._cipher.decrypt(nonce, sealed, name.encode()))
        names = members["service"], members["username"]
        assert self.record_id(*names) == name
        return names, members["password"]

"""Stores whose keys are known: large ones are made fast, and a test sees which keys open what.

The keys are those of the vectors in ``tests/vectors/ssh-agent/ed25519``, whose ssh key an agent has to hold.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .ssh import Key, copy_key

_VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "ssh-agent" / "ed25519"


class KnownStore:
    """The keys of a store, with all that they encrypt."""

    def __init__(self) -> None:
        self._expected = json.loads((_VECTORS / "expected-fixed-rng.json").read_text(encoding="utf-8"))
        self._value = ChaCha20Poly1305(self._bytes("value_key"))

    @staticmethod
    def ssh_key(directory: object) -> Key:
        """A copy of the ssh key that locks it."""
        return copy_key(_VECTORS / "id", directory)

    def text(self, records: Iterable[tuple[str, str, str]]) -> str:
        """A store file with these records: service, user name, password."""
        sealed = dict(self._seal(*record) for record in records)
        # Python's own printer of indented JSON is slow, and a large store is nearly all records.
        lines = [
            f'    "{name}": {{\n      "ciphertext": "{ciphertext}",\n      "nonce": "{nonce}"\n    }}'
            for name, (ciphertext, nonce) in sorted(sealed.items())
        ]
        frame = json.dumps(self._frame(), indent=2, sort_keys=True) + "\n"
        return frame.replace('"records": {}', '"records": {\n' + ",\n".join(lines) + "\n  }") if lines else frame

    def opens_the_wrapped_key(self, content: dict) -> bool:
        """Whether the old signature opens the data encryption key of a store file."""
        unlock = content["unlock"]
        kek = ChaCha20Poly1305(self._bytes("kek"))
        key_hash = hashlib.sha256(content["identity"]["public_key"].encode()).digest()
        challenge = b"ssh-agent-keyring-unlock\0v1\0" + _decode(unlock["store_id"]) + b"\0" + key_hash
        return _opens(kek, unlock["nonce"], unlock["wrapped_dek"], challenge)

    def records_that_open(self, content: dict) -> list[str]:
        """The identifiers of the records of a store file that the known keys open."""
        records = content["records"].items()
        return [name for name, one in records if _opens(self._value, one["nonce"], one["ciphertext"], name.encode())]

    def record_id(self, service: str, username: str) -> str:
        """Under which name a record is in the file."""
        return hmac.new(self._bytes("index_key"), f"{service}\0{username}".encode(), hashlib.sha256).hexdigest()

    def _seal(self, service: str, username: str, password: str) -> tuple[str, tuple[str, str]]:
        name, nonce = self.record_id(service, username), os.urandom(12)
        members = {"password": password, "service": service, "username": username}
        plaintext = json.dumps(members, separators=(",", ":")).encode()
        return name, (_encode(self._value.encrypt(nonce, plaintext, name.encode())), _encode(nonce))

    def _frame(self) -> dict:
        parts = {"nonce": "wrap_nonce", "salt": "salt", "store_id": "store_id", "wrapped_dek": "wrapped_dek"}
        unlock = {name: _encode(self._bytes(ours)) for name, ours in parts.items()}
        return {
            "identity": {"public_key": self._expected["public_key"]},
            "records": {},
            "unlock": unlock,
            "version": 1,
        }

    def _bytes(self, name: str) -> bytes:
        return bytes.fromhex(self._expected[name + "_hex"])


def _opens(cipher: ChaCha20Poly1305, nonce: str, ciphertext: str, associated: bytes) -> bool:
    try:
        cipher.decrypt(_decode(nonce), _decode(ciphertext), associated)
    except InvalidTag:
        return False
    return True


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text)

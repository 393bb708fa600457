"""The keys that an attacker has after one signature for the store of `lab.known_store`."""

from __future__ import annotations

import hashlib
import json
from base64 import urlsafe_b64decode
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

_KEYS = Path(__file__).resolve().parents[1] / "vectors" / "ssh-agent" / "ed25519" / "expected-fixed-rng.json"


class StolenKeys:
    """They open the original store."""

    def __init__(self) -> None:
        keys = json.loads(_KEYS.read_text(encoding="utf-8"))
        self._kek, self._value = (ChaCha20Poly1305(bytes.fromhex(keys[name])) for name in ("kek_hex", "value_key_hex"))

    def open_the_wrapped_key(self, content: dict) -> bool:
        """Whether they open the data encryption key of a store file."""
        unlock = content["unlock"]
        key_hash = hashlib.sha256(content["identity"]["public_key"].encode()).digest()
        challenge = b"ssh-agent-keyring-unlock\0v1\0" + urlsafe_b64decode(unlock["store_id"]) + b"\0" + key_hash
        return _opens(self._kek, unlock["nonce"], unlock["wrapped_dek"], challenge)

    def open_records(self, content: dict) -> int:
        """How many records of a store file they open."""
        records = content["records"].items()
        return sum(_opens(self._value, one["nonce"], one["ciphertext"], name.encode()) for name, one in records)


def _opens(cipher: ChaCha20Poly1305, nonce: str, ciphertext: str, associated: bytes) -> bool:
    try:
        cipher.decrypt(urlsafe_b64decode(nonce), urlsafe_b64decode(ciphertext), associated)
    except InvalidTag:
        return False
    return True

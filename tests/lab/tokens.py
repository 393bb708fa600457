"""Signed tokens: JSON Web Tokens (RFC 7519) under one throwaway RSA key for the process."""

from __future__ import annotations

import base64
import functools
import json
import threading
import time

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

KEY_NAME = "practice-cloud-1"


_lock = threading.Lock()


def _key() -> rsa.RSAPrivateKey:
    # Concurrent threads get the same key.
    with _lock:
        return _make_key()


@functools.cache
def _make_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def encode_segment(data: bytes) -> str:
    """base64url without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_segment(text: str) -> bytes:
    """The reverse of `encode_segment`."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def encode_json(value: dict) -> str:
    """base64url of compact JSON."""
    return encode_segment(json.dumps(value, separators=(",", ":")).encode())


def mint(claims: dict, lifetime: float = 3600) -> str:
    """A token signed by the practice cloud. ``iat``, ``nbf`` and ``exp`` are added unless the claims have them."""
    now = int(time.time())
    complete = {"iat": now, "nbf": now, "exp": int(now + lifetime)}
    complete.update(claims)
    header = {"typ": "JWT", "alg": "RS256", "kid": KEY_NAME, "x5t": KEY_NAME}
    signed = encode_json(header) + "." + encode_json(complete)
    signature = _key().sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    return signed + "." + encode_segment(signature)


def read(token: str) -> dict | None:
    """The claims of a token, not verified; None if it is not a JWT."""
    try:
        return json.loads(decode_segment(token.split(".")[1]))
    except (ValueError, IndexError):
        return None


def verify(token: str) -> dict | None:
    """The claims of a token that `mint` made and that has not expired; None otherwise."""
    claims = read_genuine(token)
    return claims if claims and claims.get("exp", 0) > time.time() else None


def read_genuine(token: str) -> dict | None:
    """The claims of a token that `mint` made, expired or not; None otherwise."""
    try:
        signed, _, signature = token.rpartition(".")
        _key().public_key().verify(decode_segment(signature), signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, ValueError):
        return None
    return read(token)


def web_key() -> dict:
    """The public key as a JSON Web Key (RFC 7517)."""
    numbers = _key().public_key().public_numbers()
    return {
        "kty": "RSA",
        "use": "sig",
        "kid": KEY_NAME,
        "n": encode_segment(numbers.n.to_bytes(256, "big")),
        "e": encode_segment(numbers.e.to_bytes(3, "big")),
    }

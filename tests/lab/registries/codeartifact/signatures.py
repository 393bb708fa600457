"""Signature Version 4, as the receiver of a request computes it.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, unquote

from ...messages import HeaderList

ALGORITHM = "AWS4-HMAC-SHA256"
_HEADER = re.compile(
    ALGORITHM
    + r" Credential=(?P<key>[\w]+)/(?P<date>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9-]+)/aws4_request"
    + r", *SignedHeaders=(?P<headers>[a-z0-9;-]+), *Signature=(?P<signature>[0-9a-f]{64})"
)
_UNRESERVED = "-_.~"


@dataclass(frozen=True)
class Signature:
    """What the header ``Authorization`` says."""

    access_key_id: str
    #: ``YYYYMMDD``.
    date: str
    region: str
    service: str
    #: The names of the signed headers.
    headers: tuple[str, ...]
    #: 64 hexadecimal digits.
    digits: str

    @property
    def scope(self) -> str:
        """What the signing key is for."""
        return f"{self.date}/{self.region}/{self.service}/aws4_request"


def read(authorization: str) -> Signature | None:
    """The signature in a header's value; None if it is malformed."""
    found = _HEADER.fullmatch(authorization)
    if found is None:
        return None
    names = tuple(found["headers"].split(";"))
    return Signature(found["key"], found["date"], found["region"], found["service"], names, found["signature"])


def compute(signature: Signature, secret: str, time: str, canonical: str) -> str:
    """The digits that a request with this canonical form has if it was signed with a secret at ``YYYYMMDDTHHMMSSZ``."""
    text = string_to_sign(time, signature.scope, canonical)
    return _hmac(signing_key(secret, signature.date, signature.region, signature.service), text).hex()


def signing_key(secret: str, date: str, region: str, service: str) -> bytes:
    """The key of a day, a region and a service."""
    key = ("AWS4" + secret).encode()
    for part in (date, region, service, "aws4_request"):
        key = _hmac(key, part)
    return key


def string_to_sign(time: str, scope: str, canonical: str) -> str:
    """The text that the signing key signs."""
    return "\n".join([ALGORITHM, time, scope, hashlib.sha256(canonical.encode()).hexdigest()])


def canonical_request(method: str, target: str, headers: HeaderList, signed: Sequence[str], body: bytes) -> str:
    """The canonical form of a request with the path and query ``target``."""
    path, _, query = target.partition("?")
    lines = [method, quote(path, safe="/" + _UNRESERVED), canonical_query(query)]
    for name in signed:
        values = [" ".join(value.split()) for key, value in headers if key.lower() == name]
        lines.append(f"{name}:{','.join(values)}")
    return "\n".join([*lines, "", ";".join(signed), hashlib.sha256(body).hexdigest()])


def canonical_query(query: str) -> str:
    """The parameters, encoded in one way and sorted by name and then by value."""
    pairs = []
    for parameter in query.split("&") if query else []:
        name, _, value = parameter.partition("=")
        pairs.append((quote(unquote(name), safe=_UNRESERVED), quote(unquote(value), safe=_UNRESERVED)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()

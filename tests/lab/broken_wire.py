"""Faults below HTTP and inside the answers: truncated or trickling messages, broken text, clock skew.

They are used like those of `faults`.
"""

from __future__ import annotations

import datetime
import json
import re
import time
from collections.abc import Iterator
from email.utils import formatdate

from . import tokens
from .faults import Answer, Fault
from .messages import CLOSE, RESET, SILENCE, Request, Response

#: The longest word of an answer: its token.
_WORD = re.compile(rb"[\w.-]+")
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
#: Members of answers that hold a time, in seconds since 1970 or as text.
_MOMENTS = (
    "expires_on", "not_before", "validFrom", "validTo", "expiry", "expiration", "Expiration", "expiresOn", "expireTime",
)  # fmt: skip


def breaks_off_in_head(ending: str = RESET) -> Fault:
    """A part of the header, then a reset or silence."""

    def respond(request: Request, answer: Answer) -> Response:
        head = _message(answer(request)).partition(b"\r\n\r\n")[0]
        return Response(None, body=head[: len(head) // 2], ending=ending)

    return respond


def breaks_off_in_body(ending: str = RESET) -> Fault:
    """The header and half of the body, then a reset or silence. An empty body gets a length and is never sent."""

    def respond(request: Request, answer: Answer) -> Response:
        true = answer(request)
        head, _, body = _message(true, more=16).partition(b"\r\n\r\n")
        return Response(None, body=head + b"\r\n\r\n" + body[: len(body) // 2], ending=ending)

    return respond


def stalls_in_body() -> Fault:
    """The header and half of the body, then nothing more."""
    return breaks_off_in_body(SILENCE)


def trickles(pause: float = 0.2) -> Fault:
    """The real answer, header included, one byte at a time."""

    def respond(request: Request, answer: Answer) -> Response:
        message = _message(answer(request))

        def pieces() -> Iterator[bytes]:
            for at in range(len(message)):
                time.sleep(pause)
                yield message[at : at + 1]

        return Response(None, body=pieces(), ending=CLOSE)

    return respond


def cut() -> Fault:
    """The real answer up to the middle of its token, with a matching length."""
    return _changed(lambda body: body[: _middle(body)])


def not_utf_8() -> Fault:
    """The real answer with a byte in its token that is not UTF-8."""
    return _changed(lambda body: body[: _middle(body)] + b"\xff" + body[_middle(body) :])


def of_type(content_type: str) -> Fault:
    """The real answer with another content type."""

    def respond(request: Request, answer: Answer) -> Response:
        true = answer(request)
        headers = [pair for pair in true.headers if pair[0].lower() != "content-type"]
        return Response(true.status, [*headers, ("Content-Type", content_type)], true.body, true.ending)

    return respond


def clock_off(hours: float) -> Fault:
    """The real answer of a service whose clock is this many hours ahead, in every time that it states."""

    def respond(request: Request, answer: Answer) -> Response:
        true = answer(request)
        headers = [pair for pair in true.headers if pair[0].lower() != "date"]
        headers.append(("Date", formatdate(time.time() + hours * 3600, usegmt=True)))
        try:
            body = json.loads(true.body)
        except ValueError:
            # The answers of STS are XML.
            expiration = re.compile(rb"(?<=<Expiration>)[^<]+")
            body = expiration.sub(lambda found: _shifted_text(found.group().decode(), hours * 3600).encode(), true.body)
            return Response(true.status, headers, body, true.ending)
        shifted = {name: _shifted(name, value, hours * 3600) for name, value in body.items()}
        return Response(true.status, headers, json.dumps(shifted).encode(), true.ending)

    return respond


def token_of_other_clock(token: str, hours: float) -> str:
    """The same token from an issuer whose clock is this many hours ahead."""
    claims = tokens.read_genuine(token)
    if claims is None:
        # An opaque token states no time.
        return token
    moments = {name: claims[name] + int(hours * 3600) for name in ("iat", "nbf", "exp") if name in claims}
    return tokens.mint({**claims, **moments})


def _shifted(name: str, value: object, seconds: float) -> object:
    if isinstance(value, str) and tokens.read_genuine(value):
        return token_of_other_clock(value, seconds / 3600)
    if isinstance(value, dict):
        return {inner: _shifted(inner, content, seconds) for inner, content in value.items()}
    if name not in _MOMENTS or value is None:
        return value
    if isinstance(value, str) and value.isdigit():
        return str(int(value) + int(seconds))
    if not isinstance(value, str):
        # The portal of AWS counts milliseconds.
        return value + int(seconds) * (1000 if value > 1e11 else 1)
    return _shifted_text(value, seconds)


def _shifted_text(value: str, seconds: float) -> str:
    moment = datetime.datetime.strptime(value[:19], _MOMENT[:-1]) + datetime.timedelta(seconds=seconds)
    return moment.strftime(_MOMENT)


def _changed(change) -> Fault:
    def respond(request: Request, answer: Answer) -> Response:
        true = answer(request)
        return Response(true.status, true.headers, change(true.body), true.ending)

    return respond


def _middle(body: bytes) -> int:
    found = max(_WORD.finditer(body), key=lambda word: len(word.group()), default=None)
    return (found.start() + found.end()) // 2 if found else 0


def _message(response: Response, more: int = 0) -> bytes:
    """A whole answer as sent; its Content-Length may be larger by ``more``."""
    lines = [f"HTTP/1.1 {response.status} Practice"]
    lines += [f"{name}: {value}" for name, value in response.headers]
    lines += [f"Content-Length: {len(response.body) + more}", "", ""]
    return "\r\n".join(lines).encode() + response.body

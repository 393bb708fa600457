"""Faults of the network and of services, on demand.

A fault is a function of the request and of the answer it would otherwise get. `Faults` chooses which requests meet
which fault, and how often.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

from .matching import matches
from .messages import CLOSE, RESET, SILENCE, Request, Response, html_response, json_response, redirect_response

Answer = Callable[[Request], Response]
Fault = Callable[[Request, Answer], Response]

SIGN_IN_PAGE = (
    "<!DOCTYPE html><html><head><title>Sign in to your account</title></head>"
    "<body><form action='https://login.microsoftonline.com/common/login'>Sign in</form></body></html>"
)
SIGN_IN_ADDRESS = "https://spsprodeus21.vssps.visualstudio.com/_signin?realm=pkgs.dev.azure.com&reply_to=practice"


def status(code: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Fault:
    """A status instead of the answer, for example ``status(429, {"Retry-After": "1"})``."""
    return lambda request, answer: Response(code, list((headers or {}).items()), body)


def html(code: int = 200) -> Fault:
    """A sign-in page where data was expected; 203 is what Azure DevOps sends for a rejected bearer."""
    return lambda request, answer: html_response(SIGN_IN_PAGE, code)


def sign_in_redirect(location: str = SIGN_IN_ADDRESS, code: int = 302) -> Fault:
    """A redirect to a sign-in page."""
    return lambda request, answer: redirect_response(location, code)


def garbage_json(body: bytes = b'{"token": "half a tok') -> Fault:
    """A body with the content type of JSON that is not JSON."""
    return lambda request, answer: Response(200, [("Content-Type", "application/json")], body)


def reset() -> Fault:
    """The connection is reset (TCP RST) without an answer."""
    return lambda request, answer: Response(None, ending=RESET)


def drop() -> Fault:
    """The connection is closed without an answer."""
    return lambda request, answer: Response(None, ending=CLOSE)


def silence() -> Fault:
    """The request is never answered, until the client or the cloud closes the connection."""
    return lambda request, answer: Response(None, ending=SILENCE)


def latency(seconds: float) -> Fault:
    """The real answer, delayed."""

    def respond(request: Request, answer: Answer) -> Response:
        time.sleep(seconds)
        return answer(request)

    return respond


def drip(pause: float = 0.2, size: int = 1) -> Fault:
    """The real answer, its body a few bytes at a time: slow, but never silent."""

    def respond(request: Request, answer: Answer) -> Response:
        true = answer(request)
        body = true.body if isinstance(true.body, bytes) else b"".join(true.body)
        headers = [pair for pair in true.headers if pair[0].lower() != "content-length"]
        headers.append(("Content-Length", str(len(body))))

        def pieces() -> Iterator[bytes]:
            for start in range(0, len(body), size):
                time.sleep(pause)
                yield body[start : start + size]

        return Response(true.status, headers, pieces(), CLOSE)

    return respond


def huge(size: int | None = 10 * 1024 * 1024, code: int = 200, content_type: str = "application/json") -> Fault:
    """A body of this many bytes, or an endless one for None. Every prefix could become JSON."""

    def pieces() -> Iterator[bytes]:
        yield b'{"token": "'
        piece = b"A" * 65536
        sent = 0
        while size is None or sent < size:
            yield piece
            sent += len(piece)
        yield b'"}'

    return lambda request, answer: Response(code, [("Content-Type", content_type)], pieces(), CLOSE)


def huge_headers(size: int = 1024 * 1024) -> Fault:
    """A header larger than any reasonable buffer."""
    return lambda request, answer: Response(200, [("X-Padding", "A" * size)], b"{}")


def truncated(missing: int = 16) -> Fault:
    """The real answer without its last bytes, although Content-Length counts them."""

    def respond(request: Request, answer: Answer) -> Response:
        true = answer(request)
        body = true.body if isinstance(true.body, bytes) else b"".join(true.body)
        headers = [pair for pair in true.headers if pair[0].lower() != "content-length"]
        headers.append(("Content-Length", str(len(body) + (0 if len(body) > missing else missing))))
        kept = body[:-missing] if len(body) > missing else body
        return Response(true.status, headers, iter([kept]), CLOSE)

    return respond


def replaced(change: Callable[[Response], Response]) -> Fault:
    """The real answer, changed by a function, for a single test."""
    return lambda request, answer: change(answer(request))


def with_members(**members: object) -> Fault:
    """The real answer, a JSON object, with other members."""
    return replaced(lambda answer: json_response({**json.loads(answer.body), **members}))


@dataclass
class Rule:
    """A fault and the requests that meet it. ``met`` counts them."""

    fault: Fault
    host: str | None
    path: str | None
    method: str | None
    times: int | None
    after: int
    met: int = 0
    seen: int = 0


class Faults:
    """The active rules. The first rule that applies and is not used up decides; latency is added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        #: Minimum seconds of every answer, as of a distant server.
        self.latency = 0.0
        self._latencies: list[Rule] = []

    def add(
        self,
        fault: Fault,
        host: str | None = None,
        path: str | None = None,
        method: str | None = None,
        times: int | None = None,
        after: int = 0,
    ) -> Rule:
        """Let the chosen requests meet a fault, ``times`` times (None: always), ``after`` this many without one.

        ``method="CONNECT"`` breaks the proxy itself.
        """
        rule = Rule(fault, host, path, method, times, after)
        with self._lock:
            self._rules.append(rule)
        return rule

    @property
    def unmet(self) -> list[Rule]:
        """The rules that no request has met."""
        with self._lock:
            return [rule for rule in self._rules if not rule.met]

    def add_latency(self, seconds: float, host: str | None = None, path: str | None = None) -> Rule:
        """Make a host, or a path of it, slow; adds up with `latency` and with other rules."""
        rule = Rule(latency(seconds), host, path, None, None, 0)
        with self._lock:
            self._latencies.append(rule)
        return rule

    def clear(self) -> None:
        """Remove all faults."""
        with self._lock:
            self._rules.clear()
            self._latencies.clear()
            self.latency = 0.0

    def answer(self, request: Request, answer: Answer) -> Response:
        """The answer to a request, according to the rules."""
        if request.method != "CONNECT" and self.latency:
            time.sleep(self.latency)
        with self._lock:
            chain = [rule.fault for rule in self._latencies if matches(request, rule.host, rule.path, rule.method)]
            rule = self._strike(request)
        if rule is not None:
            chain.append(rule.fault)
        for fault in reversed(chain):
            answer = _bind(fault, answer)
        return answer(request)

    def _strike(self, request: Request) -> Rule | None:
        for rule in self._rules:
            if not matches(request, rule.host, rule.path, rule.method):
                continue
            if rule.times is not None and rule.met >= rule.times:
                continue
            rule.seen += 1
            if rule.seen > rule.after:
                rule.met += 1
                return rule
        return None


def _bind(fault: Fault, answer: Answer) -> Answer:
    return lambda request: fault(request, answer)

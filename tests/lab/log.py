"""The requests and connections that the practice cloud received."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from .matching import matches
from .messages import Request


@dataclass
class Connection:
    """One connection that a client opened.

    ``kind`` is ``tunnel`` (through the proxy to a listed host), ``refused`` (the proxy said no) or ``plain`` (straight
    to a metadata server). ``problem`` says why the TLS handshake failed, if it did.
    """

    number: int
    host: str
    port: int
    kind: str
    time: float
    problem: str | None = None
    open: bool = True


class RequestLog:
    """A thread-safe record of connections and requests. All answers are copies in the order of arrival."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._requests: list[Request] = []
        self._connections: list[Connection] = []
        self._last_number = 0

    def open_connection(self, host: str, port: int, kind: str) -> Connection:
        """Record a connection; numbers are never reused, not even after `clear`."""
        with self._changed:
            self._last_number += 1
            connection = Connection(self._last_number, host, port, kind, time.time())
            self._connections.append(connection)
            self._changed.notify_all()
            return connection

    def add(self, request: Request) -> None:
        """Record a request, before it is answered."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def answered(self, request: Request, status) -> None:
        """Complete a request's record."""
        with self._changed:
            request.status = status
            self._changed.notify_all()

    def requests(
        self, host: str | None = None, path: str | None = None, method: str | None = None, status=None
    ) -> list[Request]:
        """The matching requests (shell patterns for host and path). Tunnels only with ``method="CONNECT"``."""
        with self._changed:
            return [
                request
                for request in self._requests
                if matches(request, host, path, method) and (status is None or request.status == status)
            ]

    def sent_by_ringbearer(self) -> list[Request]:
        """The requests of ringbearer itself, without those of the client."""
        return [one for one in self.requests() if (one.header("User-Agent") or "").startswith("ringbearer/")]

    def connections(self, host: str | None = None, kind: str = "tunnel") -> list[Connection]:
        """The connections opened, by default those through the proxy to listed hosts."""
        with self._changed:
            return [
                connection
                for connection in self._connections
                if connection.kind == kind and host in (None, connection.host)
            ]

    def refused(self) -> list[str]:
        """The hosts that the proxy refused, because no site has them."""
        return [connection.host for connection in self.connections(kind="refused")]

    def bearers(self) -> list[tuple[str, str]]:
        """(host, token) of every ``Authorization: Bearer`` header seen anywhere, refused hosts included."""
        with self._changed:
            return [(request.host, request.bearer) for request in self._requests if request.bearer is not None]

    def basics(self) -> list[tuple[str, str, str]]:
        """(host, user name, password) of every ``Authorization: Basic`` header seen anywhere."""
        with self._changed:
            return [(request.host, *request.basic) for request in self._requests if request.basic is not None]

    def hosts_that_saw(self, secret: str) -> list[str]:
        """The hosts to which a secret was sent, in a URL, a header (also decoded) or a body."""
        needle = secret.encode()
        with self._changed:
            found = []
            for request in self._requests:
                places = [request.target.encode(), request.body]
                places += [value.encode("utf-8", "replace") for _, value in request.headers]
                places += [part.encode() for part in request.basic or ()]
                if any(needle in place for place in places) and request.host not in found:
                    found.append(request.host)
            return found

    def wait_for(self, count: int = 1, timeout: float = 10.0, **chosen) -> list[Request]:
        """Wait until at least this many matching requests have arrived, answered or not."""
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                found = [request for request in self._requests if matches(request, **chosen)]
                if len(found) >= count:
                    return found
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise AssertionError(f"waited {timeout} s for {count} of {chosen}, saw:\n{self}")

    def clear(self) -> None:
        """Clear the record."""
        with self._changed:
            self._requests.clear()
            self._connections.clear()

    def __str__(self) -> str:
        with self._changed:
            lines = [
                f"{request.connection:>4}  {request.method:<7} {request.url}  -> {request.status}"
                for request in self._requests
            ]
        return "\n".join(lines) or "(no requests)"

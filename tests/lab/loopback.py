"""Services over plain http on this machine, without the proxy."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from .faults import Answer, Faults
from .log import RequestLog
from .messages import Request, Response
from .server import Listener, Server


class LoopbackService:
    """A service on a port of its own. In the log, its host is `name`."""

    name = ""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._listener = Listener(self._serve)

    @property
    def url(self) -> str:
        """Without a trailing slash."""
        return f"http://127.0.0.1:{self._listener.port}"

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self, stream: socket.socket) -> None:
        connection = self._server.log.open_connection(self.name, self._listener.port, "plain")
        self._server.serve(stream, "http", connection, self.answer)

    def answer(self, request: Request) -> Response:
        """The service's own rules."""
        raise NotImplementedError


@contextmanager
def serving(log: RequestLog, faults: Faults, answer: Answer) -> Iterator[str]:
    """The URL of a service with these answers, until the end of the block; in the log it is the host `loopback`."""
    server = Server(log, faults)

    def serve(stream: socket.socket) -> None:
        server.serve(stream, "http", log.open_connection("loopback", listener.port, "plain"), answer)

    listener = Listener(serve)
    try:
        yield f"http://127.0.0.1:{listener.port}"
    finally:
        listener.close()
        server.close()

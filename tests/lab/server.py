"""HTTP/1.1 over accepted connections (RFC 9112): one thread each, keep-alive, and control over how they close."""

from __future__ import annotations

import os
import select
import socket
import ssl
import struct
import threading
import time
import traceback
from typing import BinaryIO, Callable

from .faults import Answer, Faults
from .log import Connection, RequestLog
from .messages import CLOSE, KEEP, RESET, SILENCE, HeaderList, Request, Response

_REASONS = {
    200: "OK", 201: "Created", 202: "Accepted", 203: "Non-Authoritative Information", 204: "No Content",
    206: "Partial Content", 302: "Found", 303: "See Other", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 407: "Proxy Authentication Required",
    409: "Conflict", 410: "Gone", 421: "Misdirected Request", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable",
}  # fmt: skip
_MAXIMUM_LINE = 65536


class Listener:
    """A port on 127.0.0.1 that serves each connection by a function in a separate thread."""

    def __init__(self, serve: Callable[[socket.socket], None], port: int = 0) -> None:
        self._serve = serve
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._accept, name="lab-accept", daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._socket.accept()
            except OSError:
                return
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(accepted,), name="lab-serve", daemon=True).start()

    def close(self) -> None:
        """Accept no more connections."""
        try:
            # Wakes the accepting thread; on Linux, closing does not.
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()


class Server:
    """Reads requests, logs them, applies faults, and sends the answers of the sites."""

    def __init__(self, log: RequestLog, faults: Faults) -> None:
        self.log = log
        self.faults = faults
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()

    def serve_tls(self, raw: socket.socket, context: ssl.SSLContext, connection: Connection, answer: Answer) -> None:
        """Do the TLS handshake, then serve requests."""
        self._keep(raw)
        try:
            secured = context.wrap_socket(raw, server_side=True)
        except (OSError, ValueError) as problem:
            connection.problem = str(problem)
            connection.open = False
            self._forget(raw)
            raw.close()
            return
        self._forget(raw)
        self.serve(secured, "https", connection, answer)

    def serve(self, stream: socket.socket, scheme: str, connection: Connection, answer: Answer) -> None:
        """Serve requests until either side closes the connection."""
        self._keep(stream)
        ending = CLOSE
        try:
            with stream.makefile("rb", buffering=65536) as reader:
                while not self.closing.is_set():
                    request = read_request(reader, stream, scheme, connection)
                    if request is None:
                        break
                    self.log.add(request)
                    response = self.faults.answer(request, _guarded(answer))
                    # Logged before it is sent, so that a client that has the response finds it in the log.
                    self.log.answered(request, response.status or response.ending)
                    ending = send(stream, request, response)
                    if ending == SILENCE:
                        self._wait_for_the_end(stream)
                    if ending != KEEP:
                        break
        except (OSError, ValueError) as problem:
            connection.problem = connection.problem or str(problem)
        finally:
            connection.open = False
            self._forget(stream)
            if ending == RESET:
                _arm_reset(stream)
            stream.close()

    def end(self, stream: socket.socket, ending: str) -> None:
        """End a connection without an answer."""
        self._keep(stream)
        try:
            if ending == SILENCE:
                self._wait_for_the_end(stream)
            elif ending == RESET:
                _arm_reset(stream)
        finally:
            self._forget(stream)
            stream.close()

    def _wait_for_the_end(self, stream: socket.socket) -> None:
        while not self.closing.is_set():
            readable, _, _ = select.select([stream], [], [], 0.05)
            if readable and not stream.recv(4096):
                return

    def _keep(self, stream: socket.socket) -> None:
        with self._lock:
            self._open.add(stream)

    def _forget(self, stream: socket.socket) -> None:
        with self._lock:
            self._open.discard(stream)

    def close(self) -> None:
        """Close every connection, and serve no more."""
        self.closing.set()
        self.hang_up()

    def hang_up(self) -> None:
        """Close every connection."""
        with self._lock:
            still_open = list(self._open)
        for stream in still_open:
            try:
                # The plain method, also for TLS: SSLSocket's own would drop the session that the reading thread uses.
                socket.socket.shutdown(stream, socket.SHUT_RDWR)
            except OSError:
                pass


def _arm_reset(stream: socket.socket) -> None:
    # Closing a socket that lingers for zero seconds sends RST instead of FIN.
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("hh" if os.name == "nt" else "ii", 1, 0))


def read_request(reader: BinaryIO, stream: socket.socket | None, scheme: str, connection: Connection) -> Request | None:
    """The next request; None when the client has closed."""
    line = reader.readline(_MAXIMUM_LINE)
    if not line.strip():
        return None
    method, target, _ = line.decode("iso-8859-1").split(" ", 2)
    headers = _read_headers(reader)
    request = Request(
        time.time(), method, scheme, connection.host, connection.port, target, headers, b"", connection.number
    )
    if (request.header("Expect") or "").lower() == "100-continue" and stream is not None:
        stream.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
    if (request.header("Transfer-Encoding") or "").lower() == "chunked":
        request.body = _read_chunks(reader)
    else:
        request.body = reader.read(int(request.header("Content-Length") or 0))
    return request


def _read_headers(reader: BinaryIO) -> HeaderList:
    headers: HeaderList = []
    while True:
        line = reader.readline(_MAXIMUM_LINE).decode("iso-8859-1")
        if not line.strip():
            return headers
        name, _, value = line.partition(":")
        headers.append((name.strip(), value.strip()))


def _read_chunks(reader: BinaryIO) -> bytes:
    chunks = []
    while True:
        size = int(reader.readline(_MAXIMUM_LINE).partition(b";")[0], 16)
        if size == 0:
            _read_headers(reader)
            return b"".join(chunks)
        chunks.append(reader.read(size))
        reader.readline(_MAXIMUM_LINE)


def send(stream: socket.socket, request: Request, response: Response) -> str:
    """Send an answer. Returns what happens to the connection."""
    if response.status is None:
        for piece in [response.body] if isinstance(response.body, bytes) else response.body:
            stream.sendall(piece)
        return response.ending
    ending = response.ending
    if (request.header("Connection") or "").lower() == "close" and ending == KEEP:
        ending = CLOSE
    names = {name.lower() for name, _ in response.headers}
    headers = list(response.headers)
    body = response.body
    if isinstance(body, bytes):
        if "content-length" not in names:
            headers.append(("Content-Length", str(len(body))))
    elif "content-length" not in names:
        # A body of unknown length ends with the connection (RFC 9112, section 6.3).
        ending = CLOSE if ending == KEEP else ending
    if ending != KEEP:
        headers.append(("Connection", "close"))
    head = "HTTP/1.1 {} {}\r\n".format(response.status, _REASONS.get(response.status, "Practice"))
    head += "".join(f"{name}: {value}\r\n" for name, value in headers) + "\r\n"
    without_body = request.method == "HEAD" or response.status in (204, 304)
    if isinstance(body, bytes):
        stream.sendall(head.encode("utf-8") + (b"" if without_body else body))
        return ending
    stream.sendall(head.encode("utf-8"))
    if not without_body:
        for piece in body:
            stream.sendall(piece)
    return ending


def _guarded(answer: Answer) -> Answer:
    def answer_or_confess(request: Request) -> Response:
        try:
            return answer(request)
        except Exception:
            # An error in the lab itself: shown in the response, and by pytest on stderr.
            traceback.print_exc()
            return Response(500, [("Content-Type", "text/plain")], traceback.format_exc().encode())

    return answer_or_confess

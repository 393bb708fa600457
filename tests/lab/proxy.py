"""The CONNECT proxy (RFC 9110, section 9.3.6) through which clients reach the practice cloud.

A tunnel to a listed host ends here, in the same thread, as a TLS connection of the practice cloud; there is
no onward connection at all, so nothing can leave loopback. Everything else is refused and recorded.
"""

from __future__ import annotations

import io
import socket
from urllib.parse import quote, urlsplit

from .authority import TRUSTED, CertificateAuthority
from .faults import Answer
from .messages import CLOSE, KEEP, Request, Response, decode_basic
from .server import Listener, Server, read_request, send
from .sites import Sites

_MAXIMUM_HEAD = 65536


class Proxy:
    """Listens on loopback for CONNECT requests."""

    def __init__(self, server: Server, sites: Sites, authority: CertificateAuthority, port: int = 0) -> None:
        self._server = server
        self._sites = sites
        self._authority = authority
        self._credentials: tuple[str, str] | None = None
        self._certificates: dict[str, str] = {}
        self._listener = Listener(self._serve, port)

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return self._listener.port

    @property
    def url(self) -> str:
        """For HTTPS_PROXY, with user name and password where they are required."""
        if self._credentials is None:
            return f"http://127.0.0.1:{self.port}"
        user, password = (quote(part, safe="") for part in self._credentials)
        return f"http://{user}:{password}@127.0.0.1:{self.port}"

    @property
    def url_without_credentials(self) -> str:
        """The proxy URL without user name and password."""
        return f"http://127.0.0.1:{self.port}"

    def require(self, user: str, password: str) -> None:
        """Ask for basic proxy authentication from now on."""
        self._credentials = (user, password)

    def show_certificate(self, host: str, kind: str) -> None:
        """Let a host show another kind of certificate (see `authority`) on new connections."""
        self._certificates[host.lower()] = kind

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        handed_over = False
        try:
            client.settimeout(60)
            head = _read_head(client)
            if head is not None:
                client.settimeout(None)
                handed_over = self._open_tunnel(client, head)
        except (OSError, ValueError):
            pass
        finally:
            if not handed_over:
                client.close()

    def _open_tunnel(self, client: socket.socket, head: bytes) -> bool:
        """Answer one proxy request. Returns whether the socket now belongs to the server."""
        host, port, is_connect = _destination(head)
        log = self._server.log
        authority = host if port == 443 else f"{host}:{port}"
        answer = self._sites.find(authority) if is_connect else None
        connection = log.open_connection(host, port, "tunnel" if answer else "refused")
        request = read_request(io.BytesIO(head), None, "https" if is_connect else "http", connection)
        if request is None:
            return False
        if not is_connect:
            # For the log: host and path are separate, as in other requests.
            request.target = _origin_form(request.target)
        log.add(request)
        response = self._server.faults.answer(request, self._decide(answer))
        log.answered(request, response.status or response.ending)
        if response.status == 200 and response.ending == KEEP and answer is not None:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            kind = self._certificates.get(host, TRUSTED)
            self._server.serve_tls(
                client, self._authority.context(host, kind), connection, _for_host(authority, answer)
            )
            return True
        connection.kind = "refused"
        if response.status is None:
            self._server.end(client, response.ending)
        else:
            response.ending = CLOSE
            send(client, request, response)
        return False

    def _decide(self, answer: Answer | None) -> Answer:
        def decide(request: Request) -> Response:
            if self._credentials is not None and (
                decode_basic(request.header("Proxy-Authorization")) != self._credentials
            ):
                return Response(407, [("Proxy-Authenticate", 'Basic realm="practice cloud"')])
            if answer is None:
                return Response(403, [("Content-Type", "text/plain")], b"not a host of the practice cloud\n")
            return Response(200)

        return decide


def _read_head(client: socket.socket) -> bytes | None:
    head = b""
    while b"\r\n\r\n" not in head:
        piece = client.recv(4096)
        if not piece or len(head) > _MAXIMUM_HEAD:
            return None
        head += piece
    return head


def _destination(head: bytes) -> tuple[str, int, bool]:
    method, target, _ = head.split(b"\r\n", 1)[0].decode("iso-8859-1").split(" ", 2)
    if method == "CONNECT":
        host, _, port = target.rpartition(":")
        return host.strip("[]").lower(), int(port), True
    parts = urlsplit(target)
    return (parts.hostname or "").lower(), parts.port or 80, False


def _origin_form(target: str) -> str:
    parts = urlsplit(target)
    return (parts.path or "/") + ("?" + parts.query if parts.query else "")


def _for_host(authority: str, answer: Answer) -> Answer:
    def answer_if_meant(request: Request) -> Response:
        named = (request.header("Host") or "").lower()
        if named.removesuffix(":443") != authority:
            return Response(421, [("Content-Type", "text/plain")], b"this connection is another host's\n")
        return answer(request)

    return answer_if_meant

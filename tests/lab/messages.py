"""HTTP messages as the sites see them."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote

HeaderList = list[tuple[str, str]]

#: What happens to the connection after an answer.
KEEP, CLOSE, RESET, SILENCE = "keep", "close", "reset", "silence"


@dataclass
class Request:
    """A received request and, once it is answered, the status that was sent."""

    time: float
    method: str
    scheme: str
    host: str
    port: int
    target: str
    headers: HeaderList
    body: bytes
    connection: int
    #: The status sent; a word (reset, closed, silence) if a fault sent none; None before the answer.
    status: int | str | None = None

    @property
    def path(self) -> str:
        """The path as sent, still percent-encoded."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query as sent, without the question mark."""
        return self.target.partition("?")[2]

    @property
    def parameters(self) -> dict[str, str]:
        """The decoded query. The last value of a repeated name counts."""
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def segments(self) -> list[str]:
        """The path's segments, decoded, without empty ones."""
        return [unquote(segment) for segment in self.path.split("/") if segment]

    @property
    def url(self) -> str:
        """The URL."""
        if self.method == "CONNECT":
            return f"{self.host}:{self.port}"
        return f"{self.scheme}://{self.host}{self.target}"

    def header(self, name: str, default: str | None = None) -> str | None:
        """The first value of a header, its name in any case."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), default)

    @property
    def form(self) -> dict[str, str]:
        """The body as ``application/x-www-form-urlencoded``."""
        return dict(parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True))

    def json(self):
        """The body as JSON; None when it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def bearer(self) -> str | None:
        """The token of ``Authorization: Bearer`` (RFC 6750)."""
        scheme, _, rest = (self.header("Authorization") or "").partition(" ")
        return rest.strip() if scheme.lower() == "bearer" else None

    @property
    def basic(self) -> tuple[str, str] | None:
        """User name and password of ``Authorization: Basic`` (RFC 7617)."""
        return decode_basic(self.header("Authorization"))


@dataclass
class Response:
    """An answer. If the status is None, only the body is sent, as raw bytes."""

    status: int | None = 200
    headers: HeaderList = field(default_factory=list)
    body: bytes | Iterable[bytes] = b""
    ending: str = KEEP


def decode_basic(value: str | None) -> tuple[str, str] | None:
    """User name and password of a ``Basic`` header value."""
    scheme, _, rest = (value or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(rest.strip(), validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return None
    user, colon, password = text.partition(":")
    return (user, password) if colon else None


def json_response(value, status: int = 200, headers: HeaderList | None = None) -> Response:
    """JSON."""
    content = [("Content-Type", "application/json; charset=utf-8")] + (headers or [])
    return Response(status, content, json.dumps(value).encode())


def html_response(text: str, status: int = 200, headers: HeaderList | None = None) -> Response:
    """An HTML page."""
    return Response(status, [("Content-Type", "text/html; charset=utf-8")] + (headers or []), text.encode())


def redirect_response(location: str, status: int = 302) -> Response:
    """A redirect with a small HTML page."""
    page = "<html><head><title>Object moved</title></head></html>"
    return html_response(page, status, [("Location", quote(location, safe=":/?&=%#@+,;!$'()*~"))])


def not_found(what: str = "not found") -> Response:
    """404, with a short message."""
    return json_response({"message": what}, 404)

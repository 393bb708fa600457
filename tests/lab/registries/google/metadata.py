"""The metadata server of Google's machines, which issues the tokens of their service account.

It is plain HTTP on loopback, never through the proxy. Its name in the log and in faults is ``google-metadata``.

https://cloud.google.com/compute/docs/metadata/querying-metadata
"""

from __future__ import annotations

import socket
import time

from ...faults import Fault
from ...loopback import LoopbackService
from ...messages import SILENCE, Request, Response, json_response, redirect_response
from ...server import Server
from .access_tokens import CLOUD_PLATFORM, EMAIL
from .accounts import PROJECT, UNIVERSE, ServiceAccount
from .service import Google

_ACCOUNTS = "/computeMetadata/v1/instance/service-accounts/"
_FLAVOR = ("Metadata-Flavor", "Google")
_TEXTS = {
    "/": "computeMetadata/\n",
    "/computeMetadata/v1/project/project-id": PROJECT,
    "/computeMetadata/v1/universe/universe-domain": UNIVERSE,
    "/computeMetadata/v1/universe/universe_domain": UNIVERSE,
}


class MetadataServer(LoopbackService):
    """The metadata server."""

    name = "google-metadata"

    def __init__(self, server: Server, google: Google) -> None:
        super().__init__(server)
        self._google = google
        #: The service account of the machine; None without one.
        self.account: ServiceAccount | None = None
        #: The scopes of its tokens, which are those of the machine, unless requests may choose, as on Cloud Run.
        self.scopes: tuple[str, ...] = (CLOUD_PLATFORM, EMAIL)
        self.may_choose_scopes = False
        #: Whether answers say that they are Google's; those of an impostor or a captive portal do not.
        self.has_flavor = True
        #: Whether connections are accepted and never answered.
        self.is_silent = False
        #: Seconds before an answer.
        self.delay = 0.0

    @property
    def address(self) -> str:
        """Host and port."""
        return self.url.partition("//")[2]

    @property
    def names(self) -> dict[str, str]:
        """The variables with its address: one for the ping, an old one, and the one that gcloud reads."""
        return dict.fromkeys(("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT"), self.address)

    @property
    def variables(self) -> dict[str, str | None]:
        """The variables with which clients ask this server."""
        return {**self.names, "NO_GCE_CHECK": None}

    def answer(self, request: Request) -> Response:
        """``GET`` with the header ``Metadata-Flavor: Google``."""
        time.sleep(self.delay)
        response = self._answer(request)
        response.headers += [("Server", "Metadata Server for VM"), *([_FLAVOR] if self.has_flavor else [])]
        return response

    def _serve(self, stream: socket.socket) -> None:
        if self.is_silent:
            self._server.log.open_connection(self.name, 0, "plain")
            self._server.end(stream, SILENCE)
        else:
            super()._serve(stream)

    def _answer(self, request: Request) -> Response:
        if request.method != "GET":
            return self._refuse(405, f"the method is {request.method}")
        if request.header(_FLAVOR[0]) != _FLAVOR[1]:
            return self._refuse(403, "no Metadata-Flavor")
        if request.header("X-Forwarded-For") is not None or not request.target.startswith("/"):
            return self._refuse(403, "a request through a proxy")
        if request.header("Authorization") is not None:
            return self._refuse(400, "the header Authorization")
        if request.path in _TEXTS:
            return Response(200, [("Content-Type", "application/text")], _TEXTS[request.path].encode())
        if not request.path.startswith(_ACCOUNTS):
            return self._refuse(404, f"no such path: {request.path}")
        return self._answer_account(request, *request.path[len(_ACCOUNTS) :].partition("/")[::2])

    def _answer_account(self, request: Request, name: str, kind: str) -> Response:
        if self.account is None or name not in ("default", self.account.email):
            return Response(404, [("Content-Type", "text/html; charset=UTF-8")], b"<title>Error 404</title>")
        if kind == "email":
            return Response(200, [("Content-Type", "application/text")], self.account.email.encode())
        if kind == "token":
            return self._token(request.parameters)
        if kind == "" and request.parameters.get("recursive") == "true":
            described = {"aliases": ["default"], "email": self.account.email, "scopes": list(self.scopes)}
            return json_response(described)
        return self._refuse(404, f"no such path: {request.path}")

    def _token(self, parameters: dict[str, str]) -> Response:
        if set(parameters) - {"scopes"}:
            return self._refuse(400, f"the parameters are {', '.join(parameters)}")
        wanted = tuple(parameters["scopes"].split(",")) if parameters.get("scopes") else self.scopes
        made = self._google.tokens.issue(self.account.email, wanted if self.may_choose_scopes else self.scopes)
        left = self._google.tokens.seconds_left(made)
        return json_response({"access_token": made.text, "expires_in": left, "token_type": "Bearer"})

    def _refuse(self, status: int, mistake: str) -> Response:
        self._google.mistakes.append(f"{self.name}: {mistake}")
        return Response(status, [("Content-Type", "text/html; charset=UTF-8")], b"<title>Error</title>")


def metadata_fails(status: int = 503) -> Fault:
    """A metadata server that has no token for the moment."""
    return lambda request, answer: Response(status, [_FLAVOR, ("Content-Type", "text/html")], b"<title>Error</title>")


def metadata_redirects(location: str) -> Fault:
    """A captive portal that redirects, with the header that clients check."""

    def respond(request: Request, answer: object) -> Response:
        response = redirect_response(location)
        response.headers.append(_FLAVOR)
        return response

    return respond

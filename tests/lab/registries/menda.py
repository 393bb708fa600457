"""Menda cloud: the API that signs people and machines in, and a registry on AWS CodeArtifact."""

from __future__ import annotations

import os
import secrets
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

from .. import faults
from ..faults import Faults
from ..log import RequestLog
from ..loopback import serving
from ..messages import Request, Response, json_response, not_found
from ..multipart import read_upload
from ..packages import Package, wheel
from ..registry import Failure, Registry, Site
from ..simple_index import SimpleIndex, challenge

if TYPE_CHECKING:
    from ..cloud import PracticeCloud

HOST = "https://api.example.menda.cloud"
#: Paths of the API, below any base.
SIGN_IN = "/api/v1/auth/oauth2/token"
EXCHANGE = "/api/v1/auth/registry/token"
REGISTRY_HOST = "menda-private-058264169513.d.codeartifact.eu-west-1.amazonaws.com"
STORAGE = "assets-058264169513-eu-west-1.s3.eu-west-1.amazonaws.com"


class MendaSite(Site):
    """Initially there are the machine `client_id` with `client_secret`, and the registry's index `plugins` with
    hello-private 1.0 and greetings 2.0, which requires it.

    The API has any base path: https://api.example.menda.cloud/base works like the host alone.
    """

    def __init__(self, cloud: PracticeCloud) -> None:
        self.client_id = "robot-058264"
        self.client_secret = "Sp%61-" + secrets.token_urlsafe(12) + "+/&= %"
        self.plugins = SimpleIndex(f"https://{REGISTRY_HOST}/pypi/plugins", STORAGE)
        self.plugins.add(wheel("hello-private", "1.0"), wheel("greetings", "2.0", requires=["hello-private>=1.0"]))
        #: The secrets of all machines, by client id.
        self.machines = {self.client_id: self.client_secret}
        #: Tokens that the API issued.
        self.access_tokens: list[str] = []
        self.registry_tokens: list[str] = []
        #: More fields of the registry's answer, such as ``expires_in``.
        self.more: dict[str, object] = {}
        cloud.sites.add(HOST.partition("//")[2], self._api)
        cloud.sites.add(REGISTRY_HOST, self._registry)
        cloud.sites.add(STORAGE, self.plugins.stored)

    @property
    def upload_url(self) -> str:
        """The URL for twine."""
        return self.plugins.base + "/"

    @property
    def variables(self) -> dict[str, str]:
        """The variables of the machine."""
        return {"MENDA_CLIENT_ID": self.client_id, "MENDA_CLIENT_SECRET": self.client_secret, "MENDA_HOST": HOST}

    def machine(self, client_id: str, client_secret: str, host: str = HOST) -> dict[str, str]:
        """Add a machine. Returns its variables."""
        self.machines[client_id] = client_secret
        return {"MENDA_CLIENT_ID": client_id, "MENDA_CLIENT_SECRET": client_secret, "MENDA_HOST": host}

    def log_in(self) -> str:
        """An access token, as `menda auth login` gets it."""
        self.access_tokens.append("menda-access-" + secrets.token_urlsafe(24))
        return self.access_tokens[-1]

    def write_profile(self, home: object, text: str, name: str = "mendacfg") -> str:
        """Write a configuration file. Returns its path."""
        return _write(os.path.join(str(home), ".menda", name), text)

    def write_login(
        self, home: object, token: str, section: str = "default", age: float = 0, life: object = 3600
    ) -> str:
        """Write a token to the token cache of the Menda CLI. Returns the path."""
        lines = [f"[{section}]", f"id_token = {token}", f"expires_in = {life}", f"cached_at = {time.time() - age}"]
        return self.write_cache(home, "\n".join(lines) + "\n")

    def write_cache(self, home: object, text: str) -> str:
        """Write the token cache of the Menda CLI. Returns its path."""
        return _write(os.path.join(str(home), ".menda", "tokens", "cache", ".token"), text)

    def on_loopback(self, log: RequestLog, faults: Faults) -> AbstractContextManager[str]:
        """The API over plain http on this machine, until the end of the block; in the log it is the host `loopback`."""
        return serving(log, faults, self._api)

    def _api(self, request: Request) -> Response:
        if request.method != "POST":
            return Response(405)
        if request.path.endswith(SIGN_IN):
            given = request.parameters
            if given.get("grant_type") != "client_credentials":
                return json_response({"detail": "unsupported grant_type"}, 400)
            if self.machines.get(given.get("client_id", "")) != given.get("client_secret", ""):
                return json_response({"detail": "invalid client credentials"}, 401)
            return json_response({"access_token": self.log_in(), "token_type": "Bearer", "expires_in": 3600})
        if request.path.endswith(EXCHANGE):
            scheme, _, token = (request.header("authorizationToken") or "").partition(" ")
            if scheme != "Bearer" or token not in self.access_tokens:
                return json_response({"message": "Unauthorized"}, 401)
            self.registry_tokens.append("eyJ2ZXIiOjEs" + secrets.token_urlsafe(48))
            return json_response({"token": self.registry_tokens[-1], **self.more})
        return not_found()

    def _registry(self, request: Request) -> Response:
        user, password = request.basic or ("", "")
        if user != "aws" or password not in self.registry_tokens:
            return challenge("menda-private")
        if request.method == "POST" and request.url == self.upload_url:
            fields, file_name, content = read_upload(request)
            self.plugins.add(Package(fields["name"], fields["version"], file_name, content))
            return Response(200)
        return self.plugins.answer(request) or not_found()


def _write(path: str, text: str) -> str:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    os.chmod(path, 0o600)
    return path


class Menda(Registry):
    """A registry of Menda cloud, for a machine."""

    site = MendaSite
    backend = "MendaCodeArtifactKeyring"
    priority = 9.8
    host = REGISTRY_HOST
    claimed_hosts = ("menda-058264169513.d.codeartifact.eu-west-1.amazonaws.com",)
    api_hosts = (HOST.partition("//")[2],)
    blamed_host = api_hosts[-1]
    user_name = "aws"
    exec_variable = "CODEARTIFACT_AUTH_TOKEN"
    rivals = frozenset({"codeartifact", "menda"})

    @property
    def index_url(self) -> str:
        return self.cloud.menda.plugins.url

    @property
    def upload_url(self) -> str:
        return self.cloud.menda.upload_url

    def file_url(self, file_name: str) -> str:
        return f"{self.cloud.menda.plugins.base}/files/{file_name}"

    def add(self, package: Package) -> None:
        self.cloud.menda.plugins.add(package)

    def log_in(self) -> None:
        self.variables = self.cloud.menda.variables

    def break_login(self) -> None:
        self.variables = {**self.cloud.menda.variables, "MENDA_CLIENT_SECRET": "the-wrong-secret"}

    def login_by_variables(self) -> tuple[str, dict[str, str]]:
        return self.user_name, self.cloud.menda.variables

    def passwords(self) -> list[str]:
        return self.cloud.menda.registry_tokens

    def logins(self) -> list[str]:
        secret = self.cloud.menda.client_secret
        return [secret, quote(secret, safe=""), quote_plus(secret), *self.cloud.menda.access_tokens]

    def assert_ways(self, count: int, upload: bool = False) -> None:
        log = self.cloud.log
        requests = log.requests(*self.api_hosts)
        assert [request.method for request in requests] == ["POST"] * 2 * count, log
        assert len(log.connections(*self.api_hosts)) == count, log
        assert self.sent() == requests, log


def _api_fails(registry: Registry) -> None:
    registry.log_in()
    registry.cloud.faults.add(faults.status(500), host=registry.api_hosts[-1])


Menda.failures = {
    "menda-out-of-order": Failure(_api_fails, "HTTP 500"),
    "menda-refuses": Failure(Menda.break_login, "HTTP 401"),
}

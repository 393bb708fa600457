"""Chainguard Libraries: the index, the issuer that exchanges tokens, and the tokens of chainctl."""

from __future__ import annotations

import datetime
import os
import secrets
import sys
from typing import TYPE_CHECKING

from .. import chainctl, tokens
from ..messages import Request, Response, json_response, not_found
from ..packages import Package, wheel
from ..registry import Failure, Registry, Site
from ..simple_index import SimpleIndex, challenge

if TYPE_CHECKING:
    from ..cloud import PracticeCloud

AUDIENCE = "libraries.cgr.dev"
CONSOLE = "https://console-api.enforce.dev"
ISSUER_HOST = "issuer.enforce.dev"
ISSUER = "https://issuer.enforce.dev"
STORAGE = "9236a389bd48b984df91adc1bc924620.r2.cloudflarestorage.com"

#: The cache directory below the home directory, as in Go's os.UserCacheDir.
_CACHES = {"darwin": "Library/Caches", "win32": "AppData/Local"}


class ChainguardSite(Site):
    """Initially there are the index `python` with hello-private 1.0 and greetings 2.0, which requires it, and the
    index `remediated`; and the identity `identity`, which no job may assume before `trust`.
    """

    def __init__(self, cloud: PracticeCloud) -> None:
        self.python = SimpleIndex("https://libraries.cgr.dev/python", STORAGE)
        self.remediated = SimpleIndex("https://libraries.cgr.dev/python-remediated", STORAGE)
        self.python.add(wheel("hello-private", "1.0"), wheel("greetings", "2.0", requires=["hello-private>=1.0"]))
        self.identity = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567/89abcdef01234567"
        #: The tokens that the issuer issued.
        self.issued: list[str] = []
        #: Their lifetime in seconds.
        self.lifetime: float = 3600
        #: Known subjects without permission to read.
        self.unentitled: set[str] = set()
        self._trusted: dict[str, tuple[str, str]] = {}
        cloud.sites.add("*.cgr.dev", self._serve)
        cloud.sites.add(ISSUER_HOST, self._exchange)
        cloud.sites.add(STORAGE, self._store)

    def token(
        self, audience: object = AUDIENCE, lifetime: float = 3600, subject: str = "frodo", **claims: object
    ) -> str:
        """A token as chainctl prints it."""
        return tokens.mint(
            {"iss": ISSUER, "sub": subject, "aud": audience, "jti": secrets.token_hex(8), **claims}, lifetime
        )

    def pull_token(self, lifetime: float = 8 * 3600) -> tuple[str, str]:
        """User name and password of a pull token."""
        return self.identity, self.token(lifetime=lifetime, subject=self.identity)

    def trust(self, issuer: str, subject: str) -> None:
        """Let this subject of an issuer assume `identity`."""
        self._trusted[self.identity] = (issuer, subject)

    def proof(
        self, issuer: str = "https://gitlab.example", subject: str = "project:ring", audience: str = ISSUER
    ) -> str:
        """The identity token of a job."""
        return tokens.mint({"iss": issuer, "sub": subject, "aud": audience}, 300)

    def write_cache(self, home: object, token: str) -> str:
        """Write the token cache of chainctl. Returns the path."""
        return _write(home, AUDIENCE, "oidc-token", token)

    def write_login(self, home: object) -> str:
        """Write the login from which chainctl gets tokens. Returns the path."""
        return _write(home, "https:--console-api.enforce.dev", "refresh-token", "a-refresh-token")

    @staticmethod
    def cache_of(home: object) -> dict[str, str]:
        """The variable that points chainctl to the cache of another home directory."""
        names = {"darwin": "HOME", "win32": "LOCALAPPDATA"}
        below = "" if sys.platform == "darwin" else _CACHES.get(sys.platform, ".cache")
        return {names.get(sys.platform, "XDG_CACHE_HOME"): os.path.join(str(home), below)}

    def _serve(self, request: Request) -> Response:
        claims = tokens.verify(request.basic[1]) if request.basic else None
        if claims is None or claims.get("aud") not in (AUDIENCE, [AUDIENCE]):
            return challenge("Chainguard Libraries")
        if claims.get("sub") in self.unentitled:
            return Response(403)
        if request.host != "libraries.cgr.dev":
            return not_found()
        for index in (self.python, self.remediated):
            found = index.answer(request)
            if found is not None:
                return found
        return not_found()

    def _store(self, request: Request) -> Response:
        index = self.python if self.python.find((request.segments or [""])[-1]) else self.remediated
        return index.stored(request)

    def _exchange(self, request: Request) -> Response:
        if request.path != "/sts/exchange":
            return not_found()
        if request.method != "POST":
            return Response(405)
        claims = tokens.verify(request.bearer or "")
        if claims is None or claims.get("aud") not in (ISSUER, [ISSUER]):
            return json_response({"code": 16, "message": "the identity token is not valid", "details": []}, 401)
        form = request.form if (request.header("Content-Type") or "").startswith("application/x-www-form") else {}
        if not form.get("aud") or not form.get("identity"):
            return json_response({"code": 3, "message": "aud and identity are required", "details": []}, 400)
        if self._trusted.get(form["identity"]) != (claims.get("iss"), claims.get("sub")):
            return json_response({"code": 7, "message": "the identity may not be assumed by this token"}, 403)
        token = self.token(form["aud"], self.lifetime, subject=form["identity"])
        self.issued.append(token)
        expiry = datetime.datetime.fromtimestamp(tokens.read(token)["exp"], datetime.timezone.utc)
        moment = expiry.strftime("%Y-%m-%dT%H:%M:%SZ")
        return json_response({"token": token, "refreshToken": "refresh-" + secrets.token_hex(16), "expiry": moment})


def _write(home: object, audience: str, name: str, content: str) -> str:
    directory = os.path.join(str(home), _CACHES.get(sys.platform, ".cache"), "chainguard", audience)
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(content)
    os.chmod(path, 0o600)
    return path


class Chainguard(Registry):
    """Chainguard Libraries, by chainctl."""

    site = ChainguardSite
    backend = "ChainguardLibrariesKeyring"
    priority = 9
    host = "libraries.cgr.dev"
    claimed_hosts = ("libraries.cgr.dev",)
    user_name = "_token"
    program = "chainctl"
    exec_variable = "CHAINCTL_AUTH_TOKEN"
    rivals = frozenset({"chainguard"})
    replaces = "chainguard"
    workflow_has_identity_token = True
    workflow_recipe = ("README.md", "## Chainguard Libraries", "chainguard")

    _token: str | None = None

    @property
    def index_url(self) -> str:
        return self.cloud.chainguard.python.url

    def file_url(self, file_name: str) -> str:
        return f"{self.cloud.chainguard.python.base}/files/{file_name}"

    def add(self, package: Package) -> None:
        self.cloud.chainguard.python.add(package)

    def log_in(self) -> None:
        self._token = self.cloud.chainguard.token()
        self.fake_programs.chainctl(chainctl.logged_in(self._token))
        self.cloud.chainguard.write_login(self.home)

    def break_login(self) -> None:
        self.fake_programs.chainctl(chainctl.not_logged_in())

    def login_by_variables(self) -> tuple[str, dict[str, str]]:
        identity, token = self.cloud.chainguard.pull_token()
        return identity, {"CHAINGUARD_PYTHON_IDENTITY_ID": identity, "CHAINGUARD_PYTHON_TOKEN": token}

    def passwords(self) -> list[str]:
        return [self._token] if self._token else []

    def workflow_settings(self, job) -> dict[str, str]:
        self.cloud.chainguard.trust("https://token.actions.githubusercontent.com", job.subject)
        return {"vars.CHAINGUARD_IDENTITY": self.cloud.chainguard.identity}

    def assert_ways(self, count: int, upload: bool = False) -> None:
        assert len(self.fake_programs.invocations("chainctl")) == count
        sent = {request.host for request in self.cloud.log.sent_by_ringbearer()}
        assert not sent & {self.host, ISSUER_HOST}, self.cloud.log


def _not_installed(registry: Registry) -> None:
    """chainctl is not on PATH."""


Chainguard.failures = {
    "chainctl-missing": Failure(_not_installed, "chainctl is not on PATH"),
    "chainctl-logged-out": Failure(Chainguard.break_login, "run `chainctl auth login"),
}

"""Artifact Registry: repositories with Python packages.

https://cloud.google.com/artifact-registry/docs/python
"""

from __future__ import annotations

import html
import re
import secrets

from ...messages import Request, Response, html_response, json_response, redirect_response
from ...multipart import read_upload
from ...packages import Package, normalize
from ...simple_index import challenge
from ...sites import Sites
from .accounts import PROJECT
from .service import Google

USER_NAME = "oauth2accesstoken"
PATTERNS = ("*-python.pkg.dev", "python.*.rep.pkg.dev")
_LOCATION = "[a-z][a-z0-9-]*[a-z0-9]"
_HOST = re.compile(rf"{_LOCATION}-python\.pkg\.dev|python\.{_LOCATION}\.rep\.pkg\.dev")
_DOWNLOADS = "/artifacts-downloads/namespaces/{}/repositories/{}/downloads/"
READ = "artifactregistry.repositories.downloadArtifacts"
WRITE = "artifactregistry.repositories.uploadArtifacts"


class Repository:
    """A repository."""

    def __init__(self, google: Google, host: str, project: str, name: str) -> None:
        self._google = google
        self.host = host
        self.project = project
        self.name = name
        self.packages: list[Package] = []
        #: The principals with ``roles/artifactregistry.reader`` and ``roles/artifactregistry.writer``.
        self.readers: set[str] = set()
        self.writers: set[str] = set()
        #: Whether reading needs no credentials.
        self.is_public = False
        #: The status of the redirect from a file to its download, 302 or 307.
        self.redirect_status = 302
        #: The host of downloads.
        self.download_host = host
        self._downloads: dict[str, Package] = {}

    @property
    def url(self) -> str:
        """The URL for clients."""
        return f"{self.upload_url}simple/"

    @property
    def upload_url(self) -> str:
        """The URL for twine."""
        return f"https://{self.host}/{self.project}/{self.name}/"

    def file_url(self, file_name: str) -> str:
        """The URL of a package's file."""
        return f"{self.upload_url}{normalize(self._find(file_name).name)}/{file_name}"

    def add(self, *packages: Package) -> None:
        """Add packages."""
        self.packages.extend(packages)

    def answer(self, request: Request) -> Response | None:
        """A page, a file, a download or an upload; None for the paths of others."""
        base = f"/{self.project}/{self.name}/"
        downloads = _DOWNLOADS.format(self.project, self.name)
        if not request.path.startswith((base, downloads)):
            return None
        is_upload = request.method == "POST" and request.path == base
        refused = self._refusal(request, is_upload)
        if refused is not None:
            return refused
        if is_upload:
            return self._upload(request)
        if request.method not in ("GET", "HEAD"):
            return Response(405)
        if request.path.startswith(downloads):
            return _content(self._downloads.get(request.path[len(downloads) :]))
        kind, *rest = [part for part in request.path[len(base) :].split("/") if part] or [""]
        if kind == "simple" and len(rest) < 2:
            return self._page(*rest)
        return self._redirect(self._find(rest[0]), downloads) if len(rest) == 1 else _missing()

    def _find(self, file_name: str) -> Package | None:
        return next((one for one in self.packages if one.file_name == file_name), None)

    def _redirect(self, package: Package | None, downloads: str) -> Response:
        if package is None:
            return _missing()
        name = secrets.token_urlsafe(48)
        self._downloads[name] = package
        return redirect_response(f"https://{self.download_host}{downloads}{name}", self.redirect_status)

    def _page(self, name: str | None = None) -> Response:
        if name is None:
            names = sorted({normalize(one.name) for one in self.packages})
            links = {name: f"{name}/" for name in names}
        else:
            found = [one for one in self.packages if normalize(one.name) == name]
            if not found:
                return _missing()
            links = {one.file_name: f"../../{name}/{one.file_name}#sha256={one.sha256}" for one in found}
        lines = [f'<a href="{html.escape(url)}">{text}</a><br>' for text, url in links.items()]
        return html_response("<!DOCTYPE html>\n<html><body>\n{}\n</body></html>\n".format("\n".join(lines)))

    def _upload(self, request: Request) -> Response:
        fields, file_name, content = read_upload(request)
        if self._find(file_name) is not None:
            return json_response({"error": {"code": 400, "message": "the file already exists"}}, 400)
        self.add(Package(fields["name"], fields["version"], file_name, content))
        return Response(200)

    def _refusal(self, request: Request, is_upload: bool) -> Response | None:
        if request.header("Authorization") is None and self.is_public and not is_upload:
            return None
        user, password = request.basic or ("", "")
        token = self._google.tokens.find(password)
        if user != USER_NAME or token is None:
            return challenge("Artifact Registry")
        allowed = self.writers if is_upload else self.readers | self.writers
        if token.principal in allowed or (self.is_public and not is_upload):
            return None
        where = f"projects/{self.project}/locations/{_location(self.host)}/repositories/{self.name}"
        permission = WRITE if is_upload else READ
        text = f'Permission "{permission}" denied on resource "{where}" (or it may not exist)'
        return json_response({"error": {"code": 403, "message": text, "status": "PERMISSION_DENIED"}}, 403)


class Repositories:
    """All of them."""

    def __init__(self, google: Google, sites: Sites) -> None:
        self._google = google
        self._repositories: list[Repository] = []
        for pattern in PATTERNS:
            sites.add(pattern, self.answer)

    def add(self, name: str, host: str = "us-central1-python.pkg.dev", project: str = PROJECT) -> Repository:
        """Add a repository without readers."""
        made = Repository(self._google, host, project, name)
        self._repositories.append(made)
        return made

    def answer(self, request: Request) -> Response:
        """The answer of the repository at a path."""
        if not _HOST.fullmatch(request.host):
            self._google.mistakes.append(f"Google has no host {request.host}")
            return _missing()
        answers = (one.answer(request) for one in self._repositories if request.host in (one.host, one.download_host))
        return next((one for one in answers if one is not None), None) or _missing()


def _location(host: str) -> str:
    return host.split(".")[1] if host.startswith("python.") else host.partition("-python.")[0]


def _content(package: Package | None) -> Response:
    if package is None:
        return _missing()
    return Response(200, [("Content-Type", "application/octet-stream")], package.content)


def _missing() -> Response:
    text = "Requested entity was not found."
    return json_response({"error": {"code": 404, "message": text, "status": "NOT_FOUND"}}, 404)

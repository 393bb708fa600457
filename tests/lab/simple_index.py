"""An index of packages (PEP 503) without access control."""

from __future__ import annotations

import html

from .messages import Request, Response, html_response, not_found, redirect_response
from .packages import Package, normalize


class SimpleIndex:
    """Packages below ``{base}/simple/``. Files are served from ``{base}/files/``, or by a redirect to another host."""

    def __init__(self, base: str, storage: str | None = None, has_root: bool = True) -> None:
        #: Without a slash at the end.
        self.base = base
        #: The host to which files are redirected by signed URLs; it needs no credentials.
        self.storage = storage
        #: Whether there is a list of all projects.
        self.has_root = has_root
        self.packages: list[Package] = []

    @property
    def url(self) -> str:
        """The URL for clients."""
        return self.base + "/simple/"

    def add(self, *packages: Package) -> None:
        """Add packages."""
        self.packages += packages

    def find(self, file_name: str) -> Package | None:
        """A package by the name of its file."""
        return next((package for package in self.packages if package.file_name == file_name), None)

    def answer(self, request: Request) -> Response | None:
        """A page or a file; None for other paths."""
        prefix = "/" + self.base.split("/", 3)[3] + "/"
        if not request.path.startswith(prefix) or request.method not in ("GET", "HEAD"):
            return None
        kind, *rest = [part for part in request.path[len(prefix) :].split("/") if part] or [""]
        if kind == "simple" and not rest:
            if not self.has_root:
                return not_found()
            return _page({normalize(package.name): "./" + normalize(package.name) + "/" for package in self.packages})
        if kind == "simple" and len(rest) == 1:
            found = [package for package in self.packages if normalize(package.name) == normalize(rest[0])]
            link = "../../files/{0.file_name}#sha256={0.sha256}"
            return _page({package.file_name: link.format(package) for package in found}) if found else not_found()
        package = self.find(rest[-1]) if kind == "files" and rest else None
        if package is None:
            return not_found()
        if self.storage is None:
            return Response(200, [("Content-Type", "application/octet-stream")], package.content)
        return redirect_response(f"https://{self.storage}/{package.file_name}?signature={package.sha256[:16]}")

    def stored(self, request: Request) -> Response:
        """A file by its signed URL, on the other host; it rejects other credentials, as such stores do."""
        package = self.find(request.segments[-1]) if request.segments else None
        if package is None:
            return not_found()
        signed = request.parameters.get("signature") == package.sha256[:16]
        if request.header("Authorization") is not None or not signed:
            return Response(400 if signed else 403)
        return Response(200, [("Content-Type", "application/octet-stream")], package.content)


def challenge(realm: str) -> Response:
    """401 that asks for a user name and a password."""
    return Response(401, [("WWW-Authenticate", f'Basic realm="{realm}"')], b"")


def _page(links: dict[str, str]) -> Response:
    lines = [f'<a href="{html.escape(url)}">{text}</a><br/>' for text, url in links.items()]
    return html_response("<!DOCTYPE html>\n<html><body>\n{}\n</body></html>".format("\n".join(lines)))

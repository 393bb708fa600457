"""pkgs.dev.azure.com and its other names: indexes, downloads and uploads of Python packages.

Index pages follow PEP 503, uploads the legacy API that twine speaks.
"""

from __future__ import annotations

import html
from urllib.parse import quote

from ...messages import HeaderList, Request, Response, html_response, json_response, not_found, redirect_response
from ...multipart import read_upload
from ...packages import Package, normalize
from ...sites import Sites
from .organisations import Feed, Grant, Organisation

HOSTS = ("pkgs.dev.azure.com", "*.pkgs.visualstudio.com", "pkgs.codedev.ms", "*.pkgs.vsts.me")


class Feeds:
    """The package service of all organisations."""

    def __init__(self, sites: Sites) -> None:
        self.organisations: list[Organisation] = []
        #: The status of HEAD requests; None treats them as GET. Some deployments answer 405 or 500.
        self.head_status: int | None = None
        for host in HOSTS:
            sites.add(host, self.answer)

    def answer(self, request: Request) -> Response:
        """Find the organisation and the feed, ask for credentials, then serve."""
        if request.method == "HEAD" and self.head_status is not None:
            return Response(self.head_status)
        organisation, rest = self._organisation(request)
        if organisation is None:
            return html_response("<html><title>Azure DevOps Services | Not found</title></html>", 404)
        grant = organisation.check(request.basic[1]) if request.basic else None
        feed, tail = _find_feed(organisation, rest)
        if grant is None and not self._is_public(request, feed, tail):
            return _challenge(organisation)
        if feed is None:
            return not_found("the feed does not exist")
        if tail == ["upload"]:
            return self._upload(request, feed, grant)
        if request.method not in ("GET", "HEAD"):
            return Response(405)
        return self._read(request, feed, tail)

    def _organisation(self, request: Request) -> tuple[Organisation | None, list[str]]:
        segments = request.segments
        if request.host.startswith("pkgs."):
            name, rest = (segments[0] if segments else ""), segments[1:]
        else:
            name, rest = request.host.partition(".")[0], segments
        found = (one for one in self.organisations if one.name.lower() == name.lower())
        return next(found, None), rest

    def _is_public(self, request: Request, feed: Feed | None, tail: list[str]) -> bool:
        """A public feed serves its saved packages; upstream packages need credentials."""
        if feed is None or not feed.public or request.method not in ("GET", "HEAD"):
            return False
        if tail == ["simple"]:
            return True
        return len(tail) >= 2 and normalize(tail[1]) in feed.packages

    def _read(self, request: Request, feed: Feed, tail: list[str]) -> Response:
        if tail == ["simple"]:
            return self._page(request, feed, None)
        if len(tail) == 2 and tail[0] == "simple":
            if normalize(tail[1]) not in feed.packages:
                return not_found("the package does not exist")
            return self._page(request, feed, normalize(tail[1]))
        if len(tail) == 4 and tail[0] == "download":
            return self._download(feed, tail[3]) or not_found("the file does not exist")
        return not_found()

    def _download(self, feed: Feed, file_name: str) -> Response | None:
        package = feed.find(file_name)
        return package and redirect_response(_blob_url(feed, package), 303)

    def _page(self, request: Request, feed: Feed, name: str | None) -> Response:
        form = _form(request.host)
        if name is None:
            links = [(one, f"{feed.url(form)}{one}/") for one in sorted(feed.packages)]
        else:
            links = [_link(feed, package, form) for package in feed.packages[name]]
        lines = [f'<a href="{html.escape(url)}">{text}</a><br/>' for text, url in links]
        title = "Links for " + (name or "all packages")
        return html_response(
            "<!DOCTYPE html>\n<html><head><title>{0}</title></head><body><h1>{0}</h1>\n{1}\n</body></html>".format(
                title, "\n".join(lines)
            )
        )

    def _upload(self, request: Request, feed: Feed, grant: Grant | None) -> Response:
        if request.method != "POST":
            return Response(405)
        if grant is None or not grant.may_write:
            return json_response({"message": "the token's scope does not include vso.packaging_write"}, 403)
        fields, file_name, content = read_upload(request)
        if fields.get(":action") != "file_upload" or not file_name or not fields.get("name"):
            return json_response({"message": "this is not an upload"}, 400)
        package = Package(fields["name"], fields.get("version", ""), file_name, content)
        if fields.get("sha256_digest", package.sha256) != package.sha256:
            return json_response({"message": "the digest does not match the file"}, 400)
        if feed.find(file_name) is not None:
            text = "The feed already contains file '{}' in package '{} {}'."
            return json_response({"message": text.format(file_name, package.name, package.version)}, 409)
        feed.add(package)
        return Response(202)


class Blobs:
    """``*.blob.core.windows.net``: where downloads end.

    It accepts signed URLs only, and rejects other credentials.
    """

    def __init__(self, sites: Sites, organisations: list[Organisation]) -> None:
        self._organisations = organisations
        sites.add("*.blob.core.windows.net", self.answer)

    def answer(self, request: Request) -> Response:
        """A whole file, or a range of it (RFC 9110, section 14)."""
        if request.header("Authorization") is not None:
            text = "<?xml version='1.0'?><Error><Code>InvalidAuthenticationInfo</Code></Error>"
            return Response(400, [("Content-Type", "application/xml")], text.encode())
        package = self._find(request)
        if package is None:
            return Response(404)
        if request.parameters.get("sig") != "practice-" + package.sha256[:16]:
            return Response(403)
        headers: HeaderList = [("Content-Type", "application/octet-stream"), ("Accept-Ranges", "bytes")]
        span = _range(request.header("Range"), len(package.content))
        if span is None:
            return Response(200, headers, package.content)
        start, end = span
        headers.append(("Content-Range", f"bytes {start}-{end}/{len(package.content)}"))
        return Response(206, headers, package.content[start : end + 1])

    def _find(self, request: Request) -> Package | None:
        for organisation in self._organisations:
            if organisation.blob_host == request.host:
                for feed in organisation.feeds:
                    if request.segments[:1] == ["b-" + feed.id]:
                        return feed.find(request.segments[-1])
        return None


def _find_feed(organisation: Organisation, segments: list[str]) -> tuple[Feed | None, list[str]]:
    if "_packaging" not in segments:
        return None, []
    at = segments.index("_packaging")
    project = segments[0].lower() if at == 1 else ""
    if at > 1 or len(segments) < at + 3 or segments[at + 2] != "pypi":
        return None, []
    # A view, such as tools@Release, is part of the feed; here, all of it.
    name = segments[at + 1].partition("@")[0].lower()
    for feed in organisation.feeds:
        if project in ((feed.project or "").lower(), feed.project_id) and name in (feed.name.lower(), feed.id):
            return feed, segments[at + 3 :]
    return None, []


def _challenge(organisation: Organisation) -> Response:
    page = "<html><title>Azure DevOps Services | Access Denied: Azure Artifacts</title></html>"
    return html_response(page, organisation.challenge.status, organisation.challenge.header_list())


def _link(feed: Feed, package: Package, form: str) -> tuple[str, str]:
    return (package.file_name, feed.file_url(package, form) + "#sha256=" + package.sha256)


def _form(host: str) -> str:
    """Links have the host form of the request."""
    return host[len("pkgs.") :] if host.startswith("pkgs.") else host.partition(".pkgs.")[2]


def _blob_url(feed: Feed, package: Package) -> str:
    return f"https://{feed.organisation.blob_host}/b-{feed.id}/{quote(package.file_name)}?sv=2019-07-07&sr=b&sig=practice-{package.sha256[:16]}&spr=https"


def _range(value: str | None, size: int) -> tuple[int, int] | None:
    if not value or not value.startswith("bytes=") or "," in value:
        return None
    first, _, last = value[len("bytes=") :].partition("-")
    if not first:
        return max(0, size - int(last)), size - 1
    return int(first), min(int(last), size - 1) if last else size - 1

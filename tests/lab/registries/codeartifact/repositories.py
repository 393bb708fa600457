"""The repositories of domains, at their three kinds of hosts.

https://docs.aws.amazon.com/codeartifact/latest/ug/python.html
"""

from __future__ import annotations

from ...messages import Request, Response, json_response, not_found
from ...multipart import read_upload
from ...packages import Package
from ...simple_index import SimpleIndex, challenge
from ...sites import Sites
from .accounts import PUBLISH, READ
from .authorization_tokens import Domain
from .endpoints import partition_of
from .service import Account


class Repository:
    """A repository with Python packages."""

    def __init__(self, aws: Account, sites: Sites, domain: Domain, name: str) -> None:
        self._aws = aws
        self.domain = domain
        self.name = name
        region = domain.region
        suffix = partition_of(region).suffix
        self.host = f"{domain.label}.d.codeartifact.{region}.{suffix}"
        self.dual_stack_host = f"{domain.label}.codeartifact.{region}.on.aws"
        #: The endpoint of a private network. Its host does not name the domain.
        self.vpc_host = f"vpce-0a1b2c3d4e5f60718-abcdefgh.d.codeartifact.{region}.vpce.{suffix}"
        self.storage = f"assets-{domain.owner}-{region}.s3.{region}.{suffix}"
        self._index = SimpleIndex(f"https://{self.host}/pypi/{name}", self.storage, has_root=False)
        self._vpc_index = SimpleIndex(
            f"https://{self.vpc_host}/pypi/d/{domain.label}/{name}", self.storage, has_root=False
        )
        self._vpc_index.packages = self._index.packages
        sites.add(self.storage, self._index.stored)

    @property
    def url(self) -> str:
        """The URL for clients."""
        return self._index.url

    @property
    def dual_stack_url(self) -> str:
        """The same on the host that also has IPv6."""
        return self.url.replace(self.host, self.dual_stack_host)

    @property
    def vpc_url(self) -> str:
        """The same at the endpoint of a private network."""
        return self._vpc_index.url

    @property
    def upload_url(self) -> str:
        """The URL for twine."""
        return self._index.base + "/"

    def file_url(self, file_name: str) -> str:
        """The URL of a package's file."""
        return f"{self._index.base}/files/{file_name}"

    def add(self, *packages: Package) -> None:
        """Add packages."""
        # The list is that of both indexes.
        self._index.packages.extend(packages)

    def answer(self, request: Request) -> Response | None:
        """A page, a file or an upload; None for the paths of others."""
        index = self._vpc_index if request.host == self.vpc_host else self._index
        base = "/" + index.base.split("/", 3)[3] + "/"
        if not request.path.startswith(base):
            return None
        is_upload = request.method == "POST" and request.path == base
        refused = self._refusal(request, PUBLISH if is_upload else READ)
        if refused is not None:
            return refused
        if is_upload:
            fields, file_name, content = read_upload(request)
            self.add(Package(fields["name"], fields["version"], file_name, content))
            return Response(200)
        return index.answer(request) or not_found()

    def _refusal(self, request: Request, action: str) -> Response | None:
        user, token = request.basic or ("", "")
        key, ends = self.domain.tokens.get(token, (None, 0))
        if user != "aws" or key is None or ends <= self._aws.clock.now():
            return challenge(f"{self.domain.label}/{self.name}")
        if action in key.denied:
            text = f"User: {key.caller} is not authorized to perform: {action} on resource: {self.name}"
            return json_response({"message": text}, 403)
        return None


class Repositories:
    """All of them."""

    def __init__(self, aws: Account, sites: Sites) -> None:
        self._aws = aws
        self._sites = sites
        self._repositories: list[Repository] = []

    def add(self, domain: Domain, name: str) -> Repository:
        """Add a repository to a domain."""
        made = Repository(self._aws, self._sites, domain, name)
        self._repositories.append(made)
        for host in (made.host, made.dual_stack_host, made.vpc_host):
            self._sites.add(host, self._answer)
        return made

    def _answer(self, request: Request) -> Response:
        at_host = [one for one in self._repositories if request.host in (one.host, one.dual_stack_host, one.vpc_host)]
        answers = (one.answer(request) for one in at_host)
        return next((one for one in answers if one is not None), None) or not_found()

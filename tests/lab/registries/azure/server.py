"""Azure DevOps Server: feeds on the user's own host, by personal access tokens.

https://learn.microsoft.com/azure/devops/organizations/accounts/use-personal-access-tokens-to-authenticate
"""

from __future__ import annotations

from urllib.parse import quote

from ...messages import Request, Response
from ...sites import Sites
from .directory import Directory, identifier
from .feeds import Feeds
from .organisations import Feed, Organisation

HOST = "devops.contoso.example"


class Collection(Organisation):
    """A collection: like an organisation, without a tenant. Entra tokens are not accepted."""

    def __init__(self, name: str, base: str, directory: Directory) -> None:
        super().__init__(name, None, directory)
        self._base = base
        realm = f'Basic realm="https://{HOST}/"'
        challenges = [("WWW-Authenticate", value) for value in (realm, "NTLM", "Negotiate")]
        self.challenge.headers = [*challenges, ("X-VSS-E2EID", identifier("activity of " + name))]

    def packages_url(self, form: str = "") -> str:
        """The base URL of all feeds, whatever the form."""
        return f"{self._base}/{quote(self.name)}"


class DevOpsServer(Feeds):
    """Collections below ``https://HOST:8443/tfs/`` and, at the default port, below ``https://HOST/``.

    Initially there is the collection `collection` (``Main Collection``).
    """

    def __init__(self, sites: Sites, directory: Directory) -> None:
        self.head_status = None
        self._directory = directory
        self.organisations = []
        self.collection = self.add("Main Collection")
        for host in (HOST, HOST + ":8443"):
            sites.add(host, self.answer)

    def add(self, name: str, base: str = f"https://{HOST}:8443/tfs") -> Collection:
        """Add a collection."""
        made = Collection(name, base, self._directory)
        self.organisations.append(made)
        return made

    def _organisation(self, request: Request) -> tuple[Organisation | None, list[str]]:
        name, *rest = [segment for segment in request.segments if segment != "tfs"] or [""]
        return next((one for one in self.organisations if one.name.lower() == name.lower()), None), rest

    def _download(self, feed: Feed, file_name: str) -> Response | None:
        package = feed.find(file_name)
        return package and Response(200, [("Content-Type", "application/octet-stream")], package.content)

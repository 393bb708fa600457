"""Azure as a whole: the sites, put together, and a first organisation to try things on."""

from __future__ import annotations

from ..packages import wheel
from ..server import Server
from ..sites import Sites
from .directory import Directory, Tenant
from .entra import Entra
from .feeds import Blobs, Feeds
from .management import Management
from .metadata import Metadata
from .oidc import AzurePipelines, GitHubActions
from .organisations import Organisation
from .session_tokens import SessionTokens


class Azure:
    """Everything Azure DevOps Artifacts needs.

    From the start there are: the tenant `tenant` (contoso.example), its user `user`, the organisation `contoso` with
    the feed `feed` (``tools``) and the feed `project_feed` (``shire`` in the project ``platform``), both with
    hello-private 1.0 and 1.1, and greetings 2.0 which requires it.
    """

    def __init__(self, sites: Sites, server: Server) -> None:
        self.directory = Directory()
        self.feeds = Feeds(sites)
        self.blobs = Blobs(sites, self.feeds.organisations)
        self.session_tokens = SessionTokens(sites, self.directory, self.feeds.organisations)
        self.entra = Entra(sites, self.directory)
        self.management = Management(sites, self.directory)
        self.github_actions = GitHubActions(sites)
        self.pipelines = AzurePipelines(sites)
        self.metadata = Metadata(server, self.directory)
        self.tenant = self.directory.tenant("contoso.example")
        self.user = self.directory.user("frodo@contoso.example", self.tenant)
        self.contoso = self.organisation("contoso", self.tenant)
        self.feed = self.contoso.feed("tools")
        self.project_feed = self.contoso.feed("shire", project="platform")
        for feed in (self.feed, self.project_feed):
            feed.add(wheel("hello-private", "1.0"), wheel("hello-private", "1.1"))
            feed.add(wheel("greetings", "2.0", requires=["hello-private>=1.0"]))

    @property
    def organisations(self) -> list[Organisation]:
        """All of them."""
        return self.feeds.organisations

    def organisation(self, name: str, tenant: Tenant | None = None) -> Organisation:
        """Add an organisation; without a tenant, one of personal Microsoft accounts."""
        made = Organisation(name, tenant, self.directory)
        self.feeds.organisations.append(made)
        return made

    def close(self) -> None:
        """Stop the servers beside the proxy."""
        self.metadata.close()

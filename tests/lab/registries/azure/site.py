"""The servers of Azure, and a first organisation."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ...packages import wheel
from ...registry import Site
from .directory import Directory, Tenant
from .entra import Entra
from .feeds import Blobs, Feeds
from .management import Management
from .metadata import Metadata
from .oidc import AzurePipelines, GitHubActions
from .organisations import Organisation
from .server import DevOpsServer
from .session_tokens import SessionTokens

if TYPE_CHECKING:
    from ...cloud import PracticeCloud


class AzureSite(Site):
    """Everything Azure DevOps Artifacts needs.

    Initially there are the tenant `tenant` (contoso.example), its user `user`, the organisation `contoso` with
    the feed `feed` (``tools``) and the feed `project_feed` (``shire`` in the project ``platform``), both with
    hello-private 1.0 and 1.1, and greetings 2.0 which requires it.
    """

    #: Host names that a careless check takes for Azure DevOps or Entra.
    lookalikes = (
        "evil-pkgs.dev.azure.com",
        "notpkgs.visualstudio.com",
        "notvssps.visualstudio.com",
        "evilvssps.dev.azure.com",
        "pkgs.dev.azure.com.evil.example",
        "vssps.dev.azure.com.evil.example",
        "login.microsoftonline.com.evil.example",
        "evil-login.microsoftonline.com",
    )

    def __init__(self, cloud: PracticeCloud) -> None:
        sites = cloud.sites
        self.directory = Directory()
        self.feeds = Feeds(sites)
        self.blobs = Blobs(sites, self.feeds.organisations)
        self.session_tokens = SessionTokens(sites, self.directory, self.feeds.organisations)
        self.entra = Entra(sites, self.directory)
        self.management = Management(sites, self.directory)
        self.github_actions = GitHubActions(sites)
        self.pipelines = AzurePipelines(sites)
        self.metadata = Metadata(cloud.server, self.directory)
        self.server = DevOpsServer(sites, self.directory)
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

    def environment(self, home: str) -> dict[str, str]:
        return {
            "AZURE_CONFIG_DIR": os.path.join(home, ".azure"),
            "AZURE_CORE_COLLECT_TELEMETRY": "false",
            "AZURE_CORE_NO_COLOR": "true",
        }

    def loopback_variables(self) -> dict[str, str]:
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": self.metadata.imds.url}

    def close(self) -> None:
        self.metadata.close()

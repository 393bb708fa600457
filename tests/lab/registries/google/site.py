"""The servers of Google, and a first repository."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING

from ...packages import wheel
from ...registry import Site
from . import impersonation, oauth, projects, sts, subject_tokens
from .federation import Providers
from .impersonation import Impersonation
from .metadata import MetadataServer
from .oauth import OAuth
from .projects import Projects
from .repositories import Repositories
from .service import Google
from .sts import SecurityTokens
from .subject_tokens import SubjectTokens

if TYPE_CHECKING:
    from ...cloud import PracticeCloud

HOST = "us-central1-python.pkg.dev"
MULTI_REGION_HOST = "europe-python.pkg.dev"
REGIONAL_HOST = "python.us-east1.rep.pkg.dev"


class GoogleSite(Site):
    """Initially there are the logins `login` (ada), who may read and write, and `other_login` (alice), who may not; the
    service accounts `robot`, with the key `key`, and `publisher`, which ada and `robot` may impersonate; and the
    repository `repository` (tools) with hello-private 1.0 and greetings 2.0, which requires it.
    """

    #: Host names that a careless check takes for Google's.
    lookalikes = (
        "us-central1-python.pkg.dev.evil.example",
        "us-central1-python.evilpkg.dev",
        "us-central1-docker.pkg.dev",
        "python.us-east1.pkg.dev",
        "evil.us-central1-python.pkg.dev",
        "oauth2.googleapis.com.evil.example",
        "sts.googleapis.com.evil.example",
        "evil-oauth2.googleapis.com",
        "iamcredentials.googleapis.com.evil.example",
        "iamcredentials.evilgoogleapis.com",
    )

    def __init__(self, cloud: PracticeCloud) -> None:
        self._google = Google()
        self.clock = self._google.clock
        self.accounts = self._google.accounts
        self.tokens = self._google.tokens
        #: Requests that a correct client does not send. A test of a client ends with ``mistakes == []``.
        self.mistakes = self._google.mistakes
        self.providers = Providers()
        self.oauth = OAuth(self._google)
        self.sts = SecurityTokens(self._google, self.providers.find, lambda: cloud.codeartifact.accounts)
        self.impersonation = Impersonation(self._google)
        self.subject_tokens = SubjectTokens(self._google)
        self.metadata = MetadataServer(cloud.server, self._google)
        self.repositories = Repositories(self._google, cloud.sites)
        for host in oauth.PATHS:
            cloud.sites.add(host, self.oauth.answer)
        # Regional hosts have the same accounts.
        for host in (sts.HOST, "sts.*.rep.googleapis.com"):
            cloud.sites.add(host, self.sts.answer)
        for host in (impersonation.HOST, "iamcredentials.*.rep.googleapis.com"):
            cloud.sites.add(host, self.impersonation.answer)
        cloud.sites.add(subject_tokens.HOST, self.subject_tokens.answer)
        cloud.sites.add(projects.HOST, Projects(self._google).answer)
        self._directory = tempfile.TemporaryDirectory(prefix="lab-google-")
        #: A file for credentials outside every home directory, which only its user may read.
        self.credential_file = os.path.join(self._directory.name, "credentials.json")
        self.login = self.accounts.log_in("ada")
        self.other_login = self.accounts.log_in("alice")
        self.robot = self.accounts.service_account("robot")
        self.key = self.accounts.key(self.robot)
        self.publisher = self.accounts.service_account("publisher", self.login.email, self.robot.email)
        self.repository = self.repositories.add("tools", HOST)
        self.repository.add(wheel("hello-private", "1.0"), wheel("greetings", "2.0", requires=["hello-private>=1.0"]))
        self.repository.writers |= {self.login.email, self.robot.email, self.publisher.email}

    def trust_job(self, subject: str, is_impersonating: bool = False):
        """Let a job of GitHub Actions sign in, as itself or as `publisher`. Returns the provider."""
        provider = self.providers.workload(subjects={subject})
        principal = provider.principal(subject)
        (self.publisher.impersonators if is_impersonating else self.repository.writers).add(principal)
        return provider

    def loopback_variables(self) -> dict[str, str]:
        return {**self.metadata.names, "NO_GCE_CHECK": "true"}

    def close(self) -> None:
        self.metadata.close()
        self._directory.cleanup()

"""Google Artifact Registry and what surrounds it: the token endpoints, impersonation, and the metadata server."""

from __future__ import annotations

import json
import os
from urllib.parse import quote, quote_plus

from ... import faults
from ...packages import Package
from ...registry import Failure, Registry
from .files import action_variables, external_account, job_source
from .oauth import PATHS
from .refusals import expired_or_revoked
from .repositories import USER_NAME
from .site import HOST, MULTI_REGION_HOST, REGIONAL_HOST, GoogleSite


class Google(Registry):
    """A repository of Artifact Registry, by a person's credential file."""

    site = GoogleSite
    backend = "GoogleArtifactRegistryKeyring"
    priority = 9.6
    host = HOST
    claimed_hosts = (HOST, MULTI_REGION_HOST, REGIONAL_HOST)
    api_hosts = ("oauth2.googleapis.com",)
    user_name = USER_NAME
    takes_any_user_name = False
    exec_variable = "CLOUDSDK_AUTH_ACCESS_TOKEN"
    rivals = frozenset({"google"})
    replaces = "google"
    workflow_has_identity_token = True
    workflow_recipe = ("docs/google.md", "### GitHub Actions", "corp")

    @property
    def index_url(self) -> str:
        return self.cloud.google.repository.url

    @property
    def upload_url(self) -> str:
        return self.cloud.google.repository.upload_url

    def file_url(self, file_name: str) -> str:
        return self.cloud.google.repository.file_url(file_name)

    def add(self, package: Package) -> None:
        self.cloud.google.repository.add(package)

    def log_in(self) -> None:
        self._write(self.cloud.google.login.file)
        self.variables = {"GOOGLE_APPLICATION_CREDENTIALS": self.cloud.google.credential_file}

    def break_login(self) -> None:
        self.log_in()
        self.cloud.google.login.failure = expired_or_revoked()

    def login_by_variables(self) -> tuple[str, dict[str, str]]:
        token = self.cloud.google.tokens.issue(self.cloud.google.login.email)
        return self.user_name, {self.exec_variable: token.text}

    def passwords(self) -> list[str]:
        return self.cloud.google.tokens.issued

    def logins(self) -> list[str]:
        # Private keys are never sent: the list also holds what no host may see.
        texts = self.cloud.google.accounts.secrets
        return sorted({form for text in texts for form in (text, quote(text, safe=""), quote_plus(text))})

    def workflow_settings(self, job) -> dict[str, str]:
        google = self.cloud.google
        provider = google.trust_job(job.subject)
        # What the step with google-github-actions/auth leaves.
        self._write(external_account(provider, job_source(job, provider)))
        self.variables = action_variables(google.credential_file)
        return {"vars.GOOGLE_WORKLOAD_IDENTITY_PROVIDER": provider.name, "vars.GOOGLE_SERVICE_ACCOUNT": ""}

    def assert_ways(self, count: int, upload: bool = False) -> None:
        log = self.cloud.log
        requests = log.requests(*self.api_hosts)
        expected = [("POST", PATHS[self.api_hosts[0]])] * count
        assert [(request.method, request.path) for request in requests] == expected, log
        assert len(log.connections(*self.api_hosts)) == count, log
        assert self.sent() == requests, log
        assert self.cloud.google.mistakes == []

    def _write(self, content: dict[str, object]) -> None:
        path = self.cloud.google.credential_file
        with open(path, "w", encoding="utf-8") as stream:
            json.dump(content, stream)
        os.chmod(path, 0o600)


def _endpoint_fails(registry: Registry) -> None:
    registry.log_in()
    registry.cloud.faults.add(faults.status(500), host=registry.api_hosts[-1])


Google.failures = {
    "google-out-of-order": Failure(_endpoint_fails, "HTTP 500"),
    "google-refuses": Failure(Google.break_login, "has expired or was revoked"),
}

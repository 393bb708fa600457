"""Azure DevOps Artifacts and what surrounds it: Entra, session tokens, OIDC issuers, managed identities."""

from __future__ import annotations

from ...fake_programs import az_not_logged_in, az_profile, az_token
from ...kernel_keys import can_share
from ...messages import Response
from ...packages import Package
from ...registry import Failure, Registry
from .oidc import GITHUB_ISSUER
from .organisations import READ, WRITE
from .site import AzureSite


class Azure(Registry):
    """A feed of Azure DevOps Artifacts, by the Azure CLI."""

    site = AzureSite
    backend = "AzureArtifactsKeyring"
    priority = 9.9
    host = "pkgs.dev.azure.com"
    claimed_hosts = ("pkgs.dev.azure.com", "contoso.pkgs.visualstudio.com", "pkgs.codedev.ms")
    api_hosts = ("pkgs.dev.azure.com", "vssps.dev.azure.com")
    user_name = "VssSessionToken"
    # Every organisation is on the same host.
    answers_host_alone = False
    program = "az"
    exec_variable = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
    rivals = frozenset({"nofuss"})
    replaces = "nofuss"
    workflow_has_identity_token = True
    workflow_recipe = ("README.md", "### GitHub Actions", "corp")

    _bearer: str | None = None

    @property
    def index_url(self) -> str:
        return self.cloud.azure.feed.url()

    @property
    def upload_url(self) -> str:
        return self.cloud.azure.feed.upload_url()

    def file_url(self, file_name: str) -> str:
        feed = self.cloud.azure.feed
        return feed.file_url(feed.find(file_name))

    def add(self, package: Package) -> None:
        self.cloud.azure.feed.add(package)

    def log_in(self) -> None:
        azure = self.cloud.azure
        self._bearer = azure.directory.user_token(azure.user)
        self.fake_programs.az(*az_token(self._bearer))
        az_profile(self.home, azure.user.name)

    def break_login(self) -> None:
        self.fake_programs.az(az_not_logged_in())

    def login_by_variables(self) -> tuple[str, dict[str, str]]:
        token = self.cloud.azure.contoso.personal_access_token(WRITE)
        return self.user_name, {"AZURE_DEVOPS_EXT_PAT": token}

    def passwords(self) -> list[str]:
        return self.cloud.azure.session_tokens.issued

    def logins(self) -> list[str]:
        return [self._bearer] if self._bearer else []

    def workflow_settings(self, job) -> dict[str, str]:
        azure = self.cloud.azure
        builder = azure.directory.application("builder", azure.tenant)
        builder.trust(GITHUB_ISSUER, job.subject)
        return {"vars.AZURE_CLIENT_ID": builder.client_id}

    def assert_ways(self, count: int, upload: bool = False) -> None:
        log = self.cloud.log
        scope = WRITE if upload else READ
        assert [request.json()["scope"] for request in log.requests(self.api_hosts[-1])] == [scope] * count, log
        assert len(self.fake_programs.invocations("az")) == count
        # Once the session knows the organisation, a lookup is one request.
        assert len(self.sent()) == 2 * count or (can_share() and count < len(self.sent()) < 2 * count), log


def _not_logged_in(registry: Registry) -> None:
    """`az` is not on PATH either."""


def _feed_fails(registry: Registry) -> None:
    registry.log_in()
    registry.cloud.faults.add(_fail_for_ringbearer, host=registry.host)


def _fail_for_ringbearer(request, answer) -> Response:
    """The feed asks for credentials, and fails to say which tenant they belong to."""
    return Response(500) if (request.header("User-Agent") or "").startswith("ringbearer/") else answer(request)


Azure.failures = {
    "azure-logged-out": Failure(_not_logged_in, "run `ringbearer login URL`"),
    "azure-out-of-order": Failure(_feed_fails, "HTTP 500"),
}

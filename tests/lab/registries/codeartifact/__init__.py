"""AWS CodeArtifact and what surrounds it: STS, IAM Identity Center, sign-in, and the services that hand out keys."""

from __future__ import annotations

from ... import faults
from ...packages import Package
from ...registry import Failure, Registry
from ..azure.oidc import GITHUB_ISSUER
from .authorization_tokens import PATH
from .site import CodeArtifactSite


class CodeArtifact(Registry):
    """A repository of CodeArtifact, by a user's access key in the environment."""

    site = CodeArtifactSite
    backend = "CodeArtifactKeyring"
    priority = 9.7
    host = "practice-111122223333.d.codeartifact.eu-central-1.amazonaws.com"
    claimed_hosts = (
        "practice-111122223333.d.codeartifact.eu-central-1.amazonaws.com",
        "practice-111122223333.codeartifact.eu-central-1.on.aws",
    )
    api_hosts = ("codeartifact.eu-central-1.amazonaws.com",)
    user_name = "aws"
    exec_variable = "CODEARTIFACT_AUTH_TOKEN"
    rivals = frozenset({"codeartifact", "menda"})
    replaces = "codeartifact"
    yields_to = "menda"
    workflow_has_identity_token = True
    workflow_recipe = ("docs/codeartifact.md", "### GitHub Actions", "corp")

    @property
    def index_url(self) -> str:
        return self.cloud.codeartifact.repository.url

    @property
    def upload_url(self) -> str:
        return self.cloud.codeartifact.repository.upload_url

    def file_url(self, file_name: str) -> str:
        return self.cloud.codeartifact.repository.file_url(file_name)

    def add(self, package: Package) -> None:
        self.cloud.codeartifact.repository.add(package)

    def log_in(self) -> None:
        self.variables = self.cloud.codeartifact.user.variables

    def break_login(self) -> None:
        user = self.cloud.codeartifact.user
        self.variables = {**user.variables, "AWS_SECRET_ACCESS_KEY": user.wrong_secret()}

    def login_by_variables(self) -> tuple[str, dict[str, str]]:
        return self.user_name, self.cloud.codeartifact.user.variables

    def passwords(self) -> list[str]:
        return self.cloud.codeartifact.authorization_tokens.issued

    def logins(self) -> list[str]:
        # A secret is never sent: the list holds what no host may see.
        return self.cloud.codeartifact.accounts.secrets

    def workflow_settings(self, job) -> dict[str, str]:
        role = self.cloud.codeartifact.accounts.role("publisher")
        role.trust_identity(GITHUB_ISSUER, job.subject)
        return {"vars.AWS_ROLE_ARN": role.arn}

    def assert_ways(self, count: int, upload: bool = False) -> None:
        log = self.cloud.log
        requests = log.requests(*self.api_hosts)
        assert [(request.method, request.path) for request in requests] == [("POST", PATH)] * count, log
        assert len(log.connections(*self.api_hosts)) == count, log
        assert self.sent() == requests, log
        assert self.cloud.codeartifact.mistakes == []


def _api_fails(registry: Registry) -> None:
    registry.log_in()
    registry.cloud.faults.add(faults.status(500), host=registry.api_hosts[-1])


CodeArtifact.failures = {
    "aws-out-of-order": Failure(_api_fails, "HTTP 500"),
    "aws-refuses": Failure(CodeArtifact.break_login, "InvalidSignatureException"),
}

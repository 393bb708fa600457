"""The servers of AWS, and a first domain."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from ... import tokens
from ...faults import Faults
from ...log import RequestLog
from ...loopback import serving
from ...messages import Request, Response, not_found
from ...packages import wheel
from ...registry import Site
from . import endpoints
from .accounts import ACCOUNT
from .authorization_tokens import PATH, AuthorizationTokens, Domain
from .endpoints import Endpoint, endpoint_of
from .identity_center import IdentityCenter
from .metadata import ContainerCredentials, InstanceMetadata
from .repositories import Repositories, Repository
from .service import Account
from .sign_in import SignIn
from .sts import SecurityTokens

if TYPE_CHECKING:
    from ...cloud import PracticeCloud

REGION = "eu-central-1"
#: A host with every service, for variables such as AWS_ENDPOINT_URL.
OVERRIDE_HOST = "aws.contoso.example"
#: The host of CodeArtifact's API in a private network.
VPC_API_HOST = f"vpce-0a1b2c3d4e5f60718-abcdefgh.api.codeartifact.{REGION}.vpce.amazonaws.com"
#: The issuer of identity tokens for pods.
EKS_ISSUER = f"https://oidc.eks.{REGION}.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF"
#: The services at `OVERRIDE_HOST` by their paths.
_PATHS = {
    PATH: "codeartifact",
    "/": "sts",
    "/federation/credentials": "sso",
    "/token": "sso-oidc",
    "/v1/token": "signin",
}


class CodeArtifactSite(Site):
    """Initially there are the user `user` (ada) with an access key, the domain `domain` (practice) and its repository
    `repository` (python) with hello-private 1.0 and greetings 2.0, which requires it.
    """

    #: Host names that a careless check takes for CodeArtifact.
    lookalikes = (
        "practice-111122223333.d.codeartifact.eu-central-1.amazonaws.com.evil.example",
        "practice-111122223333.codeartifact.eu-central-1.on.aws.evil.example",
        "practice-111122223333.d.codeartifact.eu-central-1.amazonaws.com.cn",
        "practice-111122223333.d.codeartifact.eu-central-1.on.aws",
        "practice-111122223333.codeartifact.eu-central-1.amazonaws.com",
        "practice-111122223333.d.codeartifact.eu-central-1.evilamazonaws.com",
    )

    def __init__(self, cloud: PracticeCloud) -> None:
        self._aws = Account()
        self.clock = self._aws.clock
        self.accounts = self._aws.accounts
        #: Requests that a correct client does not send. A test of a client ends with ``mistakes == []``.
        self.mistakes = self._aws.mistakes
        self.authorization_tokens = AuthorizationTokens(self._aws)
        self.sts = SecurityTokens(self._aws)
        self.identity_center = IdentityCenter(self._aws)
        self.sign_in = SignIn(self._aws)
        services = (self.authorization_tokens, self.sts, self.identity_center.portal, self.identity_center.tokens)
        self._services = {one.name: one for one in (*services, self.sign_in)}
        self.ec2 = InstanceMetadata(cloud.server, self._aws)
        self.container = ContainerCredentials(cloud.server, self._aws)
        self._repositories = Repositories(self._aws, cloud.sites)
        for pattern in endpoints.patterns():
            cloud.sites.add(pattern, self._answer)
        cloud.sites.add(VPC_API_HOST, self._answer_vpc)
        cloud.sites.add(OVERRIDE_HOST, self._answer_any)
        self.user = self.accounts.user("ada")
        self.domain = self.add_domain("practice")
        self.repository = self.add_repository(self.domain, "python")
        self.repository.add(wheel("hello-private", "1.0"), wheel("greetings", "2.0", requires=["hello-private>=1.0"]))

    def add_domain(self, name: str, owner: str = ACCOUNT, region: str = REGION) -> Domain:
        """Add a domain."""
        made = Domain(name, owner, region)
        self.authorization_tokens.domains.append(made)
        return made

    def add_repository(self, domain: Domain, name: str) -> Repository:
        """Add a repository without packages."""
        return self._repositories.add(domain, name)

    def identity_token(
        self,
        subject: str = "system:serviceaccount:default:builder",
        audience: str = "sts.amazonaws.com",
        issuer: str = EKS_ISSUER,
        lifetime: float = 3600,
    ) -> str:
        """The identity token of a pod."""
        return tokens.mint({"iss": issuer, "sub": subject, "aud": [audience]}, lifetime)

    def on_loopback(self, log: RequestLog, faults: Faults) -> AbstractContextManager[str]:
        """All services over plain http on this machine, until the end of the block; in the log it is the host
        `loopback`.
        """
        return serving(log, faults, self._answer_any)

    def loopback_variables(self) -> dict[str, str]:
        return {"AWS_EC2_METADATA_DISABLED": "true"}

    def close(self) -> None:
        self.ec2.close()
        self.container.close()

    def _answer(self, request: Request) -> Response:
        endpoint = endpoint_of(request.host)
        if endpoint is None:
            self.mistakes.append(f"AWS has no host {request.host}")
            return not_found()
        return self._services[endpoint.service].answer(request, endpoint)

    def _answer_vpc(self, request: Request) -> Response:
        return self.authorization_tokens.answer(request, Endpoint("codeartifact", REGION))

    def _answer_any(self, request: Request) -> Response:
        service = _PATHS.get(request.path)
        if service is None:
            self.mistakes.append(f"no service has the path {request.path}")
            return not_found()
        return self._services[service].answer(request, Endpoint(service, None))

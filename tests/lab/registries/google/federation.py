"""Identity pools, and the tokens of others that they trust.

https://cloud.google.com/iam/docs/workload-identity-federation
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field

from ... import tokens
from ..azure.oidc import GITHUB_ISSUER
from .accounts import PROJECT_NUMBER, Client

JWT = "urn:ietf:params:oauth:token-type:jwt"
ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"
SAML2 = "urn:ietf:params:oauth:token-type:saml2"
AWS4_REQUEST = "urn:ietf:params:aws:token-type:aws4_request"


@dataclass(eq=False)
class Provider:
    """A provider in a pool: the issuer that it trusts, and the conditions."""

    #: Without the start ``//iam.googleapis.com/``.
    name: str
    #: The type of its subject tokens; an OpenID Connect provider accepts `ID_TOKEN` too.
    token_type: str = JWT
    #: The issuer of its tokens, or the number of an account of AWS.
    issuer: str = GITHUB_ISSUER
    #: The attribute condition: the subjects that may sign in.
    subjects: set[str] = field(default_factory=set)
    #: The audiences of tokens; if empty, its own name.
    audiences: set[str] = field(default_factory=set)
    #: The OAuth client that must be named, of a pool for people.
    client: Client | None = field(repr=False, default=None)
    is_disabled: bool = False
    #: SAML responses by their text, with their subject.
    _responses: dict[str, str] = field(repr=False, default_factory=dict)

    @property
    def audience(self) -> str:
        """What the token endpoint calls it."""
        return f"//iam.googleapis.com/{self.name}"

    @property
    def token_audience(self) -> str:
        """The audience of tokens that issuers make for it."""
        return min(self.audiences) if self.audiences else f"https://iam.googleapis.com/{self.name}"

    @property
    def is_for_people(self) -> bool:
        """Whether its pool is one of a workforce."""
        return "/workforcePools/" in self.name

    def principal(self, subject: str) -> str:
        """How IAM policies name a subject."""
        return f"principal://iam.googleapis.com/{self.name.partition('/providers/')[0]}/subject/{subject}"

    def subject_token(self, subject: str, audience: str | None = None, lifetime: float = 300, **claims: object) -> str:
        """A token of the issuer for a subject."""
        known = {"iss": self.issuer, "sub": subject, "aud": audience or self.token_audience}
        return tokens.mint({**known, "jti": secrets.token_hex(8), **claims}, lifetime)

    def saml_response(self, subject: str) -> str:
        """A response of a SAML identity provider, in base64."""
        document = (
            f"<samlp:Response ID='_{secrets.token_hex(16)}'><saml:NameID>{subject}</saml:NameID></samlp:Response>"
        )
        made = base64.b64encode(document.encode()).decode()
        self._responses[made] = subject
        return made

    def subject_of_response(self, response: str) -> str | None:
        """The subject of a response; None if it is not genuine."""
        return self._responses.get(response)


class Providers:
    """All of them."""

    def __init__(self) -> None:
        self._providers: dict[str, Provider] = {}

    def workload(self, provider: str = "github", pool: str = "builds", **rules: object) -> Provider:
        """Add a provider for workloads."""
        name = f"projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/{pool}/providers/{provider}"
        return self._add(Provider(name, **rules))

    def workforce(self, provider: str = "contoso", pool: str = "people", **rules: object) -> Provider:
        """Add a provider for people."""
        return self._add(Provider(f"locations/global/workforcePools/{pool}/providers/{provider}", **rules))

    def find(self, audience: str) -> Provider | None:
        """A provider by its audience."""
        return self._providers.get(audience)

    def _add(self, provider: Provider) -> Provider:
        self._providers[provider.audience] = provider
        return provider

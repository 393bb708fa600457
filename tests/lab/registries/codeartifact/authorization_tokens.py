"""CodeArtifact's API: the tokens of domains.

https://docs.aws.amazon.com/codeartifact/latest/APIReference/API_GetAuthorizationToken.html
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from ...messages import Request, Response
from .accounts import BEARER_TOKEN, GET_TOKEN, AccessKey
from .endpoints import Endpoint
from .refusals import Refused
from .service import Account, Service, require

PATH = "/v1/authorization-token"
#: Seconds that a token lives unless the request says it.
DEFAULT_DURATION = 43200
_RULES = {
    "domain": re.compile(r"[a-z][a-z0-9-]{0,48}[a-z0-9]"),
    "domain-owner": re.compile(r"[0-9]{12}"),
    "duration": re.compile(r"0|[1-9][0-9]{0,9}"),
}


@dataclass(eq=False)
class Domain:
    """A domain of CodeArtifact."""

    name: str
    owner: str
    region: str
    #: Other accounts whose users may have tokens.
    accounts: set[str] = field(default_factory=set)
    #: Who got each token, and when that ends in seconds since 1970.
    tokens: dict[str, tuple[AccessKey, float]] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its name and its owner, as in host names."""
        return f"{self.name}-{self.owner}"

    @property
    def arn(self) -> str:
        """Its ARN."""
        return f"arn:aws:codeartifact:{self.region}:{self.owner}:domain/{self.name}"


class AuthorizationTokens(Service):
    """``POST /v1/authorization-token``."""

    name = "codeartifact"

    def __init__(self, aws: Account) -> None:
        super().__init__(aws)
        self.domains: list[Domain] = []
        #: The tokens of all domains, in order.
        self.issued: list[str] = []

    def issue(self, domain: Domain, key: AccessKey, lifetime: float = DEFAULT_DURATION) -> str:
        """A token, without a request."""
        token = "eyJ2ZXIiOjEsImlzdSI6" + secrets.token_urlsafe(1860)
        domain.tokens[token] = (key, self.aws.clock.now() + lifetime)
        self.issued.append(token)
        return token

    def perform(self, request: Request, endpoint: Endpoint) -> Response:
        require(request, "POST", PATH)
        key = self.aws.authentication.check(request, endpoint)
        if request.body:
            raise Refused(400, "ValidationException", "The request has a body.", "the body is not empty")
        given = _parameters(request)
        region = endpoint.region or request.header("Authorization").split("/")[2]
        domain = self._find(given, region, key)
        self._check_permission(domain, key)
        duration = int(given.get("duration", DEFAULT_DURATION))
        if duration == 0:
            ends = key.expires or self.aws.clock.now() + DEFAULT_DURATION
            duration = ends - self.aws.clock.now()
        token = self.issue(domain, key, duration)
        return self.json({"authorizationToken": token, "expiration": round(domain.tokens[token][1], 3)})

    def _find(self, given: dict[str, str], region: str, key: AccessKey) -> Domain:
        wanted = (given["domain"], given.get("domain-owner", key.account), region)
        found = next((one for one in self.domains if (one.name, one.owner, one.region) == wanted), None)
        if found is None:
            text = f"Domain not found. Domain '{wanted[0]}' owned by account '{wanted[1]}' does not exist."
            raise Refused(404, "ResourceNotFoundException", text, resourceId=wanted[0], resourceType="domain")
        return found

    def _check_permission(self, domain: Domain, key: AccessKey) -> None:
        text = f"User: {key.caller} is not authorized to perform: "
        if GET_TOKEN in key.denied or key.account not in {domain.owner, *domain.accounts}:
            text += f"{GET_TOKEN} on resource: {domain.arn}"
        elif BEARER_TOKEN in key.denied:
            text += BEARER_TOKEN
        else:
            return
        text += " because no identity-based policy allows the action"
        raise Refused(403, "AccessDeniedException", text)


def _parameters(request: Request) -> dict[str, str]:
    pairs = parse_qsl(request.query, keep_blank_values=True)
    given = dict(pairs)
    wrong = [name for name, value in pairs if name not in _RULES or not _RULES[name].fullmatch(value)]
    if len(given) != len(pairs):
        wrong.append("twice the same")
    if "domain" not in given:
        wrong.append("domain")
    if not wrong and not _is_duration(int(given.get("duration", 0))):
        wrong.append("duration")
    if wrong:
        text = f"Invalid parameters: {', '.join(wrong)}"
        raise Refused(400, "ValidationException", text, f"{text} ({request.query})", reason="FIELD_VALIDATION_FAILED")
    return given


def _is_duration(seconds: int) -> bool:
    return seconds == 0 or 900 <= seconds <= 43200

"""IAM Identity Center: the portal (``sso``) and its token endpoint (``sso-oidc``).

https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference/API_GetRoleCredentials.html
https://docs.aws.amazon.com/singlesignon/latest/OIDCAPIReference/API_CreateToken.html
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from ...clock import iso_time
from ...messages import Request, Response
from .accounts import ACCOUNT, Role
from .endpoints import Endpoint
from .refusals import Refused
from .service import Account, Service, json_fields, require

START_URL = "https://d-0123456789.awsapps.com/start"


@dataclass(eq=False)
class Session:
    """A person's login at the portal."""

    start_url: str
    region: str
    access_token: str = field(repr=False)
    #: Seconds since 1970, as the other ends.
    expires: float
    refresh_token: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    registration_expires: float
    #: Whether the person logged out, so that nothing is accepted any more.
    has_ended: bool = False
    #: Whether a refresh replaces the refresh token.
    rotates: bool = True
    #: Seconds that a refreshed access token lives.
    lifetime: int = 3600
    #: The tokens before the present ones.
    replaced: list[str] = field(repr=False, default_factory=list)

    @property
    def secrets(self) -> list[str]:
        """All its tokens."""
        return [self.access_token, self.refresh_token, self.client_secret, *self.replaced]

    @property
    def file(self) -> dict[str, str]:
        """The token file that the AWS CLI writes for a profile with a session."""
        return {
            "startUrl": self.start_url,
            "region": self.region,
            "accessToken": self.access_token,
            "expiresAt": iso_time(self.expires),
            "clientId": self.client_id,
            "clientSecret": self.client_secret,
            "registrationExpiresAt": iso_time(self.registration_expires),
            "refreshToken": self.refresh_token,
        }

    @property
    def legacy_file(self) -> dict[str, str]:
        """The token file for a profile without a session, which cannot be refreshed."""
        return {name: self.file[name] for name in ("startUrl", "region", "accessToken", "expiresAt")}


class IdentityCenter:
    """The logins of people, and the roles assigned to them."""

    def __init__(self, aws: Account) -> None:
        self._aws = aws
        self.sessions: list[Session] = []
        self._roles: dict[tuple[str, str], Role] = {}
        self.portal = Portal(aws, self)
        self.tokens = Tokens(aws, self)

    def log_in(self, lifetime: float = 28800, region: str = "eu-central-1") -> Session:
        """Log a person in. A negative lifetime is that of a token that ended."""
        now = self._aws.clock.now()
        made = Session(
            START_URL,
            region,
            _token("aoaAAAAA"),
            now + lifetime,
            _token("aorAAAAA"),
            secrets.token_urlsafe(16),
            _token("eyJraWQiOiJr"),
            now + 90 * 86400,
        )
        self.sessions.append(made)
        return made

    def assign(self, role_name: str, account: str = ACCOUNT) -> Role:
        """Let people use a role."""
        role = self._aws.accounts.role(role_name, account=account)
        self._roles[account, role_name] = role
        return role

    def find_role(self, account: str, role_name: str) -> Role | None:
        """An assigned role."""
        return self._roles.get((account, role_name))


class Portal(Service):
    """``GET /federation/credentials``."""

    name = "sso"

    def __init__(self, aws: Account, center: IdentityCenter) -> None:
        super().__init__(aws)
        self._center = center

    def perform(self, request: Request, endpoint: Endpoint) -> Response:
        require(request, "GET", "/federation/credentials")
        token = request.header("x-amz-sso_bearer_token")
        if token is None or request.header("Authorization") is not None:
            raise Refused(400, "InvalidRequestException", "", "not one token in x-amz-sso_bearer_token")
        given = request.parameters
        if set(given) != {"role_name", "account_id"}:
            raise Refused(400, "InvalidRequestException", "Invalid parameters", f"the query is {request.query}")
        session = next((one for one in self._center.sessions if one.access_token == token), None)
        if session is None or session.has_ended or session.expires <= self.aws.clock.now():
            raise Refused(401, "UnauthorizedException", "Session token not found or invalid")
        if endpoint.region not in (None, session.region):
            raise Refused(401, "UnauthorizedException", "", f"asked in {endpoint.region}, not in {session.region}")
        role = self._center.find_role(given["account_id"], given["role_name"])
        if role is None:
            raise Refused(403, "ForbiddenException", "No access")
        key = self.aws.accounts.session_of_role(role, "ada", role.maximum_duration)
        return self.json(
            {
                "roleCredentials": {
                    "accessKeyId": key.id,
                    "secretAccessKey": key.secret,
                    "sessionToken": key.session_token,
                    "expiration": int(key.expires * 1000),
                }
            }
        )


class Tokens(Service):
    """``POST /token``."""

    name = "sso-oidc"

    def __init__(self, aws: Account, center: IdentityCenter) -> None:
        super().__init__(aws)
        self._center = center

    def perform(self, request: Request, endpoint: Endpoint) -> Response:
        require(request, "POST", "/token")
        fields = json_fields(request, {"grantType", "clientId", "clientSecret", "refreshToken"})
        if fields["grantType"] != "refresh_token":
            raise _oauth_refusal("UnsupportedGrantTypeException", "unsupported_grant_type", "a wrong grant type")
        session = next((one for one in self._center.sessions if one.client_id == fields["clientId"]), None)
        now = self.aws.clock.now()
        if session is None or session.client_secret != fields["clientSecret"] or session.registration_expires <= now:
            raise _oauth_refusal("InvalidClientException", "invalid_client")
        if session.has_ended or session.refresh_token != fields["refreshToken"]:
            mistake = "an old refresh token" if fields["refreshToken"] in session.replaced else ""
            raise _oauth_refusal("InvalidGrantException", "invalid_grant", mistake)
        if endpoint.region not in (None, session.region):
            raise _oauth_refusal("InvalidGrantException", "invalid_grant", f"refreshed in {endpoint.region}")
        session.replaced.append(session.access_token)
        session.access_token, session.expires = _token("aoaAAAAA"), now + session.lifetime
        if session.rotates:
            session.replaced.append(session.refresh_token)
            session.refresh_token = _token("aorAAAAA")
        answer = {"accessToken": session.access_token, "expiresIn": session.lifetime, "tokenType": "Bearer"}
        return self.json({**answer, "refreshToken": session.refresh_token} if session.rotates else answer)


def _oauth_refusal(code: str, error: str, mistake: str = "") -> Refused:
    status = 401 if error == "invalid_client" else 400
    return Refused(status, code, "", mistake, error=error, error_description="Invalid request: " + error)


def _token(start: str) -> str:
    return start + secrets.token_urlsafe(400)

"""The token endpoint of accounts, and the endpoint that describes tokens.

https://developers.google.com/identity/protocols/oauth2
"""

from __future__ import annotations

from ... import tokens
from ...messages import Request, Response
from . import assertions
from .access_tokens import EMAIL, AccessToken
from .accounts import Login
from .refusals import Refused, bad_request, invalid_client
from .service import Service, form_fields, require

HOST = "oauth2.googleapis.com"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: The paths of the token endpoint by its hosts.
PATHS = {HOST: "/token", "accounts.google.com": "/o/oauth2/token", "www.googleapis.com": "/oauth2/v4/token"}


class OAuth(Service):
    """``POST /token`` and ``POST /tokeninfo``."""

    name = "oauth2"

    def perform(self, request: Request) -> Response:
        if request.host == HOST and request.path == "/tokeninfo":
            return self._describe(request)
        require(request, "POST", PATHS[request.host])
        if request.header("Authorization") is not None:
            raise Refused(400, "invalid_request", "Bad Request", "a request for a token has the header Authorization")
        grant = request.form.get("grant_type")
        if grant == "refresh_token":
            return self._refresh(request)
        if grant == JWT_BEARER:
            return self._assert(request)
        raise Refused(400, "unsupported_grant_type", f"Invalid grant_type: {grant}", f"the grant type is {grant}")

    def _refresh(self, request: Request) -> Response:
        required = {"grant_type", "client_id", "client_secret", "refresh_token"}
        form = form_fields(request, required, {"scope", "rapt"})
        login = self.google.accounts.find_login(form["refresh_token"])
        if login is None:
            raise bad_request()
        if (form["client_id"], form["client_secret"]) != (login.client.id, login.client.secret):
            raise invalid_client()
        if login.failure is not None and (login.rapt is None or form.get("rapt") != login.rapt):
            raise login.failure
        scopes = tuple(form["scope"].split(" ")) if "scope" in form else login.scopes
        if not set(scopes) <= set(login.scopes):
            raise Refused(400, "invalid_scope", f"Some requested scopes were invalid: {form['scope']}")
        made = self.google.tokens.issue(login.email, scopes)
        more = {"id_token": self._id_token(login)} if "openid" in scopes else {}
        return self.json({**self._fields(made), "scope": " ".join(scopes), **more})

    def _assert(self, request: Request) -> Response:
        form = form_fields(request, {"grant_type", "assertion"})
        account, scopes = assertions.check(self.google, form["assertion"])
        return self.json(self._fields(self.google.tokens.issue(account.email, scopes)))

    def _describe(self, request: Request) -> Response:
        if request.query:
            raise Refused(400, "invalid_request", "Bad Request", "a token in a query")
        require(request, "POST", "/tokeninfo")
        form = form_fields(request, {"access_token"})
        found = self.google.tokens.find(form["access_token"])
        if found is None:
            raise Refused(400, "invalid_token", "Invalid Value")
        described = {
            "azp": "100000000000000000001",
            "aud": "100000000000000000001",
            "scope": " ".join(found.scopes),
            "exp": str(int(found.expires)),
            "expires_in": str(self.google.tokens.seconds_left(found)),
            "access_type": "offline",
        }
        if EMAIL in found.scopes:
            described.update({"email": found.principal, "email_verified": "true"})
        return self.json(described)

    def _fields(self, token: AccessToken) -> dict[str, object]:
        left = self.google.tokens.seconds_left(token)
        return {"access_token": token.text, "expires_in": left, "token_type": "Bearer"}

    def _id_token(self, login: Login) -> str:
        claims = {
            "iss": "https://accounts.google.com",
            "azp": login.client.id,
            "aud": login.client.id,
            "sub": "100000000000000000002",
            "email": login.email,
            "email_verified": True,
        }
        return tokens.mint(claims)

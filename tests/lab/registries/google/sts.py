"""The Security Token Service: access tokens for the tokens of others.

https://cloud.google.com/iam/docs/reference/sts/rest/v1/TopLevel/token
"""

from __future__ import annotations

import json
from typing import Callable
from urllib.parse import unquote

from ... import tokens
from ...messages import Request, Response
from ..codeartifact.accounts import Accounts
from . import aws_requests
from .federation import AWS4_REQUEST, ID_TOKEN, JWT, SAML2, Provider
from .refusals import Refused
from .service import Google, Service, form_fields, require

HOST = "sts.googleapis.com"
TOKEN_URL = f"https://{HOST}/v1/token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_REQUIRED = {"grant_type", "audience", "scope", "requested_token_type", "subject_token", "subject_token_type"}


class SecurityTokens(Service):
    """``POST /v1/token``."""

    name = "sts"

    def __init__(
        self, google: Google, find_provider: Callable[[str], Provider | None], aws_accounts: Callable[[], Accounts]
    ) -> None:
        super().__init__(google)
        self._find_provider = find_provider
        self._aws_accounts = aws_accounts
        #: Whether an AWS request that does not sign the provider is a mistake of the client.
        self.requires_signed_target = True
        #: The project numbers that were named as ``userProject``.
        self.user_projects: list[str] = []

    def perform(self, request: Request) -> Response:
        require(request, "POST", "/v1/token")
        form = form_fields(request, _REQUIRED, {"options"})
        if form["grant_type"] != EXCHANGE or form["requested_token_type"] != ACCESS_TOKEN:
            kinds = f"{form['grant_type']}, {form['requested_token_type']}"
            raise Refused(400, "invalid_request", "Invalid value for the grant or token type.", kinds)
        provider = self._find_provider(form["audience"])
        if provider is None or provider.is_disabled:
            text = 'The target service indicated by the "audience" parameters is invalid. This might either be because '
            text += "the pool or provider is disabled or deleted or because it doesn't exist."
            raise Refused(400, "invalid_target", text)
        self._check_client(request, provider)
        self._read_options(form.get("options"), provider)
        scopes = tuple(form["scope"].split(" "))
        if not all(scope.startswith("https://www.googleapis.com/auth/") for scope in scopes):
            raise Refused(400, "invalid_scope", "Invalid OAuth scope", f"the scope is {form['scope']!r}")
        subject = self._subject(provider, form["subject_token_type"], form["subject_token"])
        if subject not in provider.subjects:
            text = "The given credential is rejected by the attribute condition."
            raise Refused(400, "unauthorized_client", text)
        made = self.google.tokens.issue(provider.principal(subject), scopes)
        return self.json(
            {
                "access_token": made.text,
                "issued_token_type": ACCESS_TOKEN,
                "token_type": "Bearer",
                "expires_in": self.google.tokens.seconds_left(made),
            }
        )

    def _check_client(self, request: Request, provider: Provider) -> None:
        if provider.client is None:
            if request.header("Authorization") is not None:
                raise Refused(401, "invalid_client", "The OAuth client was not found.", "a client that nobody needs")
        elif request.basic != (provider.client.id, provider.client.secret):
            raise Refused(401, "invalid_client", "The OAuth client was not found.")

    def _read_options(self, options: str | None, provider: Provider) -> None:
        needed = provider.is_for_people and provider.client is None
        if options is None:
            if needed:
                raise Refused(400, "invalid_request", "The userProject option is required.", "no userProject")
            return
        try:
            value = json.loads(unquote(options))
        except ValueError:
            value = None
        is_valid = isinstance(value, dict) and set(value) == {"userProject"} and str(value["userProject"]).isdigit()
        if not needed or not is_valid:
            raise Refused(400, "invalid_request", "Invalid options.", f"the options are {options}")
        self.user_projects.append(value["userProject"])

    def _subject(self, provider: Provider, kind: str, token: str) -> str:
        accepted = (JWT, ID_TOKEN) if provider.token_type == JWT else (provider.token_type,)
        if kind not in accepted:
            text = f"Invalid value for subject_token_type: {kind}"
            raise Refused(400, "invalid_request", text, text)
        if kind == AWS4_REQUEST:
            return self._aws_subject(provider, token)
        if kind == SAML2:
            subject = provider.subject_of_response(token)
            if subject is None:
                raise Refused(400, "invalid_grant", "The SAML response is not valid.")
            return subject
        return self._jwt_subject(provider, token)

    def _jwt_subject(self, provider: Provider, token: str) -> str:
        if token != token.strip():
            raise Refused(400, "invalid_grant", "Unable to parse the ID Token.", "blanks around the subject token")
        claims = tokens.read_genuine(token)
        if claims is None:
            raise Refused(400, "invalid_grant", "Error connecting to the given credential's issuer.")
        if claims["exp"] <= self.google.clock.now():
            text = f"ID Token issued at {claims['iat']} is stale to sign-in."
            raise Refused(400, "invalid_grant", text)
        if claims.get("iss") != provider.issuer:
            text = f"The issuer in ID Token {claims.get('iss')} does not match the expected ones: {provider.issuer}"
            raise Refused(400, "invalid_grant", text)
        expected = provider.audiences or {f"https:{provider.audience}", provider.audience}
        audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
        if not expected & set(audiences):
            text = f"The audience in ID Token [{', '.join(audiences)}] does not match the expected audience."
            raise Refused(400, "invalid_grant", text)
        return str(claims["sub"])

    def _aws_subject(self, provider: Provider, token: str) -> str:
        caller = aws_requests.check(token, provider.audience, self._aws_accounts(), self.google.clock.now())
        if self.requires_signed_target and not caller.has_signed_target:
            text = f"{aws_requests.TARGET} must be signed"
            raise Refused(400, "invalid_grant", text, text)
        if caller.key.account != provider.issuer:
            text = f"The AWS account {caller.key.account} is not that of the provider."
            raise Refused(400, "invalid_grant", text)
        return caller.key.caller

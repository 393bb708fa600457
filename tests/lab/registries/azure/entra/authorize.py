"""The authorization endpoint: a person signs in on a page, and the browser brings a code to the client (RFC 6749, 4.1).

PKCE is RFC 7636; ``response_mode=form_post`` is OAuth 2.0 Form Post Response Mode.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode, urlsplit

from .... import tokens
from ....messages import Request, Response, not_found, redirect_response
from ..directory import Directory, PublicClient, Tenant, User
from . import pages
from .errors import Refused
from .logins import Login, Logins, needs_consent

#: Seconds that a code lives.
CODE_LIFETIME = 60


@dataclass(eq=False)
class Authorization:
    """One sign-in in a browser, from the first page to the redemption of its code."""

    parameters: dict[str, str]
    client: PublicClient
    #: The tenant of the address; None for ``organizations``.
    tenant: Tenant | None
    tenant_name: str
    user: User | None = None
    has_mfa: bool = False
    #: The code, once the person has signed in.
    code: str | None = None
    #: Entra's time of the code.
    issued: float = 0
    is_redeemed: bool = False

    @property
    def target(self) -> Tenant:
        """The tenant that issues the token."""
        assert self.user is not None
        return self.tenant or self.user.issuing_tenant


class AuthorizationEndpoint:
    """The pages of ``authorize``, and the codes that they lead to."""

    def __init__(self, directory: Directory, logins: Logins) -> None:
        self._directory = directory
        self._logins = logins
        #: The sign-ins that a browser opened, oldest first.
        self.opened: list[Authorization] = []
        self._lock = threading.Lock()
        self._pending: dict[str, Authorization] = {}

    def open(self, request: Request, tenant: Tenant | None, tenant_name: str) -> Response:
        """The first page."""
        if request.method != "GET":
            return not_found()
        parameters = dict(parse_qsl(request.query, keep_blank_values=True))
        client = self._directory.public_client(parameters.get("client_id", ""))
        try:
            if client is None:
                raise Refused("700016", client=parameters.get("client_id", ""), tenant=tenant_name)
            _check(parameters, client)
        except Refused as refused:
            return pages.error_page(refused.describe())
        made = Authorization(parameters, client, tenant, tenant_name)
        number = secrets.token_urlsafe(16)
        with self._lock:
            self._pending[number] = made
            self.opened.append(made)
        return pages.sign_in_page(_action(made, number), parameters.get("login_hint", ""))

    def step(self, request: Request) -> Response:
        """The next page, after a form was sent."""
        number = request.segments[-1]
        form = request.form
        with self._lock:
            found = self._pending.get(number)
        if found is None or request.method != "POST":
            return not_found()
        try:
            return self._step(found, number, form)
        except Refused as refused:
            if refused.code in ("50020", "50057"):
                return pages.error_page(refused.describe())
            return _redirect(found, refused.fields())

    def redeem(self, form: dict[str, str], client: PublicClient, tenant: Tenant | None) -> tuple[Authorization, Login]:
        """The login of a code, once and within a minute, for the client that holds the verifier."""
        code = form.get("code", "")
        with self._lock:
            found = next((one for one in self.opened if one.code and one.code == code), None)
            if found is None:
                raise Refused("70008")
            was_redeemed, found.is_redeemed = found.is_redeemed, True
        if was_redeemed:
            raise Refused("54005")
        if self._logins.now() - found.issued > CODE_LIFETIME:
            raise Refused("70008")
        if found.client is not client:
            raise Refused("70000", suberror="client_mismatch")
        if found.tenant is not tenant:
            raise Refused("700005")
        if form.get("redirect_uri") != found.parameters["redirect_uri"]:
            raise Refused("500112", detail=form.get("redirect_uri", ""))
        challenge = found.parameters.get("code_challenge")
        if challenge and challenge != _hash(form.get("code_verifier", "")):
            raise Refused("501481")
        assert found.user is not None
        self._logins.admit(found.user, client, found.target, "authorization_code")
        login = self._logins.begin(found.user, client.client_id)
        if found.has_mfa:
            login.mfa.add(found.target)
        return found, login

    def _step(self, found: Authorization, number: str, form: dict[str, str]) -> Response:
        action = _action(found, number)
        if form.get("choice") in ("cancel", "decline"):
            raise Refused("65004")
        if found.user is None:
            user = self._directory.find_user(form.get("login", ""))
            if user is None or user.password != form.get("passwd"):
                return pages.sign_in_page(action, form.get("login", ""), "Your account or password is incorrect.")
            self._logins.admit(user, found.client, found.tenant or user.issuing_tenant, "authorize")
            found.user = user
        if found.target.requires_mfa and not found.has_mfa:
            if form.get("otc") != found.user.one_time_code:
                return pages.one_time_code_page(action, "That code didn't work." if "otc" in form else "")
            found.has_mfa = True
        if needs_consent(found.user, found.client, found.target):
            if form.get("choice") != "accept":
                return pages.consent_page(action, found.client.client_id)
            found.user.consents.add((found.client.client_id, found.target.id))
        with self._lock:
            self._pending.pop(number, None)
            found.code = "1.PRACTICE-" + secrets.token_urlsafe(96)
            found.issued = self._logins.now()
        return _redirect(found, {"code": found.code, **_client_info(found)})


def client_info(user: User) -> str:
    """The account, as ``client_info`` names it."""
    return tokens.encode_json({"uid": user.object_id, "utid": user.home.id})


def _client_info(found: Authorization) -> dict[str, str]:
    assert found.user is not None
    return {"client_info": client_info(found.user)} if found.parameters.get("client_info") == "1" else {}


def _check(parameters: dict[str, str], client: PublicClient) -> None:
    redirect = parameters.get("redirect_uri", "")
    parts = urlsplit(redirect)
    # The port of `localhost` is ignored; the host is compared as text, so that 127.0.0.1 is another one.
    if (parts.scheme, parts.hostname, parts.path.rstrip("/"), parts.query) != ("http", "localhost", "", ""):
        raise Refused("50011", client=client.client_id, detail=redirect)
    if parameters.get("response_type") != "code":
        raise Refused("9002313")
    for name in ("scope", "client_id"):
        if not parameters.get(name):
            raise Refused("900144", detail=name)
    if parameters.get("code_challenge_method", "S256") != "S256":
        raise Refused("9002313")


def _action(found: Authorization, number: str) -> str:
    return f"/{found.tenant_name}/login/{number}"


def _redirect(found: Authorization, fields: dict[str, str]) -> Response:
    if "state" in found.parameters:
        fields = {**fields, "state": found.parameters["state"]}
    if "code" in fields:
        fields = {**fields, "session_state": secrets.token_hex(16)}
    redirect = found.parameters["redirect_uri"]
    if found.parameters.get("response_mode", "query") == "form_post":
        return pages.form_post_page(redirect, fields)
    return redirect_response(redirect + "?" + urlencode(fields))


def _hash(verifier: str) -> str:
    return tokens.encode_segment(hashlib.sha256(verifier.encode()).digest())

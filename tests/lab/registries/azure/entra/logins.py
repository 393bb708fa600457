"""Logins: refresh tokens of a person and a client, and the reasons for which Entra ends or refuses them."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

from ..directory import PublicClient, Tenant, User
from .errors import Refused

#: Every refresh token begins with this, so that a test finds it where it must not be.
REFRESH_TOKEN_START = "1.practice-refresh-token-"
#: Seconds without use after which a login ends.
UNUSED_LIFETIME = 90 * 86400


@dataclass(eq=False)
class Login:
    """One sign-in of a person to a client. All its refresh tokens serve."""

    user: User
    client_id: str
    #: Entra's time.
    signed_in: float
    #: The tenants that saw a second factor.
    mfa: set[Tenant] = field(default_factory=set)
    #: The AADSTS code with which it ended.
    ended: str | None = None


@dataclass
class Refusal:
    """A rule by which Entra refuses requests; None matches all."""

    code: str
    user: User | None
    tenant: Tenant | None
    grant: str | None
    times: int | None
    error: str | None
    suberror: str | None
    claims: str | None


class Logins:
    """The refresh tokens, all of them bound to user and client and to no tenant."""

    def __init__(self) -> None:
        #: Seconds that Entra's clock is ahead of the machine's.
        self.clock_offset = 0.0
        #: Characters of a refresh token, about.
        self.token_length = 1200
        #: The refresh tokens, oldest first.
        self.issued: list[str] = []
        self.refusals: list[Refusal] = []
        self._lock = threading.Lock()
        self._tokens: dict[str, tuple[Login, float]] = {}

    def now(self) -> float:
        """Entra's time."""
        return time.time() + self.clock_offset

    def begin(self, user: User, client_id: str) -> Login:
        """A person signs in."""
        return Login(user, client_id, self.now())

    def issue(self, login: Login) -> str:
        """A new refresh token; the older ones stay valid."""
        token = REFRESH_TOKEN_START + secrets.token_urlsafe(self.token_length * 3 // 4)
        with self._lock:
            self._tokens[token] = (login, self.now())
            self.issued.append(token)
        return token

    def of(self, user: User) -> list[Login]:
        """All logins of a user, oldest first."""
        with self._lock:
            return list(dict.fromkeys(login for login, _ in self._tokens.values() if login.user is user))

    def owner(self, token: str) -> User:
        """The user of a refresh token."""
        with self._lock:
            return self._tokens[token][0].user

    def end(self, user: User, code: str) -> None:
        """End all logins of a user by an AADSTS code."""
        for login in self.of(user):
            login.ended = code

    def forget_use(self, user: User) -> None:
        """Let 90 days pass since every use of a user's logins."""
        with self._lock:
            for token, (login, issued) in self._tokens.items():
                if login.user is user:
                    self._tokens[token] = (login, issued - UNUSED_LIFETIME - 1)

    def redeem(self, token: str, client: PublicClient, tenant: Tenant | None, tenant_name: str) -> tuple[Login, Tenant]:
        """The login of a refresh token and the tenant that answers, if Entra accepts it there."""
        with self._lock:
            login, issued = self._tokens.get(token, (None, 0.0))
        if login is None:
            raise Refused("70000")
        if login.client_id != client.client_id:
            raise Refused("70000", suberror="client_mismatch")
        if login.ended:
            raise Refused(login.ended)
        if self.now() - issued > UNUSED_LIFETIME:
            raise Refused("700082")
        user = login.user
        if user.is_personal and tenant_name == "organizations":
            raise Refused("50020", user=user.name, tenant=tenant_name)
        target = tenant or user.issuing_tenant
        self.admit(user, client, target, "refresh_token", login)
        return login, target

    def admit(self, user: User, client: PublicClient, tenant: Tenant, grant: str, login: Login | None = None) -> None:
        """Refuse what the tenant's policies, or a rule of the test, forbid."""
        details = {"user": user.name, "tenant": tenant.id, "client": client.client_id, "resource": "Azure DevOps"}
        if user.is_disabled:
            raise Refused("50057", **details)
        if tenant not in user.tenants:
            raise Refused("50020", **details)
        if grant == "refresh_token" and user.refuse:
            raise Refused(user.refuse, **details)
        rule = self._matching(user, tenant, grant)
        if rule:
            raise Refused(rule.code, rule.error, rule.suberror, rule.claims, **details)
        if login is None:
            return
        if tenant.requires_mfa and tenant not in login.mfa:
            raise Refused("50076", **details)
        if tenant.sign_in_frequency is not None and self.now() - login.signed_in > tenant.sign_in_frequency:
            raise Refused("70043", **details)
        if needs_consent(user, client, tenant):
            raise Refused("65001", **details)

    def _matching(self, user: User, tenant: Tenant, grant: str) -> Refusal | None:
        with self._lock:
            for rule in self.refusals:
                if rule.times == 0:
                    continue
                if rule.user in (None, user) and rule.tenant in (None, tenant) and rule.grant in (None, grant):
                    if rule.times is not None:
                        rule.times -= 1
                    return rule
        return None


def needs_consent(user: User, client: PublicClient, tenant: Tenant) -> bool:
    """Whether the person is asked before the client gets a token."""
    return tenant.requires_consent and (client.client_id, tenant.id) not in user.consents

"""The access tokens that Google's services issue."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from ...clock import Clock

CLOUD_PLATFORM = "https://www.googleapis.com/auth/cloud-platform"
READ_ONLY = "https://www.googleapis.com/auth/cloud-platform.read-only"
IAM = "https://www.googleapis.com/auth/iam"
EMAIL = "https://www.googleapis.com/auth/userinfo.email"
SQL_LOGIN = "https://www.googleapis.com/auth/sqlservice.login"

#: The start, and the length, of the tokens of people, service accounts and federated identities.
_KINDS = {"person": ("ya29.a0A", 220), "service": ("ya29.c.c0A", 1024), "federated": ("ya29.d.b0A", 640)}


@dataclass(eq=False)
class AccessToken:
    """An access token, its account and its scopes."""

    text: str = field(repr=False)
    #: The e-mail address of an account, or ``principal://...`` of a federated identity.
    principal: str
    scopes: tuple[str, ...]
    #: Seconds since 1970.
    expires: float
    is_revoked: bool = False


class AccessTokens:
    """All of them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tokens: dict[str, AccessToken] = {}
        #: Seconds for which new tokens are valid.
        self.lifetime: int = 3599

    @property
    def issued(self) -> list[str]:
        """In order."""
        return list(self._tokens)

    def issue(
        self, principal: str, scopes: tuple[str, ...] = (CLOUD_PLATFORM,), lifetime: float | None = None
    ) -> AccessToken:
        """A new token."""
        kind = "person"
        if principal.startswith("principal"):
            kind = "federated"
        elif principal.endswith(".gserviceaccount.com"):
            kind = "service"
        start, length = _KINDS[kind]
        text = start + secrets.token_urlsafe(length)[: length - len(start)]
        ends = self._clock.now() + (self.lifetime if lifetime is None else lifetime)
        self._tokens[text] = AccessToken(text, principal, tuple(scopes), ends)
        return self._tokens[text]

    def find(self, text: str | None) -> AccessToken | None:
        """A valid token; None if it is not known, revoked or expired."""
        found = self._tokens.get(text or "")
        if found is None or found.is_revoked or found.expires <= self._clock.now():
            return None
        return found

    def principal(self, text: str | None) -> str | None:
        """The account of a token, valid or not."""
        found = self._tokens.get(text or "")
        return found and found.principal

    def seconds_left(self, token: AccessToken) -> int:
        """The value of ``expires_in``."""
        return max(0, round(token.expires - self._clock.now()))

"""Hosts of an attacker: they answer every request as a token service would."""

from __future__ import annotations

from collections.abc import Iterable

from .messages import Request, Response, json_response
from .sites import Sites

#: The attacker's own names; those that look like a registry's are in its module.
EVIL = ("evil.example", "*.evil.example")


class Hostile:
    """Answers like a token service, so that a misled client accepts it. The log has what it received."""

    def __init__(self, sites: Sites, lookalikes: Iterable[str]) -> None:
        for pattern in (*EVIL, *lookalikes):
            sites.add(pattern, self.answer)

    def answer(self, request: Request) -> Response:
        """Every kind of token at once."""
        stolen = "token-from-a-hostile-host"
        return json_response({"token": stolen, "access_token": stolen, "value": stolen, "expires_in": 3600})

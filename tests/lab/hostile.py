"""Hosts that want what is not theirs: they answer everything and note what they were given."""

from __future__ import annotations

from .messages import Request, Response, json_response
from .sites import Sites

#: Names that look like Azure DevOps or Entra to a careless check.
LOOKALIKES = (
    "evil.example",
    "*.evil.example",
    "evil-pkgs.dev.azure.com",
    "notpkgs.visualstudio.com",
    "notvssps.visualstudio.com",
    "evilvssps.dev.azure.com",
    "pkgs.dev.azure.com.evil.example",
    "vssps.dev.azure.com.evil.example",
    "login.microsoftonline.com.evil.example",
    "evil-login.microsoftonline.com",
)


class Hostile:
    """Answers as a token service would, so that a client which asks also believes. What it got is in the log."""

    def __init__(self, sites: Sites) -> None:
        for pattern in LOOKALIKES:
            sites.add(pattern, self.answer)

    def answer(self, request: Request) -> Response:
        """Every kind of token at once."""
        stolen = "token-from-a-hostile-host"
        return json_response({"token": stolen, "access_token": stolen, "value": stolen, "expires_in": 3600})

"""The application that owns the bearer of a managed identity."""

from __future__ import annotations

from lab import tokens
from lab.cloud import PracticeCloud


def client_of(cloud: PracticeCloud, credential: tuple[str, str] | None) -> str:
    """The application of a bearer, which must be valid for the feed."""
    assert credential is not None
    username, password = credential
    assert username == "bearer"
    assert cloud.azure.contoso.check(password) is not None
    return (tokens.read(password) or {})["appid"]

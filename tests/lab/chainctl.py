"""Answers of a fake chainctl."""

from __future__ import annotations

from .fake_programs import Answer


def logged_in(token: str) -> Answer:
    """`chainctl auth token` of a logged-in user."""
    return Answer(token + "\n", when=("auth token", "--audience=libraries.cgr.dev"))


def makes_pull_tokens(identity: str, token: str, option: str = "--repository=python") -> Answer:
    """`chainctl auth pull-token` of a user with that permission."""
    text = f"\nTo use this pull token, set:\n\n    Username: {identity}\n    Password: {token}\n"
    return Answer(text, when=("auth pull-token", option, "--ttl=8h"))


def not_logged_in() -> Answer:
    """`chainctl auth token` before `chainctl auth login`; no browser opens."""
    return Answer(stderr="Error: not logged in. Please run `chainctl auth login`\n", code=1, when=("auth token",))

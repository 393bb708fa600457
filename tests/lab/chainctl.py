"""What stand-ins for chainctl answer."""

from __future__ import annotations

from .fake_programs import Answer


def logged_in(token: str) -> Answer:
    """`chainctl auth token` of somebody who is logged in."""
    return Answer(token + "\n", when=("auth token", "--audience=libraries.cgr.dev"))


def makes_pull_tokens(identity: str, token: str, option: str = "--repository=python") -> Answer:
    """`chainctl auth pull-token` of somebody who may make them."""
    text = f"\nTo use this pull token, set:\n\n    Username: {identity}\n    Password: {token}\n"
    return Answer(text, when=("auth pull-token", option, "--ttl=8h"))


def not_logged_in() -> Answer:
    """Nobody has run `chainctl auth login`, and no browser opens."""
    return Answer(stderr="Error: not logged in. Please run `chainctl auth login`\n", code=1, when=("auth token",))

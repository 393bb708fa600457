"""The secrets of the vectors, stored and read in bulk."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .store import Answer, Request, StoreUser

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "ssh-agent"


@dataclass(frozen=True)
class Secret:
    """A record as its owner sees it."""

    service: str
    username: str
    password: str


def vector_secrets() -> list[Secret]:
    """The content of every main store of the vectors: names and passwords with edge cases."""
    listed = json.loads((VECTORS / "secrets.json").read_text(encoding="utf-8"))
    return [Secret(one["service"], one["username"], _password(one)) for one in listed]


def _password(listed: dict) -> str:
    if "password_gen" in listed:
        return listed["password_gen"]["unit"] * listed["password_gen"]["times"]
    return listed["password"]


def set_all(user: StoreUser, secrets: Sequence[Secret], **variables: str | None) -> None:
    """Store secrets, in one process."""
    requests = [Request("set_password", [one.service, one.username, one.password]) for one in secrets]
    _check(user.ask(requests, **variables))


def delete_all(user: StoreUser, secrets: Sequence[Secret], **variables: str | None) -> None:
    """Remove secrets, in one process."""
    _check(user.ask([Request("delete_password", [one.service, one.username]) for one in secrets], **variables))


def lost(user: StoreUser, secrets: Sequence[Secret], **variables: str | None) -> list[tuple[str, str]]:
    """The names of the secrets that are not read back unchanged."""
    requests = [Request("get_password", [one.service, one.username]) for one in secrets]
    answers = _check(user.ask(requests, **variables))
    pairs = zip(secrets, answers)
    return [(one.service, one.username) for one, answer in pairs if answer.result != one.password]


def _check(answers: list[Answer]) -> list[Answer]:
    for answer in answers:
        assert answer.error is None, answer.error.text
    return answers

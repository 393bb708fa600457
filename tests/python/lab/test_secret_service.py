"""The practice keyring of a desktop."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest
from lab import secret_service
from lab.secret_service import SecretService

_ITEM = ["service", "practice", "account", "ada"]


@pytest.fixture
def keyring() -> Iterator[SecretService]:
    """A keyring of this test."""
    secret_service.need_programs()
    made = SecretService()
    yield made
    made.close()


def _run(keyring: SecretService, *words: str, text: str = "") -> tuple[int, str]:
    ended = subprocess.run(
        ["secret-tool", *words],
        env={"PATH": os.environ["PATH"], **keyring.variables},
        input=text,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return ended.returncode, ended.stdout


def test_a_secret_is_kept_encrypted(keyring: SecretService) -> None:
    assert _run(keyring, "store", "--label=a label", *_ITEM, text="planted-secret") == (0, "")
    assert _run(keyring, "lookup", *_ITEM) == (0, "planted-secret")
    assert keyring.content() and b"planted" not in keyring.content()


def test_a_locked_keyring_tells_nothing_of_an_item(keyring: SecretService) -> None:
    _run(keyring, "store", "--label=a label", *_ITEM, text="planted-secret")
    keyring.lock()
    assert _run(keyring, "lookup", *_ITEM) == (1, "")
    code, shown = _run(keyring, "search", *_ITEM)
    assert (code, "label = a label" in shown, "planted" in shown) == (0, True, False)


def test_two_keyrings_know_nothing_of_each_other(keyring: SecretService) -> None:
    other = SecretService()
    try:
        _run(other, "store", "--label=a label", *_ITEM, text="planted-secret")
        assert _run(keyring, "lookup", *_ITEM) == (1, "")
    finally:
        other.close()

"""Small and large: passwords, stores, and the memory that they take."""

from __future__ import annotations

import hashlib
import os
import sys

import pytest
from lab.known_store import KnownStore
from lab.store import Request, StoreUser
from lab.store_session import Measured, StoreSession

#: Characters of each UTF-8 length, characters that JSON escapes, and a lone surrogate.
UNIT = 'aä€😀"\\/\x00\x7f\n\udc80'
LARGE_STORE = 50_000


def password(length: int) -> str:
    """A password of about this many bytes, without repetition."""
    return "".join(f"{number}{UNIT}" for number in range(length // 24 + 1))[: length * 2 // 3]


def size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def digest(text: object) -> str:
    assert isinstance(text, str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@pytest.mark.parametrize("length", [0, 1, 64 * 1024, 32 * 1024 * 1024], ids=["0 B", "1 B", "64 KiB", "32 MiB"])
def test_password_of_any_length_is_returned(store: StoreUser, length: int) -> None:
    secret = "x" if length == 1 else password(length)
    assert length * 0.9 <= size(secret) <= length * 1.2
    passwords = {"before": "small", "user": secret, "after": "small too"}
    answers = store.ask(
        [Request("set_password", ("service", user, text)) for user, text in passwords.items()]
        + [Request("get_password", ("service", user)) for user in ("before", "after")]
    )
    assert [answer.error for answer in answers] == [None] * 5
    [answer] = store.ask([Request("get_password", ("service", "user"))])
    # Digests, since pytest would take too long to show the difference of such texts.
    assert digest(answer.result) == digest(secret)
    assert [answer.result for answer in answers[3:]] == ["small", "small too"]


def test_long_names_are_returned(store: StoreUser) -> None:
    service, username = "s" * 100_000, "ü" * 100_000
    store.set(service, username, "secret")
    assert store.get(service, username) == "secret"
    assert store.call("get_credential", service, None) == [username, "secret"]
    assert store.get(service, username[1:]) is None


@pytest.fixture(scope="module")
def many() -> list[tuple[str, str, str]]:
    return [
        (f"service-{number}", f"user-{number}@example.com", f"secret-{number:020}") for number in range(LARGE_STORE)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports the peak memory of a call")
def test_a_call_takes_less_memory_than_three_times_a_large_store(
    known_store: KnownStore, many: list[tuple[str, str, str]]
) -> None:
    known_store.fill(many)
    limit = 3 * os.path.getsize(known_store.path)
    *_, (service, username, secret) = many
    calls = {
        "a hit": ("get_password", [service, username], secret),
        # Absence, and the list of users, require reading the whole file.
        "a miss": ("get_password", ["nobody's", "user"], None),
        "a search": ("get_credential", ["nobody's", None], None),
        "a new one": ("set_password", ["new", "user", "new"], None),
        "one less": ("delete_password", many[0][:2], None),
    }
    taken = {}
    for call, (method, words, expected) in calls.items():
        # A separate process: memory that one call frees would serve the next.
        with StoreSession(known_store) as session:
            answer: Measured = session.ask(method, *words, measure=True)
        assert answer.error is None, answer.error.text
        assert answer.result == expected
        taken[call] = answer.grown
    assert all(grown < limit for grown in taken.values()), f"{taken} of {limit}"


def test_a_large_store_is_complete_after_a_write(known_store: KnownStore, many: list[tuple[str, str, str]]) -> None:
    known_store.fill(many)
    before = known_store.content()["records"]
    known_store.set("new", "user", "new")
    known_store.delete(*many[7][:2])
    after = known_store.content()["records"]
    new, gone = known_store.record_id("new", "user"), known_store.record_id(*many[7][:2])
    assert after.pop(new) and before.pop(gone)
    assert after == before


def test_many_calls_of_one_process_take_no_more_memory_than_one(known_store: KnownStore) -> None:
    if sys.platform != "linux":
        pytest.skip("only Linux reports the peak memory of a call")
    known_store.fill(("service", f"user-{number}", "secret") for number in range(5000))
    length = os.path.getsize(known_store.path)
    with StoreSession(known_store) as session:
        for _ in range(5):
            session.set("service", "user-1", "warm")
        grown = [session.ask("set_password", "service", "user-1", "x", measure=True).grown for _ in range(60)]
    # A leak grows with every call; reused memory does not.
    assert grown[-1] < 3 * length and sum(grown[-20:]) / 20 <= sum(grown[:20]) / 20 + length / 4

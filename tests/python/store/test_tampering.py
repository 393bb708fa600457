"""Tampered records: each is an error, and the others still open."""

from __future__ import annotations

import json

import pytest
from lab.known_store import KnownStore
from lab.store import Answer, Request

USERS = ("a", "b", "c", "d")
COMPLAINT = "Stored keyring data is corrupted or was tampered with"


@pytest.fixture
def records(known_store: KnownStore) -> dict[str, dict[str, str]]:
    """The records of a store, by user name."""
    known_store.fill(("service", user, f"secret-{user}") for user in USERS)
    stored = known_store.content()["records"]
    return {user: stored[known_store.record_id("service", user)] for user in USERS}


def replace(store: KnownStore, **records: object) -> bytes:
    """The file with the records of some users replaced."""
    content = store.content()
    for user, record in records.items():
        content["records"][store.record_id("service", user)] = record
    store.write(json.dumps(content, indent=2, sort_keys=True) + "\n")
    return file(store)


def file(store: KnownStore) -> bytes:
    with open(store.path, "rb") as stream:
        return stream.read()


def read_all(store: KnownStore) -> dict[str, Answer]:
    return dict(zip(USERS, store.ask([Request("get_password", ("service", user)) for user in USERS])))


def check_broken(store: KnownStore, *broken: str) -> None:
    """These records are errors, all others are readable, a lookup without a user name finds one, and set repairs."""
    before = file(store)
    answers = read_all(store)
    for user, answer in answers.items():
        if user in broken:
            assert answer.error is not None, f"{user}: {answer.result!r}"
            assert "ringbearer.errors.StoreCorrupted" in answer.error.bases
            assert COMPLAINT in answer.error.message and store.path in answer.error.message
        else:
            assert answer.result == f"secret-{user}"
    username, password = store.call("get_credential", "service", None)
    assert username not in broken and password == f"secret-{username}"
    assert file(store) == before
    store.ask([Request("set_password", ("service", user, f"secret-{user}")) for user in broken])
    assert store.entries() == {("service", user): f"secret-{user}" for user in USERS}


def flipped(text: str, place: int) -> str:
    """A text with another base64 character at an index."""
    place %= len(text)
    return text[:place] + ("A" if text[place] != "A" else "B") + text[place + 1 :]


@pytest.mark.parametrize("member", ["ciphertext", "nonce"])
@pytest.mark.parametrize("place", [0, 9])
def test_a_flipped_bit_breaks_its_record_alone(
    known_store: KnownStore, records: dict[str, dict[str, str]], member: str, place: int
) -> None:
    replace(known_store, b={**records["b"], member: flipped(records["b"][member], place)})
    check_broken(known_store, "b")


def test_records_that_changed_places_are_both_broken(
    known_store: KnownStore, records: dict[str, dict[str, str]]
) -> None:
    replace(known_store, a=records["b"], b=records["a"])
    check_broken(known_store, "a", "b")


def test_the_record_of_one_user_does_not_serve_another(
    known_store: KnownStore, records: dict[str, dict[str, str]]
) -> None:
    replace(known_store, c=records["a"])
    check_broken(known_store, "c")


def test_a_record_that_was_cut_is_broken(known_store: KnownStore, records: dict[str, dict[str, str]]) -> None:
    cut = {**records["a"], "ciphertext": records["a"]["ciphertext"][:40]}
    short = {**records["b"], "ciphertext": records["b"]["ciphertext"][:4]}
    empty = {**records["c"], "ciphertext": ""}
    replace(known_store, a=cut, b=short, c=empty)
    check_broken(known_store, "a", "b", "c")


@pytest.mark.parametrize(
    "wrong", [None, True, 7, "text", [], {}, {"ciphertext": "AAAA"}, {"ciphertext": 1, "nonce": 1}], ids=repr
)
def test_a_record_of_another_shape_is_broken_and_hides_no_other(
    known_store: KnownStore, records: dict[str, dict[str, str]], wrong: object
) -> None:
    replace(known_store, d=wrong)
    check_broken(known_store, "d")


def test_record_as_a_list_of_values_is_rejected(known_store: KnownStore, records: dict[str, dict[str, str]]) -> None:
    replace(known_store, a=[records["a"]["ciphertext"], records["a"]["nonce"]])
    check_broken(known_store, "a")


def test_a_broken_record_can_be_deleted(known_store: KnownStore, records: dict[str, dict[str, str]]) -> None:
    replace(known_store, a=records["b"], c={})
    known_store.delete("service", "a")
    known_store.delete("service", "c")
    assert known_store.entries() == {("service", user): f"secret-{user}" for user in ("b", "d")}


def test_write_keeps_broken_records_of_others(known_store: KnownStore, records: dict[str, dict[str, str]]) -> None:
    broken = {**records["a"], "ciphertext": flipped(records["a"]["ciphertext"], 3)}
    replace(known_store, a=broken)
    known_store.set("service", "b", "new")
    assert known_store.content()["records"][known_store.record_id("service", "a")] == broken


def test_service_with_only_broken_records_has_no_credential(
    known_store: KnownStore, records: dict[str, dict[str, str]]
) -> None:
    replace(known_store, **{user: {**records[user], "nonce": records["a"]["nonce"]} for user in USERS[1:]}, a={})
    assert known_store.call("get_credential", "service", None) is None

"""Agent comments, record names and file names are escaped on a terminal."""

from __future__ import annotations

import base64
import json
import os
import unicodedata
from pathlib import Path

import pytest
from lab import hostile_agent as hostile
from lab.hostile_agent import HostileAgent, string
from lab.ssh import Key
from lab.store import StoreUser

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no Unix sockets for an agent")

#: Colours, a title, a C1 control sequence, the start of a line, a deletion, a change of direction, and a forged line.
TRICKS = "\x1b[31m\x1b]0;title\x07\x9b2J\rstart\x7f\x08\u202edrow\u2066\nWARNING: all is well\u2028end"


def assert_harmless(text: str) -> None:
    """No control characters, no change of text direction, no forged line."""
    kinds = {"Cc", "Cf", "Zl", "Zp"}
    found = [character for character in text if unicodedata.category(character) in kinds and character != "\n"]
    assert found == [], text
    assert "\nWARNING: all is well" not in text


@pytest.fixture
def tricky(store: StoreUser) -> StoreUser:
    """A store with a record whose names need escaping."""
    store.set("service" + TRICKS, "user" + TRICKS, "password")
    return store


@pytest.mark.parametrize("words", [["status"], ["list"]], ids=lambda words: words[0])
def test_agent_comments_and_record_names_are_escaped(tricky: StoreUser, keys: dict[str, Key], words: list[str]) -> None:
    with HostileAgent(keys["ed25519"], comment=TRICKS.encode()) as agent:
        shown = tricky.command("ringbearer", "store", *words, SSH_AUTH_SOCK=agent.socket).check()
    assert "title" in shown.stdout
    assert_harmless(shown.output)


@pytest.mark.parametrize("words", [["status"], ["list"]], ids=lambda words: words[0])
def test_hostile_names_are_complete_and_escaped_in_json(
    tricky: StoreUser, keys: dict[str, Key], words: list[str]
) -> None:
    with HostileAgent(keys["ed25519"], comment=TRICKS.encode()) as agent:
        shown = tricky.command("ringbearer", "store", *words, "--json", SSH_AUTH_SOCK=agent.socket).check()
    read = json.loads(shown.stdout)
    if words == ["status"]:
        assert read["agent"]["comment"] == TRICKS
    else:
        assert read["records"] == [{"service": "service" + TRICKS, "username": "user" + TRICKS}]
    assert_harmless(shown.output)


def test_comment_of_no_or_two_keys_is_escaped_in_the_error(store: StoreUser, keys: dict[str, Key]) -> None:
    two = [(base64.b64decode(keys["rsa"].text.split()[1]), TRICKS.encode())]
    for others, comment in (([], b"x"), (two, TRICKS.encode())):
        with HostileAgent(keys["ed25519"], comment=comment, others=others) as agent:
            failed = store.command("ringbearer", "store", "init", "--key", TRICKS, SSH_AUTH_SOCK=agent.socket)
        assert failed.code == 1
        assert "title" in failed.stderr
        assert_harmless(failed.output)


def test_the_type_of_a_key_is_harmless_in_the_error(store: StoreUser, keys: dict[str, Key]) -> None:
    with HostileAgent(keys["ecdsa"], comment=TRICKS.encode()) as agent:
        agent.identities = [(string(TRICKS.encode() + b"x" * 1000), TRICKS.encode()), agent.identities[0]]
        failed = store.command("ringbearer", "store", "init", SSH_AUTH_SOCK=agent.socket)
    assert failed.code == 3
    assert "ecdsa-sha2-nistp256" in failed.stderr
    assert len(failed.stderr) < 1000
    assert_harmless(failed.output)


@pytest.mark.parametrize("answer", [TRICKS.encode() * 10, b"\x05" + TRICKS.encode()], ids=["garbage", "refusal"])
def test_agent_responses_are_not_shown_on_the_terminal(store: StoreUser, keys: dict[str, Key], answer: bytes) -> None:
    store.set("service", "alice", "the-password")
    with HostileAgent(keys["ed25519"], hostile.say(answer), hostile.say(answer)) as agent:
        for words in (["keyring", "-b", store.backend, "get", "service", "alice"], ["ringbearer", "store", "list"]):
            failed = store.command(*words, SSH_AUTH_SOCK=agent.socket)
            assert failed.code != 0
            assert_harmless(failed.output)
            assert "title" not in failed.output


@pytest.mark.parametrize("name", [".tmp-{}.json", ".store.json.ringbearer-{}"])
def test_the_name_of_a_file_left_behind_is_harmless(store: StoreUser, name: str) -> None:
    # Others who may write to the directory choose file names.
    store.set("service", "alice", "the-password")
    Path(store.path).with_name(name.format(TRICKS)).write_text("")
    for words in (["status"], ["status", "--json"]):
        shown = store.command("ringbearer", "store", *words).check()
        assert "title" in shown.stdout
        assert_harmless(shown.output)

"""The settings of the store: path and key, in the file and the variables of the published package."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from lab.ssh import Agent, Key
from lab.store import CALLS, OF_CALLS, Request, StoreUser

KEY = "SSH_AGENT_KEYRING_PUBLIC_KEY"
KEY_PATH = "SSH_AGENT_KEYRING_PUBLIC_KEY_PATH"
STORE_PATH = "SSH_AGENT_KEYRING_STORE_PATH"
#: The base classes of every error.
ERROR = {"ringbearer.errors.RingbearerError", "keyring.errors.KeyringError"}


@pytest.fixture
def both(store: StoreUser, agent: Agent, keys: dict[str, Key]) -> StoreUser:
    """A user whose agent holds an ed25519 key, the default for a new store, and an RSA key."""
    agent.add(keys["rsa"])
    return store


def key_of(path: str | Path) -> str:
    """The key that a store is locked with."""
    return json.loads(Path(path).read_text(encoding="utf-8"))["identity"]["public_key"]


def write_config(user: StoreUser, text: str | bytes) -> None:
    """Write this configuration file."""
    user.configure()
    Path(user.config_path).write_bytes(text.encode() if isinstance(text, str) else text)


def assert_all_fail(user: StoreUser, *reasons: str, **variables: str) -> None:
    """Every call fails for these reasons, with keyring's exception and one line."""
    for answer, wanted in zip(user.ask(CALLS, **variables), OF_CALLS):
        assert answer.error is not None, answer.result
        assert ERROR | wanted <= set(answer.error.bases), answer.error.bases
        message = answer.error.message
        assert all(reason in message for reason in reasons) and "\n" not in message, message


def assert_refused(user: StoreUser, *reasons: str, **variables: str) -> None:
    """Every call fails for these reasons, and no store is created."""
    assert_all_fail(user, *reasons, **variables)
    assert not os.path.exists(user.path)


@pytest.mark.parametrize("path", ["~/elsewhere/secrets.json", "{home}/elsewhere/secrets.json"])
def test_the_file_says_where_the_store_is(both: StoreUser, path: str) -> None:
    both.configure(store_path=path.format(home=both.home))
    both.set("svc", "alice", "s3cr3t")
    assert both.get("svc", "alice") == "s3cr3t"
    assert os.path.exists(os.path.join(both.home, "elsewhere", "secrets.json"))
    assert not os.path.exists(both.path)


@pytest.mark.parametrize("path", ["~/keys/chosen.pub", "{home}/keys/chosen.pub"])
def test_the_file_names_the_key_by_its_file(both: StoreUser, keys: dict[str, Key], path: str) -> None:
    os.makedirs(os.path.join(both.home, "keys"))
    shutil.copyfile(keys["rsa"].public_path, os.path.join(both.home, "keys", "chosen.pub"))
    both.configure(public_key_path=path.format(home=both.home))
    both.set("svc", "alice", "s3cr3t")
    assert key_of(both.path) == keys["rsa"].text
    assert both.get("svc", "alice") == "s3cr3t"


def test_the_file_names_the_key_itself_before_a_file_of_it(both: StoreUser, keys: dict[str, Key]) -> None:
    both.configure(public_key=f"  {keys['rsa'].line}\n", public_key_path="~/not-there.pub")
    both.set("svc", "alice", "s3cr3t")
    assert key_of(both.path) == keys["rsa"].text


def test_every_variable_overrides_the_file(both: StoreUser, keys: dict[str, Key], tmp_path: Path) -> None:
    both.configure(public_key=keys["ed25519"].line, store_path="~/of-the-file.json")
    for number, variables in enumerate(({KEY: keys["rsa"].line}, {KEY_PATH: keys["rsa"].public_path})):
        path = tmp_path / f"of-variables-{number}.json"
        both.set("svc", "alice", "s3cr3t", **{**variables, STORE_PATH: str(path)})
        assert key_of(path) == keys["rsa"].text
        assert both.get("svc", "alice", **{**variables, STORE_PATH: str(path)}) == "s3cr3t"
    assert not os.path.exists(os.path.join(both.home, "of-the-file.json"))
    both.set("svc", "alice", "s3cr3t", **{STORE_PATH: "~/with-a-tilde.json"})
    assert key_of(os.path.join(both.home, "with-a-tilde.json")) == keys["ed25519"].text


def test_key_variable_precedes_the_key_file_variable(both: StoreUser, keys: dict[str, Key]) -> None:
    both.set("svc", "alice", "s3cr3t", **{KEY: keys["rsa"].line, KEY_PATH: "/not/there.pub"})
    assert key_of(both.path) == keys["rsa"].text


def test_empty_variables_and_members_count_as_unset(both: StoreUser, keys: dict[str, Key]) -> None:
    write_config(both, json.dumps({"public_key": "", "public_key_path": None, "store_path": "", "later": [1]}))
    both.set("svc", "alice", "s3cr3t", **{KEY: "", KEY_PATH: "", STORE_PATH: ""})
    assert key_of(both.path) == keys["ed25519"].text


@pytest.mark.parametrize("text", ["", " \r\n\t", "{}", "{}\n", "null"])
def test_empty_file_counts_as_missing(both: StoreUser, keys: dict[str, Key], text: str) -> None:
    write_config(both, text)
    both.set("svc", "alice", "s3cr3t")
    assert key_of(both.path) == keys["ed25519"].text


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        '["", "", "~/a.json"]',
        '"text"',
        '{"public_key": 7}',
        '{"store_path": ["~/a"]}',
        b"\xff\xfe{}",
        "{} {}",
        b"\0" * 64,
    ],
)
def test_a_broken_file_is_named_and_nothing_is_done(store: StoreUser, text: str | bytes) -> None:
    write_config(store, text)
    before = Path(store.config_path).read_bytes()
    assert_refused(store, store.config_path)
    assert Path(store.config_path).read_bytes() == before


@pytest.mark.parametrize("path", ["store.json", "./store.json", "../store.json", "~other/store.json"])
def test_a_relative_path_is_refused_wherever_it_is_named(store: StoreUser, path: str) -> None:
    for name in (STORE_PATH, KEY_PATH):
        assert_refused(store, f"{name} names a relative path", **{name: path})
    for member in ("store_path", "public_key_path"):
        store.configure(**{member: path})
        assert_refused(store, f"{store.config_path} names a relative path")
    assert os.listdir(store.home).count("store.json") == 0


def test_unusable_key_is_refused_with_the_name_of_the_setting(store: StoreUser, keys: dict[str, Key]) -> None:
    assert_refused(store, "Unsupported SSH public key type: ecdsa", KEY, **{KEY: keys["ecdsa"].line})
    assert_refused(store, "Unsupported SSH public key type: ecdsa", **{KEY_PATH: keys["ecdsa"].public_path})
    for text in ("ssh-ed25519", "ssh-ed25519 AAAA", "no key at all", keys["ed25519"].text[:-8]):
        store.configure(public_key=text)
        assert_refused(store, "key", store.config_path)


def test_a_key_file_that_cannot_be_read_is_named(store: StoreUser, keys: dict[str, Key]) -> None:
    missing = os.path.join(store.home, "missing.pub")
    assert_refused(store, missing, **{KEY_PATH: missing})
    assert_refused(store, store.home, **{KEY_PATH: store.home})
    # The private half, by mistake: refused, and nothing of it is quoted.
    assert_refused(store, "key", **{KEY_PATH: keys["ed25519"].path})
    secret = Path(keys["ed25519"].path).read_text(encoding="utf-8").splitlines()[1]
    error = store.fails("get_password", "svc", "alice", **{KEY_PATH: keys["ed25519"].path})
    assert secret not in error.text


@pytest.mark.parametrize("kind", ["variable", "file"])
def test_configured_key_of_another_store_is_an_error(both: StoreUser, keys: dict[str, Key], kind: str) -> None:
    both.set("svc", "alice", "s3cr3t")
    before = Path(both.path).read_bytes()
    if kind == "file":
        both.configure(public_key=keys["rsa"].line)
    variables = {KEY: keys["rsa"].line} if kind == "variable" else {}
    reason = "Configured public key does not match the keyring store identity"
    assert_all_fail(both, reason, keys["rsa"].fingerprint, keys["ed25519"].fingerprint, **variables)
    assert Path(both.path).read_bytes() == before


def test_the_same_key_with_another_comment_matches(both: StoreUser, keys: dict[str, Key]) -> None:
    both.set("svc", "alice", "s3cr3t")
    assert both.get("svc", "alice", **{KEY: f"{keys['ed25519'].text}   somebody else"}) == "s3cr3t"


def test_store_of_a_key_that_the_agent_lacks_stays_locked(store: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    store.set("svc", "alice", "s3cr3t")
    agent.remove(keys["ed25519"])
    agent.add(keys["rsa"])
    error = store.fails("get_password", "svc", "alice")
    assert error.message.startswith("Unable to unlock keyring store with the current ssh-agent key")
    assert {"keyring.errors.KeyringLocked", *ERROR} <= set(error.bases)


def test_a_home_that_is_not_known_is_an_error_and_no_store(store: StoreUser) -> None:
    for home in ("", "relative"):
        [answer] = store.ask([Request("set_password", ["svc", "alice", "s3cr3t"], {"HOME": home})])
        assert answer.error is not None and "keyring.errors.PasswordSetError" in answer.error.bases
        assert "set HOME" in answer.error.message
    assert not os.path.exists(os.path.join(store.home, "relative"))


@pytest.mark.parametrize(
    "settings",
    [{"public_key": "ssh-ed25519"}, {"public_key": "{rsa}"}, {"store_path": "relative"}, {"public_key_path": "~/none"}],
    ids=["no key", "another key", "a relative path", "a missing key file"],
)
def test_refusals_are_runtime_errors_as_in_the_published_package(
    both: StoreUser, keys: dict[str, Key], settings: dict[str, str]
) -> None:
    both.set("svc", "alice", "s3cr3t")
    both.configure(**{name: value.format(rsa=keys["rsa"].line) for name, value in settings.items()})
    answers = both.ask(CALLS)
    found = [answer.error is not None and "builtins.RuntimeError" in answer.error.bases for answer in answers]
    assert found == [True] * len(CALLS)

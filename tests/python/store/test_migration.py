"""``ringbearer store import --from-keyring``: copies passwords from a real keyring backend."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from lab.clients import KEYRING, Client, ClientEnvironments
from lab.store import StoreUser

PLAINTEXT = "keyrings.alt.file.PlaintextKeyring"
NAMES = {"example.com": ["alice", "bob"], "ä / \\[x]=%": ["ü:#;%(x)s", "with blanks"], "long": ["user"]}
PASSWORDS = ["s3cr3t", "", "ünï", " blanks ", "x" * 5000]

_OTHER = """
from keyring.backend import KeyringBackend

class Dumb(KeyringBackend):
    priority = 0.1
    def get_password(self, service, username):
        return {"alice": "s3cr3t", "carol": "other"}.get(username)
    def set_password(self, service, username, password):
        raise NotImplementedError

class Broken(Dumb):
    def get_password(self, service, username):
        raise RuntimeError("no daemon here\\x1b[31m")

class Refusing(Dumb):
    def __init__(self):
        raise ValueError("not today")
"""


@pytest.fixture(scope="module")
def alt_client(client_environments: ClientEnvironments, wheel: str) -> Client:
    """The wheel with the other backends for keyring."""
    return client_environments._client("store-import", ["keyrings.alt==5.0.2", KEYRING], wheel)


@pytest.fixture
def alt(store: StoreUser, alt_client: Client) -> StoreUser:
    """A user with keyrings.alt, and with odd backends in a module of their own."""
    Path(store.home, "other.py").write_text(_OTHER, encoding="utf-8")
    return store.with_client(alt_client, store.backend)


@pytest.fixture
def filled(alt: StoreUser) -> StoreUser:
    """The same user with passwords in the file of PlaintextKeyring."""
    names = [(service, username) for service, users in NAMES.items() for username in users]
    records = [(*pair, password) for pair, password in zip(names, PASSWORDS)]
    program = "import json, sys\nfrom keyrings.alt.file import PlaintextKeyring as Keyring\nkeyring = Keyring()\n"
    program += "for record in json.load(sys.stdin): keyring.set_password(*record)\nprint(keyring.file_path)"
    path = alt.command("python", "-c", program, stdin=json.dumps(records)).check().stdout.strip()
    assert os.path.getsize(path) > 5000
    return alt


def run(user: StoreUser, *words: str, **variables: str | None) -> object:
    return user.command("ringbearer", "store", "import", *words, PYTHONPATH=user.home, **variables)


def stored(user: StoreUser) -> list[tuple[str, str]]:
    listed = json.loads(user.command("ringbearer", "store", "list", "--json").check().stdout)
    return [(one["service"], one["username"]) for one in listed["records"]]


def test_import_copies_everything_from_the_file_keyring(filled: StoreUser) -> None:
    ended = run(filled, "--from-keyring", PLAINTEXT, "--json").check()
    assert json.loads(ended.stdout) == {"added": 5, "replaced": 0, "same": 0, "kept": 0} and ended.stderr == ""
    names = [(service, username) for service, users in NAMES.items() for username in users]
    assert stored(filled) == sorted(names)
    assert [filled.get(*pair) for pair in names] == PASSWORDS
    again = filled.command("python", "-m", "ringbearer", "store", "import", "--from-keyring", PLAINTEXT).check()
    assert again.stdout == "0 added, 0 replaced, 5 the same, 0 kept\n"


def test_import_copies_only_named_passwords(filled: StoreUser) -> None:
    [odd_service, odd_user] = ["ä / \\[x]=%", "ü:#;%(x)s"]
    words = ["--name", "example.com", "bob", "--name", odd_service, odd_user]
    run(filled, "--from-keyring", PLAINTEXT, *words).check()
    assert stored(filled) == [("example.com", "bob"), (odd_service, odd_user)]
    assert filled.get(odd_service, odd_user) == "ünï"


def test_import_of_a_missing_name_changes_nothing(filled: StoreUser) -> None:
    ended = run(filled, "--from-keyring", PLAINTEXT, "--name", "example.com", "bob", "--name", "example.com", "nobody")
    assert ended.code == 1 and "'nobody'" in ended.stderr and "example.com" in ended.stderr, ended
    assert not os.path.exists(filled.path)


def test_import_keeps_or_replaces_existing_passwords(filled: StoreUser) -> None:
    filled.set("example.com", "alice", "ours")
    ended = run(filled, "--from-keyring", PLAINTEXT, "--json").check()
    assert json.loads(ended.stdout)["kept"] == 1 and "--replace" in ended.stderr
    assert filled.get("example.com", "alice") == "ours"
    ended = run(filled, "--from-keyring", PLAINTEXT, "--json", "--replace").check()
    assert json.loads(ended.stdout)["replaced"] == 1
    assert filled.get("example.com", "alice") == "s3cr3t"


def test_import_reports_a_file_keyring_without_a_file(alt: StoreUser) -> None:
    # After "0 added", a user might delete the old keyring that was not found.
    ended = run(alt, "--from-keyring", PLAINTEXT)
    assert ended.code == 1 and "keyring_pass.cfg" in ended.stderr and "cannot be read" in ended.stderr, ended
    assert not os.path.exists(alt.path)


def test_import_of_named_passwords_works_without_listing(alt: StoreUser) -> None:
    ended = run(alt, "--from-keyring", "other.Dumb")
    assert ended.code == 1 and "--name SERVICE USER" in ended.stderr, ended
    run(alt, "--from-keyring", "other.Dumb", "--name", "service", "carol").check()
    assert alt.get("service", "carol") == "other"


@pytest.mark.parametrize("backend", ["no.such.Keyring", "Keyring", "", "os.path", "other.Missing", "other.Refusing"])
def test_a_keyring_that_cannot_be_loaded_is_named_in_one_line(alt: StoreUser, backend: str) -> None:
    ended = run(alt, "--from-keyring", backend, "--name", "service", "alice")
    assert ended.code == 1 and ended.stdout == "" and ended.stderr.count("\n") == 1, ended
    assert ended.stderr.startswith("ringbearer: ") and backend in ended.stderr and "--list-backends" in ended.stderr
    assert not os.path.exists(alt.path)


@pytest.mark.parametrize("backend", ["keyring.backends.fail.Keyring", "other.Broken"])
def test_failing_keyring_is_named_in_one_line(alt: StoreUser, backend: str) -> None:
    ended = run(alt, "--from-keyring", backend, "--name", "service", "alice")
    assert ended.code == 1 and "Traceback" not in ended.stderr and "\x1b" not in ended.stderr, ended
    assert ended.stderr.startswith("ringbearer: ") and backend in ended.stderr, ended

"""Passwords without a store: set and delete raise, and no password is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.registry import Registry
from lab.store import RINGBEARER, StoreUser
from support.backend_list import INDEX_BACKENDS, error_of, where_keyring_has_no_store

PLAINTEXT = "keyrings.alt.file.PlaintextKeyring"
FOREIGN = ["svc", "poetry-repository-contoso", "https://upload.example/legacy/", ""]
PASSWORD = "the-password"


@pytest.fixture
def services(registries: dict[str, Registry]) -> list[str]:
    """Index and upload URLs of each registry, and foreign ones."""
    urls = [url for one in registries.values() for url in (one.index_url, one.upload_url) if url]
    return [*urls, *FOREIGN]


def assert_nowhere_below(directory: Path, secret: str) -> None:
    """No file holds the secret."""
    holding = [path for path in directory.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert holding == []


_WRITING = """
import json, sys
import keyring, keyring.core, keyring.errors
without, *services = sys.argv[1:]
keyring.core.init_backend(limit=lambda backend: type(backend).__name__ != without)
def outcome(act, *words):
    try:
        return act(*words)
    except Exception as error:
        return [base.__module__ + "." + base.__name__ for base in type(error).__mro__] + [str(error)]
print(json.dumps([
    [outcome(keyring.set_password, service, "alice", "the-password"),
     outcome(keyring.delete_password, service, "alice"),
     outcome(keyring.get_password, service, "alice") if "." not in service else None]
    for service in services
]))
"""


@pytest.fixture
def write(cloud: PracticeCloud, client: Client, home: Path, services: list[str]) -> Callable[[str], list]:
    """The outcomes of set, delete and get for each service, in a chain without one of the backends."""

    def write(without: str) -> list:
        command = ["python", "-W", "ignore::DeprecationWarning", "-c", _WRITING, without, *services]
        ended = client.run(command, cloud.environment(home)).check()
        assert ended.stderr == ""
        assert cloud.log.requests() == cloud.log.connections() == []
        return json.loads(ended.stdout)

    return write


_RECOMMENDED = """
import keyring.core
import keyring.errors

keyring.core.init_backend(limit=keyring.core.recommended)
for write, words in ((keyring.set_password, ["s3cr3t"]), (keyring.delete_password, [])):
    try:
        print("lost", write("service", "user", *words))
    except keyring.errors.NoKeyringError as error:
        print(type(error).__name__)
"""


@where_keyring_has_no_store
def test_set_and_delete_raise_for_any_service_without_a_store(write) -> None:
    for stored, removed, found in write(without="none of them"):
        for error in (stored, removed):
            assert "ringbearer.errors.NoStoreError" in error and "keyring.errors.NoKeyringError" in error
            # keyring's chainer would skip this one.
            assert "builtins.NotImplementedError" not in error
            assert PASSWORD not in error[-1] and "\n" not in error[-1]
        assert found is None


@where_keyring_has_no_store
def test_other_backends_raise_if_the_last_one_is_left_out(write) -> None:
    for stored, removed, found in write(without="NoStoreKeyring"):
        assert stored[0] == removed[0] == "ringbearer.errors.NoStoreError" and found is None


@where_keyring_has_no_store
@pytest.mark.parametrize("words", [["set"], ["del"]], ids=["set", "del"])
def test_command_fails_with_advice_without_a_store(
    cloud: PracticeCloud, client: Client, home: Path, words: list[str]
) -> None:
    for service in (cloud.chainguard.python.url, "svc"):
        ended = client.run(["keyring", *words, service, "alice"], cloud.environment(home), stdin=PASSWORD + "\n")
        assert (ended.code, ended.stdout) == (1, "")
        error = error_of(ended.stderr)
        assert error.startswith("ringbearer.errors.NoStoreError: no keyring backend here stores passwords")
        for hint in ("`ringbearer store init`", "SSH_AUTH_SOCK", "keyrings.alt", "POETRY_KEYRING_ENABLED=false"):
            assert hint in error
        assert PASSWORD not in ended.output
    assert_nowhere_below(home, PASSWORD)
    assert cloud.log.requests() == []


@where_keyring_has_no_store
def test_a_password_that_nothing_has_is_a_silent_miss(cloud: PracticeCloud, client: Client, home: Path) -> None:
    for words in (["get", "svc", "alice"], ["--mode=creds", "--output=json", "get", "svc"]):
        ended = client.run(["keyring", *words], cloud.environment(home))
        assert (ended.code, ended.output) == (1, "")


@pytest.mark.parametrize(
    ("backend", "error"), [*((name, "ReadOnlyError") for name in INDEX_BACKENDS), ("NoStoreKeyring", "NoStoreError")]
)
def test_backend_chosen_by_name_raises_if_it_stores_nothing(
    cloud: PracticeCloud, client: Client, home: Path, backend: str, error: str
) -> None:
    chosen = f"ringbearer.backends.{backend}"
    by_option = client.run(
        ["keyring", "-b", chosen, "set", "svc", "alice"], cloud.environment(home), stdin=PASSWORD + "\n"
    )
    by_variable = client.run(["keyring", "del", "svc", "alice"], cloud.environment(home, PYTHON_KEYRING_BACKEND=chosen))
    for ended in (by_option, by_variable):
        assert (ended.code, ended.stdout) == (1, "")
        last = error_of(ended.stderr)
        assert last.startswith(f"ringbearer.errors.{error}: ") and "ringbearer store init" in last
        assert PASSWORD not in ended.output
    assert_nowhere_below(home, PASSWORD)


_PRIORITIES = """
import json
import keyring.backend
from ringbearer.backends import NoStoreKeyring
keyring.backend.get_all_keyring()
found = {}
for one in keyring.backend.KeyringBackend._classes - {NoStoreKeyring}:
    try:
        found[one.__module__ + "." + one.__name__] = one.priority
    except Exception:
        pass
print(json.dumps([NoStoreKeyring.priority, found]))
"""


def test_no_store_backend_is_asked_last(cloud: PracticeCloud, beside: Callable[..., Client], home: Path) -> None:
    ended = beside("alt").run(["python", "-c", _PRIORITIES], cloud.environment(home)).check()
    last, others = json.loads(ended.stdout)
    assert last > 0
    assert others[PLAINTEXT] == 0.5 and others["keyring.backends.fail.Keyring"] == 0
    assert [name for name, priority in others.items() if 0 < priority <= last] == []


@where_keyring_has_no_store
@pytest.mark.parametrize("by", ["the chain", "keyringrc.cfg", "PYTHON_KEYRING_BACKEND"])
def test_the_keyring_command_reaches_a_backend_of_keyrings_alt(
    cloud: PracticeCloud, beside: Callable[..., Client], home: Path, by: str
) -> None:
    environment = cloud.environment(home, PYTHON_KEYRING_BACKEND=PLAINTEXT if by.startswith("PYTHON") else None)
    if by.startswith("keyringrc"):
        file = home / ".config" / "python_keyring" / "keyringrc.cfg"
        file.parent.mkdir(parents=True)
        file.write_text(f"[backend]\ndefault-keyring={PLAINTEXT}\n", encoding="utf-8")
    kept = home / ".local" / "share" / "python_keyring" / "keyring_pass.cfg"
    for service in ("svc", cloud.chainguard.python.url):
        names = [service, "alice"]
        stored = beside("alt").run(["keyring", "set", *names], environment, stdin=PASSWORD + "\n").check()
        assert stored.output == "" and "alice" in kept.read_text(encoding="utf-8")
        found = beside("alt").run(["keyring", "get", *names], environment).check()
        assert found.stdout == PASSWORD + "\n"
        beside("alt").run(["keyring", "del", *names], environment).check()
        again = beside("alt").run(["keyring", "del", *names], environment)
        assert again.code == 1 and error_of(again.stderr).startswith("keyring.errors.PasswordDeleteError: ")
        assert "alice" not in kept.read_text(encoding="utf-8")


@where_keyring_has_no_store
def test_keyring_command_reaches_a_new_store_for_any_service(cloud: PracticeCloud, store: StoreUser) -> None:
    names = [cloud.chainguard.python.url, "alice"]
    before = store.command("keyring", "set", *names, stdin=PASSWORD + "\n")
    assert before.code == 1 and error_of(before.stderr).startswith("ringbearer.errors.NoStoreError: ")
    store.command("ringbearer", "store", "init").check()
    assert store.command("keyring", "set", *names, stdin=PASSWORD + "\n").check().output == ""
    assert len(store.content()["records"]) == 1
    found = store.command("keyring", "-b", RINGBEARER, "get", *names).check()
    assert (found.stdout, found.stderr) == (PASSWORD + "\n", "")
    store.command("keyring", "del", *names).check()
    assert store.content()["records"] == {}
    again = store.command("keyring", "del", *names)
    assert again.code == 1 and error_of(again.stderr) == "ringbearer.errors.StoreNotFound: Password not found"
    assert_nowhere_below(Path(store.home), PASSWORD)


@where_keyring_has_no_store
def test_program_limited_to_recommended_backends_gets_the_error(
    cloud: PracticeCloud, client: Client, home: Path
) -> None:
    ended = client.run(["python", "-c", _RECOMMENDED], cloud.environment(home)).check()
    assert ended.stdout.split() == ["NoStoreError"] * 2

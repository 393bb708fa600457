"""The store in keyring: chosen by name, or in the chain once it exists."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from lab.clients import KEYRING, Client, ClientEnvironments
from lab.ssh import Agent, Key
from lab.store import RINGBEARER, StoreUser

PYTEST = "pytest==9.2.0" if sys.version_info >= (3, 10) else "pytest"
NAMES = ["svc", "alice"]


def choose_by_name(user: StoreUser) -> None:
    """The configuration file of the published package's users, with the new backend name."""
    path = Path(user.home, ".config", "python_keyring", "keyringrc.cfg")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"[backend]\ndefault-keyring={RINGBEARER}\n", encoding="utf-8")


def assert_serves(user: StoreUser, **variables: str) -> None:
    """The keyring command stores, finds and removes a password, and says so when there is none."""
    assert user.command("keyring", "get", *NAMES, **variables).code == 1
    stored = user.command("keyring", "set", *NAMES, stdin="s3cr3t\n", **variables).check()
    found = user.command("keyring", "get", *NAMES, **variables).check()
    both = user.command("keyring", "--mode", "creds", "get", "svc", **variables).check()
    assert [found.stdout, both.stdout] == ["s3cr3t\n", "alice\ns3cr3t\n"]
    removed = user.command("keyring", "del", *NAMES, **variables).check()
    assert [ended.output for ended in (stored, removed)] == ["", ""]
    assert [found.stderr, both.stderr] == ["", ""]
    again = user.command("keyring", "del", *NAMES, **variables)
    assert again.code == 1 and again.stderr.splitlines()[-1].endswith("Password not found")
    assert user.command("keyring", "get", *NAMES, **variables).code == 1


def listed(user: StoreUser, **variables: str | None) -> list[str]:
    """The lines of `keyring --list-backends` about the store."""
    lines = user.command("keyring", "--list-backends", **variables).check().stdout.splitlines()
    return [line for line in lines if RINGBEARER in line]


def test_backend_name_in_keyringrc_suffices_for_the_command(store: StoreUser) -> None:
    choose_by_name(store)
    assert_serves(store)
    assert store.content()["records"] == {}


def test_backend_name_in_option_or_variable_suffices(store: StoreUser) -> None:
    store.command("keyring", "-b", RINGBEARER, "set", *NAMES, stdin="s3cr3t").check()
    found = store.command("keyring", "get", *NAMES, PYTHON_KEYRING_BACKEND=RINGBEARER).check()
    assert found.stdout == "s3cr3t\n"


def test_before_it_is_set_up_the_store_is_in_nobodys_chain(store: StoreUser) -> None:
    assert listed(store) == [f"{RINGBEARER} (priority: -1)"]
    stored = store.command("keyring", "set", *NAMES, stdin="s3cr3t")
    assert stored.code != 0
    assert store.command("keyring", "get", *NAMES).stdout == ""
    assert store.command("keyring", "del", *NAMES).code != 0
    assert not os.path.exists(os.path.join(store.home, ".local", "share", "ssh-agent-keyring"))


def test_after_store_init_the_store_serves_from_the_chain(store: StoreUser) -> None:
    store.command("ringbearer", "store", "init").check()
    assert listed(store) == [f"{RINGBEARER} (priority: 2.2)"]
    assert_serves(store)


@pytest.mark.parametrize("setting", ["SSH_AGENT_KEYRING_PUBLIC_KEY", "SSH_AGENT_KEYRING_STORE_PATH", "config.json"])
def test_once_it_is_configured_the_store_serves_from_the_chain(
    store: StoreUser, keys: dict[str, Key], tmp_path: Path, setting: str
) -> None:
    values = {
        "SSH_AGENT_KEYRING_PUBLIC_KEY": keys["ed25519"].line,
        "SSH_AGENT_KEYRING_STORE_PATH": str(tmp_path / "elsewhere.json"),
    }
    variables = {name: value for name, value in values.items() if name == setting}
    if not variables:
        store.configure(public_key=keys["ed25519"].line)
    assert listed(store, **variables) == [f"{RINGBEARER} (priority: 2.2)"]
    store.command("keyring", "set", *NAMES, stdin="s3cr3t", **variables).check()
    assert store.command("keyring", "get", *NAMES, **variables).check().stdout == "s3cr3t\n"
    assert os.path.exists(variables.get("SSH_AGENT_KEYRING_STORE_PATH", store.path))


def test_store_of_the_published_package_is_in_the_chain(store: StoreUser, published: StoreUser) -> None:
    published.set(*NAMES, "s3cr3t")
    assert listed(store) == [f"{RINGBEARER} (priority: 2.2)"]
    assert store.command("keyring", "get", *NAMES).check().stdout == "s3cr3t\n"


@pytest.mark.skipif(sys.platform == "win32", reason="on Windows, the agent needs no SSH_AUTH_SOCK")
def test_without_an_agent_named_the_store_is_not_viable(store: StoreUser) -> None:
    store.set(*NAMES, "s3cr3t")
    for socket in (None, ""):
        assert listed(store, SSH_AUTH_SOCK=socket) == []
        assert store.command("keyring", "get", *NAMES, SSH_AUTH_SOCK=socket).stdout == ""
        named = store.command("keyring", "-b", RINGBEARER, "get", *NAMES, SSH_AUTH_SOCK=socket)
        assert named.code == 2 and "Unable to load specified keyring: SSH_AUTH_SOCK is not set" in named.stderr
    choose_by_name(store)
    chosen = store.command("keyring", "get", *NAMES, SSH_AUTH_SOCK=None)
    assert chosen.code == 1 and chosen.stderr.splitlines()[-1].startswith("RuntimeError: SSH_AUTH_SOCK is not set")


def test_locked_store_is_an_error_for_the_keyring_command(store: StoreUser, agent: Agent) -> None:
    store.set(*NAMES, "s3cr3t")
    agent.lock("of-a-test")
    for choose in (lambda: None, lambda: choose_by_name(store)):
        choose()
        ended = store.command("keyring", "get", *NAMES)
        assert ended.code == 1 and ended.stdout == ""
        assert "Unable to unlock" in ended.stderr.splitlines()[-1] and "`ssh-add -X`" in ended.stderr


_COPIES = """
import copy, pickle
from ringbearer.backends import SSHAgentKeyring

first = SSHAgentKeyring()
with_properties = first.with_properties(foo="bar", priority=1)
copies = [copy.copy(first), copy.deepcopy(first), with_properties, pickle.loads(pickle.dumps(first))]
for number, backend in enumerate([first, *copies, SSHAgentKeyring()]):
    backend.set_password("svc", "alice", str(number))
    assert first.get_password("svc", "alice") == backend.get_password("svc", "alice") == str(number)
    backend.delete_password("svc", "alice")
assert with_properties.foo == "bar" and not hasattr(first, "foo")
print(SSHAgentKeyring.priority, getattr(first, "x", None), str(first))
"""


def test_copies_and_properties_do_no_harm(store: StoreUser) -> None:
    store.command("ringbearer", "store", "init").check()
    shown = f"{RINGBEARER} (priority: 2.2)"
    ended = store.command("python", "-c", _COPIES).check()
    assert ended.stdout == f"2.2 None {shown}\n"
    properties = dict.fromkeys(("KEYRING_PROPERTY_X", "KEYRING_PROPERTY__NAME"), "azure")
    # keyring's own backends fail here, and so does its command.
    ended = store.command("python", "-c", _COPIES, KEYRING_PROPERTY_PRIORITY="99", **properties).check()
    assert ended.stdout == f"2.2 azure {shown}\n"
    store.command("keyring", "set", *NAMES, stdin="s3cr3t", **properties).check()
    assert store.command("keyring", "get", *NAMES, **properties).check().stdout == "s3cr3t\n"


@pytest.fixture(scope="session")
def with_pytest(client_environments: ClientEnvironments, wheel: str) -> Client:
    """keyring and ringbearer with pytest beside them."""
    return client_environments._client("backend-suite", [KEYRING, PYTEST], wheel)


_SUITE = """
from keyring.testing.backend import BackendBasicTests
from ringbearer.backends import SSHAgentKeyring

class TestSSHAgentKeyring(BackendBasicTests):
    def init_keyring(self):
        return SSHAgentKeyring()
"""


def test_keyrings_own_tests_of_a_backend_pass(store: StoreUser, with_pytest: Client) -> None:
    Path(store.home, "test_backend.py").write_text(_SUITE, encoding="utf-8")
    user = store.with_client(with_pytest, RINGBEARER)
    ended = user.command("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", "test_backend.py")
    summary = ended.check().stdout.splitlines()[-1]
    assert " passed in " in summary and "failed" not in summary and "skipped" not in summary, summary
    # It leaves a record behind, which proves that it used this store.
    assert store.content()["records"]

"""After its own message, the native `keyring` shows no traceback of the Python keyring behind it."""

from __future__ import annotations

import os

import pytest
from lab.clients import Client
from lab.registry import Registry

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the Python keyring behind it would need an installed plug-in")

#: A backend of the Python keyring, which fails or prompts.
BACKEND = """\
import sys
import keyring.backend, keyring.errors

class Backend(keyring.backend.KeyringBackend):
    priority = 5

    def set_password(self, service, username, password):
        raise NotImplementedError

    def get_password(self, service, username):
        {}
"""

NO_BACKEND = "raise keyring.errors.NoKeyringError('No recommended backend was available.')"
CHAINED = """\
try:
            {}['vault']
        except KeyError:
            raise keyring.errors.KeyringLocked('the vault is locked')
"""
PROMPT = """\
print('note', file=sys.stderr)
        print('PIN of the vault: ', end='', file=sys.stderr, flush=True)
        return 'password for ' + sys.stdin.readline().strip()
"""


@pytest.fixture
def words(registry: Registry) -> list[str]:
    """A request for the password of an index, whose login does not work."""
    registry.break_login()
    return ["keyring", "get", registry.index_url, registry.user_name]


def with_backend(registry: Registry, native: Client, client: Client, body: str) -> dict[str, str]:
    """The environment in which the native keyring is followed by a Python keyring with a backend."""
    plugins = registry.home / "plugins"
    (plugins / "vault-1.0.dist-info").mkdir(parents=True)
    (plugins / "vault-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: vault\nVersion: 1.0\n")
    (plugins / "vault-1.0.dist-info" / "entry_points.txt").write_text("[keyring.backends]\nvault = vault\n")
    (plugins / "vault.py").write_text(BACKEND.format(body))
    return registry.environment(native.bin, client.bin, PYTHONPATH=str(plugins))


@pytest.mark.parametrize(
    "body, last_lines",
    [
        (NO_BACKEND, []),
        ("raise OSError('the vault is broken')", ["OSError: the vault is broken"]),
        (CHAINED, ["keyring.errors.KeyringLocked: the vault is locked"]),
    ],
    ids=["none", "broken", "chained"],
)
@pytest.mark.parametrize("registry", ["azure"], indirect=True)
def test_broken_backend_behind_adds_at_most_its_last_line(
    registry: Registry, native: Client, client: Client, words: list[str], body: str, last_lines: list[str]
) -> None:
    environment = with_backend(registry, native, client, body)
    assert "Traceback" in client.run(words, environment).stderr
    ended = native.run(words, environment)
    assert (ended.code, ended.stdout) == (1, "")
    first, *others = ended.stderr.splitlines()
    assert first.startswith("ringbearer: no credential for ") and others == last_lines


@pytest.mark.parametrize("registry", ["azure"], indirect=True)
def test_broken_configuration_behind_is_named_with_no_traceback(
    registry: Registry, native: Client, client: Client, words: list[str]
) -> None:
    file = registry.home / ".config" / "python_keyring" / "keyringrc.cfg"
    file.parent.mkdir(parents=True)
    file.write_text("no section\n")
    ended = native.run(words, registry.environment(native.bin, client.bin))
    assert ended.code == 1 and "Traceback" not in ended.stderr
    assert str(file) in ended.stderr and "contains no section headers" in ended.stderr


@pytest.mark.parametrize("registry", ["azure"], indirect=True)
def test_prompt_of_a_backend_behind_appears_at_once(
    registry: Registry, native: Client, client: Client, words: list[str]
) -> None:
    process = native.start(words, with_backend(registry, native, client, PROMPT), with_stdin=True)
    assert process.stderr.readline().startswith(b"ringbearer: no credential for ")
    # Nothing has been typed yet.
    assert process.stderr.readline() == b"note\n"
    assert process.stderr.read(len("PIN of the vault: ")) == b"PIN of the vault: "
    assert process.communicate(b"1234\n", timeout=20) == (b"password for 1234\n", b"")
    assert process.returncode == 0


@pytest.mark.parametrize("registry", ["azure"], indirect=True)
def test_other_requests_are_passed_on_with_their_traceback(registry: Registry, native: Client, client: Client) -> None:
    environment = with_backend(registry, native, client, "raise OSError('the vault is broken')")
    ended = native.run(["keyring", "get", "registry.example", "ada"], environment)
    assert ended.code == 1 and ended.stderr.startswith("Traceback ") and "the vault is broken" in ended.stderr


def test_the_variable_of_the_filter_changes_no_other_run(native: Client, registry: Registry) -> None:
    environment = registry.environment(RINGBEARER_FILTERS_STDERR="1")
    ended = native.run(["keyring", "set", "registry.example", "ada"], environment, stdin="planted\n")
    assert ended.code != 0 and "planted" not in ended.output

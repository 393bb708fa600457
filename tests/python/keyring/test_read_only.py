"""keyring's own tests of a backend, inverted for backends that store nothing: set and delete are errors."""

from __future__ import annotations

import shutil
from pathlib import Path

import lab
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.registry import Registry
from support.backend_list import INDEX_BACKENDS

ALL = [*INDEX_BACKENDS, "NoStoreKeyring"]

_SUITE = Path(lab.__file__).with_name("read_only_program.py")


def test_read_only_backends_pass_keyrings_tests_inverted(
    cloud: PracticeCloud, suite: Client, home: Path, logins: dict[str, str]
) -> None:
    shutil.copy(_SUITE, home)
    command = ["python", "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--rootdir=.", _SUITE.name]
    variables = {"RINGBEARER_STRICT": "1", "READ_ONLY_BACKENDS": " ".join(INDEX_BACKENDS)}
    ended = suite.run(command, cloud.environment(home, **variables, **logins)).check()
    passed = [line for line in ended.stdout.splitlines() if line.startswith("PASSED ")]
    assert [sum(f"::Test{name}::" in line for line in passed) for name in ALL] == [len(passed) // len(ALL)] * len(ALL)
    assert len(passed) > 120 and f"{len(passed)} passed" in ended.stdout.splitlines()[-1]
    assert "xfailed" not in ended.stdout and "skipped" not in ended.stdout
    assert cloud.log.requests() == cloud.log.connections() == []


_OURS = """
import sys, warnings
from keyring.errors import NoKeyringError, PasswordDeleteError, PasswordSetError
from ringbearer import backends, errors
warnings.simplefilter("ignore")
for name, service in zip(sys.argv[1].split(), sys.argv[2:]):
    backend = getattr(backends, name)()
    first = backend.get_credential(service, None)
    for user in (None, "", "alice", first.username, "__token__", "__poetry_source_empty_username__", "a b", "\\u00fc",
                 "\\U0001F600", "\\ud800", "x" * 100_000, 7, b"bytes", object()):
        found = backend.get_credential(service, user)
        assert (found.username, found.password) == (first.username, first.password), (name, user)
        assert backend.get_password(service, user) == first.password, (name, user)
        for act, words in ((backend.set_password, ["p"]), (backend.delete_password, [])):
            try:
                act(service, user, *words)
                raise AssertionError(name)
            except errors.ReadOnlyError as error:
                assert first.password not in str(error)
    print(name, first.username)
"""


def test_index_is_answered_for_every_user_name_and_read_only(
    cloud: PracticeCloud, client: Client, home: Path, registries: dict[str, Registry]
) -> None:
    asked = [registry for registry in registries.values() if registry.takes_any_user_name]
    logins = [registry.login_by_variables() for registry in asked]
    variables = {name: value for _, login in logins for name, value in login.items()}
    backends, urls = [registry.backend for registry in asked], [registry.index_url for registry in asked]
    command = ["python", "-c", _OURS, " ".join(backends), *urls]
    ended = client.run(command, cloud.environment(home, **variables)).check()
    assert ended.stdout.splitlines() == [f"{name} {user}" for name, (user, _) in zip(backends, logins)]
    assert ended.stderr == ""
    # No request is sent twice.
    sent = [(request.method, request.url) for request in cloud.log.requests()]
    assert len(set(sent)) == len(sent)

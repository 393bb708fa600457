"""The backends of the wheel in keyring's chain: all are found, and none affects the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client, ClientEnvironments
from lab.cloud import PracticeCloud
from lab.registry import Registry
from support.azure_look_ups import TOKEN
from support.backend_list import CHAINER, OURS, STORE, error_of, listing, where_keyring_has_no_store

#: The order of a set of classes differs between processes, and that of a set of strings depends on the seed.
SEEDS = ["0", "1", "2", "4294967295"]


@pytest.fixture(scope="module")
def oldest(client_environments: ClientEnvironments, wheel: str) -> Client:
    """The oldest keyring that ringbearer supports."""
    return client_environments.oldest_keyring(wheel)


def assert_listed(client: Client, cloud: PracticeCloud, home: Path) -> None:
    for agent, expected in ((None, OURS), ("/nowhere", sorted([*OURS, f"{STORE} (priority: -1)"]))):
        environment = cloud.environment(home, SSH_AUTH_SOCK=agent)
        found = [listing(client, {**environment, "PYTHONHASHSEED": seed}) for seed in SEEDS]
        assert [one.ours for one in found] == [expected] * len(SEEDS)
        assert {tuple(one.lines) for one in found} == {tuple(found[0].lines)}
        assert {one.chosen for one in found} == {CHAINER}
        assert {one.stderr for one in found} == {""}
    assert cloud.log.requests() == cloud.log.connections() == []


@where_keyring_has_no_store
def test_backends_are_all_listed_and_the_chainer_chosen(cloud: PracticeCloud, client: Client, home: Path) -> None:
    assert_listed(client, cloud, home)


@where_keyring_has_no_store
def test_oldest_keyring_lists_all_and_chooses_the_chainer(cloud: PracticeCloud, oldest: Client, home: Path) -> None:
    assert_listed(oldest, cloud, home)


@where_keyring_has_no_store
def test_oldest_keyring_raises_when_nothing_can_store(cloud: PracticeCloud, oldest: Client, home: Path) -> None:
    for words in (["set", "svc", "alice"], ["del", "svc", "alice"]):
        ended = oldest.run(["keyring", *words], cloud.environment(home), stdin="the-password\n")
        assert ended.code == 1 and error_of(ended.stderr).startswith("ringbearer.errors.NoStoreError: "), ended


@pytest.mark.parametrize("options", [["-W", "error"], ["-OO"], ["-I"]], ids=["-W error", "-OO", "-I"])
def test_backends_are_found_under_every_python_option(
    cloud: PracticeCloud, client: Client, home: Path, options: list[str]
) -> None:
    found = listing(client, cloud.environment(home, SSH_AUTH_SOCK="/nowhere"), *options)
    assert len(found.ours) == len(OURS) + 1
    assert (found.chosen, found.stderr) == (CHAINER, "")


_LOADING = """
import importlib.metadata, logging, sys
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout, format="%(name)s %(levelname)s %(message)s")
import keyring.backend
keyring.backend.get_all_keyring()
logging.disable(logging.CRITICAL)
for entry in importlib.metadata.distribution("ringbearer").entry_points:
    if entry.group == "keyring.backends":
        print("entry", entry.name, entry.load().__name__)
"""


def test_keyring_loads_every_entry_point_without_a_warning(cloud: PracticeCloud, client: Client, home: Path) -> None:
    ended = client.run(["python", "-c", _LOADING], cloud.environment(home)).check()
    lines = ended.stdout.splitlines()
    assert "keyring.backend DEBUG Loading ringbearer" in lines
    assert [line for line in lines if line.startswith("entry")] == ["entry ringbearer ringbearer.backends"]
    # Nothing above DEBUG, and nothing of ringbearer.
    assert [line for line in lines if " DEBUG " not in line and not line.startswith("entry")] == []
    assert [line for line in lines if line.startswith("ringbearer")] == []
    assert ended.stderr == ""


_CHANGING = """
import os, sys
import keyring
for value in ("/nowhere", None, "/elsewhere", "", None):
    if value is None:
        os.environ.pop("SSH_AUTH_SOCK", None)
    else:
        os.environ["SSH_AUTH_SOCK"] = value
    found = keyring.get_credential(sys.argv[1], None)
    print(found.username, keyring.get_credential("foreign", "alice"), keyring.get_keyring())
"""


def test_changing_agent_variable_does_not_break_the_chain(cloud: PracticeCloud, client: Client, home: Path) -> None:
    environment = cloud.environment(home, SSH_AUTH_SOCK="/nowhere", **{TOKEN: "token"})
    ended = client.run(["python", "-c", _CHANGING, cloud.azure.feed.url()], environment).check()
    assert ended.stdout.splitlines() == [f"VssSessionToken None {CHAINER}"] * 5
    assert ended.stderr == ""


def test_failing_registry_does_not_affect_the_others(
    cloud: PracticeCloud, client: Client, home: Path, registries_apart: dict[str, Registry]
) -> None:
    registries = registries_apart
    program = """
import sys, keyring
print([found and found.username for found in (keyring.get_credential(url, None) for url in sys.argv[1:])])
"""
    urls = [registry.index_url for registry in registries.values()]
    logins = {name: registry.login_by_variables() for name, registry in registries.items()}
    for name, broken in registries.items():
        broken.break_login()
        working = [login for other, (_, login) in logins.items() if other != name]
        variables = {variable: value for login in (*working, broken.variables) for variable, value in login.items()}
        environment = cloud.environment(home, path=[broken.fake_programs.directory], **variables)
        ended = client.run(["python", "-c", program, *urls], environment).check()
        expected = [None if name == other else user for other, (user, _) in logins.items()]
        assert ended.stdout.splitlines() == [str(expected)], name
        assert len(ended.stderr.splitlines()) == 1, ended

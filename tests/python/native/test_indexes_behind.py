"""An index without a credential is left to the next `keyring`, which may have a password."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_not_logged_in
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.azure_user import AzureUser
from support.native_keyring import NativeKeyring, assert_complaint, keyring_script

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs behind it are shell scripts")

ASKED = "RINGBEARER_INDEXES_ASKED"

for_every_registry = pytest.mark.parametrize("name", list(REGISTRIES))


@pytest.fixture
def registry(name: str, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Registry:
    """A registry without a login."""
    return REGISTRIES[name](cloud, fake_programs, home)


@pytest.fixture
def keyring(cloud: PracticeCloud, native: Client, home: Path, fake_programs: FakePrograms) -> NativeKeyring:
    """The native `keyring`, with a directory of fake programs behind it."""
    return NativeKeyring(cloud, native, home, [fake_programs.directory])


@pytest.fixture
def python(beside: Callable[..., Client]) -> Client:
    """The Python keyring with ringbearer and a backend that stores passwords."""
    return beside("alt")


def attempts(registry: Registry) -> tuple[int, int]:
    """The number of requests of ringbearer, and of programs that it ran."""
    programs = [call for call in registry.fake_programs.invocations() if call.name != "keyring"]
    return len(registry.cloud.log.sent_by_ringbearer()), len(programs)


@for_every_registry
def test_failed_index_warns_once_and_the_store_behind_answers(
    registry: Registry, keyring: NativeKeyring, python: Client
) -> None:
    registry.break_login()
    variables = registry.variables
    names = [registry.index_url, registry.user_name]
    without = keyring("get", *names, **variables)
    tried = attempts(registry)
    assert (without.code, without.stdout, len(without.stderr.splitlines())) == (1, "", 1), without
    assert (sum(tried) > 0) == bool(registry.program or registry.api_hosts)
    keyring.behind.append(python.bin)
    for stored in (False, True):
        ended = keyring("get", *names, **variables)
        assert (ended.code, ended.stdout) == ((0, "the-password\n") if stored else (1, "")), ended
        assert ended.stderr == without.stderr
        keyring("set", *names, stdin="the-password", **variables).check()
    # A failure is not repeated within a few seconds; how many of the three calls are that quick depends on the machine.
    assert all(once <= made <= 3 * once for once, made in zip(tried, attempts(registry)))


@for_every_registry
def test_unconfigured_index_is_answered_by_the_store_behind(
    registry: Registry, keyring: NativeKeyring, python: Client
) -> None:
    names = [registry.index_url, "frodo"]
    without = keyring("get", *names)
    tried = attempts(registry)
    assert (without.code, without.stdout) == (1, "")
    keyring.behind.append(python.bin)
    keyring("set", *names, stdin="the-password").check()
    assert attempts(registry) == tried
    ended = keyring("get", *names)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "the-password\n", without.stderr)
    assert attempts(registry) == (2 * tried[0], 2 * tried[1])


@for_every_registry
def test_an_index_with_a_credential_needs_no_other_keyring(
    registry: Registry, keyring: NativeKeyring, fake_programs: FakePrograms
) -> None:
    fake_programs.program("keyring", Answer("other\n"))
    registry.log_in()
    ended = keyring("--mode=creds", "get", registry.index_url, **registry.variables).check()
    assert ended.stdout == f"{registry.user_name}\n{registry.passwords()[0]}\n"
    assert fake_programs.invocations("keyring") == []
    registry.assert_ways(1)


def test_refused_sign_in_is_not_repeated_behind(
    cloud: PracticeCloud, keyring: NativeKeyring, azure_user: AzureUser, python: Client
) -> None:
    keyring.behind.append(python.bin)
    cloud.faults.add(faults.status(403), host="vssps.dev.azure.com")
    ended = keyring("get", cloud.azure.feed.url(), "frodo")
    assert (ended.code, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1), ended
    assert cloud.log.bearers() == [("vssps.dev.azure.com", azure_user.bearer)]


def test_keyring_behind_learns_only_that_an_index_was_asked(
    cloud: PracticeCloud, keyring: NativeKeyring, fake_programs: FakePrograms
) -> None:
    fake_programs.program("keyring", Answer("other\n"))
    url = cloud.azure.feed.url()
    lines = [
        (["get", url, "frodo"], True),
        (["get", "pkgs.dev.azure.com", "frodo"], True),
        (["--mode=creds", "get", url, "frodo"], True),
        (["get", "registry.example", "frodo"], False),
        (["get", url, "pypi_token:x"], False),
        (["set", url, "frodo"], False),
        (["del", url, "frodo"], False),
        (["get", url], False),
        (["-b", "some.Backend", "get", url, "frodo"], False),
        (["diagnose", url], False),
    ]
    for words, _ in lines:
        assert keyring(*words, stdin="the-password").check().stdout == "other\n"
    told = sorted((call.arguments, ASKED in call.environment) for call in fake_programs.invocations("keyring"))
    assert told == sorted(lines)


def test_strict_mode_asks_no_other_keyring_after_a_failure(
    cloud: PracticeCloud, keyring: NativeKeyring, fake_programs: FakePrograms
) -> None:
    fake_programs.az(az_not_logged_in())
    fake_programs.program("keyring", Answer("other\n"))
    url = cloud.azure.feed.url()
    assert_complaint(keyring("get", url, "frodo", RINGBEARER_STRICT="1"), "az login")
    assert fake_programs.invocations("keyring") == []
    assert keyring("get", url, "frodo").stdout == "other\n"


def test_slow_index_leaves_time_for_the_keyring_behind(
    cloud: PracticeCloud, keyring: NativeKeyring, tmp_path: Path
) -> None:
    keyring.behind.append(keyring_script(tmp_path / "behind", "echo other"))
    cloud.faults.add(faults.silence(), host="pkgs.dev.azure.com")
    ended = keyring("get", cloud.azure.feed.url(), "frodo", RINGBEARER_TIMEOUT="1")
    assert ended.stdout == "other\n" and len(ended.stderr.splitlines()) == 1, ended
    assert ended.duration < 3

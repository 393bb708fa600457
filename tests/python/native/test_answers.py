"""Output and exit code of the native `keyring` for the calls of each client."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import faults
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.registries import REGISTRIES
from lab.registries.azure import Azure
from lab.registry import Registry
from support.keyring_calls import CALLS, SECOND_CALLS, answer, words

#: Each call that some client makes.
EVERY_CALL = [*CALLS.values(), *(call for calls in SECOND_CALLS.values() for call in calls)]

Keyring = Callable[..., Completed]


class Foreign(Azure):
    """A user who is logged in to Azure, and an index of an unknown registry."""

    host = "registry.example"

    @property
    def index_url(self) -> str:
        return "https://registry.example/_packaging/tools/pypi/simple/"


@pytest.fixture
def logged_out(name: str, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Registry:
    """A registry with a login that fails."""
    made = REGISTRIES[name](cloud, fake_programs, home)
    made.break_login()
    return made


for_each_login_that_fails = pytest.mark.parametrize("name", list(REGISTRIES))


@pytest.fixture
def keyring(native: Client) -> Keyring:
    """Runs the native `keyring` of a registry's user."""

    def keyring(registry: Registry, call: list[str], **variables: str) -> Completed:
        return native.run(["keyring", *words(call, registry)], registry.environment(native.bin, **variables), 10)

    return keyring


@pytest.mark.parametrize("client", list(CALLS))
def test_each_client_gets_the_answer_and_nothing_else(registry: Registry, keyring: Keyring, client: str) -> None:
    ended = keyring(registry, CALLS[client]).check()
    assert ended.stdout == answer(CALLS[client], registry.user_name, registry.passwords()[-1])
    assert ended.stderr == ""
    registry.assert_ways(1)
    for secret in [*registry.passwords(), *registry.logins()]:
        assert set(registry.cloud.log.hosts_that_saw(secret)) <= set(registry.api_hosts[-1:])


@pytest.mark.parametrize("variable", ["RINGBEARER_DEBUG", "ARTIFACTS_KEYRING_NOFUSS_DEBUG"])
@pytest.mark.parametrize("client", ["pip", "uv", "PDM"])
def test_debug_log_goes_to_stderr_and_the_answer_is_unchanged(
    registry: Registry, keyring: Keyring, client: str, variable: str
) -> None:
    ended = keyring(registry, CALLS[client], **{variable: "1"}).check()
    assert ended.stdout == answer(CALLS[client], registry.user_name, registry.passwords()[-1])
    lines = ended.stderr.splitlines()
    assert len(lines) > 1 and all(re.match(r"ringbearer(\.\w+)* [A-Z]+ \+\d+ ms: .", line) for line in lines), ended
    for secret in [*registry.passwords(), *registry.logins()]:
        # Also no part of one: each of the three segments of a JWT is searched for.
        assert not [part for part in secret.split(".") if part in ended.stderr], ended


def test_every_address_of_an_index_gets_the_answer_of_the_index(registry: Registry, keyring: Keyring) -> None:
    # Older versions of uv, and of pixi, ask for the page of a package first.
    url = registry.index_url
    for address in (
        url.rstrip("/"),
        url + "greetings/",
        url + "greetings/greetings-2.0-py3-none-any.whl",
        url + "?a=b",
    ):
        ended = keyring(registry, ["get", address, "USER"]).check()
        assert ended.stdout == registry.passwords()[-1] + "\n"


def test_host_alone_is_answered_where_it_names_the_registry(registry: Registry, keyring: Keyring) -> None:
    ended = keyring(registry, ["get", "HOST", "USER"])
    if not registry.answers_host_alone:
        assert (ended.code, ended.stdout) == (1, "")
        assert re.fullmatch(r"ringbearer: [^\n]+--index-url [^\n]+\n", ended.stderr), ended
        registry.assert_ways(0)
    else:
        assert ended.check().stdout == registry.passwords()[-1] + "\n"


@pytest.mark.parametrize("user", ["", "frodo@contoso.example", "__token__", "bearer", "é"])
def test_any_user_name_gets_the_answer_if_it_works(registry: Registry, keyring: Keyring, user: str) -> None:
    ended = keyring(registry, ["get", "URL", user])
    if user and not registry.takes_any_user_name:
        assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
        assert f"the user name must be {registry.user_name}" in ended.stderr
        registry.assert_ways(0)
    else:
        assert ended.check().stdout == registry.passwords()[-1] + "\n"


@for_each_login_that_fails
def test_failed_sign_in_is_exit_code_1_and_one_line_on_stderr(logged_out: Registry, keyring: Keyring) -> None:
    for call in CALLS.values():
        ended = keyring(logged_out, call)
        assert (ended.code, ended.stdout) == (1, ""), ended
        host = logged_out.blamed_host or logged_out.host
        assert re.fullmatch(r"ringbearer: [^\n]+\n", ended.stderr) and host in ended.stderr, ended
        assert not [login for login in logged_out.logins() if login in ended.stderr]


@for_each_login_that_fails
@pytest.mark.parametrize("variables", [{"RINGBEARER_DEBUG": "1"}, {"RINGBEARER_STRICT": "1"}], ids=["debug", "strict"])
def test_a_sign_in_that_fails_prints_no_answer_in_any_mode(
    logged_out: Registry, keyring: Keyring, variables: dict[str, str]
) -> None:
    for call in CALLS.values():
        ended = keyring(logged_out, call, **variables)
        assert (ended.code, ended.stdout) == (1, ""), ended
        told = [line for line in ended.stderr.splitlines() if line.startswith("ringbearer: ")]
        assert len(told) == 1, ended
        assert "debug" in str(variables).lower() or told == ended.stderr.splitlines(), ended


@pytest.mark.parametrize("debug", ["0", "1"])
def test_foreign_url_is_a_miss_for_every_call(
    cloud: PracticeCloud, fake_programs: FakePrograms, home: Path, native: Client, debug: str
) -> None:
    registry = Foreign(cloud, fake_programs, home)
    registry.log_in()
    environment = registry.environment(native.bin, RINGBEARER_DEBUG=debug)
    for call in EVERY_CALL:
        ended = native.run(["keyring", *words(call, registry)], environment, 10)
        assert (ended.code, ended.stdout) == (1, ""), ended
        assert debug == "1" or ended.stderr == "", ended
    assert cloud.log.requests() == cloud.log.connections() == cloud.log.refused() == []
    assert fake_programs.invocations() == []


def test_hanging_program_is_killed_at_the_deadline(
    cloud: PracticeCloud, fake_programs: FakePrograms, home: Path, keyring: Keyring
) -> None:
    fake_programs.az(Answer(hang="child"))
    ended = keyring(Azure(cloud, fake_programs, home), CALLS["pip"], RINGBEARER_TIMEOUT="1")
    assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
    assert 0.9 < ended.duration < 3
    assert fake_programs.running() == []


def test_silent_service_is_abandoned_at_the_deadline(
    cloud: PracticeCloud, fake_programs: FakePrograms, home: Path, keyring: Keyring
) -> None:
    cloud.faults.add(faults.silence(), host="vssps.dev.azure.com")
    registry = Azure(cloud, fake_programs, home)
    registry.log_in()
    ended = keyring(registry, CALLS["uv"], RINGBEARER_TIMEOUT="1")
    assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
    assert "vssps.dev.azure.com" in ended.stderr and 0.9 < ended.duration < 3

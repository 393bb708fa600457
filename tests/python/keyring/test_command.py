"""The keyring command: only the answer on standard output, everything else on standard error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_not_logged_in
from lab.registries.azure.organisations import READ
from support.azure_user import AzureUser
from support.backend_list import CHAINER, OURS, error_of, where_keyring_has_no_store

USER = "VssSessionToken"
AS_JSON = ["--mode=creds", "--output=json"]


def plain(token: str) -> str:
    return token + "\n"


def two_lines(token: str) -> str:
    return f"{USER}\n{token}\n"


def as_json(token: str) -> str:
    return json.dumps({"username": USER, "password": token}) + "\n"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (["get"], [USER], plain),
        (["get"], ["--mode", "creds"], two_lines),
        ([*AS_JSON, "get"], [], as_json),
        ([*AS_JSON, "get"], [USER], as_json),
        (["get"], ["frodo@contoso.example"], plain),
        (["--mode", "creds", "get"], [""], two_lines),
    ],
    ids=["uv and pip 26.1", "uv without a user name", "pip", "pip with a user name", "another user", "PDM"],
)
def test_keyring_get_answers_each_tool_in_its_own_grammar(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, before: list[str], after: list[str], expected
) -> None:
    ended = client.run(["keyring", *before, cloud.azure.feed.url(), *after], azure_user.environment()).check()
    assert ended.stdout == expected(*cloud.azure.session_tokens.issued)
    assert ended.stderr == ""
    azure_user.assert_look_ups(READ)


@pytest.mark.parametrize("variable", ["RINGBEARER_DEBUG", "ARTIFACTS_KEYRING_NOFUSS_DEBUG"])
def test_the_steps_go_to_stderr_and_no_token_is_among_them(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, variable: str
) -> None:
    command = ["keyring", *AS_JSON, "get", cloud.azure.feed.url()]
    ended = client.run(command, azure_user.environment(**{variable: "1"})).check()
    [token] = cloud.azure.session_tokens.issued
    assert ended.stdout == as_json(token)
    for step in ("GET https://pkgs.dev.azure.com/contoso/", "az ended", "POST https://vssps.dev.azure.com/contoso/"):
        assert step in ended.stderr
    for secret in (token, azure_user.bearer):
        # Also no part of one: each of the three segments of a JWT is searched for.
        assert not [part for part in secret.split(".") if part in ended.stderr]


@pytest.mark.parametrize("debug", ["0", "1"])
def test_a_miss_is_an_empty_stdout_and_exit_code_1(
    cloud: PracticeCloud, client: Client, home: Path, fake_programs: FakePrograms, debug: str
) -> None:
    fake_programs.az(az_not_logged_in())
    environment = cloud.environment(home, path=[fake_programs.directory], RINGBEARER_DEBUG=debug)
    for arguments in (["get", cloud.azure.feed.url(), USER], [*AS_JSON, "get", cloud.azure.feed.url()]):
        ended = client.run(["keyring", *arguments], environment)
        assert (ended.code, ended.stdout) == (1, ""), ended
        assert f"az login --tenant {cloud.azure.tenant} --allow-no-subscriptions" in ended.stderr
        if debug == "0":
            assert len(ended.stderr.splitlines()) == 1, ended


@pytest.mark.parametrize(
    "service",
    ["https://registry.example/simple/", "a b", "https://pkgs.dev.azure.com.evil.example/contoso/"],
)
def test_foreign_service_is_a_silent_miss_without_a_request(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, service: str
) -> None:
    ended = client.run(["keyring", *AS_JSON, "get", service, USER], azure_user.environment())
    assert (ended.code, ended.output) == (1, "")
    assert cloud.log.requests() == [] and cloud.log.refused() == []
    azure_user.assert_look_ups()


def test_every_backend_is_listed_below_keyrings_own_chainer(client: Client, cloud: PracticeCloud, home: Path) -> None:
    ended = client.run(["keyring", "--list-backends"], cloud.environment(home)).check()
    lines = ended.stdout.splitlines()
    assert sorted(line for line in lines if line.startswith("ringbearer.")) == OURS
    assert CHAINER in lines
    assert ended.stderr == ""
    assert cloud.log.requests() == []


@where_keyring_has_no_store
@pytest.mark.parametrize("command", ["set", "del"])
def test_command_fails_if_a_password_cannot_be_set_or_deleted(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, command: str
) -> None:
    ended = client.run(
        ["keyring", command, cloud.azure.feed.url(), USER], azure_user.environment(), stdin="the-password\n"
    )
    assert ended.code != 0
    error = error_of(ended.stderr)
    assert error.startswith("ringbearer.errors.NoStoreError: ") and "nothing was stored or deleted" in error
    assert "the-password" not in ended.output
    azure_user.assert_look_ups()

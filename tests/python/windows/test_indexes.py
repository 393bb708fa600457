"""Credentials for indexes: each registry, each form of the answer, and services of nobody."""

from __future__ import annotations

import json
import re

import pytest
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, az_not_logged_in
from lab.registries import REGISTRIES
from lab.registries.azure.organisations import READ
from lab.registry import Registry
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.user import WindowsUser
from support.keyring_calls import CALLS, answer, words
from support.windows_answers import assert_complaint, assert_silent_miss


@pytest.mark.parametrize("client", ["pip", "uv", "PDM"])
def test_each_client_gets_the_answer_and_nothing_else(
    cloud_user: WindowsUser, signed_in: Registry, client: str
) -> None:
    ended = cloud_user.run("keyring", *words(CALLS[client], signed_in)).check()
    # A client reads lines that end as on Unix; Python's own keyring prints CR LF, which all of them accept too.
    assert ended.stdout == answer(CALLS[client], signed_in.user_name, signed_in.passwords()[-1])
    assert ended.stderr == ""
    signed_in.assert_ways(1)
    for secret in [*signed_in.passwords(), *signed_in.logins()]:
        assert set(signed_in.cloud.log.hosts_that_saw(secret)) <= set(signed_in.api_hosts[-1:])


def test_debug_log_has_every_step_and_no_secret(cloud_user: WindowsUser, signed_in: Registry) -> None:
    ended = cloud_user.run("keyring", *words(CALLS["uv"], signed_in), variables={"RINGBEARER_DEBUG": "1"}).check()
    lines = ended.stderr.splitlines()
    assert len(lines) > 1 and all(re.match(r"ringbearer(\.\w+)* [A-Z]+ \+\d+ ms: .", line) for line in lines), ended
    for secret in [*signed_in.passwords(), *signed_in.logins()]:
        # Also no part of one: each of the three segments of a JWT is searched for.
        assert not [part for part in secret.split(".") if part in ended.stderr], ended


@pytest.mark.parametrize("name", list(REGISTRIES))
def test_login_by_variables_is_answered(cloud_user: WindowsUser, registries: dict[str, Registry], name: str) -> None:
    registry = registries[name]
    user_name, variables = registry.login_by_variables()
    ended = cloud_user.run("ringbearer", "get", registry.index_url, "--mode", "creds", variables=variables).check()
    shown, password = ended.stdout.splitlines()
    assert shown == user_name and password and ended.stderr == ""


@pytest.mark.parametrize("name", list(REGISTRIES))
@pytest.mark.parametrize("strict", [False, True], ids=["usual", "strict"])
def test_login_that_fails_is_one_line_that_names_the_host(
    cloud_user: WindowsUser, registries: dict[str, Registry], name: str, strict: bool
) -> None:
    registry = registries[name]
    registry.break_login()
    variables = {**registry.variables, **({"RINGBEARER_STRICT": "1"} if strict else {})}
    ended = cloud_user.run("ringbearer", "get", registry.index_url, "--mode", "creds", variables=variables)
    assert ended.code == 1 and ended.stdout == "" and ended.stderr.count("\n") == 1, ended
    assert (registry.blamed_host or registry.host) in ended.stderr, ended


@pytest.mark.parametrize(
    "service",
    [
        "https://index.example/simple/",
        "https://pkgs.dev.azure.com.evil.example/_packaging/tools/pypi/simple/",
        "https://github.com",
        "C:\\a path\\of no service",
        "",
    ],
)
@pytest.mark.parametrize("program", ["keyring", "ringbearer"])
def test_service_of_nobody_is_a_silent_miss(
    cloud_user: WindowsUser, cloud: PracticeCloud, azure: Registry, program: str, service: str
) -> None:
    assert_silent_miss(cloud_user.run(program, "get", service, "frodo"))
    assert cloud.log.requests() == [] and azure.fake_programs.invocations() == []


def test_index_without_a_login_says_what_to_run(cloud_user: WindowsUser, cloud: PracticeCloud) -> None:
    ended = cloud_user.run("keyring", "get", cloud.azure.feed.url(), "VssSessionToken")
    assert ended.code == 1 and ended.stdout == "", ended
    assert "run `ringbearer login URL`" in ended.stderr, ended


# -- Azure: az.cmd and variables


def test_az_cmd_runs_once_with_the_tenant_of_the_feed(
    cloud_user: WindowsUser, cloud: PracticeCloud, azure: Registry
) -> None:
    cloud_user.run("keyring", "get", azure.index_url, "VssSessionToken").check()
    [call] = azure.fake_programs.invocations("az")
    assert call.arguments[:2] == ["account", "get-access-token"]
    assert call.option("--tenant") == str(cloud.azure.tenant)
    # Not in the directory of the user: az.cmd would run what lies there.
    assert cloud_user.wine.path(cloud_user.home) not in call.directory
    assert [request.json()["scope"] for request in cloud.log.requests("vssps.dev.azure.com")] == [READ]


def test_az_that_is_logged_out_is_reported(
    cloud_user: WindowsUser, fake_programs: WindowsPrograms, cloud: PracticeCloud
) -> None:
    fake_programs.az(az_not_logged_in())
    ended = cloud_user.run("ringbearer", "get", cloud.azure.feed.url(), "VssSessionToken")
    assert ended.code == 1 and "az login" in ended.stderr and ended.stderr.count("\n") == 1, ended


def test_az_in_the_working_directory_is_not_run(
    cloud_user: WindowsUser, fake_programs: WindowsPrograms, cloud: PracticeCloud
) -> None:
    here = cloud_user.home / "project"
    here.mkdir()
    fake_programs.program("az", Answer("a-token-of-nobody\n"), directory=str(here))
    cloud_user.run("keyring", "get", cloud.azure.feed.url(), "VssSessionToken", directory=here)
    assert fake_programs.invocations() == []


@pytest.mark.parametrize(
    "variable", ["ARTIFACTS_KEYRING_NOFUSS_TOKEN", "VSS_NUGET_ACCESSTOKEN", "AZURE_DEVOPS_EXT_PAT"]
)
def test_token_in_a_variable_is_used(cloud_user: WindowsUser, cloud: PracticeCloud, variable: str) -> None:
    token = cloud.azure.contoso.personal_access_token()
    words = ["get", cloud.azure.feed.url(), "VssSessionToken"]
    ended = cloud_user.run("keyring", *words, variables={variable: token}).check()
    assert ended.stdout == token + "\n" and ended.stderr == ""


@pytest.mark.parametrize(
    "variable", ["ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS", "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"]
)
def test_external_feed_endpoints_are_read(cloud_user: WindowsUser, cloud: PracticeCloud, variable: str) -> None:
    url = cloud.azure.feed.url()
    endpoint = {"endpoint": url, "username": "frodo", "password": "of-the-feed"}
    ended = cloud_user.run(
        "ringbearer",
        "get",
        url,
        "--mode=creds",
        variables={variable: json.dumps({"endpointCredentials": [endpoint]})},
    ).check()
    assert ended.stdout == "frodo\nof-the-feed\n" and ended.stderr == ""


def test_token_file_is_named_by_a_windows_path(cloud_user: WindowsUser, cloud: PracticeCloud) -> None:
    token = cloud.azure.contoso.personal_access_token()
    file = cloud_user.home / "a folder" / "token.txt"
    file.parent.mkdir()
    file.write_text(token + "\r\n", encoding="utf-8")
    file.chmod(0o600)
    variables = {"ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE": cloud_user.wine.path(file)}
    ended = cloud_user.run("keyring", "get", cloud.azure.feed.url(), "VssSessionToken", variables=variables).check()
    assert ended.stdout == token + "\n"


def test_missing_token_file_is_named_as_people_write_it(cloud_user: WindowsUser, cloud: PracticeCloud) -> None:
    path = "C:\\no such folder\\token.txt"
    variables = {"ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE": path}
    ended = cloud_user.run("keyring", "get", cloud.azure.feed.url(), "VssSessionToken", variables=variables)
    assert_complaint(ended, path)

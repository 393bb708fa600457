"""The token cache of az: a valid token is read from its file, otherwise az is run."""

from __future__ import annotations

import dataclasses
import json
import os
import time
from pathlib import Path

import pytest
from lab import broken_wire
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_error, az_token
from lab.faults import Fault
from lab.look_up import Answer, Lookups
from lab.messages import Request, Response
from lab.registries.azure.directory import AZURE_DEVOPS
from support.azure_cli_files import AzureCliFiles
from support.doctor import Doctor

AUTHORITY = "vssps.dev.azure.com"


@pytest.fixture
def state(cloud: PracticeCloud, home: Path) -> AzureCliFiles:
    return AzureCliFiles(cloud, home)


@pytest.fixture
def az(cloud: PracticeCloud, fake_programs: FakePrograms) -> FakePrograms:
    """A fake az that prints a token of Frodo other than the cached one."""
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    return fake_programs


def assert_taken(cloud: PracticeCloud, answer: Answer, bearer: str) -> None:
    """The lookup was served with this bearer, which went to the token authority alone and is nowhere to be seen."""
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[-1]), answer
    assert answer.served == "azure_cli" and answer.warnings == []
    assert cloud.log.bearers() == [(AUTHORITY, bearer)] and cloud.log.hosts_that_saw(bearer) == [AUTHORITY]
    assert bearer not in answer.text


def test_the_token_that_az_keeps_needs_no_az(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms, state: AzureCliFiles
) -> None:
    state.write()
    before = state.files()
    answer = look_up()
    assert_taken(cloud, answer, state.kept)
    assert az.invocations() == []
    assert state.files() == before
    assert "the-refresh-token" not in answer.text and cloud.log.hosts_that_saw("the-refresh-token") == []


def test_it_needs_no_az_on_path_either(cloud: PracticeCloud, look_up: Lookups, state: AzureCliFiles) -> None:
    state.write()
    assert_taken(cloud, look_up(), state.kept)


@pytest.mark.parametrize(
    "change",
    [
        "turned off", "readable by others", "writable by the group", "profile writable by others", "a link",
        "encrypted", "about to end", "another tenant", "another account", "another application", "another resource",
        "no JSON", "truncated", "empty", "huge",
    ],
)  # fmt: skip
def test_whatever_is_not_as_it_should_be_is_left_to_az(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms, state: AzureCliFiles, tmp_path: Path, change: str
) -> None:
    variables = {"RINGBEARER_AZURE_CLI_CACHE": "off"} if change == "turned off" else {}
    mode = {"readable by others": 0o644, "writable by the group": 0o620}.get(change, 0o600)
    if change == "about to end":
        state.token["expires_on"] = str(int(time.time()) + 290)
    elif change == "another tenant":
        state.token["realm"] = "11111111-1111-1111-1111-111111111111"
    elif change == "another account":
        state.token["home_account_id"] = "sam.home"
    elif change == "another application":
        state.token["client_id"] = "11111111-1111-1111-1111-111111111111"
    elif change == "another resource":
        state.token["target"] = "https://management.core.windows.net//.default"
    state.write(mode)
    tokens = state.folder / "msal_token_cache.json"
    if change == "profile writable by others":
        (state.folder / "azureProfile.json").chmod(0o666)
    elif change == "a link":
        os.replace(tokens, tmp_path / "elsewhere")
        tokens.symlink_to(tmp_path / "elsewhere")
    elif change == "encrypted":
        (state.folder / "msal_token_cache.bin").write_bytes(b"\x00sealed")
    elif change in ("no JSON", "truncated", "empty", "huge"):
        text = json.dumps(state.tokens)
        tokens.write_text(
            {"no JSON": "<html>", "truncated": text[:-9], "empty": "", "huge": text + " " * 2**23}[change]
        )
    answer = look_up(**variables)
    assert_taken(cloud, answer, cloud.log.bearers()[0][1])
    assert cloud.log.bearers()[0][1] != state.kept
    assert len(az.invocations()) == 1


def test_refused_cached_token_is_replaced_by_one_that_az_prints(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms, state: AzureCliFiles
) -> None:
    state.kept = state.token["secret"] = cloud.azure.directory.user_token(
        cloud.azure.user, aud="https://elsewhere.example"
    )
    state.write()
    answer = look_up()
    assert (answer.served, answer.warnings) == ("azure_cli", []), answer
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[0])
    (first, second) = cloud.log.bearers()
    assert first == (AUTHORITY, state.kept) and second[0] == AUTHORITY and second[1] != state.kept
    assert len(az.invocations()) == 1
    assert state.kept not in answer.text and second[1] not in answer.text


@pytest.mark.parametrize("printed", ["a newer token", "the same token", "an error"])
def test_policy_that_refuses_the_cached_token_is_explained(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms, state: AzureCliFiles, printed: str
) -> None:
    if printed == "the same token":
        az.az(*az_token(state.kept))
    elif printed == "an error":
        az.az(az_error("53003", cloud.azure.tenant.id))
    cloud.azure.contoso.exchange.refuse = "VS403463"
    state.write()
    answer = look_up(ARTIFACTS_KEYRING_NOFUSS_PROVIDER="azure_cli")
    assert answer.credential is None
    assert "azure_cli failed (a Conditional Access or IP policy refuses " in answer.warning
    assert "(VS403463)" in answer.warning and "allowed network and device" in answer.warning
    assert len(cloud.log.requests(AUTHORITY)) == (2 if printed == "a newer token" else 1)
    assert len(az.invocations()) == 1


def of_another_clock(hours: float) -> Fault:
    """The exchange of a service whose clock, and whose tokens, are this many hours ahead."""

    def respond(request: Request, answer) -> Response:
        bearer = broken_wire.token_of_other_clock(request.bearer or "", -hours)
        headers = [(name, value) for name, value in request.headers if name.lower() != "authorization"]
        genuine = dataclasses.replace(request, headers=[*headers, ("Authorization", f"Bearer {bearer}")])
        return broken_wire.clock_off(hours)(genuine, answer)

    return respond


def test_token_that_az_prints_serves_though_the_clock_is_ahead(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms
) -> None:
    user_token = cloud.azure.directory.user_token(cloud.azure.user)
    fake_programs.az(*az_token(broken_wire.token_of_other_clock(user_token, -3)))
    cloud.faults.add(broken_wire.clock_off(-3), host="pkgs.dev.azure.com", times=1)
    cloud.faults.add(of_another_clock(-3), host=AUTHORITY)
    found = doctor.examine(cloud.azure.feed.url())
    assert "expires in" in found.finding("credential").detail, found


def test_wrong_clock_is_named_when_the_exchange_refuses(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms
) -> None:
    cloud.azure.contoso.exchange.refuse = "unauthorized"
    cloud.faults.add(broken_wire.clock_off(3), host=AUTHORITY)
    answer = look_up(ARTIFACTS_KEYRING_NOFUSS_PROVIDER="azure_cli")
    assert answer.credential is None
    assert "this machine's clock is 3 h behind: correct it" in answer.warning


def test_cached_token_of_the_real_az_is_used_without_running_az(
    cloud: PracticeCloud, look_up: Lookups, azure_cli: Client, home: Path
) -> None:
    cloud.entra.device_user = cloud.azure.user
    environment = cloud.environment(home, path=[azure_cli.bin])
    azure_cli.run(["az", "login", "--use-device-code", "--output", "none"], environment).check()
    ask = ["az", "account", "get-access-token", "--resource", AZURE_DEVOPS, "--query", "accessToken", "--output", "tsv"]
    kept = azure_cli.run([*ask, "--tenant", str(cloud.azure.tenant)], environment).check().stdout.strip()
    cloud.log.clear()
    # No az on PATH: only its token file can serve.
    assert_taken(cloud, look_up(), kept)


def test_cached_service_principal_token_of_the_real_az_is_used(
    cloud: PracticeCloud, look_up: Lookups, azure_cli: Client, home: Path
) -> None:
    tenant = cloud.azure.tenant
    application = cloud.azure.directory.application("builder", tenant, secret="mellon")
    environment = cloud.environment(home, path=[azure_cli.bin])
    login = ["az", "login", "--service-principal", "--tenant", tenant, "--output", "none"]
    login += ["--username", application.client_id, "--password", "mellon"]
    azure_cli.run(login, environment).check()
    ask = ["az", "account", "get-access-token", "--resource", AZURE_DEVOPS, "--query", "accessToken", "--output", "tsv"]
    kept = azure_cli.run([*ask, "--tenant", str(tenant)], environment).check().stdout.strip()
    cloud.log.clear()
    answer = look_up()
    assert (answer.credential, answer.served) == (("bearer", kept), "azure_cli")
    assert cloud.log.bearers() == []

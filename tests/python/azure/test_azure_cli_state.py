"""The token cache of az: a valid token is read from its file, otherwise az is run."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.look_up import Answer, Lookups
from lab.registries.azure.directory import AZURE_DEVOPS

AUTHORITY = "vssps.dev.azure.com"
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


class State:
    """The files that az keeps for Frodo, as az writes them."""

    def __init__(self, cloud: PracticeCloud, home: Path) -> None:
        self.cloud = cloud
        self.folder = home / ".azure"
        self.kept = cloud.azure.directory.user_token(cloud.azure.user)
        self.profile = {"subscriptions": [{"isDefault": True, "user": {"name": cloud.azure.user.name, "type": "user"}}]}
        person = {"home_account_id": "frodo.home", "environment": "login.microsoftonline.com"}
        self.token = {
            **person,
            "credential_type": "AccessToken",
            "client_id": AZURE_CLI,
            "realm": str(cloud.azure.tenant),
            "target": f"{AZURE_DEVOPS}/user_impersonation {AZURE_DEVOPS}/.default",
            "token_type": "Bearer",
            "secret": self.kept,
            "expires_on": str(int(time.time()) + 3000),
        }
        self.tokens = {
            "AccessToken": {"of-frodo": self.token},
            "Account": {"frodo": {**person, "username": cloud.azure.user.name}},
            "RefreshToken": {"of-frodo": {**person, "secret": "the-refresh-token"}},
        }

    def write(self, mode: int = 0o600) -> None:
        """Write both files; the one with the tokens with these permissions."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "azureProfile.json").write_text(json.dumps(self.profile), encoding="utf-8-sig")
        tokens = self.folder / "msal_token_cache.json"
        tokens.write_text(json.dumps(self.tokens), encoding="utf-8")
        tokens.chmod(mode)

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Content and modification time of each file."""
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in self.folder.iterdir()}


@pytest.fixture
def state(cloud: PracticeCloud, home: Path) -> State:
    return State(cloud, home)


@pytest.fixture
def az(cloud: PracticeCloud, fake_programs: FakePrograms) -> FakePrograms:
    """A fake az that prints a token of Frodo other than the cached one."""
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    return fake_programs


def assert_taken(cloud: PracticeCloud, answer: Answer, bearer: str) -> None:
    """The look-up was served with this bearer, which went to the token authority alone and is nowhere to be seen."""
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[-1]), answer
    assert answer.served == "azure_cli" and answer.warnings == []
    assert cloud.log.bearers() == [(AUTHORITY, bearer)] and cloud.log.hosts_that_saw(bearer) == [AUTHORITY]
    assert bearer not in answer.text


def test_the_token_that_az_keeps_needs_no_az(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms, state: State
) -> None:
    state.write()
    before = state.files()
    answer = look_up()
    assert_taken(cloud, answer, state.kept)
    assert az.invocations() == []
    assert state.files() == before
    assert "the-refresh-token" not in answer.text and cloud.log.hosts_that_saw("the-refresh-token") == []


def test_it_needs_no_az_on_path_either(cloud: PracticeCloud, look_up: Lookups, state: State) -> None:
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
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms, state: State, tmp_path: Path, change: str
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


def test_rejected_cached_token_moves_on_to_the_next_provider(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms, state: State
) -> None:
    state.token["secret"] = cloud.azure.directory.user_token(cloud.azure.user, aud="https://elsewhere.example")
    state.write()
    answer = look_up()
    assert answer.credential is None
    assert "azure_cli failed (" in answer.warning and "rejected the token" in answer.warning


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

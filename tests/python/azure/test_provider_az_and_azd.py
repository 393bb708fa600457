"""Arguments and output of az, azd and ado-auth-helper."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.environment import home_variables
from lab.fake_programs import (
    Answer,
    az_error,
    az_locked,
    az_not_logged_in,
    az_refuses_tenant,
    az_token,
    azd_not_logged_in,
    azd_token,
    helper_token,
)
from lab.look_up import LookUp
from lab.registries.azure.directory import AZURE_DEVOPS
from support.provider_programs import PROVIDER, ProviderPrograms, token_answers

# -- azure_cli


def test_az_is_asked_for_the_tenant_of_the_feed(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str
) -> None:
    provider_programs.script("azure_cli", *az_token(bearer, tenant=cloud.azure.tenant.id))
    assert provider_programs.ask("azure_cli").served == "azure_cli"
    (call,) = provider_programs.fake_programs.invocations("az")
    assert call.arguments[:2] == ["account", "get-access-token"]
    assert call.option("--resource") == AZURE_DEVOPS
    assert call.option("--tenant") == cloud.azure.tenant.id
    assert call.option("--subscription") is None
    assert call.environment["AZURE_CORE_NO_COLOR"] == "true"


@pytest.mark.parametrize("kind", ["managed identity", "Cloud Shell"])
def test_a_login_that_refuses_the_tenant_is_asked_without_it(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, kind: str
) -> None:
    identity = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    token = cloud.azure.directory.application_token(identity)
    provider_programs.script("azure_cli", *az_refuses_tenant(token, kind))
    assert provider_programs.ask("azure_cli").credential == ("bearer", token)
    tenants = [call.option("--tenant") for call in provider_programs.fake_programs.invocations("az")]
    assert tenants == [cloud.azure.tenant.id, None]


@pytest.mark.parametrize(
    ("code", "told", "login"),
    [
        ("50076", "multi-factor", f" --scope {AZURE_DEVOPS}/.default`"),
        ("53003", "Conditional Access", None),
        ("50097", "device", "`"),
        ("70043", "login has ended", "`"),
    ],
)
def test_a_login_that_entra_refuses_is_explained(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, code: str, told: str, login: str | None
) -> None:
    provider_programs.script("azure_cli", az_error(code, cloud.azure.tenant.id))
    answer = provider_programs.ask("azure_cli")
    assert answer.credential is None
    assert "azure_cli failed" in answer.warning
    assert told in answer.warning and f"(AADSTS{code})" in answer.warning
    command = f"`az login --tenant {cloud.azure.tenant} --allow-no-subscriptions"
    assert (command + login in answer.warning) if login else ("az login" not in answer.warning)
    assert "Trace ID" not in answer.warning


def test_az_that_meets_a_lock_runs_once_more(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str
) -> None:
    provider_programs.script("azure_cli", az_locked(calls=1), *az_token(bearer))
    answer = provider_programs.ask("azure_cli")
    assert (answer.served, answer.warnings) == ("azure_cli", [])
    assert len(provider_programs.fake_programs.invocations("az")) == 2
    provider_programs.script("azure_cli", az_locked())
    answer = provider_programs.ask("azure_cli")
    assert "az failed: [Errno 13] Permission denied: " in answer.warning and "az login" not in answer.warning
    assert len(provider_programs.fake_programs.invocations("az")) == 4


def test_the_error_line_of_az_is_quoted_without_tokens(provider_programs: ProviderPrograms, bearer: str) -> None:
    said = f"WARNING: noise\nERROR: The profile of {bearer} is broken. {'Read the manual. ' * 20}\nTraceback\n"
    provider_programs.script("azure_cli", Answer(stderr=said, code=1))
    answer = provider_programs.ask("azure_cli")
    assert "azure_cli failed (az failed: The profile of (hidden) is broken. Read" in answer.warning
    assert "…" in answer.warning and "az login" not in answer.warning
    assert bearer not in answer.text and bearer.split(".")[1][:20] not in answer.text


@pytest.mark.parametrize(
    "stderr",
    [
        az_not_logged_in().stderr,
        "ERROR: Please run 'az login' to setup account.\r\nWARNING: \xff",
        'ERROR: No subscription found. Run "az account set" to select a subscription.\n',
    ],
    ids=["az login", "with noise", "az account set"],
)
def test_az_without_login_reports_the_command_to_run(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, stderr: str
) -> None:
    provider_programs.script("azure_cli", Answer(stderr=stderr, code=1))
    answer = provider_programs.ask("azure_cli")
    assert answer.credential is None
    assert "azure_cli failed (az is not logged in)" in answer.warning
    assert f"`az login --tenant {cloud.azure.tenant} --allow-no-subscriptions`" in answer.warning


# -- ado_auth_helper


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGCHLD")
def test_az_token_is_read_though_the_caller_ignores_sigchld(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str
) -> None:
    provider_programs.script("azure_cli", *token_answers("azure_cli", bearer))
    ignoring = ["/bin/sh", "-c", 'trap "" CHLD; exec "$@"', "sh"]
    (answer,) = provider_programs.look_up.all([LookUp(cloud.azure.feed.url())], before=ignoring)
    assert answer.served == "azure_cli"


def test_a_helper_that_is_not_signed_in_is_reported(provider_programs: ProviderPrograms) -> None:
    provider_programs.script("ado_auth_helper", Answer(stderr="planted", code=1))
    answer = provider_programs.ask("ado_auth_helper")
    assert "ado_auth_helper failed" in answer.warning and "sign in" in answer.warning
    (call,) = provider_programs.fake_programs.invocations("ado-auth-helper")
    assert call.arguments == ["get-access-token"]


def test_ado_auth_helper_runs_from_the_home_directory_only(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str, tmp_path: Path
) -> None:
    provider_programs.fake_programs.program("ado-auth-helper", helper_token(bearer))
    provider_programs.fake_programs.program("ado-auth-helper", helper_token(bearer), directory=str(tmp_path))
    answers = provider_programs.look_up.all(
        [
            LookUp(cloud.azure.feed.url(), environment=home_variables(home))
            for home in (str(provider_programs.home), ".", "")
        ],
        directory=tmp_path,
        **{PROVIDER: "ado_auth_helper"},
    )
    assert [answer.credential for answer in answers] == [None] * 3
    assert provider_programs.fake_programs.invocations() == []


# -- azd


def test_azd_is_asked_without_prompts_for_the_tenant_of_the_feed(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str
) -> None:
    provider_programs.script("azd", azd_token(bearer))
    assert provider_programs.ask("azd").served == "azd"
    (call,) = provider_programs.fake_programs.invocations("azd")
    assert call.arguments[:2] == ["auth", "token"]
    assert "--no-prompt" in call.arguments
    assert call.option("--output") == "json"
    assert call.option("--scope") == AZURE_DEVOPS + "/.default"
    assert call.option("--tenant-id") == cloud.azure.tenant.id


def test_azd_without_login_reports_the_command_to_run(
    cloud: PracticeCloud, provider_programs: ProviderPrograms
) -> None:
    provider_programs.script("azd", azd_not_logged_in())
    answer = provider_programs.ask("azd")
    assert answer.credential is None
    assert "azd failed" in answer.warning
    assert f"`azd auth login --tenant-id {cloud.azure.tenant}`" in answer.warning


def test_azd_token_is_read_with_or_without_an_expiry(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str
) -> None:
    for whole, serves in (
        ({"token": bearer, "expiresOn": "2099-01-01T00:00:00Z", "more": {}}, True),
        ({"token": bearer}, True),
        ({"token": bearer, "expiresOn": "soon"}, True),
        ({"token": None, "expiresOn": "2099-01-01T00:00:00Z"}, False),
        ({"expiresOn": "2099-01-01T00:00:00Z"}, False),
        ([bearer], False),
    ):
        provider_programs.script("azd", Answer(json.dumps(whole)))
        assert (provider_programs.ask("azd").credential is not None) is serves, whole

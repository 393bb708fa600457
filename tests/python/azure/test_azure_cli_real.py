"""The provider azure_cli with the real Azure CLI, which logs in for real against the practice cloud."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import Lookups
from lab.registries.azure.directory import AZURE_DEVOPS

LOGIN, AUTHORITY = "login.microsoftonline.com", "vssps.dev.azure.com"


@pytest.fixture
def with_az(look_up: Lookups, azure_cli: Client) -> Lookups:
    """Lookups with the real `az` on PATH."""
    look_up.path = [azure_cli.bin]
    return look_up


def test_az_service_principal_gets_its_bearer_without_exchange(
    cloud: PracticeCloud, azure_cli: Client, with_az: Lookups, home: Path
) -> None:
    tenant = cloud.azure.tenant
    application = cloud.azure.directory.application("builder", tenant, secret="mellon")
    login = ["az", "login", "--service-principal", "--tenant", tenant, "--output", "none"]
    login += ["--username", application.client_id, "--password", "mellon"]
    azure_cli.run(login, cloud.environment(home, path=[azure_cli.bin])).check()
    cloud.log.clear()
    answer = with_az()
    assert answer.credential == ("bearer", cloud.entra.issued[-1][1])
    assert answer.served == "azure_cli"
    assert answer.warnings == []
    assert cloud.azure.contoso.check(cloud.entra.issued[-1][1]) is not None
    assert cloud.log.requests(AUTHORITY) == []
    assert cloud.log.bearers() == []
    assert cloud.log.hosts_that_saw("mellon") == [LOGIN]
    assert cloud.log.refused() == []


def test_az_device_code_login_gets_a_session_token(
    cloud: PracticeCloud, azure_cli: Client, with_az: Lookups, home: Path
) -> None:
    cloud.entra.device_user = cloud.azure.user
    environment = cloud.environment(home, path=[azure_cli.bin])
    azure_cli.run(["az", "login", "--use-device-code", "--output", "none"], environment).check()
    cloud.log.clear()
    answer = with_az()
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[0])
    assert answer.served == "azure_cli"
    assert answer.warnings == []
    bearer = cloud.entra.issued[-1][1]
    assert cloud.log.bearers() == [(AUTHORITY, bearer)]
    assert cloud.log.hosts_that_saw(bearer) == [AUTHORITY]
    (request,) = cloud.log.requests(LOGIN, path="*/token")
    assert AZURE_DEVOPS in request.form["scope"]
    assert request.segments[0] in (cloud.azure.tenant.id, "organizations")
    assert bearer not in answer.text

    # The login stays, but Entra wants more of the person for a token of Azure DevOps.
    cloud.azure.user.refuse = "50076"
    cloud.log.clear()
    for entry in home.glob(".azure/msal_token_cache*"):
        entry.write_text(entry.read_text().replace(AZURE_DEVOPS, "11111111-1111-1111-1111-111111111111"))
    refused = with_az()
    assert refused.credential is None
    assert "azure_cli failed" in refused.warning and "multi-factor" in refused.warning
    login = f"`az login --tenant {cloud.azure.tenant} --allow-no-subscriptions --scope {AZURE_DEVOPS}/.default`"
    assert login in refused.warning and len(refused.warning) <= 330

    # The advised command, by device code.
    cloud.azure.user.refuse = None
    azure_cli.run([*login.strip("`").split(), "--use-device-code", "--output", "none"], environment).check()
    assert with_az().credential == ("VssSessionToken", cloud.azure.session_tokens.issued[1])


def test_az_without_login_warns_with_the_command_to_run(cloud: PracticeCloud, with_az: Lookups) -> None:
    answer = with_az()
    assert answer.credential is None
    assert "azure_cli failed (az is not logged in)" in answer.warning
    assert f"run `az login --tenant {cloud.azure.tenant} --allow-no-subscriptions`" in answer.warning
    assert cloud.log.bearers() == []
    assert cloud.log.requests(LOGIN) == cloud.log.requests(AUTHORITY) == []

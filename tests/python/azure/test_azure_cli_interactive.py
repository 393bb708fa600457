"""The real Azure CLI, and its MSAL, sign a person in at the practice cloud, which proves that it answers like Entra."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from lab import tokens
from lab.browser_program import BrowserProgram
from lab.chromium import Chromium
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.registries.azure.directory import AZURE_ARTIFACTS, AZURE_CLI, User
from lab.sign_in_page import deliver, parameters, sign_in
from support.start_program import StartProgram

PROGRAM = Path(__file__).parents[2] / "lab" / "msal_program.py"


@pytest.fixture
def ada(cloud: PracticeCloud) -> User:
    return cloud.entra.add_user("ada@contoso.example", guest_of=[cloud.azure.directory.tenant("fabrikam.example")])


def result_of(process: subprocess.Popen[bytes]) -> str:
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr.decode()
    return stdout.decode()


def test_az_signs_in_with_a_device_code(
    cloud: PracticeCloud, azure_cli: Client, start_program: StartProgram, home: Path, ada: User
) -> None:
    environment = cloud.environment(home, path=[azure_cli.bin])
    process = start_program(azure_cli, ["az", "login", "--use-device-code", "--output", "json"], environment)
    cloud.entra.person.enters_next(ada, timeout=60)
    found = json.loads(result_of(process))
    assert {(one["user"]["name"], one["tenantId"]) for one in found} == {
        (ada.name, tenant.id) for tenant in ada.tenants
    }
    assert cloud.entra.device_codes.codes[0].client.client_id == AZURE_CLI


def test_az_signs_in_with_a_browser(
    cloud: PracticeCloud,
    azure_cli: Client,
    start_program: StartProgram,
    home: Path,
    tmp_path: Path,
    ada: User,
    chromium: Chromium,
) -> None:
    program = BrowserProgram(tmp_path)
    cloud.azure.tenant.requires_mfa = True
    environment = cloud.environment(home, path=[azure_cli.bin], BROWSER=program.path)
    login = ["az", "login", "--tenant", cloud.azure.tenant.id, "--output", "json"]
    process = start_program(azure_cli, login, environment)
    chromium.open(program.wait(timeout=60))
    chromium.fill("#username", ada.name)
    chromium.fill("#password", ada.password)
    chromium.click("#sign-in")
    chromium.fill("#code", ada.one_time_code)
    chromium.click("#verify")
    assert [one["user"]["name"] for one in json.loads(result_of(process))] == [ada.name]
    (opened,) = cloud.entra.authorizations.opened
    assert opened.parameters["response_mode"] == "form_post"


def msal(
    cloud: PracticeCloud, azure_cli: Client, start: StartProgram, home: Path, mode: str, tenant: str, **variables: str
) -> subprocess.Popen[bytes]:
    environment = cloud.environment(home, **variables)
    authority = f"https://login.microsoftonline.com/{tenant}"
    return start(azure_cli, ["python", PROGRAM, AZURE_ARTIFACTS, authority, mode], environment)


def test_msal_uses_one_login_in_two_tenants(
    cloud: PracticeCloud, azure_cli: Client, start_program: StartProgram, home: Path, ada: User
) -> None:
    process = msal(cloud, azure_cli, start_program, home, "device", cloud.azure.tenant.id)
    cloud.entra.person.enters_next(ada, timeout=60)
    found = json.loads(result_of(process))
    assert found["accounts"] == [ada.name]
    assert found["silent"][0]["access_token"] == found["result"]["access_token"]
    login = found["result"]["refresh_token"]
    for tenant in ada.tenants:
        found = json.loads(result_of(msal(cloud, azure_cli, start_program, home, login, tenant.id)))
        assert tokens.read(found["result"]["access_token"])["tid"] == tenant.id
    cloud.entra.change_password(ada)
    found = json.loads(result_of(msal(cloud, azure_cli, start_program, home, login, ada.home.id)))
    assert (found["result"]["error"], found["result"]["suberror"]) == ("invalid_grant", "bad_token")
    # It names the operating system in another header only.
    wrong = {mistake.partition(": ")[2] for mistake in cloud.entra.mistakes}
    assert wrong == {"User-Agent names no operating system"}, cloud.entra.mistakes


def test_msal_redeems_the_code_of_the_sign_in_page(
    cloud: PracticeCloud, azure_cli: Client, start_program: StartProgram, home: Path, tmp_path: Path, ada: User
) -> None:
    program = BrowserProgram(tmp_path)
    tenant = cloud.azure.tenant.id
    process = msal(cloud, azure_cli, start_program, home, "browser", tenant, BROWSER=program.path)
    url = program.wait(timeout=60)
    post = sign_in(cloud, url, ada)
    assert deliver(post).status == 200
    found = json.loads(result_of(process))
    assert found["accounts"] == [ada.name]
    assert parameters(url)["prompt"] == "select_account"

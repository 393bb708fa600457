"""Variables of artifacts-credprovider, and ringbearer's own, that a sign-in and its login obey."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.browser_program import BrowserProgram
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.directory import AZURE_ARTIFACTS, VISUAL_STUDIO
from support.command_line import assert_complaint
from support.login_user import ADA, AGAIN, LoginUser

#: The newer and the older prefix.
PREFIXES = ["ARTIFACTS_CREDENTIALPROVIDER_", "NUGET_CREDENTIALPROVIDER_"]
CLIENT_ID = "RINGBEARER_AZURE_LOGIN_CLIENT_ID"


@pytest.fixture
def user(native: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> LoginUser:
    """The native program, before the sign-in."""
    kernel_keys.need_sharing()
    return LoginUser(native, cloud, home, fake_programs)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_authority_names_the_tenant_of_sign_in_and_refresh(cloud: PracticeCloud, user: LoginUser, prefix: str) -> None:
    authority = {prefix + "MSAL_AUTHORITY": f"https://login.windows.net/{cloud.azure.tenant.domain}/"}
    user.login(**authority)
    assert user.look_up(**authority).check().stderr == ""
    assert {one.segments[0] for one in cloud.log.requests("login.microsoftonline.com")} == {cloud.azure.tenant.domain}


@pytest.mark.parametrize("value", ["https://login.microsoftonline.com.evil.example/contoso.example", "contoso"])
def test_authority_that_is_no_login_host_gets_nothing(cloud: PracticeCloud, user: LoginUser, value: str) -> None:
    variable = PREFIXES[0] + "MSAL_AUTHORITY"
    ended = user("login", user.url, "--device-code", **{variable: value})
    assert_complaint(ended, f"{variable} is not a tenant at a login host of Microsoft")
    user.login()
    assert variable in user.warning(**{variable: value})
    assert cloud.log.requests("*evil*") == [] and user.refreshes() == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_hint_is_proposed_on_the_sign_in_page(cloud: PracticeCloud, user: LoginUser, prefix: str) -> None:
    user.login(**{prefix + "MSAL_LOGIN_HINT": ADA})
    assert cloud.entra.authorizations.opened[-1].parameters["login_hint"] == ADA
    assert cloud.entra.mistakes == []


def test_account_of_the_command_beats_the_hint(cloud: PracticeCloud, user: LoginUser) -> None:
    user.login(None, "--account", ADA, **{PREFIXES[0] + "MSAL_LOGIN_HINT": "alice@fabrikam.example"})
    assert cloud.entra.authorizations.opened[-1].parameters["login_hint"] == ADA


@pytest.mark.parametrize("method", ["--browser", "--device-code"])
def test_time_limit_of_the_device_flow_ends_every_sign_in(user: LoginUser, method: str) -> None:
    began = time.monotonic()
    ended = user("login", user.url, method, NUGET_CREDENTIALPROVIDER_VSTS_DEVICEFLOWTIMEOUTSECONDS="1")
    assert ended.code == 1 and time.monotonic() - began < 5, ended
    assert ended.stderr.endswith("nobody signed in within 1 s; run `ringbearer login URL` again\n"), ended
    assert user.listed() == []


def test_dialog_choice_selects_browser_or_device_code(user: LoginUser, tmp_path: Path) -> None:
    browser = BrowserProgram(tmp_path)
    new, old = (prefix + "FORCE_CANSHOWDIALOG_TO" for prefix in PREFIXES)
    for variables, event in [
        ({new: "TRUE", "CI": "true"}, "browser"),
        ({old: "false", "BROWSER": browser.path}, "code"),
        ({new: "false", old: "true"}, "code"),
    ]:
        limit = {PREFIXES[0] + "DEVICEFLOWTIMEOUTSECONDS": "1"}
        ended = user("login", user.url, "--json", **limit, **variables)
        assert json.loads(ended.stdout)["event"] == event, ended
    assert browser.opened == []


def test_own_application_signs_in_and_refreshes(cloud: PracticeCloud, user: LoginUser) -> None:
    own = {CLIENT_ID: VISUAL_STUDIO.upper()}
    user.login(**own)
    assert user.refreshed_as(**own) == ADA
    sent = [
        one.form["client_id"] for one in cloud.log.requests("login.microsoftonline.com", method="POST", path="*/token")
    ]
    assert sent == [VISUAL_STUDIO] * 2 and cloud.entra.mistakes == []


def test_login_of_another_application_is_not_used(cloud: PracticeCloud, user: LoginUser) -> None:
    user.login()
    assert AGAIN in user.warning(**{CLIENT_ID: VISUAL_STUDIO})
    user.assert_no_refresh()
    # Both are kept, each for its application.
    user.login(**{CLIENT_ID: VISUAL_STUDIO})
    for client_id in (AZURE_ARTIFACTS, VISUAL_STUDIO):
        assert user.refreshed_as(**{CLIENT_ID: client_id}) == ADA
    assert len(user.listed()) == 2


def test_application_that_is_no_guid_is_refused(cloud: PracticeCloud, user: LoginUser) -> None:
    ended = user("login", user.url, **{CLIENT_ID: "contoso"})
    assert_complaint(ended, f"{CLIENT_ID} is not the GUID of an application", f"correct or unset {CLIENT_ID}")
    assert cloud.log.requests() == []
    user.login()
    assert CLIENT_ID in user.warning(**{CLIENT_ID: "contoso"})


def test_mode_without_prompts_does_not_stop_the_command(user: LoginUser) -> None:
    quiet = {"ARTIFACTS_KEYRING_NONINTERACTIVE_MODE": "true"}
    user.login(**quiet)
    assert user.refreshed_as(**quiet) == ADA

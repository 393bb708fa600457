"""What Entra says against a login: what becomes of the login, what the warning advises, and who answers instead."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.entra.errors import ERRORS
from support.login_user import ADA, AGAIN, LoginUser

#: What the warning advises after errors with which a login serves nowhere any more.
ENDED = {**dict.fromkeys(["50173", "700082", "700081", "700084", "70000"], AGAIN), "50057": "ask the administrator"}

#: What the warning says of those that leave the login alone, and what it advises.
KEPT = {
    "second factor": (
        ["50076", "50079", "50078", "50158", "50074"],
        "multi-factor authentication is required",
        [AGAIN],
    ),
    "frequency": (["70043", "70008", "50089"], "the login has ended", [AGAIN]),
    "device": (
        ["50097", "50129", "50155", "53000", "53001", "530002", "530003"],
        "a registered or managed device is required",
        ["`ringbearer login URL --browser`", "az with its broker"],
    ),
    "Conditional Access": (
        ["53003", "53004"],
        "a Conditional Access policy forbids this sign-in",
        ["`ringbearer login URL --browser`", "the administrator of the tenant"],
    ),
    "consent": (
        ["65001", "65002", "65004", "90094", "90095"],
        "the application lacks consent",
        [AGAIN + " and accept", "ask the administrator of the tenant"],
    ),
    "application": (
        ["700016"],
        "the application to sign in to is unknown or disabled in this tenant",
        ["RINGBEARER_AZURE_LOGIN_CLIENT_ID", "the tenant of the feed"],
    ),
    "resource": (
        ["500011", "500014"],
        "Azure DevOps is unknown or disabled in this tenant",
        ["the tenant of the feed"],
    ),
    "account": (["50020", "90072", "50034"], "the account is not in this tenant", [AGAIN + " with another account"]),
    "assignment": (["50105"], "the account is not assigned to the application", ["ask the administrator"]),
    "public client": (["7000218"], "the application is not a public client", ["allow public client flows"]),
    "redirect": (["50011", "500113"], "the application has no redirect URI http://localhost", ["registration"]),
    "tenant": (["90002", "50059"], "there is no such tenant", ["`ringbearer login URL --tenant TENANT`"]),
}


@pytest.fixture
def user(native: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> LoginUser:
    """Ada, who has signed in, and another user of `az`."""
    kernel_keys.need_sharing()
    made = LoginUser(native, cloud, home, fake_programs)
    made.log_in_with_az()
    made.login()
    return made


@pytest.mark.parametrize("kind", list(KEPT))
def test_refusal_of_a_tenant_leaves_the_login_alone(cloud: PracticeCloud, user: LoginUser, kind: str) -> None:
    codes, meaning, advice = KEPT[kind]
    for code in codes:
        rule = cloud.entra.refuse(code, user=user.ada, grant="refresh_token")
        start = "pkgs.dev.azure.com/contoso: login failed (the login of " + ADA
        user.assert_az_serves(start, meaning, f"AADSTS{code}", "azure_cli served instead", *advice)
        cloud.entra.logins.refusals.remove(rule)
    assert len(user.fake_programs.invocations("az")) == len(codes)
    assert [login["kept_in"] is None for login in user.listed()] == [False]
    assert user.refreshed_as() == ADA


@pytest.mark.parametrize("code", list(ENDED))
def test_login_that_has_ended_is_forgotten_until_the_next(cloud: PracticeCloud, user: LoginUser, code: str) -> None:
    cloud.entra.revoke(user.ada, code)
    user.assert_az_serves(ADA, f"AADSTS{code}", "azure_cli served instead", ENDED[code])
    sent = len(user.refreshes())
    user.assert_az_serves(f"login failed (the login of {ADA} has ended)", AGAIN)
    assert len(user.refreshes()) == sent
    [listed] = user.listed()
    assert (listed["account"], listed["kept_in"], listed["life"]) == (ADA, None, "it has ended")
    user.login()
    assert user.refreshed_as() == ADA
    assert len(user.listed()) == 1


def test_every_way_to_end_a_login_is_recognized(cloud: PracticeCloud, user: LoginUser) -> None:
    for end, what in [
        (lambda: cloud.entra.expire_login(user.ada), "AADSTS700082"),
        (lambda: cloud.entra.change_password(user.ada), "AADSTS50173"),
        (lambda: setattr(user.ada, "is_disabled", True), "AADSTS50057"),
    ]:
        end()
        user.assert_az_serves(ADA, what)
        assert user.listed()[0]["life"] == "it has ended"
        user.ada.is_disabled = False
        user.login()
    assert user.refreshed_as() == ADA


def test_sign_in_frequency_of_one_tenant_spares_the_others(cloud: PracticeCloud, user: LoginUser) -> None:
    cloud.azure.tenant.sign_in_frequency = 3600
    cloud.entra.logins.clock_offset = 2 * 3600
    user.assert_az_serves(ADA, "(AADSTS70043)", AGAIN)
    fabrikam = cloud.azure.directory.tenant("fabrikam.example")
    user.ada.tenants.append(fabrikam)
    assert user.refreshed_as(url=user.feed_of("fabrikam", fabrikam)) == ADA
    user.login()
    assert user.refreshed_as() == ADA


def test_refresh_token_of_another_application_is_not_forgotten(cloud: PracticeCloud, user: LoginUser) -> None:
    rule = cloud.entra.refuse("70000", user=user.ada, grant="refresh_token", suberror="client_mismatch")
    user.assert_az_serves(ADA, "RINGBEARER_AZURE_LOGIN_CLIENT_ID", AGAIN)
    cloud.entra.logins.refusals.remove(rule)
    assert user.refreshed_as() == ADA


def test_entra_that_is_down_ends_no_login(cloud: PracticeCloud, user: LoginUser) -> None:
    rule = cloud.entra.refuse("90023", user=user.ada, grant="refresh_token")
    user.assert_az_serves(ADA, "login.microsoftonline.com", ARTIFACTS_KEYRING_NOFUSS_RETRIES="0")
    cloud.entra.logins.refusals.remove(rule)
    assert user.refreshed_as() == ADA


def test_every_error_of_a_refresh_is_in_the_table() -> None:
    other_grants = {"50126", "54005", "501481", "500112", "700005", "9002313", "900144", "70003", "90023"}
    device_codes = {"70016", "70017", "70018", "70019", "70020", "50199"}
    applications = {"70021", "7000215", "7000222", "700027", "1002012"}
    known = {*ENDED, *(code for codes, _, _ in KEPT.values() for code in codes)}
    assert known == set(ERRORS) - other_grants - device_codes - applications

"""Several accounts: which one answers, how each is listed, and how it is forgotten."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.directory import User
from support.command_line import assert_complaint
from support.doctor import Doctor
from support.login_user import ADA, AGAIN, LoginUser

ALICE = "alice@fabrikam.example"
PLACE = "the memory of the login session"
LIFE = "it ends with this session, after 90 days at most"
NEW_HINT, OLD_HINT = "ARTIFACTS_CREDENTIALPROVIDER_MSAL_LOGIN_HINT", "NUGET_CREDENTIALPROVIDER_MSAL_LOGIN_HINT"


@pytest.fixture
def user(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> LoginUser:
    """Either program, before the sign-in."""
    kernel_keys.need_sharing()
    return LoginUser(either, cloud, home, fake_programs)


@pytest.fixture
def alice(cloud: PracticeCloud, user: LoginUser) -> User:
    """Another account, a guest in the tenant of the feed."""
    return cloud.entra.add_user(ALICE, guest_of=[cloud.azure.tenant])


def sign_in_both(user: LoginUser, alice: User) -> str:
    """Ada signs in for the feed, then alice for another organisation, whose URL is returned."""
    contoso, user.url = user.url, user.feed_of("fabrikam", alice.home)
    user.ada.tenants.append(alice.home)
    user.login(alice)
    user.url, fabrikam = contoso, user.url
    user.login()
    return fabrikam


def test_account_that_a_tenant_has_accepted_answers_there(user: LoginUser, alice: User) -> None:
    fabrikam = sign_in_both(user, alice)
    assert user.refreshed_as() == ADA
    assert user.refreshed_as(url=fabrikam) == ALICE
    assert user.refreshed_as() == ADA


def test_newest_account_answers_in_a_new_tenant(cloud: PracticeCloud, user: LoginUser, alice: User) -> None:
    sign_in_both(user, alice)
    tenant = cloud.azure.directory.tenant("tailspin.example")
    user.ada.tenants.append(tenant)
    alice.tenants.append(tenant)
    assert user.refreshed_as(url=user.feed_of("tailspin", tenant)) == ADA


@pytest.mark.parametrize(
    "hints",
    [
        {NEW_HINT: ALICE},
        {OLD_HINT: ALICE.upper()},
        {NEW_HINT: ALICE, OLD_HINT: ADA},
        {NEW_HINT: " ", OLD_HINT: ALICE},
    ],
    ids=["new", "old", "both", "blank"],
)
def test_hint_beats_the_tenant(user: LoginUser, alice: User, hints: dict[str, str]) -> None:
    sign_in_both(user, alice)
    assert user.refreshed_as(**hints) == ALICE


def test_hint_that_names_nobody_asks_the_next_source(user: LoginUser) -> None:
    user.login()
    user.log_in_with_az()
    user.assert_az_serves(
        f"{ALICE} has not signed in", f"`ringbearer login URL --account {ALICE}`", **{NEW_HINT: ALICE}
    )
    user.assert_no_refresh()


def test_warning_names_the_account_that_was_refused(user: LoginUser, alice: User, cloud: PracticeCloud) -> None:
    fabrikam = sign_in_both(user, alice)
    cloud.entra.refuse("50076", grant="refresh_token")
    assert ADA in user.warning() and ALICE in user.warning(url=fabrikam)


def test_another_account_than_the_expected_one_is_not_kept(user: LoginUser, alice: User, cloud: PracticeCloud) -> None:
    ended = user.sign_in(None, "--account", ALICE)
    assert ended.code == 1 and ADA in ended.stderr and ALICE in ended.stderr and ended.stderr.count("\n") == 1, ended
    assert cloud.entra.authorizations.opened[-1].parameters["login_hint"] == ALICE
    assert user.listed() == [] and cloud.azure.session_tokens.issued == []
    assert AGAIN in user.warning()
    user.login(alice, "--account", ALICE.upper())
    assert user.refreshed_as() == ALICE


def test_logout_forgets_all_and_what_they_got(user: LoginUser, alice: User) -> None:
    user.variables["RINGBEARER_CACHE"] = "session"
    sign_in_both(user, alice)
    user.look_up().check()
    ended = user("logout").check()
    lines = ended.stdout.splitlines()
    assert sorted(lines[:2]) == [f"forgot the login of {name}, kept in {PLACE}" for name in (ADA, ALICE)]
    assert lines[2:] == ["removed 1 cached token of Azure Artifacts"]
    assert AGAIN in user.warning()
    assert len(user.refreshes()) == 1 and user.listed() == [] and not user.file.exists()
    again = user("logout").check()
    assert (again.stdout, again.stderr) == ("", "ringbearer: nobody is signed in\n")


def test_logout_of_one_account_leaves_the_other(user: LoginUser, alice: User) -> None:
    sign_in_both(user, alice)
    ended = user("logout", "--account", ADA.upper()).check()
    assert ended.stdout == f"forgot the login of {ADA}, kept in {PLACE}\n"
    assert [login["account"] for login in user.listed()] == [ALICE]
    assert user.refreshed_as() == ALICE
    assert_complaint(user("logout", "--account", ADA), f"there is no login of {ADA}", "--list", code=5)


def test_list_shows_account_organisations_place_and_life(user: LoginUser, alice: User) -> None:
    assert user("login", "--list").check().stderr == "ringbearer: nobody is signed in\n"
    before = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
    shown = json.loads(user.sign_in(None).check().stdout)
    assert (shown["account"], shown["organisations"], shown["kept_in"], shown["life"]) == (
        ADA,
        ["contoso"],
        PLACE,
        LIFE,
    )
    [listed] = user.listed()
    signed_in = datetime.datetime.fromisoformat(listed.pop("signed_in").replace("Z", "+00:00"))
    assert datetime.timedelta() <= signed_in - before < datetime.timedelta(minutes=1)
    assert listed == {"account": ADA, "organisations": ["contoso"], "kept_in": PLACE, "life": LIFE}
    line = user("login", "--list").check().stdout
    assert line.startswith(f"{ADA}  contoso  kept in {PLACE}  signed in ") and line.endswith(f" ago  {LIFE}\n")


def test_doctor_shows_account_place_and_life(doctor: Doctor, user: LoginUser) -> None:
    user.login()
    shown = doctor(user.url).stdout
    assert f"{ADA}, kept in {PLACE}; {LIFE}" in shown, shown
    [section] = [one for one in json.loads(doctor(user.url, "--json").stdout)["sections"] if one["title"] == user.url]
    assert [login.pop("signed_in")[:2] for login in section["logins"]] == ["20"]
    assert section["logins"] == [{"account": ADA, "organisations": ["contoso"], "kept_in": PLACE, "life": LIFE}]

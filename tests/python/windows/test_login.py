"""`ringbearer login` with Credential Manager. Only this file signs people in: all tests share one user of Windows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer
from lab.registries.azure.directory import User
from lab.registry import Registry
from lab.sign_in_page import deliver, sign_in
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.user import WindowsUser
from support.windows_answers import assert_complaint

PLACE = "Credential Manager"


@pytest.fixture
def url(cloud: PracticeCloud) -> str:
    """The feed."""
    return cloud.azure.feed.url()


@pytest.fixture
def ada(cloud: PracticeCloud) -> User:
    """Somebody who may read the feed and enters codes at once."""
    cloud.entra.device_codes.interval = 1
    cloud.entra.device_user = cloud.entra.add_user("ada@contoso.example")
    return cloud.entra.device_user


@pytest.fixture
def person(cloud_user: WindowsUser, fake_programs: WindowsPrograms, ada: User) -> Iterator[WindowsUser]:
    """Ada at Windows. No browser of the machine opens a page."""
    cloud_user.variables["BROWSER"] = " ".join(fake_programs.command("browser", Answer()))
    yield cloud_user
    cloud_user.run("ringbearer", "logout")


def look_up(person: WindowsUser, url: str) -> str:
    """The password that the login gives; nothing is printed on standard error."""
    ended = person.run("keyring", "get", url, "VssSessionToken").check()
    assert ended.stderr == "", ended
    return ended.stdout.strip()


def test_device_code_login_serves_until_logout(person: WindowsUser, cloud: PracticeCloud, url: str, ada: User) -> None:
    ended = person.run("ringbearer", "login", url, "--device-code").check()
    assert ended.stdout.splitlines()[0].endswith(f"contoso as {ada.name}") and f"kept in {PLACE}" in ended.stdout, ended
    # Longer than a credential may be.
    cloud.entra.logins.token_length = 6000
    for _ in range(3):
        assert look_up(person, url) == cloud.azure.session_tokens.issued[-1]
    [login] = json.loads(person.run("ringbearer", "login", "--list", "--json").check().stdout)
    assert (login["account"], login["kept_in"]) == (ada.name, PLACE)
    for path in person.home.rglob("*"):
        text = b"" if path.is_dir() else path.read_bytes()
        assert not any(secret.encode() in text for secret in cloud.entra.secrets), path
    assert f"forgot the login of {ada.name}" in person.run("ringbearer", "logout").check().stdout
    assert list(person.local_app_data.rglob("logins.json")) == []
    assert person.run("keyring", "get", url, "VssSessionToken").stdout == ""


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_browser_login_listens_on_both_addresses(
    person: WindowsUser, cloud: PracticeCloud, fake_programs: WindowsPrograms, url: str, ada: User, host: str
) -> None:
    started = person.start("ringbearer", "login", url, "--browser", "--json")
    begun = json.loads(started.process.stdout.readline() or started.wait().check().stdout)
    assert (begun["event"], begun["opened"]) == ("browser", True)
    answer = deliver(sign_in(cloud, begun["url"], ada), host)
    assert answer.status == 200 and ada.name in answer.text
    ended = started.wait().check()
    assert json.loads(ended.stdout)["kept_in"] == PLACE
    [call] = fake_programs.invocations("browser")
    assert call.arguments == [begun["url"]]
    assert look_up(person, url) == cloud.azure.session_tokens.issued[-1]
    assert cloud.entra.mistakes == []


def test_login_serves_before_az_and_says_when_it_has_ended(
    person: WindowsUser, cloud: PracticeCloud, azure: Registry, url: str, ada: User
) -> None:
    person.run("ringbearer", "login", url, "--device-code").check()
    look_up(person, url)
    assert azure.fake_programs.invocations("az") == []
    cloud.entra.change_password(ada)
    ended = person.run("keyring", "get", url, "VssSessionToken").check()
    assert ended.stdout.strip() == cloud.azure.session_tokens.issued[-1] and ada.name in ended.stderr, ended
    assert len(azure.fake_programs.invocations("az")) == 1


def test_store_without_an_agent_is_no_place(person: WindowsUser, cloud: PracticeCloud, url: str) -> None:
    ended = person.run("ringbearer", "login", url, "--device-code", variables={"RINGBEARER_LOGIN_STORE": "store"})
    assert_complaint(ended, "RINGBEARER_LOGIN_STORE is store, which does not work", "there is no store")
    assert cloud.log.requests() == []

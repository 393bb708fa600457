"""`ringbearer login` with a real browser: headless Chromium signs in at the practice page."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.browser_program import BrowserProgram
from lab.chromium import Chromium
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.registries.azure.directory import User
from support.start_program import StartProgram

LOGIN = "login.microsoftonline.com"


@pytest.fixture
def ada(cloud: PracticeCloud) -> User:
    return cloud.entra.add_user("ada@contoso.example", "lovelace")


@pytest.fixture
def session() -> None:
    if not kernel_keys.can_share():
        pytest.skip("the login is kept in the kernel's key retention service, which is missing here")


def sign_in(chromium: Chromium, url: str, user: User) -> None:
    chromium.open(url)
    chromium.fill("#username", user.name)
    chromium.fill("#password", user.password)
    chromium.click("#sign-in")


def outcome(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    stdout, stderr = process.communicate(timeout=60)
    return process.returncode, (stdout + stderr).decode()


def assert_no_secret(cloud: PracticeCloud, home: Path, *shown: str) -> None:
    """No token or code is in the output or in a file of the user."""
    texts = [*shown, *(file.read_text("utf-8", "replace") for file in home.rglob("*") if file.is_file())]
    assert len(cloud.entra.secrets) > 4
    assert not any(secret in text for secret in cloud.entra.secrets for text in texts)


def test_login_in_chromium_serves_later_look_ups(
    cloud: PracticeCloud,
    either: Client,
    chromium: Chromium,
    start_program: StartProgram,
    home: Path,
    tmp_path: Path,
    ada: User,
    session: None,
) -> None:
    # A browser that is not running yet stays open.
    program = BrowserProgram(tmp_path, ending="exec sleep 60")
    cloud.azure.tenant.requires_mfa = True
    environment = cloud.environment(home, BROWSER=program.path, RINGBEARER_LOGIN_STORE="session")
    index = cloud.azure.feed.url()
    process = start_program(either, ["ringbearer", "login", index, "--browser"], environment)
    sign_in(chromium, program.wait(), ada)
    chromium.fill("#code", ada.one_time_code)
    chromium.click("#verify")
    page = chromium.wait_for_text(ada.name)
    assert "contoso" in page
    assert "code" not in chromium.url
    code, shown = outcome(process)
    assert code == 0 and ada.name in shown, shown
    assert cloud.entra.mistakes == []
    # The page that the browser ends on needs no network.
    assert cloud.log.refused() == []

    cloud.log.clear()
    ended = either.run(["keyring", "get", index, "VssSessionToken"], environment).check()
    assert ended.stdout.strip() in cloud.azure.session_tokens.issued
    (refresh,) = cloud.log.requests(LOGIN, path="*/token")
    assert refresh.form["grant_type"] == "refresh_token"
    assert cloud.entra.mistakes == []
    listed = either.run(["ringbearer", "login", "--list"], environment).check()
    assert ada.name in listed.stdout
    assert_no_secret(cloud, home, shown, ended.stderr, listed.output)


def test_person_who_cancels_in_chromium_ends_the_login(
    cloud: PracticeCloud,
    native: Client,
    chromium: Chromium,
    start_program: StartProgram,
    home: Path,
    tmp_path: Path,
    ada: User,
    session: None,
) -> None:
    program = BrowserProgram(tmp_path)
    environment = cloud.environment(home, BROWSER=program.path, RINGBEARER_LOGIN_STORE="session")
    command = ["ringbearer", "login", cloud.azure.feed.url(), "--browser"]
    process = start_program(native, command, environment)
    chromium.open(program.wait())
    chromium.click("#cancel")
    code, shown = outcome(process)
    assert code != 0 and "declined" in shown, shown
    chromium.wait_for_text("declined")
    assert cloud.log.requests(LOGIN, path="*/token") == []
    assert cloud.entra.mistakes == []

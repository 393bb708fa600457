"""`ringbearer login` with a browser, and the lookups after it."""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest
from lab.browser_program import BrowserProgram
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.registries.azure.directory import User
from lab.sign_in_page import FormPost, deliver, parameters, sign_in

USERNAME = "VssSessionToken"


class Person:
    """Somebody at a machine with the native programs and a browser. A login is kept for the session."""

    def __init__(self, native: Client, cloud: PracticeCloud, home: Path, user: User, directory: Path) -> None:
        self._native = native
        self._cloud = cloud
        self.user = user
        self._browser = BrowserProgram(directory)
        self._environment = cloud.environment(home, BROWSER=self._browser.path, RINGBEARER_LOGIN_STORE="session")
        self.url = cloud.azure.feed.url()
        self._shown: list[str] = []

    def run(self, *words: object, **variables: str) -> Completed:
        ended = self._native.run(words, {**self._environment, **variables}, 20)
        self._shown += [ended.stdout, ended.stderr]
        return ended

    def look_up(self, url: str = "", **variables: str) -> Completed:
        return self.run("keyring", "get", url or self.url, USERNAME, **variables)

    def start(self, *words: str) -> tuple[object, str]:
        """The program that signs in, and the address that it opened."""
        count = len(self._browser.opened)
        process = self._native.start(["ringbearer", "login", self.url, "--browser", *words], self._environment)
        return process, self._browser.wait(count + 1)

    def ended(self, process) -> tuple[int, str]:
        """The exit code, and what was shown."""
        stdout, stderr = process.communicate(timeout=20)
        self._shown += [stdout.decode(), stderr.decode()]
        return process.returncode, stdout.decode() + stderr.decode()

    def sign_in(self, *words: str) -> None:
        process, address = self.start(*words)
        assert deliver(sign_in(self._cloud, address, self.user)).status == 200
        assert self.ended(process)[0] == 0

    def assert_nothing_leaked(self, granted: Iterable[str]) -> None:
        shown = "".join(self._shown)
        assert shown and [secret for secret in granted if secret in shown] == []


@pytest.fixture
def ada(native: Client, cloud: PracticeCloud, home: Path, tmp_path: Path) -> Person:
    """Ada, who may read the feed."""
    return Person(native, cloud, home, cloud.entra.add_user("ada@contoso.example"), tmp_path)


def test_after_a_login_every_lookup_signs_in_by_itself(ada: Person, cloud: PracticeCloud) -> None:
    ada.sign_in()
    before = cloud.entra.refresh_tokens[:]
    for _ in range(2):
        found = ada.look_up(RINGBEARER_DEBUG="1")
        assert found.code == 0 and "login: served" in found.stderr, found
        assert ada.run("ringbearer", "cache", "clear").code == 0
    assert len(cloud.entra.refresh_tokens) == len(before) + 2
    assert cloud.entra.mistakes == []
    ada.assert_nothing_leaked(cloud.entra.refresh_tokens)


def test_page_names_organisation_and_account_and_loads_nothing(ada: Person, cloud: PracticeCloud) -> None:
    process, address = ada.start()
    page = deliver(sign_in(cloud, address, ada.user))
    assert page.status == 200 and "<strong>contoso</strong>" in page.text and "ada@contoso.example" in page.text
    assert "http" not in page.text and "src=" not in page.text
    assert page.headers["Connection"] == "close" and page.headers["Referrer-Policy"] == "no-referrer"
    assert ada.ended(process)[0] == 0


def test_other_pages_that_knock_do_not_end_the_wait(ada: Person, cloud: PracticeCloud) -> None:
    process, address = ada.start()
    post = sign_in(cloud, address, ada.user)
    port, state = urlsplit(post.url).port, post.fields["state"]
    assert get(port, "/") == 200
    assert get(port, "/?" + urlencode({"code": "stolen", "state": state})) == 400
    for hostile in (
        deliver(replace(post, fields={**post.fields, "state": "another"})),
        deliver(replace(post, fields={"code": "stolen"})),
        deliver(replace(post, url=f"{post.url}/elsewhere")),
        deliver(post, Host="evil.example"),
        deliver(post, Host=f"127.0.0.1:{port}"),
        deliver(post, Content_Type="text/plain"),
    ):
        assert hostile.status == 400 and state not in hostile.text, hostile
    assert deliver(post).status == 200
    assert ada.ended(process)[0] == 0


def get(port: int | None, target: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", target, headers={"Host": f"localhost:{port}"})
        return connection.getresponse().status
    finally:
        connection.close()


def test_declining_in_the_browser_ends_it_with_a_page(ada: Person, cloud: PracticeCloud) -> None:
    process, address = ada.start()
    page = deliver(sign_in(cloud, address, ada.user, declines=True))
    assert page.status == 400 and "could not sign in" in page.text
    code, shown = ada.ended(process)
    assert code != 0 and "declined" in shown, shown
    assert "nobody is signed in" in ada.run("ringbearer", "login", "--list").stderr


def test_a_code_of_another_sign_in_is_refused_on_the_page(ada: Person, cloud: PracticeCloud) -> None:
    first, first_address = ada.start()
    stolen = sign_in(cloud, first_address, ada.user)
    second, second_address = ada.start()
    redirect, state = (parameters(second_address)[name] for name in ("redirect_uri", "state"))
    page = deliver(FormPost(redirect, {**stolen.fields, "state": state}))
    assert page.status == 400 and "could not sign in" in page.text
    assert ada.ended(second)[0] != 0
    assert deliver(sign_in(cloud, first_address, ada.user)).status == 200
    assert ada.ended(first)[0] == 0


def test_fresh_asks_for_the_password_again(ada: Person) -> None:
    for words, prompt in (((), "select_account"), (("--fresh",), "login")):
        process, address = ada.start(*words)
        assert parameters(address)["prompt"] == prompt
        process.terminate()
        process.communicate(timeout=20)


def test_another_account_than_the_expected_one_is_not_kept(ada: Person, cloud: PracticeCloud) -> None:
    process, address = ada.start("--account", "alice@contoso.example")
    assert parameters(address)["login_hint"] == "alice@contoso.example"
    page = deliver(sign_in(cloud, address, ada.user))
    assert page.status == 400 and "alice@contoso.example" in page.text
    code, shown = ada.ended(process)
    assert code != 0 and "ada@contoso.example signed in, and not alice@contoso.example" in shown
    assert "nobody is signed in" in ada.run("ringbearer", "login", "--list").stderr


def test_a_login_that_has_ended_is_one_warning_each_time(ada: Person, cloud: PracticeCloud) -> None:
    ada.sign_in()
    cloud.entra.expire_login(ada.user)
    ada.run("ringbearer", "cache", "clear")
    for _ in range(2):
        missed = ada.look_up()
        assert missed.code == 1 and missed.stderr.count("the login of ada@contoso.example") == 1, missed
        assert "`ringbearer login URL`" in missed.stderr
    assert "it has ended" in ada.run("ringbearer", "login", "--list").stdout
    ada.sign_in()
    assert ada.look_up().code == 0


def test_a_policy_of_the_tenant_ends_no_login(ada: Person, cloud: PracticeCloud) -> None:
    ada.sign_in()
    for code in ("50076", "53003", "65001", "70043"):
        ada.run("ringbearer", "cache", "clear")
        cloud.entra.refuse(code, grant="refresh_token", times=1)
        missed = ada.look_up()
        assert missed.code == 1 and f"AADSTS{code}" in missed.stderr, missed
        assert ada.look_up().code == 0, code


def test_one_login_serves_every_tenant_of_the_account(
    native: Client, cloud: PracticeCloud, home: Path, tmp_path: Path
) -> None:
    fabrikam = cloud.azure.directory.tenant("fabrikam.example")
    url = cloud.azure.organisation("fabrikam", fabrikam).feed("tools").url()
    guest = cloud.entra.add_user("ada@contoso.example", guest_of=[fabrikam])
    ada = Person(native, cloud, home, guest, tmp_path)
    ada.sign_in()
    assert ada.look_up(url).code == 0
    ada.run("ringbearer", "cache", "clear")
    fabrikam.requires_mfa = True
    missed = ada.look_up(url)
    assert missed.code == 1 and "AADSTS50076" in missed.stderr and "`ringbearer login URL`" in missed.stderr, missed
    assert ada.look_up().code == 0


def test_a_personal_account_is_refreshed_too(native: Client, cloud: PracticeCloud, home: Path, tmp_path: Path) -> None:
    bob = Person(native, cloud, home, cloud.entra.add_personal_account("bob@outlook.example"), tmp_path)
    bob.url = cloud.azure.organisation("bob", None).feed("tools").url()
    bob.sign_in()
    ended = bob.look_up(RINGBEARER_DEBUG="1")
    assert ended.code == 0 and "login: served" in ended.stderr, ended
    assert cloud.entra.mistakes == []

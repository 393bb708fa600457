"""Artifact Registry takes a token with one user name: every other one is answered with it, or refused by a line."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.look_up import LookUp
from lab.packages import wheel as make_wheel
from lab.registries.google.site import HOST
from support.google_user import OAUTH, STRICT, GoogleUser
from support.native_keyring import NativeKeyring, assert_complaint, assert_miss

RIGHT = "oauth2accesstoken"
#: What tools make up, what people write, and invalid ones.
WRONG = ["__token__", "token", "ada@contoso.example", "OAuth2AccessToken", " ", "a:b", "Сэм", "\ud800", "x" * 5000]
FLIT = ["pypi_token:project:fresh-bread", "pypi_token:user:ada"]


@pytest.fixture
def login(ada: GoogleUser) -> dict[str, str]:
    """The variable that names a credential file."""
    return ada.use(ada.google.login.file)


@pytest.fixture
def keyring(ada: GoogleUser, native: Client) -> NativeKeyring:
    """The native `keyring`."""
    return NativeKeyring(ada.cloud, native, ada.home)


@pytest.fixture
def package(home: Path) -> Path:
    """A file to upload."""
    made = make_wheel("fresh-bread", "3.0")
    (home / made.file_name).write_bytes(made.content)
    return home / made.file_name


def lines(text: str) -> list[str]:
    """The different lines about the user name; twine wraps them."""
    found = re.findall(r"no credential for \S+ the user name must be \S+ not \S+ use \S+", re.sub(r"\s+", " ", text))
    return sorted(set(found))


def users(ada: GoogleUser) -> set[str]:
    """The user names that were sent with a token; tools send that of a URL with an empty password first."""
    return {user for _, user, password in ada.cloud.log.basics() if password}


def test_get_credential_gives_the_right_name_for_any_name(ada: GoogleUser, login: dict[str, str]) -> None:
    names = [None, "", RIGHT, *WRONG, *FLIT]
    answers = ada.look_up.all([LookUp(ada.url, name) for name in names], **login)
    assert {answer.credential for answer in answers} == {(RIGHT, *ada.google.tokens.issued)}
    assert [answer.warnings for answer in answers] == [[]] * len(names)
    assert ada.hosts() == [OAUTH]


def test_get_password_serves_the_right_name_and_the_empty_one(ada: GoogleUser, login: dict[str, str]) -> None:
    answers = ada.look_up.all([LookUp(ada.url, name, "get_password") for name in (RIGHT, "")], **login)
    assert [answer.result for answer in answers] == ada.google.tokens.issued * 2
    assert [answer.warnings for answer in answers] == [[], []]


def test_get_password_of_a_wrong_name_is_one_warning(ada: GoogleUser, login: dict[str, str]) -> None:
    services = [ada.url, ada.url + "greetings/", HOST, ada.url]
    answers = ada.look_up.all([LookUp(service, "__token__", "get_password") for service in services], **login)
    assert [(answer.result, answer.error) for answer in answers] == [(None, None)] * len(services)
    assert RIGHT in answers[0].warning and "__token__" in answers[0].warning and HOST in answers[0].warning
    assert [answer.warnings for answer in answers[1:]] == [[]] * (len(services) - 1)
    assert ada.cloud.log.requests() == []


@pytest.mark.parametrize("name", WRONG)
def test_each_wrong_name_gets_a_line_of_moderate_length(ada: GoogleUser, login: dict[str, str], name: str) -> None:
    (answer,) = ada.look_up.all([LookUp(ada.url, name, "get_password")], **login)
    assert answer.result is None and answer.error is None
    assert f"https://{RIGHT}@{HOST}/" in answer.warning and "\n" not in answer.warning
    assert ada.cloud.log.requests() == []


def test_right_name_is_served_after_a_wrong_one(ada: GoogleUser, login: dict[str, str]) -> None:
    asked = [LookUp(ada.url, name, "get_password") for name in ("__token__", RIGHT)]
    answers = ada.look_up.all([*asked, LookUp(ada.url, "__token__")], **login)
    (token,) = ada.google.tokens.issued
    assert [answer.result for answer in answers] == [None, token, [RIGHT, token]]


def test_strict_mode_raises_for_a_wrong_name(ada: GoogleUser, login: dict[str, str]) -> None:
    asked = [LookUp(ada.url, "__token__", "get_password"), LookUp(ada.url, "__token__"), LookUp(ada.url)]
    refused, *served = ada.look_up.all(asked, **login, **STRICT)
    assert {"RingbearerError", "KeyringError"} < set(refused.error.bases)
    assert RIGHT in refused.error.message and "__token__" in refused.error.message
    assert refused.warnings == []
    assert {answer.credential for answer in served} == {(RIGHT, *ada.google.tokens.issued)}


def test_native_keyring_says_one_line_for_a_wrong_name(keyring: NativeKeyring, login: dict[str, str]) -> None:
    for service in (HOST, keyring.cloud.google.repository.url):
        for variables in (login, {**login, **STRICT}):
            assert_complaint(keyring("get", service, "__token__", **variables), RIGHT, "__token__", HOST)
    assert keyring.cloud.log.requests() == []


def test_host_after_its_url_gets_no_second_line(ada: GoogleUser, keyring: NativeKeyring, login: dict[str, str]) -> None:
    kernel_keys.need_sharing()
    assert_complaint(keyring("get", ada.url, "__token__", **login), RIGHT)
    assert_miss(keyring("get", HOST, "__token__", **login))
    assert keyring("get", HOST, RIGHT, **login).check().stdout.split() == ada.google.tokens.issued


@pytest.mark.parametrize("name", [[], ["__token__"], [RIGHT]])
def test_mode_creds_gives_the_right_name_for_any_name(
    ada: GoogleUser, keyring: NativeKeyring, client: Client, login: dict[str, str], name: list[str]
) -> None:
    words = ["keyring", "--mode", "creds", "get", ada.url, *name]
    of_python = client.run(words, ada.cloud.environment(ada.home, RINGBEARER_CACHE="off", **login)).check()
    of_native = keyring(*words[1:], **login).check()
    first, second = ada.google.tokens.issued
    assert of_python.stdout.splitlines() == [RIGHT, first]
    assert of_native.stdout.splitlines() == [RIGHT, second]
    assert of_python.stderr == of_native.stderr == ""


def test_names_that_flit_makes_up_stay_silent(ada: GoogleUser, keyring: NativeKeyring, login: dict[str, str]) -> None:
    answers = ada.look_up.all([LookUp(ada.url, name, "get_password") for name in FLIT], **login, **STRICT)
    assert [(answer.result, answer.error, answer.warnings) for answer in answers] == [(None, None, [])] * len(FLIT)
    for name in FLIT:
        assert_miss(keyring("get", ada.url, name, **login))
    assert ada.cloud.log.requests() == []


def test_flit_publishes_with_the_right_name_alone(ada: GoogleUser, flit: Client, login: dict[str, str]) -> None:
    (ada.home / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["flit_core"]\nbuild-backend = "flit_core.buildapi"\n'
        '[project]\nname = "fresh-bread"\nversion = "3.0"\ndescription = "Bread."\n'
    )
    (ada.home / "fresh_bread.py").write_text("")
    publish = ["flit", "publish", "--no-use-vcs", "--format", "wheel"]
    variables = {**login, "FLIT_INDEX_URL": ada.google.repository.upload_url}
    refused = flit.run(publish, ada.cloud.environment(ada.home, FLIT_USERNAME="__token__", **variables))
    assert refused.code != 0 and len(lines(refused.stderr)) == 1, refused
    assert "Traceback" not in refused.stderr or "ringbearer" not in refused.stderr.partition("Traceback")[2]
    assert ada.cloud.log.requests(HOST, method="POST") == []
    flit.run(publish, ada.cloud.environment(ada.home, FLIT_USERNAME=RIGHT, **variables)).check()
    assert [request.status for request in ada.cloud.log.requests(HOST, method="POST")] == [200]


def test_pip_that_imports_keyring_installs_with_a_wrong_name(
    ada: GoogleUser, client: Client, login: dict[str, str]
) -> None:
    url = ada.url.replace("https://", "https://__token__@")
    install = ["pip", "install", "--target", "packages", "--keyring-provider", "import", "--index-url", url]
    client.run([*install, "greetings"], ada.cloud.environment(ada.home, **login)).check()
    assert (ada.home / "packages" / "greetings.py").exists()
    assert users(ada) == {RIGHT}


def test_pip_that_runs_keyring_shows_the_line_for_a_wrong_name(
    ada: GoogleUser, pip_26_1: Client, native: Client, login: dict[str, str]
) -> None:
    url = ada.url.replace("https://", "https://__token__@")
    install = ["pip", "install", "--target", "packages", "--keyring-provider", "subprocess", "--index-url", url]
    environment = ada.cloud.environment(ada.home, [native.bin], **login)
    ended = pip_26_1.run([*install, "greetings"], environment)
    (line,) = lines(ended.output)
    assert ended.code != 0 and RIGHT in line and "__token__" in line


def test_uv_publish_shows_the_line_for_a_wrong_name(
    ada: GoogleUser, tool: Client, native: Client, login: dict[str, str], package: Path
) -> None:
    variables = {**login, "UV_KEYRING_PROVIDER": "subprocess", "UV_PYTHON": tool.python}
    environment = ada.cloud.environment(ada.home, [native.bin], **variables)
    publish = ["uv", "publish", "--publish-url", ada.google.repository.upload_url, package, "--username"]
    refused = tool.run([*publish, "__token__"], environment)
    (line,) = lines(refused.stderr)
    assert refused.code != 0 and RIGHT in line and "__token__" in line
    assert OAUTH not in ada.hosts()
    tool.run([*publish, RIGHT], environment).check()
    assert users(ada) == {RIGHT}


def test_twine_shows_the_line_for_a_wrong_name(
    ada: GoogleUser, client: Client, login: dict[str, str], package: Path
) -> None:
    upload = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
    upload += ["--repository-url", ada.google.repository.upload_url, package]
    environment = ada.cloud.environment(ada.home, COLUMNS="1000", TWINE_USERNAME="__token__", **login)
    refused = client.run(upload, environment)
    (line,) = lines(refused.output)
    assert refused.code != 0 and RIGHT in line and "__token__" in line
    assert ada.cloud.log.requests() == []
    client.run(upload, ada.cloud.environment(ada.home, **login)).check()
    assert users(ada) == {RIGHT}

"""Complaints about the packages that ringbearer replaces, each with its thread."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from lab import gcloud
from lab.clients import Client
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp
from lab.registries.google.accounts import GCLOUD
from support.doctor import Doctor
from support.google_user import APPLICATION_CREDENTIALS, METADATA, OAUTH, GoogleUser
from support.native_keyring import NativeKeyring, assert_complaint
from support.uv_project import Project

USER_NAME = "oauth2accesstoken"
TOKEN, TOKEN_FILE = "CLOUDSDK_AUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"
#: Standard input where nobody can answer.
CLOSED = ""


@pytest.fixture
def keyring(ada: GoogleUser, native: Client, fake_programs: FakePrograms) -> NativeKeyring:
    """The native `keyring`, with the fake programs behind it on PATH."""
    return NativeKeyring(ada.cloud, native, ada.home, [fake_programs.directory])


def with_user_name(url: str) -> str:
    """A URL as the documentation shows it."""
    return url.replace("https://", f"https://{USER_NAME}@")


def has_installed(ada: GoogleUser) -> bool:
    """Whether pip, or uv, has installed what the test asks for."""
    return all((ada.home / "packages" / f"{name}.py").exists() for name in ("greetings", "hello_private"))


def test_bare_host_gets_a_token(ada: GoogleUser, keyring: NativeKeyring) -> None:
    """https://github.com/GoogleCloudPlatform/artifact-registry-python-tools/issues/4"""
    ada.files.write_application_default(ada.google.login.file)
    ended = keyring("get", "us-python.pkg.dev", USER_NAME).check()
    assert ended.stdout == ada.google.tokens.issued[0] + "\n"
    answers = ada.look_up.all([LookUp("us-python.pkg.dev", USER_NAME, "get_password"), LookUp("us-python.pkg.dev")])
    assert answers[0].result == answers[1].credential[1] and answers[1].credential[0] == USER_NAME


def test_user_name_need_not_be_known(ada: GoogleUser) -> None:
    """https://github.com/GoogleCloudPlatform/artifact-registry-python-tools/issues/48,
    https://github.com/pypa/pip/issues/11971
    """
    ada.files.write_application_default(ada.google.login.file)
    answers = ada.look_up.all([LookUp(ada.url, name) for name in (None, "x", USER_NAME)])
    assert {answer.credential for answer in answers} == {(USER_NAME, ada.google.tokens.issued[0])}


def test_pip_asks_for_no_user_name(ada: GoogleUser, client: Client) -> None:
    """https://github.com/pypa/pip/issues/11971"""
    ada.files.write_application_default(ada.google.login.file)
    command = ["pip", "install", "--target", "packages", "--keyring-provider", "import", "--index-url", ada.url]
    environment = ada.cloud.environment(ada.home, [client.bin])
    ended = client.run([*command, "greetings"], environment, stdin=CLOSED).check()
    assert has_installed(ada) and "User for" not in ended.output
    assert len(ada.cloud.log.requests(OAUTH)) == 1


def test_file_of_a_lock_gets_a_token(ada: GoogleUser, keyring: NativeKeyring) -> None:
    """https://github.com/astral-sh/uv/issues/18723"""
    ada.files.write_application_default(ada.google.login.file)
    url = ada.google.repository.file_url("greetings-2.0-py3-none-any.whl")
    assert "/simple/" not in url
    ended = keyring("get", url, USER_NAME).check()
    assert ended.stdout.strip() in ada.google.tokens.issued
    assert ada.account(ada.look_up(url)) == ada.google.login.email


def test_name_of_pypi_tokens_is_refused_with_the_right_one(ada: GoogleUser, keyring: NativeKeyring) -> None:
    """https://github.com/astral-sh/uv/issues/9778"""
    ada.files.write_application_default(ada.google.login.file)
    ended = keyring("get", ada.google.repository.upload_url, "__token__")
    assert_complaint(ended, "__token__", f"the user name must be {USER_NAME}")
    assert ada.cloud.log.requests() == []


def test_wheel_requires_keyring_alone(ada: GoogleUser, client: Client) -> None:
    """https://github.com/googleapis/google-cloud-python/issues/15138,
    https://github.com/googleapis/google-auth-library-python/issues/1166
    """
    program = "import importlib.metadata as m, importlib.util as u; "
    program += "print(m.requires('ringbearer'), u.find_spec('google'))"
    ended = client.run(["python", "-c", program], ada.cloud.environment(ada.home)).check()
    requirements, _, spec = ended.stdout.strip().rpartition(" ")
    assert spec == "None", ended
    unconditional = [one for one in re.findall(r"'([^']*)'", requirements) if "extra ==" not in one]
    assert [re.match(r"[\w.-]+", one)[0] for one in unconditional] == ["keyring"], requirements
    ada.files.write_application_default(ada.google.login.file)
    assert ada.account(ada.ask()) == ada.google.login.email


def test_replaced_package_in_the_same_environment_is_not_asked(ada: GoogleUser, beside) -> None:
    """https://github.com/googleapis/google-cloud-python/issues/15198"""
    ada.files.write_application_default(ada.google.login.file)
    both = beside("google")
    environment = ada.cloud.environment(ada.home, [both.bin])
    ended = both.run(["python", "-m", "keyring", "get", ada.url, USER_NAME], environment).check()
    assert ended.stdout == ada.google.tokens.issued[0] + "\n" and ended.stderr == ""
    assert ada.hosts() == [OAUTH]
    assert all(one.header("User-Agent").startswith("ringbearer/") for one in ada.cloud.log.requests())


@pytest.mark.parametrize("name", [TOKEN, TOKEN_FILE])
def test_image_is_built_with_a_token_and_no_file(ada: GoogleUser, keyring: NativeKeyring, name: str) -> None:
    """https://github.com/GoogleCloudPlatform/artifact-registry-python-tools/pull/44,
    https://github.com/GoogleCloudPlatform/artifact-registry-python-tools/issues/6
    """
    token = ada.google.tokens.issue("ada@contoso.example").text
    # As `docker build --secret` mounts it.
    value = token if name == TOKEN else str(ada.files.write(token + "\n", "token"))
    assert ada.ask(**{name: value}).credential == (USER_NAME, token)
    ended = keyring("get", ada.url, USER_NAME, **{name: value}).check()
    assert (ended.stdout, ended.stderr) == (token + "\n", "")
    assert ada.cloud.log.requests() == [] and ada.cloud.log.connections() == []


def test_pip_in_an_environment_of_its_own_finds_the_program(ada: GoogleUser, native: Client, tool: Client) -> None:
    """https://github.com/pypa/pipx/issues/1200"""
    ada.files.write_application_default(ada.google.login.file)
    url = with_user_name(ada.url)
    command = ["pip", "install", "--target", "packages", "--keyring-provider", "subprocess", "--index-url", url]
    environment = ada.cloud.environment(ada.home, [native.bin])
    tool.run([*command, "greetings"], environment, stdin=CLOSED).check()
    assert has_installed(ada)


def test_nothing_prompts_where_nothing_is_set_up(ada: GoogleUser, client: Client) -> None:
    """https://github.com/GoogleCloudPlatform/artifact-registry-python-tools/issues/15"""
    command = ["pip", "install", "--target", "packages", "--keyring-provider", "import", "--index-url", ada.url]
    environment = ada.cloud.environment(ada.home, [client.bin])
    ended = client.run([*command, "greetings"], environment, 30, stdin=CLOSED)
    assert ended.code != 0 and not has_installed(ada)
    said = [line for line in ended.output.splitlines() if "no credential for" in line]
    assert len(said) == 1 and "gcloud auth application-default login" in said[0], ended
    assert "User for" not in ended.output and "Traceback" not in ended.output, ended


def test_forbidden_account_is_named(ada: GoogleUser, doctor: Doctor) -> None:
    """https://github.com/GoogleCloudPlatform/artifact-registry-npm-tools/issues/21,
    https://github.com/genjax-community/genjax/pull/1159
    """
    # An old login of another account comes before that of gcloud.
    alice = ada.google.other_login
    ada.files.write_application_default({**alice.file, "account": alice.email})
    ada.files.write_login(ada.google.accounts.log_in("ada", GCLOUD))
    examined = doctor.examine(ada.url)
    text = "\n".join(f"{one.name} {one.detail} {one.fix}" for one in examined.findings())
    assert "application_default" in text and alice.email in text, text
    assert "HTTP 403" in text and "roles/artifactregistry.reader" in text, text
    assert examined.code != 0


def test_failed_lookup_is_none_and_one_line(ada: GoogleUser) -> None:
    """https://github.com/python-poetry/poetry/issues/4454,
    https://github.com/python-poetry/poetry/issues/4464,
    https://github.com/python-poetry/poetry/issues/7545
    """
    answers = [ada.look_up(url) for url in (ada.url, ada.google.repository.host, ada.google.repository.upload_url)]
    assert [(answer.error, answer.result) for answer in answers] == [(None, None)] * 3
    assert all("no credential for" in answer.warning for answer in answers)


def test_uv_needs_a_user_name_or_its_setting(ada: GoogleUser, native: Client, tool: Client, tmp_path: Path) -> None:
    """https://github.com/astral-sh/uv/issues/8324"""
    ada.files.write_application_default(ada.google.login.file)
    variables = {"UV_KEYRING_PROVIDER": "subprocess", "UV_PYTHON": tool.python}
    environment = ada.cloud.environment(ada.home, [native.bin], **variables)
    projects = {
        "plain": Project(tmp_path / "plain", ada.url),
        "name": Project(tmp_path / "name", with_user_name(ada.url)),
        "setting": Project(tmp_path / "setting", ada.url, 'authenticate = "always"'),
    }
    codes = {
        name: tool.run(["uv", "lock"], environment, directory=one.directory).code for name, one in projects.items()
    }
    assert codes["name"] == codes["setting"] == 0 and codes["plain"] != 0
    # Where the name is missing, ringbearer says which one it is.
    told = native.run(["ringbearer", "setup", "uv", ada.url], environment)
    assert USER_NAME in told.output or "always" in told.output, told


@pytest.mark.parametrize("state", ["silent", "off"])
def test_login_of_gcloud_does_not_wait_for_metadata(ada: GoogleUser, fake_programs: FakePrograms, state: str) -> None:
    """https://github.com/GoogleCloudPlatform/artifact-registry-python-tools/issues/22"""
    ada.google.metadata.is_silent = True
    token = ada.run_gcloud()
    variables = ada.google.metadata.variables if state == "silent" else {"NO_GCE_CHECK": "true"}
    answer = ada.ask(**variables)
    assert answer.credential == (USER_NAME, token) and answer.seconds < 1
    assert METADATA not in ada.hosts() and ada.cloud.log.connections(kind="plain") == []


def test_program_without_a_token_says_why(ada: GoogleUser, keyring: NativeKeyring, fake_programs: FakePrograms) -> None:
    """https://github.com/prefix-dev/pixi/issues/1374"""
    ended = keyring("get", ada.url, USER_NAME)
    assert_complaint(ended, ada.google.repository.host, "none of the 6 sources is set up", "ringbearer doctor URL")
    fake_programs.gcloud(gcloud.not_logged_in())
    ended = keyring("get", ada.url, USER_NAME)
    assert_complaint(ended, "gcloud has no active account", "`gcloud auth login`")


def test_missing_file_is_named(ada: GoogleUser, keyring: NativeKeyring, short_path: Path) -> None:
    """https://github.com/GoogleCloudPlatform/artifact-registry-npm-tools/issues/53,
    https://github.com/google-github-actions/auth/issues/122, https://github.com/google-github-actions/auth/issues/206
    """
    # A login that is found would be another account.
    ada.files.write_application_default(ada.google.login.file)
    missing = str(short_path / "missing.json")
    ended = keyring("get", ada.url, USER_NAME, **{APPLICATION_CREDENTIALS: missing})
    assert_complaint(ended, missing, APPLICATION_CREDENTIALS)
    assert ada.cloud.log.requests() == []


@pytest.mark.skipif(sys.platform == "win32", reason="no session cache without a login session")
@pytest.mark.parametrize("left", [100, 299])
def test_token_that_ends_soon_is_not_handed_out_again(ada: GoogleUser, keyring: NativeKeyring, left: int) -> None:
    """No thread: it follows from a run that is longer than the token."""
    ada.files.write_application_default(ada.google.login.file)
    ada.google.tokens.lifetime = left
    found = [keyring("get", ada.url, USER_NAME).check().stdout.strip() for _ in range(2)]
    assert found == ada.google.tokens.issued and len(set(found)) == 2

"""gcloud: its configuration, the login in its files, and the program itself, which may be slow, old or broken."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from lab import gcloud
from lab.clients import Client
from lab.fake_programs import FOREVER, Answer, FakePrograms
from lab.look_up import LookUp
from lab.registries.google.accounts import GCLOUD
from lab.registries.google.files import GoogleFiles
from support.google_user import OAUTH, GoogleUser
from support.native_keyring import NativeKeyring, assert_complaint

USER_NAME = "oauth2accesstoken"
#: What gcloud is called with.
ARGUMENTS = ["config", "config-helper", "--format=json(credential)", "--min-expiry=5m"]
DIRECTORY = "CLOUDSDK_CONFIG"
LOG_IN = "`gcloud auth login`"


@pytest.fixture
def ada(ada: GoogleUser, short_path: Path) -> GoogleUser:
    """Someone without a login, whose files have paths that a warning does not cut."""
    ada.files.home = short_path
    return ada


# The program.


def test_gcloud_is_run_with_a_documented_call(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    token = ada.run_gcloud(read_stdin=True)
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.warnings == []
    [called] = fake_programs.invocations()
    assert called.arguments == ARGUMENTS
    assert called.environment["CLOUDSDK_CORE_DISABLE_PROMPTS"] == "1"
    # gcloud would copy the token into a log file.
    assert called.environment["CLOUDSDK_CORE_DISABLE_FILE_LOGGING"] == "1"
    assert ada.cloud.log.requests() == []


def test_no_gcloud_but_that_on_path_is_run(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    # Of the machine's programs, only a few are on PATH.
    path = ada.cloud.environment(ada.home, [fake_programs.directory])["PATH"].split(os.pathsep)
    assert not any(Path(entry, "gcloud").exists() for entry in path)
    assert ada.ask().credential is None
    # Nor one in the working directory.
    fake_programs.program("gcloud", *gcloud.logged_in("ya29.planted"), directory=str(ada.home))
    [answer] = ada.look_up.all([LookUp(ada.url)], directory=ada.home, PATH=f".{os.pathsep}{os.pathsep.join(path)}")
    assert answer.credential is None and fake_programs.invocations() == []


def test_slow_gcloud_has_its_time(ada: GoogleUser) -> None:
    token = ada.run_gcloud(delay=4)
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.warnings == []


def test_gcloud_that_hangs_is_ended_after_its_limit(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    # The limit is 20 s, also for the Python that the script starts.
    ada.run_gcloud(hang="child")
    answer = ada.ask()
    assert answer.credential is None and "gcloud did not end in time" in answer.warning, answer.warning
    assert 15 < answer.seconds < 40
    assert fake_programs.running() == []


def test_gcloud_that_wants_an_answer_gets_none(ada: GoogleUser, native: Client, fake_programs: FakePrograms) -> None:
    question = "Do you want to continue (Y/n)?\n"
    failed = "ERROR: gcloud crashed (EOFError): EOF when reading a line\n"
    fake_programs.gcloud(Answer(stderr=question + failed, code=1, read_stdin=True))
    started = time.monotonic()
    keyring = NativeKeyring(ada.cloud, native, ada.home, [fake_programs.directory])
    # The question is not shown, and what the user types is not read.
    ended = keyring("get", ada.url, USER_NAME, stdin="y\n")
    assert_complaint(ended, "EOF when reading a line", ada.google.repository.host)
    assert question.strip() not in ended.stderr and time.monotonic() - started < 10


#: What gcloud prints, and words of the warning.
FAILURES = {
    "not logged in": (gcloud.not_logged_in(), LOG_IN),
    "session limit": (gcloud.requires_reauthentication(), LOG_IN),
    "revoked": (gcloud.has_revoked_token(), LOG_IN),
    "crashed": (Answer(stderr="ERROR: gcloud crashed (ImportError): no module named x\n", code=1), "gcloud crashed"),
    "no words": (Answer(code=7), "7"),
    "killed": (Answer(killed_by="KILL"), "gcloud"),
    "nothing": (Answer(), "gcloud printed nothing"),
    "a text": (Answer("Welcome!\n"), "gcloud printed"),
    "an array": (Answer('[{"access_token": "x"}]'), "gcloud printed"),
    "no credential": (Answer("{}"), "gcloud printed"),
    "no token": (Answer('{"credential": {"access_token": null}}'), "gcloud printed"),
    "an empty token": (Answer('{"credential": {"access_token": ""}}'), "gcloud printed"),
    "two words": (Answer('{"credential": {"access_token": "a b"}}'), "gcloud printed"),
    "two lines": (Answer('{"credential": {"access_token": "a\\nb"}}'), "gcloud printed"),
    "no time": (Answer('{"credential": {"access_token": "x", "token_expiry": "soon"}}'), "not a time"),
    "ended": (Answer(gcloud.document("ya29.ended", -60)), "ended"),
    "endless": (Answer("x" * 4096, endless=True), "gcloud"),
    "not UTF-8": (Answer(b"\xff\xfe\x00"), "gcloud printed"),
}


@pytest.mark.parametrize("case", FAILURES)
def test_gcloud_without_a_token_is_one_warning(ada: GoogleUser, fake_programs: FakePrograms, case: str) -> None:
    printed, words = FAILURES[case]
    fake_programs.gcloud(printed)
    answer = ada.ask()
    assert answer.credential is None and words in answer.warning and "; " in answer.warning, answer.warning
    assert "Traceback" not in answer.text and answer.seconds < 15
    assert fake_programs.running() == []


def test_notices_around_the_token_are_not_a_password(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    token = ada.google.tokens.issue("ada@contoso.example").text
    fake_programs.gcloud(gcloud.with_junk(token))
    answer = ada.ask()
    assert answer.credential is None and "gcloud printed" in answer.warning
    assert token not in answer.text


def test_notices_on_the_other_stream_do_not_matter(ada: GoogleUser) -> None:
    token = ada.run_gcloud(stderr="WARNING: Python 3.9.x is no longer officially supported\n")
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.warnings == []


def test_old_gcloud_is_run_without_the_option(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    token = ada.google.tokens.issue("ada@contoso.example").text
    fake_programs.gcloud(*gcloud.of_old_version(token))
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.warnings == []
    assert [called.arguments for called in fake_programs.invocations()] == [ARGUMENTS, ARGUMENTS[:-1]]


def test_token_without_an_end_is_used(ada: GoogleUser) -> None:
    token = ada.google.tokens.issue("ada@contoso.example").text
    ada.fake_programs.gcloud(*gcloud.logged_in(token, None))
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.warnings == []


def test_gcloud_runs_once_for_lookups_and_threads(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    token = ada.run_gcloud(delay=0.5)
    answers = ada.look_up.all([LookUp(ada.url, threads=4), LookUp(ada.url)])
    found = [answers[0], *answers[0].others, answers[1]]
    assert {answer.credential for answer in found} == {(USER_NAME, token)}
    assert len(fake_programs.invocations()) == 1


def test_grandchild_that_keeps_the_output_open_does_not_matter(ada: GoogleUser) -> None:
    token = ada.run_gcloud(leave_grandchild=True)
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.seconds < FOREVER / 10


# Its configuration.


def test_active_account_needs_no_gcloud(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    login = ada.log_in_with_gcloud()
    ada.run_gcloud("alice@contoso.example")
    answer = ada.ask()
    assert ada.account(answer) == login.email and answer.warnings == []
    assert ada.hosts() == [OAUTH] and fake_programs.invocations() == []


def test_configuration_decides_which_account_signs_in(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    emails = {}
    for name in ("alice", "bob", "ada"):
        login = ada.google.accounts.log_in(name, GCLOUD)
        # The last one is active.
        ada.files.write_login(login, configuration=name)
        emails[name] = login.email
    answers = ada.ask_each(
        {},
        {"CLOUDSDK_ACTIVE_CONFIG_NAME": "bob"},
        {"CLOUDSDK_CORE_ACCOUNT": emails["alice"]},
        {"CLOUDSDK_ACTIVE_CONFIG_NAME": "bob", "CLOUDSDK_CORE_ACCOUNT": emails["ada"]},
    )
    assert ada.accounts(answers) == [emails["ada"], emails["bob"], emails["alice"], emails["ada"]]
    assert all(answer.warnings == [] for answer in answers) and fake_programs.invocations() == []


def test_no_configuration_has_no_account(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    ada.log_in_with_gcloud()
    fake_programs.gcloud(gcloud.not_logged_in())
    answer = ada.ask(CLOUDSDK_ACTIVE_CONFIG_NAME="NONE")
    assert answer.credential is None and "gcloud has no active account" in answer.warning
    assert ada.cloud.log.requests() == []
    [called] = fake_programs.invocations()
    assert called.environment["CLOUDSDK_ACTIVE_CONFIG_NAME"] == "NONE"


def test_default_configuration_is_active_without_a_name(ada: GoogleUser) -> None:
    login = ada.log_in_with_gcloud()
    (ada.files.directory / "active_config").unlink()
    assert ada.account(ada.ask()) == login.email


def test_configuration_directory_may_be_elsewhere(ada: GoogleUser, tmp_path: Path) -> None:
    ada.log_in_with_gcloud("alice")
    ada.files.write_application_default(ada.google.other_login.file)
    elsewhere = GoogleFiles(tmp_path / "elsewhere")
    login = ada.google.accounts.log_in("ada", GCLOUD)
    elsewhere.write_login(login)
    assert ada.account(ada.ask(**{DIRECTORY: str(elsewhere.directory)})) == login.email
    default = ada.google.accounts.log_in("bob")
    elsewhere.write_application_default(default.file)
    assert ada.account(ada.ask(**{DIRECTORY: str(elsewhere.directory)})) == default.email


#: Properties with which only gcloud signs in as it should.
RESERVED = {
    "auth__token_host": "https://psc.example/token",
    "auth__disable_credentials": "true",
    "auth__disable_ssl_validation": "true",
    "auth__access_token_file": "/nonexistent/token",
    "auth__credential_file_override": "/nonexistent/key.json",
    "context_aware__use_client_certificate": "true",
    "core__universe_domain": "universe.example",
    "core__custom_ca_certs_file": "/nonexistent/ca.pem",
    "proxy__type": "http",
}


@pytest.mark.parametrize("name", RESERVED)
def test_property_that_gcloud_alone_obeys_runs_it(ada: GoogleUser, fake_programs: FakePrograms, name: str) -> None:
    ada.log_in_with_gcloud(**{name: RESERVED[name]})
    token = ada.run_gcloud()
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.warnings == []
    assert ada.cloud.log.requests() == [] and len(fake_programs.invocations()) == 1


def test_login_that_needs_gcloud_says_so_without_it(ada: GoogleUser) -> None:
    ada.log_in_with_gcloud(auth__token_host="https://psc.example/token")
    warning = ada.ask().warning
    assert "gcloud is not on PATH" in warning and "auth/token_host" in warning, warning
    assert ada.cloud.log.requests() == []


@pytest.mark.parametrize("text", ["{", "[]", '{"type": "external_account_authorized_user"}'])
def test_file_that_does_not_serve_runs_gcloud(ada: GoogleUser, fake_programs: FakePrograms, text: str) -> None:
    login = ada.log_in_with_gcloud()
    path = ada.files.directory / "legacy_credentials" / login.email / "adc.json"
    path.write_text(text, encoding="utf-8")
    token = ada.run_gcloud()
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.warnings == []
    assert ada.cloud.log.requests() == [] and len(fake_programs.invocations()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_file_that_others_may_write_runs_gcloud(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    login = ada.log_in_with_gcloud("alice")
    os.chmod(ada.files.directory / "legacy_credentials" / login.email / "adc.json", 0o666)
    warning = ada.ask().warning
    assert "chmod" in warning, warning
    token = ada.run_gcloud()
    assert ada.ask().credential == (USER_NAME, token)
    assert ada.cloud.log.requests() == [] and len(fake_programs.invocations()) == 1


def test_account_is_no_path(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    planted = ada.google.accounts.log_in("alice", GCLOUD)
    path = ada.files.write_login(planted)
    (ada.files.directory / "adc.json").write_text(path.read_text())
    fake_programs.gcloud(gcloud.not_logged_in())
    answers = ada.ask_each(*({"CLOUDSDK_CORE_ACCOUNT": name} for name in ("..", "../", str(path.parent), "a/../..")))
    assert [answer.credential for answer in answers] == [None] * 4
    assert ada.cloud.log.requests() == []


@pytest.mark.parametrize("content", ["[core\n", "account = ada@contoso.example\n", "\0", "[core]\naccount\n"])
def test_broken_configuration_is_left_to_gcloud(ada: GoogleUser, fake_programs: FakePrograms, content: str) -> None:
    ada.log_in_with_gcloud()
    (ada.files.directory / "configurations" / "config_default").write_text(content)
    token = ada.run_gcloud()
    answer = ada.ask()
    assert answer.credential == (USER_NAME, token) and answer.warnings == []
    assert ada.cloud.log.requests() == []


def test_nothing_of_gcloud_is_written(ada: GoogleUser) -> None:
    ada.log_in_with_gcloud()
    before = {path: path.read_bytes() for path in ada.files.directory.rglob("*") if path.is_file()}
    assert ada.account(ada.ask())
    assert {path: path.read_bytes() for path in ada.files.directory.rglob("*") if path.is_file()} == before
    assert json.loads(next(path for path in before if path.name == "adc.json").read_text())["refresh_token"]

"""Logins of people: those of ``gcloud auth application-default login`` and of ``gcloud auth login``."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp
from lab.registries.google.accounts import GCLOUD, Login
from lab.registries.google.refusals import Refused, bad_request, expired_or_revoked, reauthentication
from support.google_auth import GoogleAuth
from support.google_user import APPLICATION_CREDENTIALS, OAUTH, GoogleUser
from support.native_keyring import NativeKeyring

APPLICATION_DEFAULT, OWN = "`gcloud auth application-default login`", "`gcloud auth login`"
#: How a person's login reaches ringbearer, and the command that signs in again.
LOGINS = {"named file": APPLICATION_DEFAULT, "application default": APPLICATION_DEFAULT, "gcloud": OWN}


@pytest.fixture
def ada(ada: GoogleUser, short_path: Path) -> GoogleUser:
    """Someone without a login, whose files have paths that a warning does not cut."""
    ada.files.home = short_path
    return ada


@pytest.fixture(params=LOGINS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each way in turn."""
    return request.param


def log_in(ada: GoogleUser, kind: str, name: str = "ada") -> tuple[Login, dict[str, str]]:
    """Signs a person in. Returns the login, and the variables that name it."""
    if kind == "gcloud":
        return ada.log_in_with_gcloud(name), {}
    login = ada.google.accounts.log_in(name)
    if kind == "named file":
        return login, ada.use(login.file)
    ada.files.write_application_default(login.file)
    return login, {}


def test_cold_lookup_is_one_post_and_the_next_is_none(ada: GoogleUser, kind: str) -> None:
    login, variables = log_in(ada, kind)
    first, second = ada.look_up.all([LookUp(ada.url)] * 2, **variables)
    assert ada.account(first) == login.email and second.credential == first.credential
    assert first.warnings == second.warnings == []
    [request] = ada.cloud.log.requests()
    assert (request.host, request.method, request.path) == (OAUTH, "POST", "/token")
    assert set(request.form) == {"grant_type", "client_id", "client_secret", "refresh_token"}
    assert len(ada.cloud.log.connections()) == 1


def test_native_keyring_makes_one_post(ada: GoogleUser, native: Client, fake_programs: FakePrograms, kind: str) -> None:
    kernel_keys.need_sharing()
    _, variables = log_in(ada, kind)
    keyring = NativeKeyring(ada.cloud, native, ada.home, [fake_programs.directory])
    ended = [keyring("get", ada.url, "oauth2accesstoken", **variables).check() for _ in range(2)]
    [token] = ada.google.tokens.issued
    assert [(one.stdout, one.stderr) for one in ended] == [(token + "\n", "")] * 2
    assert ada.hosts() == [OAUTH]


def test_file_that_google_auth_writes_is_read(ada: GoogleUser, google_auth: Client) -> None:
    library = GoogleAuth(ada.cloud, google_auth, ada.home)
    for login in (ada.google.login, ada.google.accounts.log_in("alice", GCLOUD)):
        written = library.written({**login.file, "scopes": ["https://www.googleapis.com/auth/cloud-platform"]})
        assert library.principal(written) == login.email
        ada.files.write_application_default(written)
        assert ada.account(ada.ask(RINGBEARER_CACHE="off")) == login.email
        assert ada.account(ada.ask(**ada.use(written), RINGBEARER_CACHE="off")) == login.email


def test_file_of_either_command_is_read_as_each_source(ada: GoogleUser) -> None:
    for login in (ada.google.login, ada.google.accounts.log_in("alice", GCLOUD)):
        ada.files.write_application_default(login.file)
        assert ada.account(ada.ask()) == login.email


def test_proof_of_a_new_sign_in_is_sent(ada: GoogleUser, google_auth: Client) -> None:
    login = ada.google.login
    login.failure, login.rapt = reauthentication(), "the-proof"
    written = GoogleAuth(ada.cloud, google_auth, ada.home).written({**login.file, "rapt_token": "the-proof"})
    answer = ada.ask(**ada.use(written))
    assert ada.account(answer) == login.email and answer.warnings == []
    assert ada.hosts() == [OAUTH]


@pytest.mark.parametrize("subtype", ["invalid_rapt", "rapt_required"])
def test_session_limit_names_the_command_of_its_login(ada: GoogleUser, kind: str, subtype: str) -> None:
    login, variables = log_in(ada, kind)
    login.failure = reauthentication(subtype)
    warning = ada.ask(**variables).warning
    other = APPLICATION_DEFAULT if kind == "gcloud" else OWN
    assert subtype in warning and "sign in again" in warning, warning
    assert LOGINS[kind] in warning and other not in warning, warning
    assert (APPLICATION_CREDENTIALS in warning) == (kind == "named file"), warning
    assert ada.hosts() == [OAUTH] and login.refresh_token not in warning


@pytest.mark.parametrize("failure", [expired_or_revoked(), bad_request()], ids=["revoked", "bad request"])
def test_revoked_login_names_the_command_of_its_login(ada: GoogleUser, kind: str, failure: Refused) -> None:
    login, variables = log_in(ada, kind)
    login.failure = failure
    warning = ada.ask(**variables).warning
    other = APPLICATION_DEFAULT if kind == "gcloud" else OWN
    assert "expired or was revoked" in warning and LOGINS[kind] in warning and other not in warning, warning


@pytest.mark.parametrize("subtype", ["invalid_rapt", "rapt_required"])
def test_gcloud_runs_after_the_session_limit_of_its_file(
    ada: GoogleUser, fake_programs: FakePrograms, subtype: str
) -> None:
    login = ada.log_in_with_gcloud()
    login.failure = reauthentication(subtype)
    token = ada.run_gcloud()
    answer = ada.ask()
    assert answer.credential == ("oauth2accesstoken", token) and answer.warnings == []
    assert ada.hosts() == [OAUTH] and len(fake_programs.invocations("gcloud")) == 1


def test_gcloud_does_not_run_for_a_revoked_login(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    login = ada.log_in_with_gcloud()
    login.failure = expired_or_revoked()
    ada.run_gcloud()
    assert OWN in ada.ask().warning
    assert fake_programs.invocations() == []


def test_session_limit_of_the_default_login_moves_on(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    login, _ = log_in(ada, "application default")
    login.failure = reauthentication()
    other = ada.log_in_with_gcloud("alice")
    answer = ada.ask()
    assert ada.account(answer) == other.email
    assert APPLICATION_DEFAULT in answer.warning and "sign in again" in answer.warning
    assert ada.hosts() == [OAUTH, OAUTH] and fake_programs.invocations() == []


def test_session_limit_of_a_named_file_does_not_move_on(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    login, variables = log_in(ada, "named file")
    login.failure = reauthentication()
    ada.log_in_with_gcloud("alice")
    ada.run_gcloud()
    assert APPLICATION_DEFAULT in ada.ask(**variables).warning
    assert ada.hosts() == [OAUTH] and fake_programs.invocations() == []


#: A file, and words of the warning.
DAMAGED = {
    "another secret": ({"client_secret": "another"}, "invalid_client"),
    "no refresh token": ({"refresh_token": ""}, "refresh_token"),
    "another type": ({"type": "authorised_user"}, "authorised_user"),
    "no type": ({"type": None}, "no type"),
    "a login of a workforce": (
        {"type": "external_account_authorized_user"},
        "external_account_authorized_user)); run `gcloud auth login`",
    ),
    "another cloud": ({"universe_domain": "universe.example"}, "universe.example"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_file_is_one_warning_with_the_file(ada: GoogleUser, case: str) -> None:
    fields, words = DAMAGED[case]
    content = {name: value for name, value in {**ada.google.login.file, **fields}.items() if value is not None}
    variables = ada.use(content)
    answer = ada.ask(**variables)
    assert answer.credential is None and words in answer.warning and "; " in answer.warning, answer.warning
    assert APPLICATION_CREDENTIALS in answer.warning, answer.warning
    assert ada.google.login.refresh_token not in answer.text

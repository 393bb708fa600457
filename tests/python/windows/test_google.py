"""Logins of Google: the files in %APPDATA%, gcloud.cmd, the metadata server, and programs with subject tokens."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from lab import gcloud
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer
from lab.registries.google.accounts import GCLOUD
from lab.registries.google.federation import JWT
from lab.registries.google.files import (
    GoogleFiles,
    executable_output,
    executable_source,
    external_account,
    file_source,
    impersonated,
)
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.user import WindowsUser

OAUTH, METADATA = "oauth2.googleapis.com", "google-metadata"
SUBJECT = "project:ring"
ALLOWED = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}


class Ada:
    """A user without a login."""

    def __init__(self, user: WindowsUser, cloud: PracticeCloud) -> None:
        self.user = user
        self.cloud = cloud
        self.google = cloud.google
        self.files = GoogleFiles(user.home)
        self.files.directory = user.app_data / "gcloud"

    def path(self, path: Path) -> str:
        """A path as Windows programs write it."""
        return self.user.wine.path(path)

    def use(self, content: dict[str, object]) -> dict[str, str | None]:
        """Writes a credential file. Returns the variable that names it."""
        return {"GOOGLE_APPLICATION_CREDENTIALS": self.path(self.files.write(content))}

    def ask(self, **variables: str | None):
        """``keyring get`` for the practice cloud's repository."""
        words = ("keyring", "get", self.google.repository.url, "oauth2accesstoken")
        return self.user.run(*words, variables=variables)

    def account(self, **variables: str | None) -> str | None:
        """Whose token a lookup gives; it must succeed."""
        ended = self.ask(**variables).check()
        assert ended.stderr == ""
        return self.google.tokens.principal(ended.stdout.strip())


@pytest.fixture
def ada(cloud_user: WindowsUser, cloud: PracticeCloud) -> Ada:
    """The user."""
    return Ada(cloud_user, cloud)


def test_application_default_login_is_below_app_data(ada: Ada) -> None:
    ada.files.write_application_default(ada.google.login.file)
    assert ada.account() == ada.google.login.email
    assert [one.host for one in ada.cloud.log.requests()] == [OAUTH] and ada.google.mistakes == []


def test_login_without_app_data_is_below_the_system_drive(ada: Ada, tmp_path: Path) -> None:
    files = GoogleFiles(tmp_path)
    files.directory = ada.user.wine.drive("C:\\gcloud")
    path = files.write_application_default(ada.google.login.file)
    try:
        assert ada.account(APPDATA="", SYSTEMDRIVE=None) == ada.google.login.email
    finally:
        path.unlink()
        path.parent.rmdir()


def test_login_of_gcloud_needs_no_gcloud(ada: Ada, fake_programs: WindowsPrograms) -> None:
    login = ada.google.accounts.log_in("alice", GCLOUD)
    ada.files.write_login(login)
    fake_programs.gcloud(*gcloud.logged_in("ya29.unwanted"))
    assert ada.account() == login.email
    assert fake_programs.invocations() == [] and ada.google.mistakes == []


def test_configuration_directory_may_be_elsewhere(ada: Ada, tmp_path: Path) -> None:
    files = GoogleFiles(tmp_path)
    files.directory = tmp_path / "a b" / "gcloud"
    files.write_application_default(ada.google.login.file)
    assert ada.account(CLOUDSDK_CONFIG=ada.path(files.directory)) == ada.google.login.email


def test_batch_file_of_gcloud_is_run(ada: Ada, fake_programs: WindowsPrograms) -> None:
    token = ada.google.tokens.issue("ada@contoso.example").text
    # gcloud waits for nobody.
    fake_programs.gcloud(Answer(gcloud.document(token, 3599), when=gcloud.CONFIG_HELPER))
    assert ada.account() == "ada@contoso.example"
    [called] = fake_programs.invocations()
    assert called.arguments == ["config", "config-helper", "--format=json(credential)", "--min-expiry=5m"]
    assert called.environment["CLOUDSDK_CORE_DISABLE_PROMPTS"] == "1"
    assert ada.cloud.log.requests() == []


def test_old_gcloud_is_run_without_the_option(ada: Ada, fake_programs: WindowsPrograms) -> None:
    token = ada.google.tokens.issue("ada@contoso.example").text
    fake_programs.gcloud(*gcloud.of_old_version(token))
    assert ada.account() == "ada@contoso.example"
    assert len(fake_programs.invocations()) == 2


def test_gcloud_without_an_account_is_one_line(ada: Ada, fake_programs: WindowsPrograms) -> None:
    fake_programs.gcloud(gcloud.not_logged_in())
    ended = ada.ask()
    assert (ended.code, ended.stdout) == (1, "") and ended.stderr.count("\n") == 1, ended
    assert "gcloud has no active account" in ended.stderr and "`gcloud auth login`" in ended.stderr


def test_gcloud_in_the_working_directory_is_not_run(ada: Ada, fake_programs: WindowsPrograms) -> None:
    fake_programs.program("gcloud", *gcloud.logged_in("ya29.planted"), directory=str(ada.user.home))
    assert ada.ask().code == 1
    assert fake_programs.invocations() == []


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_key_of_a_service_account_is_read(ada: Ada, line_end: str) -> None:
    variables = ada.use(ada.google.key.file)
    path = ada.files.home / "credentials" / "credentials.json"
    # As an editor of Windows saves it.
    path.write_bytes(b"\xef\xbb\xbf" + path.read_text().replace("\n", line_end).encode())
    assert ada.account(**variables) == ada.google.robot.email
    assert ada.google.mistakes == []


def test_impersonated_service_account_is_read(ada: Ada) -> None:
    ada.files.write_application_default(impersonated(ada.google.login.file, ada.google.publisher))
    assert ada.account() == ada.google.publisher.email


def test_named_file_that_is_missing_is_one_line(ada: Ada) -> None:
    ended = ada.ask(GOOGLE_APPLICATION_CREDENTIALS="Z:\\missing.json")
    assert (ended.code, ended.stdout) == (1, "") and ended.stderr.count("\n") == 1, ended
    assert "Z:\\missing.json" in ended.stderr and "GOOGLE_APPLICATION_CREDENTIALS" in ended.stderr


def test_metadata_server_serves(ada: Ada) -> None:
    ada.google.metadata.account = ada.google.robot
    assert ada.account(**ada.google.metadata.variables) == ada.google.robot.email
    requests = ada.cloud.log.requests()
    assert {one.host for one in requests} == {METADATA} and ada.google.mistakes == []


def test_metadata_server_that_is_silent_costs_little(ada: Ada) -> None:
    ada.google.metadata.is_silent = True
    without = ada.ask(NO_GCE_CHECK="true").duration
    ended = ada.ask(**ada.google.metadata.variables)
    assert ended.code == 1 and "GCE_METADATA_HOST" in ended.stderr, ended
    assert ended.duration - without < 2.5


def test_token_in_a_file_is_exchanged(ada: Ada) -> None:
    provider = ada.google.providers.workload(subjects={SUBJECT})
    path = ada.path(ada.files.write(provider.subject_token(SUBJECT) + "\r\n", "token"))
    assert ada.account(**ada.use(external_account(provider, file_source(path)))) == provider.principal(SUBJECT)


@pytest.mark.parametrize("is_batch_file", [True, False])
def test_token_that_a_program_prints_is_exchanged(
    ada: Ada, fake_programs: WindowsPrograms, is_batch_file: bool
) -> None:
    provider = ada.google.providers.workload(subjects={SUBJECT})
    printed = executable_output(provider.subject_token(SUBJECT), JWT, time.time() + 300)
    answer = Answer(json.dumps(printed), when=("--for", "a b"))
    if is_batch_file:
        fake_programs.program("subject-token", answer)
        command = ["subject-token"]
    else:
        command = [f'"{word}"' for word in fake_programs.command("subject-token", answer)]
    content = external_account(provider, executable_source(" ".join([*command, '--for "a b"'])))
    assert ada.account(**ada.use(content), **ALLOWED) == provider.principal(SUBJECT)
    [called] = fake_programs.invocations()
    assert called.arguments == ["--for", "a b"]
    assert called.environment["GOOGLE_EXTERNAL_ACCOUNT_AUDIENCE"] == provider.audience
    refused = ada.ask(**ada.use(content))
    assert refused.code == 1 and "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES" in refused.stderr, refused
    assert len(fake_programs.invocations()) == 1 and ada.google.mistakes == []

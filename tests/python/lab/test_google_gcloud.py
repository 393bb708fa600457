"""The practice cloud: the fake gcloud, and keyrings.google-artifactregistry-auth, which runs it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from lab import gcloud
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.registries.google.accounts import GCLOUD
from lab.registries.google.files import GoogleFiles, external_account, job_source

WORDS = ["config", "config-helper", "--format=json(credential)"]
#: google-auth would run gcloud to learn the project.
PROJECT = {"GOOGLE_CLOUD_PROJECT": "contoso-tools"}


class Peer:
    """keyring with keyrings.google-artifactregistry-auth, and the fake gcloud."""

    def __init__(self, cloud: PracticeCloud, client: Client, home: Path, programs: FakePrograms) -> None:
        self.cloud = cloud
        self.google = cloud.google
        self.programs = programs
        self.files = GoogleFiles(home)
        self._client = client
        self._home = home

    def ask(self, **variables: str | None) -> Completed:
        """``keyring get`` for the repository."""
        environment = self.cloud.environment(self._home, [self.programs.directory, self._client.bin], **variables)
        words = ["keyring", "--mode", "creds", "get", self.google.repository.url]
        ended = self._client.run(words, environment)
        assert self.cloud.log.refused() == []
        assert self.google.mistakes == []
        return ended

    def assert_principal(self, principal: str, **variables: str | None) -> None:
        """The token is that of a principal."""
        user_name, token = self.ask(**variables).check().stdout.split()
        assert (user_name, self.google.tokens.principal(token)) == ("oauth2accesstoken", principal)


@pytest.fixture
def peer(cloud: PracticeCloud, google_auth: Client, home: Path, fake_programs: FakePrograms) -> Peer:
    """Someone without a login."""
    return Peer(cloud, google_auth, home, fake_programs)


def run(programs: FakePrograms, cloud: PracticeCloud, home: Path, *words: str, timeout: float = 10):
    """Run the fake gcloud."""
    return subprocess.run(
        [f"{programs.directory}/gcloud", *(words or WORDS)],
        env=cloud.environment(home, path=[programs.directory]),
        cwd=str(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
        text=True,
    )


def test_fake_gcloud_prints_the_token_of_the_active_account(
    cloud: PracticeCloud, fake_programs: FakePrograms, home: Path
) -> None:
    fake_programs.gcloud(*gcloud.logged_in("ya29.a", read_stdin=True))
    printed = json.loads(run(fake_programs, cloud, home).stdout)
    assert set(printed["credential"]) == {"access_token", "id_token", "token_expiry"}
    assert printed["credential"]["token_expiry"].endswith("Z")
    assert run(fake_programs, cloud, home, "auth", "print-access-token").stdout == "ya29.a\n"
    assert [call.arguments for call in fake_programs.invocations("gcloud")][:1] == [WORDS]
    fake_programs.gcloud(*gcloud.logged_in("ya29.a", None))
    assert json.loads(run(fake_programs, cloud, home).stdout)["credential"]["token_expiry"] is None
    fake_programs.gcloud(*gcloud.of_old_version("ya29.a"))
    assert run(fake_programs, cloud, home, *WORDS, "--min-expiry=5m").returncode == 2
    assert run(fake_programs, cloud, home).returncode == 0
    fake_programs.gcloud(*gcloud.impersonating("ya29.a", "robot@contoso.example"))
    ended = run(fake_programs, cloud, home)
    assert ended.stderr.startswith("WARNING: ") and json.loads(ended.stdout)["credential"]["access_token"] == "ya29.a"
    fake_programs.gcloud(gcloud.with_junk("ya29.a"))
    text = run(fake_programs, cloud, home).stdout
    assert not text.startswith("{") and '"access_token": "ya29.a"' in text
    fake_programs.gcloud(*gcloud.logged_in("ya29.a", delay=5))
    with pytest.raises(subprocess.TimeoutExpired):
        run(fake_programs, cloud, home, timeout=0.5)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (gcloud.not_logged_in(), "You do not currently have an active account selected.\n"),
        (gcloud.requires_reauthentication(), "cannot prompt during non-interactive execution.\n"),
        (gcloud.has_revoked_token(), "Token has been expired or revoked."),
        (gcloud.may_not_impersonate("robot@contoso.example"), "roles/iam.serviceAccountTokenCreator"),
    ],
)
def test_fake_gcloud_fails_as_gcloud_does(
    cloud: PracticeCloud, fake_programs: FakePrograms, home: Path, answer: Answer, message: str
) -> None:
    fake_programs.gcloud(answer)
    ended = run(fake_programs, cloud, home)
    assert (ended.returncode, ended.stdout) == (1, "") and message in ended.stderr


def test_files_of_gcloud_are_those_of_its_active_account(cloud: PracticeCloud, home: Path) -> None:
    files = GoogleFiles(home)
    login = cloud.google.accounts.log_in("ada", GCLOUD)
    path = files.write_login(login, "work", auth__impersonate_service_account="robot@contoso.example")
    assert path.parts[-3:] == ("legacy_credentials", "ada@contoso.example", "adc.json")
    assert json.loads(path.read_text())["refresh_token"] == login.refresh_token
    assert (files.directory / "active_config").read_text() == "work"
    text = (files.directory / "configurations" / "config_work").read_text()
    assert text == (
        "[core]\naccount = ada@contoso.example\n\n[auth]\nimpersonate_service_account = robot@contoso.example\n\n"
    )


def test_peer_gets_tokens_of_people_and_service_accounts(peer: Peer) -> None:
    google = peer.google
    peer.files.write_application_default(google.login.file)
    peer.assert_principal(google.login.email, **PROJECT)
    path = str(peer.files.write(google.key.file))
    peer.assert_principal(google.robot.email, GOOGLE_APPLICATION_CREDENTIALS=path, **PROJECT)
    google.metadata.account = google.publisher
    (peer.files.directory / "application_default_credentials.json").unlink()
    peer.assert_principal(google.publisher.email, **google.metadata.variables, **PROJECT)


def test_peer_gets_a_token_in_a_job(peer: Peer) -> None:
    google = peer.google
    job = peer.cloud.azure.github_actions.job()
    provider = google.trust_job(job.subject, is_impersonating=True)
    _, variables = peer.files.write_action(external_account(provider, job_source(job, provider), google.publisher))
    peer.assert_principal(google.publisher.email, **variables)


def test_peer_asks_for_a_project_that_nobody_needs(peer: Peer) -> None:
    google = peer.google
    job = peer.cloud.azure.github_actions.job()
    provider = google.trust_job(job.subject)
    path = peer.files.write(external_account(provider, job_source(job, provider)))
    peer.assert_principal(provider.principal(job.subject), GOOGLE_APPLICATION_CREDENTIALS=str(path))
    hosts = [request.host for request in peer.cloud.log.requests()]
    assert "cloudresourcemanager.googleapis.com" in hosts and hosts.count("sts.googleapis.com") == 2


def test_peer_gets_a_token_from_gcloud(peer: Peer) -> None:
    peer.programs.gcloud(*gcloud.logged_in(peer.google.tokens.issue("ada@contoso.example").text))
    peer.assert_principal("ada@contoso.example")
    assert peer.programs.invocations("gcloud")[-1].arguments == WORDS


@pytest.mark.parametrize("answer", [gcloud.with_junk("ya29.a"), gcloud.not_logged_in()])
def test_peer_fails_with_a_trace_where_gcloud_gives_no_json(peer: Peer, answer: Answer) -> None:
    peer.programs.gcloud(answer)
    ended = peer.ask()
    assert ended.code == 1 and "Traceback" in ended.stderr

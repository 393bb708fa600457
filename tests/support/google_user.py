"""A person of Google who asks for tokens of Artifact Registry."""

from __future__ import annotations

import json
from pathlib import Path

from lab import gcloud
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer as Program
from lab.fake_programs import FakePrograms
from lab.look_up import Answer, LookUp, Lookups
from lab.registries.azure.oidc import WorkflowJob
from lab.registries.google.accounts import GCLOUD, Login, ServiceAccount
from lab.registries.google.federation import Provider
from lab.registries.google.files import GoogleFiles, executable_source, external_account, job_source
from lab.registries.google.repositories import USER_NAME

OAUTH = "oauth2.googleapis.com"
STS = "sts.googleapis.com"
IAM = "iamcredentials.googleapis.com"
METADATA = "google-metadata"

APPLICATION_CREDENTIALS = "GOOGLE_APPLICATION_CREDENTIALS"
STRICT = {"RINGBEARER_STRICT": "1"}
#: A variable that counts as a login, and that no source of most tests reads.
UNREAD = "AWS_CREDENTIAL_EXPIRATION"


class GoogleUser:
    """A person without a login, who asks for the repository of the practice cloud.

    Lookups have a HOME of their own, a PATH without the machine's gcloud, and no metadata server unless the variables
    are those of ``google.metadata``.
    """

    def __init__(self, cloud: PracticeCloud, look_up: Lookups, home: Path, fake_programs: FakePrograms) -> None:
        self.cloud = cloud
        self.look_up = look_up
        self.home = home
        self.fake_programs = fake_programs
        self.google = cloud.google
        self.files = GoogleFiles(home)
        self.url = self.google.repository.url

    def ask(self, **variables: str | None) -> Answer:
        """One lookup."""
        return self.look_up(self.url, **variables)

    def ask_each(self, *cases: dict[str, str], **variables: str | None) -> list[Answer]:
        """One lookup for each case of variables, in one process."""
        return self.look_up.each(*cases, service=self.url, **variables)

    def ask_with_files(self, *cases: dict[str, str], **variables: str | None) -> list[Answer]:
        """One lookup for each case of files (text by path), in one process."""
        return self.look_up.all([LookUp(self.url, files=case) for case in cases], **variables)

    def account(self, answer: Answer) -> str | None:
        """The e-mail address, or the principal, that a lookup's token belongs to; None without a token."""
        if answer.credential is None:
            return None
        username, token = answer.credential
        assert username == USER_NAME
        return self.google.tokens.principal(token) or token

    def accounts(self, answers: list[Answer]) -> list[str | None]:
        """Those of several lookups."""
        return [self.account(answer) for answer in answers]

    def hosts(self) -> list[str]:
        """The hosts that were asked, in order."""
        return [request.host for request in self.cloud.log.requests()]

    def use(self, content: dict[str, object], name: str = "credentials.json") -> dict[str, str]:
        """Writes a credential file. Returns the variable that names it."""
        return {APPLICATION_CREDENTIALS: str(self.files.write(content, name))}

    def log_in_with_gcloud(self, name: str = "ada", **properties: str) -> Login:
        """What ``gcloud auth login`` leaves; gcloud itself is not on PATH."""
        login = self.google.accounts.log_in(name, GCLOUD)
        self.files.write_login(login, **properties)
        return login

    def run_gcloud(self, email: str = "ada@contoso.example", lifetime: float = 3599, **behaviour: object) -> str:
        """Puts a gcloud on PATH that prints a token of an account. Returns the token."""
        token = self.google.tokens.issue(email, lifetime=lifetime).text
        self.fake_programs.gcloud(*gcloud.logged_in(token, lifetime, **behaviour))
        return token

    def subject_program(self, output: dict[str, object] | str, **behaviour: object) -> dict[str, object]:
        """A program that prints a subject token. Returns the source that names it.

        The behaviour is that of `lab.fake_programs.Answer`, such as ``code`` and ``delay``.
        """
        text = output if isinstance(output, str) else json.dumps(output)
        return executable_source(self.fake_programs.program("subject-token", Program(text, **behaviour)))

    def start_job(self, is_impersonating: bool = False) -> tuple[WorkflowJob, Provider, dict[str, str]]:
        """A job of GitHub Actions after google-github-actions/auth; the variables are those of the action."""
        job = self.cloud.azure.github_actions.job()
        provider = self.google.trust_job(job.subject, is_impersonating)
        target: ServiceAccount | None = self.google.publisher if is_impersonating else None
        _, variables = self.files.write_action(external_account(provider, job_source(job, provider), target))
        return job, provider, variables

"""The practice cloud answers Google's own library, google-auth: so it is like Google."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.registries.codeartifact.accounts import ACCOUNT
from lab.registries.google import files
from lab.registries.google.accounts import GCLOUD, OLD_TOKEN_URLS
from lab.registries.google.accounts import Client as OAuthClient
from lab.registries.google.federation import AWS4_REQUEST, ID_TOKEN, SAML2
from lab.registries.google.metadata import metadata_fails
from lab.registries.google.refusals import (
    bad_request,
    busy,
    expired_or_revoked,
    internal_failure,
    reauthentication,
)

OAUTH = "oauth2.googleapis.com"
SUBJECT = "project:ring"

#: Prints the token and the seconds that it lasts, or the name of the error and its message.
PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import google.auth, google.auth.exceptions, google.auth.transport.requests
from google.auth import _helpers
try:
    credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
    credentials.refresh(google.auth.transport.requests.Request())
    left = (credentials.expiry - _helpers.utcnow()).total_seconds()
    print(json.dumps([credentials.token, left]))
except (google.auth.exceptions.GoogleAuthError, ValueError) as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


class Person:
    """A person who uses google-auth."""

    def __init__(self, cloud: PracticeCloud, client: Client, home: Path) -> None:
        self.cloud = cloud
        self.google = cloud.google
        self.files = files.GoogleFiles(home)
        self._client = client
        self._home = home

    def ask(self, content: dict[str, object] | None = None, **variables: str | None) -> list:
        """The token, or the error, with a credential file if there is one."""
        if content is not None:
            variables["GOOGLE_APPLICATION_CREDENTIALS"] = str(self.files.write(content))
        # Otherwise google-auth asks gcloud, or Google, for it.
        named = {"GOOGLE_CLOUD_PROJECT": "contoso-tools", **variables}
        environment = self.cloud.environment(self._home, [self._client.bin], **named)
        ended = self._client.run(["python", "-c", PROGRAM], environment).check()
        assert self.cloud.log.refused() == []
        return json.loads(ended.stdout)

    def assert_principal(self, principal: str, content: dict[str, object] | None = None, **variables: object) -> None:
        """The token is that of a principal, and nothing was wrong with the requests."""
        answer = self.ask(content, **variables)
        assert self.google.mistakes == []
        assert self.google.tokens.principal(answer[0]) == principal, answer
        assert answer[0] == self.google.tokens.issued[-1]
        assert 3500 < answer[1] <= 3600

    def assert_refused(self, message: str, content: dict[str, object] | None = None, **variables: object) -> None:
        """The sign-in fails with a message, not by a mistake of the client."""
        kind, text = self.ask(content, **variables)
        assert kind.endswith("Error") and message in text, (kind, text)
        assert self.google.mistakes == []


@pytest.fixture
def person(cloud: PracticeCloud, google_auth: Client, home: Path) -> Person:
    """Someone without a login."""
    return Person(cloud, google_auth, home)


def test_person_gets_a_token_with_either_client_of_google(person: Person) -> None:
    google = person.google
    person.assert_principal(google.login.email, google.login.file)
    person.files.write_application_default(google.accounts.log_in("alice", GCLOUD).file)
    person.assert_principal("alice@contoso.example")


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (expired_or_revoked(), "Token has been expired or revoked."),
        (bad_request(), "Bad Request"),
        (reauthentication("invalid_rapt"), "Reauthentication is needed"),
        (reauthentication("rapt_required"), "Reauthentication is needed"),
    ],
)
def test_login_that_google_refuses_gives_no_token(person: Person, failure: Exception, message: str) -> None:
    person.google.login.failure = failure
    person.assert_refused(message, person.google.login.file)


def test_damaged_login_gives_no_token(person: Person) -> None:
    file = person.google.login.file
    person.assert_refused("invalid_client", {**file, "client_secret": "another"})
    person.assert_refused("Bad Request", {**file, "refresh_token": "1//0another"})


def test_login_with_proof_of_reauthentication_gets_a_token(person: Person) -> None:
    login = person.google.login
    login.failure, login.rapt = reauthentication(), "the-proof"
    person.assert_principal(login.email, {**login.file, "rapt_token": "the-proof"})


def test_service_account_gets_a_token(person: Person) -> None:
    google = person.google
    person.assert_principal(google.robot.email, google.key.file)
    assert len(google.tokens.issued[-1]) == 1024


@pytest.mark.parametrize("url", OLD_TOKEN_URLS)
def test_old_key_gets_a_token(person: Person, url: str) -> None:
    person.assert_principal(person.google.robot.email, {**person.google.key.file, "token_uri": url})


def test_service_account_without_its_key_gets_no_token(person: Person) -> None:
    google = person.google
    google.key.is_deleted = True
    person.assert_refused("Invalid JWT Signature.", google.key.file)
    google.robot.is_disabled = True
    person.assert_refused("account disabled", google.key.file)
    gone = {**google.key.file, "client_email": "gone@contoso-tools.iam.gserviceaccount.com"}
    person.assert_refused("account not found", gone)


def test_clock_that_is_wrong_gives_no_token_but_the_time(person: Person) -> None:
    google = person.google
    google.clock.offset = 2 * 3600
    person.assert_refused("Token must be a short-lived token", google.key.file)
    google.clock.offset = -600
    person.assert_refused("Token must be a short-lived token", google.key.file)


@pytest.mark.parametrize("fault", [busy(503), busy(429), internal_failure()])
def test_endpoint_that_is_busy_is_asked_again(person: Person, fault: object) -> None:
    rule = person.cloud.faults.add(fault, host=OAUTH, times=1)
    person.assert_principal(person.google.login.email, person.google.login.file)
    assert rule.met == 1


@pytest.mark.parametrize("is_impersonating", [False, True])
def test_job_of_github_actions_gets_a_token(person: Person, is_impersonating: bool) -> None:
    google = person.google
    job = person.cloud.azure.github_actions.job()
    provider = google.trust_job(job.subject, is_impersonating)
    target = google.publisher if is_impersonating else None
    content = files.external_account(provider, files.job_source(job, provider), target)
    path, variables = person.files.write_action(content)
    assert path.name.startswith("gha-creds-") and len(path.stem) == 26
    principal = google.publisher.email if is_impersonating else provider.principal(job.subject)
    person.assert_principal(principal, **variables)


@pytest.mark.parametrize("field", [None, "token"])
def test_file_with_a_subject_token_gives_a_token(person: Person, field: str | None) -> None:
    provider = person.google.providers.workload(issuer="https://gitlab.example", subjects={SUBJECT})
    token = provider.subject_token(SUBJECT)
    path = person.files.write({"token": token} if field else token, "token")
    content = files.external_account(provider, files.file_source(path, field))
    person.assert_principal(provider.principal(SUBJECT), content)
    content = files.external_account(provider, files.file_source(path, field), token_type=ID_TOKEN)
    person.assert_principal(provider.principal(SUBJECT), content)


@pytest.mark.parametrize("field", [None, "token"])
def test_address_with_a_subject_token_gives_a_token(person: Person, field: str | None) -> None:
    service = person.google.subject_tokens
    provider = person.google.providers.workload(issuer="https://ci.example", subjects={SUBJECT})
    service.token, service.field = provider.subject_token(SUBJECT), field
    content = files.external_account(provider, files.url_source(service.url, service.headers, field))
    person.assert_principal(provider.principal(SUBJECT), content)
    person.ask({**content, "credential_source": files.url_source(service.url, {}, field)})
    assert person.google.mistakes == ["subject tokens: not the headers of the file"]


@pytest.mark.skipif(sys.platform == "win32", reason="the program is a script")
@pytest.mark.parametrize("kind", [ID_TOKEN, SAML2])
def test_program_that_prints_a_subject_token_gives_a_token(person: Person, tmp_path: Path, kind: str) -> None:
    rules = {"token_type": SAML2} if kind == SAML2 else {}
    provider = person.google.providers.workload(subjects={SUBJECT}, **rules)
    token = provider.saml_response(SUBJECT) if kind == SAML2 else provider.subject_token(SUBJECT)
    path = person.files.write(files.executable_output(token, kind, time.time() + 300), "printed.json")
    content = files.external_account(provider, files.executable_source(f"cat {path}"), token_type=kind)
    person.assert_refused("Executables need to be explicitly allowed", content)
    allowed = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
    person.assert_principal(provider.principal(SUBJECT), content, **allowed)
    kept = files.executable_source("false", output_file=path)
    person.assert_principal(provider.principal(SUBJECT), {**content, "credential_source": kept}, **allowed)
    person.files.write(files.executable_failure(), "printed.json")
    person.assert_refused("Caller not authorized.", content, **allowed)


def test_people_of_another_provider_get_a_token(person: Person) -> None:
    google = person.google
    subjects = {"ada@contoso.example"}
    audiences = {"contoso"}
    for client in (None, OAuthClient("workforce", "the-secret+of/the=client")):
        provider = google.providers.workforce(subjects=subjects, audiences=audiences, client=client)
        path = person.files.write(provider.subject_token("ada@contoso.example"), "token")
        more = {} if client else {"workforce_pool_user_project": "123456789012"}
        content = files.external_account(provider, files.file_source(path), **more)
        principal = "principal://iam.googleapis.com/locations/global/workforcePools/people/subject/ada@contoso.example"
        person.assert_principal(principal, content)
    assert google.sts.user_projects == ["123456789012"]
    content["client_secret"] = "another"
    person.assert_refused("invalid_client", content)


@pytest.mark.parametrize("has_session", [False, True])
def test_keys_of_aws_give_a_token(person: Person, has_session: bool) -> None:
    aws, google = person.cloud.codeartifact, person.google
    key = aws.accounts.session_of_role(aws.accounts.role("task"), "ada", 3600) if has_session else aws.user
    provider = google.providers.workload("aws", token_type=AWS4_REQUEST, issuer=ACCOUNT, subjects={key.caller})
    content = files.external_account(provider, files.aws_source())
    # google-auth leaves the provider out of the signature, which Google accepts and advises against.
    google.sts.requires_signed_target = False
    person.assert_principal(provider.principal(key.caller), content, AWS_REGION="eu-central-1", **key.variables)
    wrong = {**key.variables, "AWS_SECRET_ACCESS_KEY": "wrong"}
    answer = person.ask(content, AWS_REGION="eu-central-1", **wrong)
    assert "not valid" in answer[1]
    assert google.mistakes == ["sts: AWS: the signature does not match the request"]


def test_machine_of_aws_gives_a_token(person: Person) -> None:
    aws, google = person.cloud.codeartifact, person.google
    aws.ec2.key = aws.accounts.session_of_role(aws.accounts.role("builders"), "i-0", 3600)
    caller = aws.ec2.key.caller
    provider = google.providers.workload("aws", token_type=AWS4_REQUEST, issuer=ACCOUNT, subjects={caller})
    google.sts.requires_signed_target = False
    content = files.external_account(provider, files.aws_source(f"{aws.ec2.url}/latest"))
    person.assert_principal(provider.principal(caller), content)
    assert aws.mistakes == []


def test_impersonated_service_account_gives_a_token(person: Person) -> None:
    google = person.google
    for source in (google.login.file, google.key.file):
        person.assert_principal(google.publisher.email, files.impersonated(source, google.publisher))
    middle = google.accounts.service_account("middle", google.login.email)
    last = google.accounts.service_account("last", middle.email)
    person.assert_principal(last.email, files.impersonated(google.login.file, last, middle))
    person.assert_refused("getAccessToken", files.impersonated(google.login.file, last))
    person.assert_refused("getAccessToken", files.impersonated(google.other_login.file, google.publisher))


def test_expiry_with_a_fraction_is_refused_by_google_auth(person: Person) -> None:
    google = person.google
    google.impersonation.moment = "{}.123456789Z"
    person.assert_refused("expireTime", files.impersonated(google.login.file, google.publisher))


def test_machine_of_google_gets_a_token(person: Person) -> None:
    google = person.google
    google.metadata.account = google.robot
    person.assert_principal(google.robot.email, **google.metadata.variables)
    google.metadata.may_choose_scopes = True
    person.assert_principal(google.robot.email, **google.metadata.variables)
    rule = person.cloud.faults.add(metadata_fails(), host="google-metadata", path="*/token", times=1)
    person.assert_principal(google.robot.email, **google.metadata.variables)
    assert rule.met == 1


def test_machine_without_google_has_no_login(person: Person) -> None:
    google = person.google
    quick = {"GCE_METADATA_DETECT_RETRIES": "1", "GCE_METADATA_TIMEOUT": "1"}
    google.metadata.account = google.robot
    google.metadata.has_flavor = False
    person.assert_refused("default credentials were not found", **google.metadata.variables, **quick)
    google.metadata.has_flavor, google.metadata.is_silent = True, True
    person.assert_refused("default credentials were not found", **google.metadata.variables, **quick)
    google.metadata.is_silent, google.metadata.delay = False, 1.5
    person.assert_refused("default credentials were not found", **google.metadata.variables, **quick)
    google.metadata.delay = 0
    # Without the variables, it is not asked at all.
    person.cloud.log.clear()
    person.assert_refused("default credentials were not found")
    assert person.cloud.log.requests() == []
    google.metadata.account = None
    person.assert_refused("Error 404", **google.metadata.variables, **quick)

"""Service accounts that another account impersonates: by a credential file, and by gcloud."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab import gcloud
from lab.clients import Client
from lab.fake_programs import FakePrograms
from lab.registries.google.accounts import ServiceAccount
from lab.registries.google.files import external_account, file_source, impersonated
from support.google_auth import GoogleAuth
from support.google_user import APPLICATION_CREDENTIALS, IAM, OAUTH, STRICT, GoogleUser

VARIABLE = "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT"


@pytest.fixture
def ada(ada: GoogleUser, short_path: Path) -> GoogleUser:
    """Someone without a login, whose files have paths that a warning does not cut."""
    ada.files.home = short_path
    return ada


@pytest.fixture(params=["person", "service account"])
def source(request: pytest.FixtureRequest, ada: GoogleUser) -> dict[str, str]:
    """The credentials inside the file; both may impersonate `publisher`."""
    return ada.google.login.file if request.param == "person" else ada.google.key.file


def chain(ada: GoogleUser) -> tuple[ServiceAccount, ServiceAccount, ServiceAccount]:
    """Service accounts of which each may impersonate the next, and ada the first."""
    accounts = ada.google.accounts
    first = accounts.service_account("first", ada.google.login.email)
    second = accounts.service_account("second", first.email)
    return first, second, accounts.service_account("last", second.email)


def test_file_gives_a_token_of_the_service_account(ada: GoogleUser, source: dict[str, str]) -> None:
    answer = ada.ask(**ada.use(impersonated(source, ada.google.publisher)))
    assert ada.account(answer) == ada.google.publisher.email and answer.warnings == []
    assert ada.hosts() == [OAUTH, IAM]
    [request] = ada.cloud.log.requests(IAM)
    assert "delegates" not in request.json()


def test_file_is_read_as_the_application_default_login(ada: GoogleUser, source: dict[str, str]) -> None:
    ada.files.write_application_default(impersonated(source, ada.google.publisher))
    assert ada.account(ada.ask()) == ada.google.publisher.email


def test_file_that_google_auth_reads_is_read(ada: GoogleUser, google_auth: Client, source: dict[str, str]) -> None:
    content = impersonated(source, ada.google.publisher, quota_project_id="contoso-tools")
    assert GoogleAuth(ada.cloud, google_auth, ada.home).principal(content) == ada.google.publisher.email
    assert ada.account(ada.ask(**ada.use(content))) == ada.google.publisher.email


@pytest.mark.parametrize("is_bare", [False, True])
def test_delegates_impersonate_each_other_in_turn(ada: GoogleUser, is_bare: bool) -> None:
    first, second, last = chain(ada)
    content = impersonated(ada.google.login.file, last, first, second)
    if is_bare:
        # As gcloud writes them.
        content["delegates"] = [first.email, second.email]
    answer = ada.ask(**ada.use(content))
    assert ada.account(answer) == last.email and answer.warnings == []
    [request] = ada.cloud.log.requests(IAM)
    assert request.json()["delegates"] == [f"projects/-/serviceAccounts/{one.email}" for one in (first, second)]


def test_missing_delegate_is_denied(ada: GoogleUser) -> None:
    first, _, last = chain(ada)
    warning = ada.ask(**ada.use(impersonated(ada.google.login.file, last, first))).warning
    assert "roles/iam.serviceAccountTokenCreator" in warning and last.email in warning, warning


def test_denied_impersonation_names_role_and_account(ada: GoogleUser) -> None:
    google = ada.google
    answer = ada.ask(**ada.use(impersonated(google.other_login.file, google.publisher)))
    assert answer.credential is None
    assert "roles/iam.serviceAccountTokenCreator" in answer.warning, answer.warning
    assert google.publisher.email in answer.warning, answer.warning
    assert ada.hosts() == [OAUTH, IAM]
    token = google.tokens.issued[-1]
    assert token not in answer.text and ada.cloud.log.hosts_that_saw(token) == [IAM]


def test_missing_service_account_is_one_warning(ada: GoogleUser) -> None:
    gone = ServiceAccount("gone@contoso-tools.iam.gserviceaccount.com")
    warning = ada.ask(**ada.use(impersonated(ada.google.login.file, gone))).warning
    assert f"check that {gone.email} exists" in warning, warning


def test_unusable_file_is_an_error_without_a_request(ada: GoogleUser) -> None:
    google = ada.google
    provider = google.providers.workload(subjects={"project:ring"})
    good = impersonated(google.login.file, google.publisher)
    address = google.publisher.impersonation_url
    federated = external_account(provider, file_source("/token"))
    unusable = {
        "are neither authorized_user": {"source_credentials": federated},
        "nor service_account": {"source_credentials": good},
        "lacks source_credentials": {"source_credentials": None},
        "refresh_token": {"source_credentials": {**google.login.file, "refresh_token": ""}},
        "not names of service accounts": {"delegates": ["a b"]},
        "iamcredentials.googleapis.com": {
            "service_account_impersonation_url": address.replace(".com", ".com.evil.example", 1)
        },
        "address of https": {"service_account_impersonation_url": address.replace("https", "http")},
        "does not end with": {"service_account_impersonation_url": address.replace("generateAccessToken", "signJwt")},
        "lacks": {"service_account_impersonation_url": None},
    }
    path = str(ada.files.write(""))
    cases = [{path: json.dumps({**good, **fields})} for fields in unusable.values()]
    answers = ada.ask_with_files(*cases, GOOGLE_APPLICATION_CREDENTIALS=path, **STRICT)
    for words, answer in zip(unusable, answers):
        assert answer.error and words in answer.error.message and path in answer.error.message, (words, answer)
        assert google.login.refresh_token not in answer.text
    assert ada.cloud.log.requests() == ada.cloud.log.requests(method="CONNECT") == []


def test_expiry_with_a_fraction_is_read(ada: GoogleUser) -> None:
    ada.google.impersonation.moment = "{}.123456789Z"
    answer = ada.ask(**ada.use(impersonated(ada.google.login.file, ada.google.publisher)))
    assert ada.account(answer) == ada.google.publisher.email and answer.warnings == []


# By gcloud.


def test_variable_passes_both_logins_over_and_runs_gcloud(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    target = ada.google.publisher.email
    ada.files.write_application_default(ada.google.login.file)
    ada.log_in_with_gcloud()
    token = ada.google.tokens.issue(target).text
    fake_programs.gcloud(*gcloud.impersonating(token, target))
    answer = ada.ask(**{VARIABLE: target})
    assert answer.credential == ("oauth2accesstoken", token) and answer.warnings == []
    assert ada.cloud.log.requests() == []
    [called] = fake_programs.invocations("gcloud")
    assert called.environment[VARIABLE] == target


def test_property_passes_the_login_of_gcloud_over(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    target = ada.google.publisher.email
    ada.log_in_with_gcloud(auth__impersonate_service_account=target)
    token = ada.google.tokens.issue(target).text
    fake_programs.gcloud(*gcloud.impersonating(token, target))
    answer = ada.ask()
    assert answer.credential == ("oauth2accesstoken", token) and answer.warnings == []
    assert ada.cloud.log.requests() == [] and len(fake_programs.invocations("gcloud")) == 1


def test_blank_variable_unsets_the_property(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    login = ada.log_in_with_gcloud(auth__impersonate_service_account=ada.google.publisher.email)
    fake_programs.gcloud()
    assert ada.account(ada.ask(**{VARIABLE: ""})) == login.email
    assert fake_programs.invocations() == []


def test_named_file_comes_before_the_variable(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    ada.run_gcloud(ada.google.publisher.email)
    variables = {**ada.use(ada.google.login.file), VARIABLE: ada.google.publisher.email}
    # Google's own libraries do not know the variable.
    assert ada.account(ada.ask(**variables)) == ada.google.login.email
    assert fake_programs.invocations() == []


@pytest.mark.parametrize("by_variable", [True, False])
def test_gcloud_that_may_not_impersonate_names_the_role(
    ada: GoogleUser, fake_programs: FakePrograms, by_variable: bool
) -> None:
    target = ada.google.publisher.email
    fake_programs.gcloud(gcloud.may_not_impersonate(target))
    ada.log_in_with_gcloud(**({} if by_variable else {"auth__impersonate_service_account": target}))
    warning = ada.ask(**({VARIABLE: target} if by_variable else {})).warning
    assert "roles/iam.serviceAccountTokenCreator" in warning and target in warning, warning
    assert ada.cloud.log.requests() == []


def test_variable_without_gcloud_is_one_warning(ada: GoogleUser) -> None:
    ada.files.write_application_default(ada.google.login.file)
    ada.log_in_with_gcloud()
    ada.google.metadata.account = ada.google.robot
    warning = ada.ask(**{VARIABLE: ada.google.publisher.email}, **ada.google.metadata.variables).warning
    assert VARIABLE in warning and "gcloud is not on PATH" in warning, warning
    # It was asked for, so no other account answers.
    assert ada.cloud.log.requests() == []


def test_chain_of_the_variable_ends_at_its_last_account(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    first, _, last = chain(ada)
    fake_programs.gcloud(gcloud.may_not_impersonate(last.email))
    ada.log_in_with_gcloud()
    warning = ada.ask(**{VARIABLE: f"{first.email},{last.email}"}).warning
    assert last.email in warning and first.email not in warning, warning
    assert APPLICATION_CREDENTIALS not in warning

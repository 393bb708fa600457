"""The registries of Chainguard, Menda, AWS and Google, and URLs of no registry."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import chainctl, gcloud
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.google.access_tokens import CLOUD_PLATFORM, EMAIL
from lab.registries.google.refusals import expired_or_revoked, reauthentication
from lab.registries.menda import HOST, REGISTRY_HOST
from lab.registry import Registry
from support.aws_user import STS, AwsUser
from support.azure_user import AzureUser
from support.doctor import Doctor
from support.google_user import METADATA, OAUTH, GoogleUser

LIBRARIES = "https://libraries.cgr.dev/python/simple/"
FILE = "GOOGLE_APPLICATION_CREDENTIALS"
PLUGINS = f"https://{REGISTRY_HOST}/pypi/plugins/simple/"


# -- Chainguard


def test_chainguard_serves_from_the_file_of_chainctl(cloud: PracticeCloud, doctor: Doctor) -> None:
    cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token())
    doctor.assert_shows("chainguard-from-cache", LIBRARIES)
    assert {request.host for request in cloud.log.requests()} == {"libraries.cgr.dev"}


def test_chainguard_serves_from_chainctl(cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms) -> None:
    fake_programs.chainctl(chainctl.logged_in(cloud.chainguard.token()))
    doctor.assert_shows("chainguard-from-chainctl", LIBRARIES)


def test_chainguard_has_no_chainctl(doctor: Doctor) -> None:
    doctor.assert_shows("chainguard-without-chainctl", LIBRARIES)


def test_chainguard_has_a_token_that_has_ended(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms
) -> None:
    cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token(lifetime=-60))
    fake_programs.chainctl(chainctl.not_logged_in())
    doctor.assert_shows("chainguard-login-ended", LIBRARIES)


def test_chainguard_denies_access_to_a_known_user(cloud: PracticeCloud, doctor: Doctor) -> None:
    cloud.chainguard.unentitled.add("frodo")
    cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token())
    doctor.assert_shows("chainguard-403", LIBRARIES)


# -- Menda


def test_menda_serves_a_machine(cloud: PracticeCloud, doctor: Doctor) -> None:
    doctor.assert_shows("menda-machine", PLUGINS, **cloud.menda.variables)


def test_menda_serves_a_logged_in_user(cloud: PracticeCloud, doctor: Doctor) -> None:
    cloud.menda.write_profile(doctor.home, f"[default]\nhost = {HOST}\n")
    cloud.menda.write_login(doctor.home, cloud.menda.log_in())
    doctor.assert_shows("menda-login", PLUGINS)


def test_menda_is_half_set_up(cloud: PracticeCloud, doctor: Doctor) -> None:
    variables = {**cloud.menda.variables, "MENDA_CLIENT_SECRET": None}
    doctor.assert_shows("menda-half-set-up", PLUGINS, **variables)
    assert cloud.log.requests() == []


def test_menda_has_a_profile_and_no_login(cloud: PracticeCloud, doctor: Doctor) -> None:
    cloud.menda.write_profile(doctor.home, f"[default]\nhost = {HOST}\n")
    doctor.assert_shows("menda-without-login", PLUGINS)


def test_menda_is_not_blamed_for_the_root_of_an_index(cloud: PracticeCloud, doctor: Doctor) -> None:
    doctor.assert_shows("menda-404", PLUGINS.replace("/plugins/", "/plugin/"), **cloud.menda.variables)


def test_menda_without_login_is_not_blamed_on_the_url(doctor: Doctor) -> None:
    found = doctor.examine(PLUGINS)
    menda, codeartifact = found.findings("credential")
    assert (found.code, menda.state, codeartifact.state) == (1, "off", "bad")
    assert "menda auth login" in codeartifact.fix and "aws login" in codeartifact.fix


def test_failing_menda_login_is_shown_before_codeartifact_serves(cloud: PracticeCloud, doctor: Doctor) -> None:
    name, _, owner = REGISTRY_HOST.partition(".")[0].rpartition("-")
    aws = cloud.codeartifact
    aws.add_repository(aws.add_domain(name, owner, "eu-west-1"), "plugins").domain.accounts.add(aws.user.account)
    variables = {**cloud.menda.variables, "MENDA_CLIENT_SECRET": None, **aws.user.variables}
    found = doctor.examine(PLUGINS, **variables)
    assert [one.state for one in found.findings("credential")] == ["bad", "good"], found.document
    assert found.code == 0


# -- AWS CodeArtifact


@pytest.fixture
def ada(cloud: PracticeCloud, doctor: Doctor) -> AwsUser:
    """A person of AWS without a login."""
    return AwsUser(cloud, doctor, doctor.home)


def test_codeartifact_serves_by_a_key(ada: AwsUser, doctor: Doctor) -> None:
    doctor.assert_shows("codeartifact-key", ada.url, **ada.key.variables)
    assert ada.aws.mistakes == []
    # The token is shown to nobody but its repository.
    for token in ada.aws.authorization_tokens.issued:
        assert ada.cloud.log.hosts_that_saw(token) == [ada.aws.repository.host]


def test_codeartifact_serves_by_a_role(ada: AwsUser, doctor: Doctor) -> None:
    ada.profile_with_role()
    doctor.assert_shows("codeartifact-role", ada.url, AWS_PROFILE="corp")
    assert ada.aws.mistakes == []


def test_codeartifact_key_hides_a_profile(ada: AwsUser, doctor: Doctor) -> None:
    ada.profile_with_role()
    doctor.assert_shows("codeartifact-key-and-profile", ada.url, AWS_PROFILE="corp", **ada.key.variables)


def test_codeartifact_login_of_sso_has_ended(ada: AwsUser, doctor: Doctor) -> None:
    session = ada.aws.identity_center.log_in(-60)
    session.has_ended = True
    ada.profile_with_sso(session)
    doctor.assert_shows("codeartifact-sso-ended", ada.url, AWS_PROFILE="corp")
    assert ada.aws.mistakes == []


def test_codeartifact_has_nothing_configured(ada: AwsUser, doctor: Doctor) -> None:
    doctor.assert_shows("codeartifact-unset", ada.url)
    assert ada.cloud.log.requests() == []


def test_codeartifact_denies_reading_to_a_known_user(ada: AwsUser, doctor: Doctor) -> None:
    ada.key.denied.add("codeartifact:ReadFromRepository")
    doctor.assert_shows("codeartifact-403", ada.url, **ada.key.variables)


def test_codeartifact_token_in_a_variable_has_ended(ada: AwsUser, doctor: Doctor) -> None:
    doctor.assert_shows("codeartifact-token-ended", ada.url, CODEARTIFACT_AUTH_TOKEN="eyJ.ended")


def test_codeartifact_caller_is_asked_for_by_the_doctor_alone(ada: AwsUser, doctor: Doctor, native: Client) -> None:
    environment = ada.cloud.environment(ada.home, **ada.key.variables)
    native.run(["keyring", "get", ada.url, "aws"], environment).check()
    assert STS not in ada.hosts()
    found = doctor.examine(ada.url, **ada.key.variables)
    assert STS in ada.hosts() and ada.key.caller in str(found.document)


# -- Google Artifact Registry


@pytest.fixture
def alice(cloud: PracticeCloud, doctor: Doctor) -> Iterator[GoogleUser]:
    """A person of Google without a login, whose client makes no mistakes."""
    yield GoogleUser(cloud, doctor, doctor.home, doctor.fake_programs)
    assert cloud.google.mistakes == []


def test_google_serves_by_the_application_default_login(alice: GoogleUser, doctor: Doctor) -> None:
    alice.files.write_application_default(alice.google.login.file)
    doctor.assert_shows("google-application-default", alice.url)
    # The token is shown to nobody but its repository.
    for token in alice.google.tokens.issued:
        assert alice.cloud.log.hosts_that_saw(token) == [alice.google.repository.host]


def test_google_serves_by_the_key_of_a_service_account(alice: GoogleUser, doctor: Doctor) -> None:
    doctor.assert_shows("google-key", alice.url, **alice.use(alice.google.key.file))


def test_google_serves_a_job_as_a_service_account(alice: GoogleUser, doctor: Doctor) -> None:
    job, _, variables = alice.start_job(is_impersonating=True)
    # Its name is random.
    path = alice.files.write(Path(variables[FILE]).read_text(), "gha-creds.json")
    variables = {name: str(path) if value == variables[FILE] else value for name, value in variables.items()}
    doctor.assert_shows("google-job", alice.url, **variables, **job.variables)


def test_google_serves_by_gcloud_itself(alice: GoogleUser, doctor: Doctor) -> None:
    token = alice.google.tokens.issue(alice.google.login.email)
    alice.files.write_configuration("default", core__account=alice.google.login.email)
    doctor.fake_programs.gcloud(*gcloud.logged_in(token.text))
    doctor.assert_shows("google-gcloud", alice.url)


def test_google_serves_on_a_machine_of_google(alice: GoogleUser, doctor: Doctor) -> None:
    alice.google.metadata.account = alice.google.robot
    doctor.assert_shows("google-machine", alice.url, **alice.google.metadata.variables)
    assert METADATA in alice.hosts()


def test_google_has_nothing_configured(alice: GoogleUser, doctor: Doctor) -> None:
    doctor.assert_shows("google-unset", alice.url)
    assert alice.hosts() == []


def test_google_denies_reading_to_a_known_account(alice: GoogleUser, doctor: Doctor) -> None:
    alice.files.write_application_default(alice.google.other_login.file)
    doctor.assert_shows("google-403", alice.url)


def test_google_application_default_login_hides_that_of_gcloud(alice: GoogleUser, doctor: Doctor) -> None:
    # The commonest 403: nobody remembers the first of the two.
    alice.files.write_application_default(alice.google.other_login.file)
    alice.log_in_with_gcloud("ada")
    doctor.assert_shows("google-two-logins", alice.url)


def test_google_asks_a_person_to_sign_in_again(alice: GoogleUser, doctor: Doctor) -> None:
    alice.google.login.failure = reauthentication()
    alice.files.write_application_default(alice.google.login.file)
    doctor.assert_shows("google-reauthentication", alice.url)


def test_google_login_of_gcloud_was_revoked(alice: GoogleUser, doctor: Doctor) -> None:
    alice.log_in_with_gcloud("ada").failure = expired_or_revoked()
    doctor.assert_shows("google-gcloud-revoked", alice.url)


def test_google_variable_names_a_missing_file(alice: GoogleUser, doctor: Doctor) -> None:
    # Another login is not a reason to pass it over.
    alice.log_in_with_gcloud("ada")
    doctor.assert_shows("google-missing-file", alice.url, **{FILE: str(doctor.home / "missing.json")})
    assert alice.hosts() == []


def test_google_account_is_asked_for_by_the_doctor_alone(alice: GoogleUser, doctor: Doctor, native: Client) -> None:
    # A token in a variable does not say whose it is.
    token = alice.google.tokens.issue(alice.google.login.email, (CLOUD_PLATFORM, EMAIL))
    variables = {"CLOUDSDK_AUTH_ACCESS_TOKEN": token.text}
    environment = alice.cloud.environment(doctor.home, **variables)
    native.run(["keyring", "get", alice.url, "oauth2accesstoken"], environment).check()
    assert alice.hosts() == []
    found = doctor.examine(alice.url, **variables)
    assert [request.path for request in alice.cloud.log.requests(OAUTH)] == ["/tokeninfo"]
    assert found.document["sections"][0]["caller"] == alice.google.login.email


def test_google_token_in_a_variable_has_ended(alice: GoogleUser, doctor: Doctor) -> None:
    token = alice.google.tokens.issue(alice.google.login.email, lifetime=-60)
    doctor.assert_shows("google-token-ended", alice.url, CLOUDSDK_AUTH_ACCESS_TOKEN=token.text)


# -- every registry


def test_file_of_the_index_is_served_from_another_host(registry: Registry, doctor: Doctor) -> None:
    # Tools ask for file URLs too. Files on another host are found through a redirect.
    cloud, url = registry.cloud, registry.file_url("greetings-2.0-py3-none-any.whl")
    found = doctor.examine(url, **registry.variables)
    assert found.finding("registry").state == "good", found.finding("registry")
    assert found.code == 0
    for password in registry.passwords():
        assert cloud.log.hosts_that_saw(password) == [registry.host]


# -- addresses


def test_a_foreign_host_is_the_stores_business(cloud: PracticeCloud, doctor: Doctor) -> None:
    doctor.assert_shows("foreign", "https://registry.example/simple/")
    assert cloud.log.requests() == [] and cloud.log.requests(method="CONNECT") == []


def test_plain_http_url_gets_no_credential(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    doctor.assert_shows("plain-http", cloud.azure.feed.url().replace("https:", "http:"))
    assert cloud.log.requests() == []


def test_url_with_another_port_gets_no_credential(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    url = cloud.azure.feed.url().replace("azure.com/", "azure.com:8443/")
    doctor.assert_shows("another-port", url)
    assert cloud.log.requests() == []


def test_invalid_url_is_reported_as_invalid(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    doctor.assert_shows("no-address", "https:/pkgs.dev.azure.com\\contoso")
    assert cloud.log.requests() == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "contoso tools",
        "ftp://pkgs.dev.azure.com/contoso/",
        "https://",
        "https://[::1]/simple/",
        "https://127.0.0.1/simple/",
        "https://pkgs.dev.azure.com%2econtoso/",
        "https://pkgs.dev.azure.com\\@registry.example/",
        "https://registry.example/\x1b[31m",
        "https://r\u00e9gistry.example/",
        "https://registry.example/" + "x" * 9000,
        "file:///etc/passwd",
    ],
)
def test_no_odd_text_is_asked_for_or_shown_raw(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, url: str
) -> None:
    ended = doctor(url)
    assert ended.code == 1
    assert "FAIL  address" in ended.stdout and "https://HOST/PATH" in ended.stdout
    assert "\x1b" not in ended.output and "x" * 1000 not in ended.output
    assert cloud.log.requests() == [] and cloud.log.requests(method="CONNECT") == []

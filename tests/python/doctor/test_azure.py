"""Azure Artifacts feeds: each outcome of a lookup, and its cause."""

from __future__ import annotations

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_not_logged_in, az_refuses_tenant, az_token
from lab.messages import Request, Response
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, Doctor

FEED = "pkgs.dev.azure.com"


def refused_with(code: int) -> faults.Fault:
    """The feed asks for credentials, and answers with this status to a request that has some."""

    def respond(request: Request, answer) -> Response:
        return faults.status(code)(request, answer) if request.basic else answer(request)

    return respond


def test_everything_is_well(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, native: Client, tool: Client, client: Client
) -> None:
    path = [native.bin, tool.bin, client.bin]
    doctor.assert_shows("well", with_user_name(cloud.azure.feed.url()), path=path, **SET_UP)
    assert cloud.log.hosts_that_saw(azure_user.bearer) == ["vssps.dev.azure.com"]


def test_no_login_is_set_up(cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms) -> None:
    fake_programs.az(az_not_logged_in())
    doctor.assert_shows("not-logged-in", cloud.azure.feed.url())


def test_nothing_is_installed_that_could_log_in(cloud: PracticeCloud, doctor: Doctor) -> None:
    doctor.assert_shows("nothing-to-log-in-with", cloud.azure.feed.url())


def test_the_login_does_not_exist_in_the_tenant_of_the_feed(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms
) -> None:
    tenant = cloud.azure.tenant.id
    said = f"ERROR: AADSTS50020: User account 'bilbo@fabrikam.example' does not exist in tenant '{tenant}'\n"
    fake_programs.az(Answer(stderr=said, code=1, when=("--tenant", tenant)))
    doctor.assert_shows("wrong-tenant", cloud.azure.feed.url())


def test_the_login_is_a_machine_of_another_tenant(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms
) -> None:
    directory = cloud.azure.directory
    elsewhere = directory.managed_identity("machine", directory.tenant("fabrikam.example"))
    token = directory.application_token(elsewhere)
    fake_programs.az(*az_refuses_tenant(token))
    doctor.assert_shows("machine-of-another-tenant", cloud.azure.feed.url())
    assert cloud.log.hosts_that_saw(token) == []


def test_the_user_never_signed_in_with_a_browser(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    cloud.azure.contoso.exchange.refuse = "TF401444"
    doctor.assert_shows("first-sign-in-missing", cloud.azure.feed.url())


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ("licence", "has no licence for Artifacts (HTTP 402)"),
        ("TF400813", "is not authorised in the organisation (TF400813)"),
        ("VS403463", "a Conditional Access or IP policy refuses frodo@contoso.example (VS403463)"),
    ],
)
def test_the_exchange_refuses_the_account(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, refusal: str, told: str
) -> None:
    cloud.azure.contoso.exchange.refuse = refusal
    found = doctor.examine(cloud.azure.feed.url())
    [step] = [one for one in found.findings("azure_cli") if one.state == "bad"]
    assert found.code == 1 and told in step.detail, found
    assert "https://dev.azure.com/contoso" in step.detail, found


def test_upload_url_has_no_index_to_examine(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    doctor.assert_shows("uploads", cloud.azure.feed.upload_url())


@pytest.mark.parametrize("code", [401, 402, 403, 404, 302, 503])
def test_feed_rejects_its_own_session_token(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, code: int
) -> None:
    cloud.faults.add(refused_with(code), host=FEED)
    doctor.assert_shows(f"feed-answers-{code}", cloud.azure.feed.url(), ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")


def test_proxy_is_unreachable(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    doctor.assert_shows(
        "proxy-not-there",
        cloud.azure.feed.url(),
        HTTPS_PROXY="http://127.0.0.1:9",
        ARTIFACTS_KEYRING_NOFUSS_RETRIES="1",
    )


def test_the_proxy_wants_a_password(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    cloud.proxy.require("frodo", "mellon")
    doctor.assert_shows("proxy-refuses", cloud.azure.feed.url(), HTTPS_PROXY=cloud.proxy.url_without_credentials)


def test_certificates_are_not_trusted(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    untrusted = dict.fromkeys(("REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE"))
    doctor.assert_shows("authority-unknown", cloud.azure.feed.url(), **untrusted)


def test_ca_bundle_is_missing(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    doctor.assert_shows("authorities-missing", cloud.azure.feed.url(), REQUESTS_CA_BUNDLE=str(doctor.home / "gone.pem"))


def test_the_provider_that_is_asked_for_is_unknown(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    doctor.assert_shows("unknown-provider", cloud.azure.feed.url(), ARTIFACTS_KEYRING_NOFUSS_PROVIDER="azure_clii")
    assert cloud.log.requests() == []


def test_rejected_token_of_a_variable_is_blamed_by_its_name(cloud: PracticeCloud, doctor: Doctor) -> None:
    # No sign-in succeeded, so there is no account to grant access to.
    for variable in ("AZURE_DEVOPS_EXT_PAT", "ARTIFACTS_KEYRING_NOFUSS_TOKEN"):
        found = doctor.examine(cloud.azure.feed.url(), **{variable: "a-token-that-was-withdrawn"})
        refusal = found.finding("registry")
        assert (found.code, refusal.state) == (1, "bad")
        assert "401" in refusal.detail
        assert "sign-in worked" not in refusal.detail
        assert variable in refusal.detail + (refusal.fix or "")


def test_a_token_that_has_ended_is_not_said_to_end_some_day(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms
) -> None:
    # Clocks may differ by minutes, so the token is tried; its refusal says nothing about the account.
    application = cloud.azure.directory.application("builder", cloud.azure.tenant)
    fake_programs.az(*az_token(cloud.azure.directory.application_token(application, lifetime=-120)))
    found = doctor.examine(cloud.azure.feed.url())
    assert found.code == 1
    assert "expires in" not in found.finding("credential").detail, found.finding("credential")
    assert "expired" in found.finding("credential").detail + found.finding("registry").detail


def test_a_feed_that_lets_everybody_in_is_not_said_to_be_missing(cloud: PracticeCloud, doctor: Doctor) -> None:
    feed = cloud.azure.contoso.feed("everybody", public=True)
    said = " ".join(f"{one.detail} {one.fix}" for one in doctor.examine(feed.url()).findings())
    assert "is public" in said
    assert "look for the feed" not in said


def test_host_without_an_index_gets_an_example_url(cloud: PracticeCloud, doctor: Doctor) -> None:
    for url in (f"https://{FEED}/", FEED):
        found = doctor.examine(url)
        assert found.code == 1
        assert "_packaging" in found.fix("credential"), found.fix("credential")
    assert cloud.log.requests() == []

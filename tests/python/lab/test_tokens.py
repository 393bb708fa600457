"""The practice cloud: session tokens, Entra and trusted issuers."""

from __future__ import annotations

import time
import urllib.parse

import pytest
from lab import tokens
from lab.cloud import PracticeCloud
from lab.registries.azure.directory import AZURE_DEVOPS, TOKEN_EXCHANGE_AUDIENCE
from lab.registries.azure.organisations import READ
from support.browser import Browser, basic, exchange

PORTAL = "https://login.microsoftonline.com"


# -- session tokens


@pytest.mark.parametrize(
    "issuer",
    [
        "https://vssps.dev.azure.com/contoso/",
        "https://contoso.vssps.visualstudio.com/",
        "https://app.vssps.visualstudio.com/",
        "https://wcus0.app.vssps.visualstudio.com/",
    ],
)
def test_a_person_exchanges_a_bearer_for_a_session_token(cloud: PracticeCloud, browser: Browser, issuer: str) -> None:
    bearer = cloud.azure.directory.user_token(cloud.azure.user)
    status, answer = exchange(browser, issuer, bearer)
    assert status == 200
    assert answer["validTo"].endswith("Z") and answer["scope"] == READ
    assert browser.open(cloud.azure.feed.url(), headers=basic(answer["token"])).status == 200
    upload = browser.open(cloud.azure.feed.upload_url(), data=b"", headers=basic(answer["token"]))
    assert upload.status == 403
    assert cloud.log.bearers() == [(urllib.parse.urlsplit(issuer).hostname, bearer)]


def test_exchange_rejects_what_the_real_service_rejects(cloud: PracticeCloud, browser: Browser) -> None:
    azure, directory = cloud.azure, cloud.azure.directory
    authority = azure.contoso.authority
    application = directory.application("builder", azure.tenant)
    stranger = directory.user("saruman@isengard.example", directory.tenant("isengard.example"))
    for bearer in (
        directory.application_token(application),
        directory.user_token(azure.user, audience="https://management.azure.com"),
        directory.user_token(azure.user, lifetime=-5),
        directory.user_token(stranger),
        "nonsense",
    ):
        assert (
            browser.open(
                authority + "_apis/Token/SessionTokens?api-version=5.0-preview.1",
                data=b"{}",
                headers={"Authorization": "Bearer " + bearer, "X-TFS-FedAuthRedirect": "Suppress"},
            ).status
            == 401
        )
    good = directory.user_token(azure.user)
    headers = {"Authorization": "Bearer " + good}
    url = authority + "_apis/Token/SessionTokens?api-version=5.0-preview.1"
    assert browser.open(url, data=b"{}", headers=headers).status == 302
    assert exchange(browser, authority, good, scope="vso.code")[0] == 400


def test_the_exchange_can_be_difficult(cloud: PracticeCloud, browser: Browser) -> None:
    azure = cloud.azure
    bearer = azure.directory.user_token(azure.user)
    how = azure.contoso.exchange
    how.maximum_lifetime = 60
    status, answer = exchange(browser, azure.contoso.authority, bearer, validTo="2099-01-01T00:00:00Z")
    assert status == 200
    assert tokens.read(answer["token"])["exp"] < time.time() + 61
    how.rejects_valid_to = True
    assert exchange(browser, azure.contoso.authority, bearer, validTo="2099-01-01T00:00:00Z")[0] == 400
    how.tells_valid_to = False
    assert "validTo" not in exchange(browser, azure.contoso.authority, bearer)[1]
    how.refuse = "TF401444"
    status, answer = exchange(browser, azure.contoso.authority, bearer)
    assert status == 401 and "TF401444" in answer["message"] and "frodo@contoso.example" in answer["message"]
    how.refuse = "TF400813"
    assert "TF400813" in exchange(browser, azure.contoso.authority, bearer)[1]["message"]


# -- Entra and other issuers


def ask_for_token(browser: Browser, cloud: PracticeCloud, **form: str):
    fields = {"grant_type": "client_credentials", "scope": AZURE_DEVOPS + "/.default"}
    fields.update(form)
    return browser.json(f"{PORTAL}/{cloud.azure.tenant}/oauth2/v2.0/token", data=fields)


def test_a_client_secret_buys_a_token(cloud: PracticeCloud, browser: Browser) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant, secret="mellon")
    status, answer = ask_for_token(browser, cloud, client_id=application.client_id, client_secret="mellon")
    assert status == 200
    assert browser.open(cloud.azure.feed.url(), headers=basic(answer["access_token"], "bearer")).status == 200
    status, answer = ask_for_token(browser, cloud, client_id=application.client_id, client_secret="wrong")
    assert (status, answer["error"], answer["error_codes"]) == (401, "invalid_client", [7000215])
    assert "AADSTS7000215" in answer["error_description"]
    status, answer = ask_for_token(browser, cloud, client_id="nobody", client_secret="mellon")
    assert answer["error_codes"] == [700016]
    status, answer = ask_for_token(
        browser, cloud, client_id=application.client_id, client_secret="mellon", scope=AZURE_DEVOPS
    )
    assert answer["error_codes"] == [1002012]


def test_github_actions_and_pipelines_buy_tokens_with_their_own(cloud: PracticeCloud, browser: Browser) -> None:
    azure = cloud.azure
    application = azure.directory.application("builder", azure.tenant)
    job = azure.github_actions.job()
    url = job.variables["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=" + TOKEN_EXCHANGE_AUDIENCE
    assert browser.open(url).status == 401
    github = browser.json(url, headers={"Authorization": "Bearer " + job.request_token})[1]["value"]
    access = azure.contoso.pipeline_token()
    pipeline = azure.pipelines.job("contoso", access)
    url = f"{pipeline.url}?api-version=7.1&serviceConnectionId={pipeline.connection_id}"
    assert browser.open(url, data=b"").status == 401
    azure_pipelines = browser.json(url, data=b"", headers={"Authorization": "Bearer " + access})[1]["oidcToken"]

    def statuses():
        form = {
            "client_id": application.client_id,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        return [
            ask_for_token(browser, cloud, client_assertion=assertion, **form)[0]
            for assertion in (github, azure_pipelines)
        ]

    assert statuses() == [401, 401]
    application.trust("https://token.actions.githubusercontent.com", job.subject)
    assert statuses() == [200, 401]
    application.trust(pipeline.issuer, pipeline.subject)
    assert statuses() == [200, 200]


def test_a_certificate_assertion_is_verified(cloud: PracticeCloud, browser: Browser) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant)
    certificate = application.certificate()
    form = {
        "client_id": application.client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    now = int(time.time())
    claims = {
        "aud": f"{PORTAL}/{cloud.azure.tenant}/oauth2/v2.0/token",
        "iss": application.client_id,
        "sub": application.client_id,
        "jti": "1",
        "nbf": now,
        "exp": now + 600,
    }
    good = certificate.sign_assertion(claims)
    assert ask_for_token(browser, cloud, client_assertion=good, **form)[0] == 200
    bad = certificate.sign_assertion(dict(claims, aud="https://evil.example/"))
    status, answer = ask_for_token(browser, cloud, client_assertion=bad, **form)
    assert (status, answer["error_codes"]) == (401, [700027])
    tampered = good[:-6] + "AAAAAA"
    assert ask_for_token(browser, cloud, client_assertion=tampered, **form)[0] == 401

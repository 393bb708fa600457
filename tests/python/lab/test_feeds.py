"""The practice cloud: feeds, their challenges and their passwords."""

from __future__ import annotations

import pytest
from lab.cloud import PracticeCloud
from lab.packages import wheel as make_wheel
from support.browser import Browser, basic


@pytest.mark.parametrize("form", ["dev.azure.com", "visualstudio.com"])
def test_a_401_names_tenant_and_authority(cloud: PracticeCloud, browser: Browser, form: str) -> None:
    for feed in (cloud.azure.feed, cloud.azure.project_feed):
        headers = browser.open(feed.url(form)).headers
        assert (
            headers.get_all("WWW-Authenticate")[0]
            == f"Bearer authorization_uri=https://login.windows.net/{cloud.azure.tenant}"
        )
        assert headers.get_all("WWW-Authenticate")[1].startswith("Basic realm=")
        assert headers["X-VSS-ResourceTenant"] == cloud.azure.tenant.id
        assert headers["X-VSS-AuthorizationEndpoint"] == "https://vssps.dev.azure.com/contoso/"


def test_the_challenge_takes_any_shape(cloud: PracticeCloud, browser: Browser) -> None:
    challenge = cloud.azure.contoso.challenge
    challenge.joined = challenge.quoted = challenge.reverse = True
    challenge.resource_tenants.insert(0, "00000000-0000-0000-0000-000000000000")
    headers = browser.open(cloud.azure.feed.url()).headers
    (line,) = headers.get_all("WWW-Authenticate")
    assert line.startswith("TFS-Federated, Basic") and line.endswith(f'/{cloud.azure.tenant}"')
    assert len(headers.get_all("X-VSS-ResourceTenant")) == 2
    challenge.headers = [("WWW-Authenticate", "Bearer authorization_uri=https://evil.example/x")]
    assert browser.open(cloud.azure.feed.url()).headers["X-VSS-ResourceTenant"] is None
    personal = cloud.azure.organisation("shire").feed("pies")
    headers = browser.open(personal.url()).headers
    assert headers.get_all("WWW-Authenticate")[0] == "Bearer"
    assert headers["X-VSS-ResourceTenant"] == "00000000-0000-0000-0000-000000000000"


def test_public_feed_asks_for_credentials_only_for_upstream(cloud: PracticeCloud, browser: Browser) -> None:
    feed = cloud.azure.contoso.feed("open", public=True)
    feed.add(make_wheel("saved"))
    root = browser.open(feed.url())
    assert (root.status, root.headers["WWW-Authenticate"]) == (200, None)
    assert browser.open(feed.url() + "saved/").status == 200
    assert browser.open(feed.url() + "elsewhere/").status == 401
    assert browser.open(feed.upload_url(), data=b"").status == 401


def test_head_can_fail_as_in_some_deployments(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.azure.feeds.head_status = 405
    assert browser.open(cloud.azure.feed.url(), method="HEAD").status == 405


def test_passwords_are_checked(cloud: PracticeCloud, browser: Browser) -> None:
    organisation, directory = cloud.azure.contoso, cloud.azure.directory
    application = directory.application("builder", cloud.azure.tenant)
    foreigner = directory.application("stranger", directory.tenant("mordor.example"))
    other = cloud.azure.organisation("other", cloud.azure.tenant)

    def status(password: str) -> int:
        return browser.open(cloud.azure.feed.url(), headers=basic(password)).status

    assert status(organisation.personal_access_token()) == 200
    assert status(organisation.pipeline_token()) == 200
    assert status(directory.application_token(application)) == 200
    assert status(directory.application_token(application, lifetime=-1)) == 401
    assert status(directory.application_token(application, audience="https://management.azure.com")) == 401
    assert status(directory.application_token(foreigner)) == 401
    assert status(directory.user_token(cloud.azure.user)) == 401
    assert status(organisation.personal_access_token(lifetime=-1)) == 401
    assert status(other.personal_access_token()) == 401
    assert status("wrong") == 401


def test_a_download_leads_to_storage_that_wants_no_credentials(cloud: PracticeCloud, browser: Browser) -> None:
    package = cloud.azure.project_feed.find("hello_private-1.0-py3-none-any.whl")
    headers = basic(cloud.azure.contoso.personal_access_token())
    answer = browser.open(cloud.azure.project_feed.file_url(package), headers=headers)
    assert answer.status == 303
    location = answer.headers["Location"]
    assert ".blob.core.windows.net/" in location
    assert browser.open(location).read() == package.content
    assert browser.open(location, headers=headers).status == 400
    part = browser.open(location, headers={"Range": "bytes=2-5"})
    assert (part.status, part.read()) == (206, package.content[2:6])

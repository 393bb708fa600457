"""Every spelling of a feed's URL is the same feed: spaces in a project's name, views, letters beyond ASCII."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.packages import wheel as make_wheel
from lab.registries.azure.organisations import READ, Feed
from support.azure_user import AzureUser, for_keyring_command, with_user_name

ENDPOINTS = "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS"


@pytest.fixture
def feed(cloud: PracticeCloud) -> Feed:
    """A feed of the project `My Project`; its URLs have an unencoded space."""
    made = cloud.azure.contoso.feed("bread", project="My Project")
    made.add(make_wheel("hello-private", "1.0"))
    return made


def of_view(url: str) -> str:
    """The URL of the view Release."""
    return url.replace("/bread/", "/bread@Release/")


@pytest.mark.parametrize("provider", ["import", "subprocess"])
def test_pip_installs_from_a_url_with_an_unencoded_space(
    client: Client, native: Client, tool: Client, azure_user: AzureUser, home: Path, feed: Feed, provider: str
) -> None:
    # pip passes the URL as it is written, and asks again for the host alone if that has no answer.
    url = of_view(feed.url())
    pip, index = (client, url) if provider == "import" else (tool, for_keyring_command(url))
    command = ["pip", "install", "--target", "packages", "--keyring-provider", provider, "--index-url", index]
    pip.run([*command, "hello-private"], azure_user.environment(native.bin)).check()
    assert (home / "packages" / "hello_private.py").exists()
    azure_user.assert_look_ups(READ)


def test_uv_installs_from_a_url_with_an_unencoded_space(
    native: Client, tool: Client, azure_user: AzureUser, home: Path, feed: Feed
) -> None:
    index = with_user_name(of_view(feed.url("visualstudio.com")))
    command = ["uv", "pip", "install", "--target", "packages", "--default-index", index, "hello-private"]
    environment = azure_user.environment(native.bin, UV_KEYRING_PROVIDER="subprocess", UV_PYTHON=tool.python)
    tool.run(command, environment).check()
    assert (home / "packages" / "hello_private.py").exists()
    azure_user.assert_look_ups(READ)


def test_all_spellings_of_an_organisation_share_one_token(
    azure_user: AzureUser, cloud: PracticeCloud, look_up: Lookups, feed: Feed
) -> None:
    url = feed.url()
    services = [
        url,
        url.replace(" ", "%20"),
        url.upper().replace("HTTPS", "https"),
        of_view(url),
        of_view(url).replace("@", "%40"),
        url.replace("bread", quote("Brötchen")),
        url.replace("bread", "Bro\u0308tchen"),
        feed.url("visualstudio.com"),
    ]
    answers = look_up.all([LookUp(service) for service in services])
    assert {answer.credential for answer in answers} == {("VssSessionToken", cloud.azure.session_tokens.issued[0])}
    azure_user.assert_look_ups(READ)


def test_blanks_in_hosts_and_foreign_services_are_not_ours(cloud: PracticeCloud, look_up: Lookups) -> None:
    services = [
        "a b",
        "my mail/ada lovelace",
        "https://pkgs.dev .azure.com/contoso/",
        "https:// pkgs.dev.azure.com/contoso/",
        "pkgs.dev.azure.com /contoso/",
    ]
    answers = look_up.all([LookUp(service) for service in services], AZURE_DEVOPS_EXT_PAT="p")
    assert [answer.credential for answer in answers] == [None] * len(services)
    assert not [line for answer in answers for line in answer.log if line.logger.startswith("ringbearer")]
    assert cloud.log.requests() == []


def test_file_url_with_several_possible_passwords_warns_once(
    cloud: PracticeCloud, look_up: Lookups, feed: Feed
) -> None:
    package = feed.packages["hello-private"][0]
    passwords = {feed.url(): "planted-one", cloud.azure.project_feed.url(): "planted-two"}
    listed = [{"endpoint": url, "password": password} for url, password in passwords.items()]
    services = [feed.url(), cloud.azure.project_feed.url("visualstudio.com"), *[feed.file_url(package)] * 2]
    variables = {ENDPOINTS: json.dumps({"endpointCredentials": listed}), "AZURE_DEVOPS_EXT_PAT": "pat"}
    answers = look_up.all([LookUp(service) for service in services], **variables)
    assert [answer.credential[1] for answer in answers] == ["planted-one", "planted-two", "pat", "pat"]
    assert [len(answer.warnings) for answer in answers] == [0, 0, 1, 0]
    assert ENDPOINTS in answers[2].warning and len(answers[2].warning) <= 320
    assert "planted" not in "".join(answer.text for answer in answers)

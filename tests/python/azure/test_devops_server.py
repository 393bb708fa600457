"""Azure DevOps Server, named by an endpoint in a variable: a personal access token, and no request of ringbearer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.packages import wheel as make_wheel
from lab.registries.azure.organisations import WRITE, Feed
from lab.registries.azure.server import HOST
from support.azure_user import for_keyring_command, with_user_name
from support.doctor import Doctor

ENDPOINTS = "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS"


@pytest.fixture
def feed(cloud: PracticeCloud) -> Feed:
    """A feed in the collection `Main Collection`, on port 8443."""
    made = cloud.azure.server.collection.feed("tools", project="shop")
    made.add(make_wheel("hello-private", "1.0"), make_wheel("greetings", "2.0", requires=["hello-private"]))
    return made


def endpoints(url: str, password: str, username: str | None = None) -> dict[str, str]:
    """The variable."""
    entry = {"endpoint": url, "password": password, "username": username}
    return {ENDPOINTS: json.dumps({"endpointCredentials": [entry]})}


def assert_only_the_server_saw(cloud: PracticeCloud, password: str) -> None:
    """Nothing was sent by ringbearer, and the password by the tools to the server alone."""
    assert cloud.log.sent_by_ringbearer() == []
    assert cloud.log.hosts_that_saw(password) == [HOST]
    assert cloud.log.refused() == []


@pytest.mark.parametrize("provider", ["import", "subprocess"])
def test_pip_installs_from_the_server(
    cloud: PracticeCloud, client: Client, native: Client, tool: Client, home: Path, feed: Feed, provider: str
) -> None:
    password = cloud.azure.server.collection.personal_access_token()
    pip, index = (client, feed.url()) if provider == "import" else (tool, for_keyring_command(feed.url()))
    command = ["pip", "install", "--target", "packages", "--keyring-provider", provider, "--index-url", index]
    environment = cloud.environment(home, path=[native.bin], **endpoints(feed.url(), password))
    pip.run([*command, "greetings"], environment).check()
    assert (home / "packages" / "greetings.py").exists() and (home / "packages" / "hello_private.py").exists()
    assert_only_the_server_saw(cloud, password)


def test_uv_installs_and_publishes_to_the_server(
    cloud: PracticeCloud, native: Client, tool: Client, home: Path
) -> None:
    collection = cloud.azure.server.add("default", f"https://{HOST}")
    feed = collection.feed("tools")
    feed.add(make_wheel("hello-private", "1.0"))
    password = collection.personal_access_token(WRITE)
    variables = endpoints(f"https://{HOST}/Default/", password, "ada")
    settings = {"UV_KEYRING_PROVIDER": "subprocess", "UV_PYTHON": tool.python}
    environment = cloud.environment(home, path=[native.bin], **variables, **settings)
    index = with_user_name(feed.url(), "ada")
    tool.run(
        ["uv", "pip", "install", "--target", "packages", "--default-index", index, "hello-private"], environment
    ).check()
    assert (home / "packages" / "hello_private.py").exists()
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    tool.run(
        ["uv", "publish", "--username", "ada", "--publish-url", feed.upload_url(), package.file_name], environment
    ).check()
    assert feed.find(package.file_name) is not None
    assert_only_the_server_saw(cloud, password)


def test_keyring_get_answers_for_what_the_variable_names(
    cloud: PracticeCloud, home: Path, feed: Feed, either: Client
) -> None:
    environment = cloud.environment(home, **endpoints(feed.url(), "planted", "ada"))
    ended = either.run(["keyring", "--mode", "creds", "get", feed.url() + "greetings/"], environment).check()
    assert (ended.stdout, ended.stderr) == ("ada\nplanted\n", "")
    for other in (feed.url().replace("tools", "toolset"), f"{HOST}:8443"):
        ended = either.run(["keyring", "--mode", "creds", "get", other], environment)
        assert (ended.code, ended.output) == (1, "")
    assert cloud.log.requests() == []


def test_a_server_is_foreign_unless_the_variable_names_it(cloud: PracticeCloud, look_up: Lookups, feed: Feed) -> None:
    package = feed.packages["hello-private"][0]
    services = [feed.url(), feed.upload_url(), feed.file_url(package), feed.url().replace(":8443", ""), f"{HOST}:8443"]
    login = {"AZURE_DEVOPS_EXT_PAT": "of-the-cloud"}
    for answer in look_up.all([LookUp(service) for service in services], **login):
        assert answer.credential is None
        assert not [line for line in answer.log if line.logger.startswith("ringbearer")]
    plain = {ENDPOINTS: endpoints(feed.url().replace("https", "http"), "planted")[ENDPOINTS]}
    for answer in look_up.all([LookUp(service) for service in services], **plain, **login):
        assert (answer.credential, answer.warnings) == (None, [])
    answers = look_up.all([LookUp(service) for service in services], **endpoints(feed.url(), "p"), **login)
    found = ("VssSessionToken", "p")
    assert [answer.credential for answer in answers] == [found, found, found, None, None]
    assert cloud.log.requests() == []


def test_doctor_explains_a_server(cloud: PracticeCloud, doctor: Doctor, feed: Feed) -> None:
    password = cloud.azure.server.collection.personal_access_token()
    good = doctor.examine(feed.url(), **endpoints(feed.url(), password))
    assert (good.code, good.finding("registry").state) == (0, "good"), good
    wrong = doctor.examine(feed.url(), **endpoints(feed.url(), "revoked"))
    assert wrong.code == 1 and "NTLM" in wrong.fix("registry") and ENDPOINTS in wrong.finding("registry").detail
    lacking = doctor.examine(feed.url(), **endpoints(feed.url(), ""))
    assert lacking.code == 1 and "has no password" in lacking.finding("credential").detail
    unset = doctor.examine(feed.url())
    assert unset.findings("registry") == []
    assert cloud.log.hosts_that_saw(password) == cloud.log.hosts_that_saw("revoked") == [HOST]

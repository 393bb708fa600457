"""Mistakes in URLs: spaces at the ends of names, index and upload URLs mixed up, Azure DevOps Server."""

from __future__ import annotations

import json
import shlex

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel
from support.azure_user import AzureUser
from support.doctor import Doctor
from support.tool_settings import uv_index, write


@pytest.fixture
def url(cloud: PracticeCloud, azure_user: AzureUser) -> str:
    """The index of a user who is logged in."""
    return cloud.azure.feed.url()


def test_space_at_the_end_of_a_name_is_pointed_at(doctor: Doctor, url: str) -> None:
    found = doctor.examine(url.replace("/tools/", "/tools%20/")).finding("URL")
    assert (found.state, found.fix) == ("bad", f"write the URL as {url}")
    assert found.detail.startswith("`tools%20` in its path begins or ends with a space")
    assert doctor.examine(url).findings("URL") == []


@pytest.mark.parametrize("source", ["PIP_INDEX_URL", "uv.toml"])
def test_index_that_is_the_url_for_uploads_is_corrected(
    cloud: PracticeCloud, doctor: Doctor, url: str, source: str
) -> None:
    upload = cloud.azure.feed.upload_url()
    variables = {source: upload} if source == "PIP_INDEX_URL" else {}
    if not variables:
        write(doctor.home / source, uv_index(upload, "contoso"))
    found = doctor.examine(directory=doctor.home, **variables).finding("URL")
    assert (found.state, found.fix) == ("bad", f"write the URL as {url}")
    assert source in found.detail and "from which nothing is installed" in found.detail
    # A URL on the command line may be meant for uploads.
    assert doctor.examine(upload).findings("URL") == []


def test_uploads_to_the_url_for_installing_are_corrected(
    cloud: PracticeCloud, doctor: Doctor, url: str, client: Client
) -> None:
    package = wheel("fresh-bread", "3.0")
    (doctor.home / package.file_name).write_bytes(package.content)
    command = ["twine", "upload", "--non-interactive", "--disable-progress-bar", package.file_name]
    variables = {"TWINE_REPOSITORY_URL": url}
    assert client.run(command, doctor.environment(**variables)).code != 0
    found = doctor.examine(url, **variables).finding("uploads")
    assert found.state == "bad" and found.detail.startswith("TWINE_REPOSITORY_URL names the URL for installing")
    name, _, value = shlex.split(found.fix or "")[1].partition("=")
    client.run(command, doctor.environment(**{name: value})).check()
    assert cloud.azure.feed.find(package.file_name) is not None
    assert doctor.examine(url, **{name: value}).findings("uploads") == []


def test_every_setting_for_uploads_is_examined(cloud: PracticeCloud, doctor: Doctor, url: str) -> None:
    right = url.replace("/simple/", "/upload/")
    index = uv_index(url, "contoso", f'publish-url = "{url}"')
    uv = write(doctor.home / ".config" / "uv" / "uv.toml", f'publish-url = "{url}"\n{index}')
    library = "https://libraries.cgr.dev/python/simple/"
    sections = [f"[{name}]\nrepository = {place}\n" for name, place in [("a", url), ("b", right), ("c", library)]]
    twine = write(doctor.home / ".pypirc", "[distutils]\nindex-servers = a b c\n" + "".join(sections))
    found = doctor.examine(url, UV_PUBLISH_URL=url.replace("//", "//ada@")).findings("uploads")
    named = right.replace("//", "//ada@")
    assert [(one.detail.partition(" names ")[0], one.fix) for one in found] == [
        ("UV_PUBLISH_URL", f"export UV_PUBLISH_URL={named}"),
        (f"{twine}, [a],", f"repository = {right}"),
        (str(uv), f'publish-url = "{right}"'),
        (str(uv), f'publish-url = "{right}"'),
    ]
    assert {one.state for one in found} == {"bad"}


def test_feed_on_an_unknown_host_shows_how_it_is_configured(doctor: Doctor, cloud: PracticeCloud) -> None:
    collection = cloud.azure.server.collection
    feed = collection.feed("tools", project="shop")
    found = doctor.examine(feed.url()).finding("backend")
    assert found.state == "doubtful" and "Azure DevOps Server" in found.detail
    command, assignment = shlex.split(found.fix or "")
    name, _, value = assignment.partition("=")
    assert (command, name) == ("export", "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS")
    [endpoint] = json.loads(value)["endpointCredentials"]
    assert feed.url() == endpoint["endpoint"] + "pypi/simple/" and endpoint["password"] == "TOKEN"
    # The line works once it holds a token.
    token = collection.personal_access_token()
    variables = {name: value.replace("TOKEN", token)}
    assert doctor.examine(feed.url(), **variables).code == 0
    other = doctor.examine("https://tfs.fabrikam.example/Main/_packaging/feed/pypi/simple/", **variables)
    assert (other.finding("backend").fix or "").startswith(f"add to {name}: ")
    assert doctor.examine("https://tfs.contoso.example/simple/").finding("backend").fix is None

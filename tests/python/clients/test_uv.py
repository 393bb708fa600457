"""The real uv installs, locks, syncs and publishes; it runs the keyring command once for each question."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel as make_wheel
from lab.registries.azure.organisations import READ, WRITE
from support.azure_user import FORMS, AzureUser, with_user_name
from support.uv_project import Project, locked_project


def uv_environment(azure_user: AzureUser, client: Client, tool: Client, **variables: str) -> dict[str, str]:
    """For uv in a project: the keyring command, and an initially empty cache."""
    return azure_user.environment(client.bin, UV_KEYRING_PROVIDER="subprocess", UV_PYTHON=tool.python, **variables)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("feed", ["feed", "project_feed"])
def test_uv_pip_installs_when_the_url_has_a_user_name(
    cloud: PracticeCloud, client: Client, tool: Client, azure_user: AzureUser, home: Path, form: str, feed: str
) -> None:
    url = with_user_name(getattr(cloud.azure, feed).url(form))
    command = ["uv", "pip", "install", "--target", home / "packages", "--default-index", url, "greetings"]
    tool.run(command, uv_environment(azure_user, client, tool)).check()
    assert (home / "packages" / "greetings.py").exists()
    assert (home / "packages" / "hello_private.py").exists()
    azure_user.assert_look_ups(READ)


def test_uv_asks_once_for_each_of_two_indexes(
    cloud: PracticeCloud, client: Client, tool: Client, azure_user: AzureUser, home: Path
) -> None:
    second = cloud.azure.contoso.feed("more", project="platform")
    second.add(make_wheel("rare", requires=["greetings"]))
    indexes = ["--default-index", with_user_name(cloud.azure.feed.url()), "--index", with_user_name(second.url())]
    command = ["uv", "pip", "install", "--target", home / "packages", *indexes, "rare"]
    tool.run(command, uv_environment(azure_user, client, tool)).check()
    assert (home / "packages" / "rare.py").exists()
    # Two processes of keyring share no memory.
    azure_user.assert_look_ups(READ, READ)


@pytest.mark.parametrize("form", FORMS)
def test_uv_lock_needs_no_user_name_with_authenticate_always(
    cloud: PracticeCloud, client: Client, tool: Client, azure_user: AzureUser, tmp_path: Path, form: str
) -> None:
    project = Project(tmp_path / "shop", cloud.azure.feed.url(form), 'authenticate = "always"')
    tool.run(["uv", "lock"], uv_environment(azure_user, client, tool), directory=project.directory).check()
    assert cloud.azure.feed.id in project.lock_file.read_text()
    azure_user.assert_look_ups(READ)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("user_name", ["in the URL", "in a variable"])
@pytest.mark.parametrize("options", [(), ("--frozen",)], ids=["checked", "frozen"])
def test_uv_sync_downloads_files_that_the_lock_has_elsewhere(
    cloud: PracticeCloud,
    client: Client,
    tool: Client,
    azure_user: AzureUser,
    tmp_path: Path,
    form: str,
    user_name: str,
    options: tuple[str, ...],
) -> None:
    feed, variables = cloud.azure.project_feed, {}
    project = locked_project(tmp_path / "shop", cloud, tool, feed.url(form))
    if user_name == "in the URL":
        project.configure(with_user_name(feed.url(form)))
    else:
        variables["UV_INDEX_CONTOSO_USERNAME"] = "VssSessionToken"
    environment = uv_environment(azure_user, client, tool, **variables)
    tool.run(["uv", "sync", *options], environment, directory=project.directory).check()
    assert project.has_installed("greetings", "hello_private")
    files = cloud.log.requests("*pkgs.*", "*.whl")
    assert files and all(f"/{feed.project_id}/_packaging/{feed.id}/" in request.path for request in files)
    azure_user.assert_look_ups(READ)


def test_uv_sync_of_a_lock_file_asks_only_with_a_user_name(
    cloud: PracticeCloud, client: Client, tool: Client, azure_user: AzureUser, tmp_path: Path
) -> None:
    # Why the recipes have a user name: `authenticate = "always"` covers the index only.
    project = locked_project(tmp_path / "shop", cloud, tool, cloud.azure.feed.url())
    project.configure(cloud.azure.feed.url(), 'authenticate = "always"')
    ended = tool.run(["uv", "sync"], uv_environment(azure_user, client, tool), directory=project.directory)
    assert ended.code != 0 and "401 Unauthorized" in ended.stderr
    azure_user.assert_look_ups()


@pytest.mark.parametrize("form", FORMS)
def test_uv_publish_asks_for_writing(
    cloud: PracticeCloud, client: Client, tool: Client, azure_user: AzureUser, home: Path, form: str
) -> None:
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    url = cloud.azure.feed.upload_url(form)
    command = ["uv", "publish", "--username", "VssSessionToken", "--publish-url", url, home / package.file_name]
    tool.run(command, uv_environment(azure_user, client, tool)).check()
    assert cloud.azure.feed.find(package.file_name) is not None
    again = tool.run(command, uv_environment(azure_user, client, tool))
    assert again.code != 0 and "409" in again.stderr
    azure_user.assert_look_ups(WRITE, WRITE)

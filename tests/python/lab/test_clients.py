"""The practice cloud, tried with the real clients and without ringbearer."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel as make_wheel
from lab.registries.azure.organisations import READ, WRITE
from support.browser import with_password


@pytest.mark.parametrize("form", ["dev.azure.com", "visualstudio.com"])
def test_pip_installs_with_a_password_in_the_address(cloud: PracticeCloud, tool: Client, home: Path, form: str) -> None:
    url = with_password(cloud.azure.feed.url(form), cloud.azure.contoso.personal_access_token())
    ended = tool.run(
        ["pip", "install", "--target", home / "packages", "--index-url", url, "greetings"], cloud.environment(home)
    ).check()
    assert "Successfully installed greetings-2.0 hello-private-1.1" in ended.stdout
    assert cloud.log.refused() == []


@pytest.mark.parametrize("form", ["dev.azure.com", "visualstudio.com"])
def test_uv_installs_with_a_password_in_the_address(cloud: PracticeCloud, tool: Client, home: Path, form: str) -> None:
    url = with_password(cloud.azure.project_feed.url(form), cloud.azure.contoso.personal_access_token())
    tool.run(
        [
            "uv",
            "pip",
            "install",
            "--python",
            tool.python,
            "--target",
            home / "packages",
            "--default-index",
            url,
            "greetings",
        ],
        cloud.environment(home),
    ).check()
    assert (home / "packages" / "hello_private.py").exists()
    assert cloud.log.refused() == []


def test_pip_without_password_fails_and_stays_on_loopback(cloud: PracticeCloud, tool: Client, home: Path) -> None:
    ended = tool.run(
        ["pip", "install", "--target", home / "packages", "--index-url", cloud.azure.feed.url(), "greetings"],
        cloud.environment(home),
    )
    assert ended.code != 0
    assert {connection.host for connection in cloud.log.connections()} == {"pkgs.dev.azure.com"}


@pytest.mark.parametrize("form", ["dev.azure.com", "visualstudio.com"])
def test_twine_uploads_and_pip_installs_what_it_uploaded(
    cloud: PracticeCloud, client_without: Client, tool: Client, home: Path, form: str
) -> None:
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    password = cloud.azure.contoso.personal_access_token(WRITE)
    environment = cloud.environment(home, TWINE_USERNAME="anything", TWINE_PASSWORD=password)
    upload = ["twine", "upload", "--non-interactive", "--repository-url", cloud.azure.feed.upload_url(form)]
    client_without.run([*upload, home / package.file_name], environment).check()
    again = client_without.run([*upload, home / package.file_name], environment)
    assert again.code != 0 and "409" in again.output
    url = with_password(cloud.azure.feed.url(form), password)
    tool.run(
        ["pip", "install", "--target", home / "packages", "--index-url", url, "fresh-bread"], cloud.environment(home)
    ).check()
    reader = dict(environment, TWINE_PASSWORD=cloud.azure.contoso.personal_access_token(READ))
    assert "403" in client_without.run([*upload, home / package.file_name], reader).output

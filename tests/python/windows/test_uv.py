"""The real uv for Windows publishes with the native `keyring` on PATH."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Completed
from lab.cloud import PracticeCloud
from lab.packages import Package
from lab.packages import wheel as make_wheel
from lab.registries.azure.organisations import WRITE
from lab.registry import Registry
from lab.windows.user import WindowsUser
from lab.windows.uv import uv_program


@pytest.fixture(scope="session")
def uv() -> Path:
    """The directory of `uv.exe`."""
    return uv_program()


@pytest.fixture
def package(cloud_user: WindowsUser) -> Package:
    """A package that no feed has yet, in the home directory."""
    made = make_wheel("fresh-bread", "3.0")
    (cloud_user.home / made.file_name).write_bytes(made.content)
    return made


def publish(user: WindowsUser, uv: Path, url: str, package: Package) -> Completed:
    """`uv publish` with keyring."""
    options = ["--keyring-provider", "subprocess", "--username", "VssSessionToken", "--publish-url", url]
    variables = {"UV_NO_CACHE": "1", "UV_NO_PROGRESS": "1", "UV_HTTP_RETRIES": "0"}
    return user.run(uv / "uv.exe", "publish", *options, package.file_name, variables=variables)


def test_uv_publishes_with_the_keyring_on_path(
    cloud_user: WindowsUser, cloud: PracticeCloud, azure: Registry, uv: Path, package: Package
) -> None:
    ended = publish(cloud_user, uv, azure.upload_url, package).check()
    feed = cloud.azure.feed
    assert feed.find(package.file_name) is not None and feed.find(package.file_name).content == package.content
    assert [request.status for request in cloud.log.requests("*pkgs.*", method="POST")] == [202]
    assert [request.json()["scope"] for request in cloud.log.requests("vssps.dev.azure.com")] == [WRITE]
    assert len(azure.fake_programs.invocations("az")) == 1
    azure.assert_hidden(ended)


def test_uv_shows_what_to_run_without_a_login(
    cloud_user: WindowsUser, cloud: PracticeCloud, uv: Path, package: Package
) -> None:
    ended = publish(cloud_user, uv, cloud.azure.feed.upload_url(), package)
    assert ended.code != 0 and "run `ringbearer login URL`" in ended.stderr, ended
    assert cloud.azure.feed.find(package.file_name) is None

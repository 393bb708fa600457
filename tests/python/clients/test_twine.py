"""The real twine uploads to private feeds."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel as make_wheel
from lab.registries.azure.organisations import READ, WRITE
from support.azure_user import FORMS, AzureUser


@pytest.mark.parametrize("form", FORMS)
def test_twine_uploads_once_and_pip_installs_what_it_uploaded(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, home: Path, form: str
) -> None:
    feed, package = cloud.azure.project_feed, make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    upload = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
    upload += ["--repository-url", feed.upload_url(form), package.file_name]
    client.run(upload, azure_user.environment()).check()
    # With a user name, twine asks for the password only.
    again = client.run(upload, azure_user.environment(TWINE_USERNAME="VssSessionToken"))
    assert again.code != 0 and "409 Conflict" in again.output, again
    assert [request.status for request in cloud.log.requests("*pkgs.*", method="POST")] == [202, 409]
    source = ["--keyring-provider", "import", "--index-url", feed.url(form)]
    client.run(["pip", "install", "--target", "packages", *source, "fresh-bread"], azure_user.environment()).check()
    assert (home / "packages" / "fresh_bread.py").exists()
    assert {user for _, user, _ in cloud.log.basics()} == {"VssSessionToken"}
    azure_user.assert_look_ups(WRITE, WRITE, READ)


def test_twine_shows_what_to_run_without_a_login(cloud: PracticeCloud, client: Client, home: Path) -> None:
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    upload = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
    upload += ["--repository-url", cloud.azure.feed.upload_url(), package.file_name]
    ended = client.run(upload, cloud.environment(home))
    # twine wraps long lines.
    said = " ".join(ended.output.split())
    assert ended.code != 0 and said.count("run `ringbearer login URL`") == 1, ended
    assert cloud.log.requests(method="POST") == []

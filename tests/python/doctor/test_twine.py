"""The doctor's verdict on twine is what the real twine does with the same settings."""

from __future__ import annotations

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel
from support.azure_user import AzureUser
from support.doctor import Doctor
from support.tool_settings import pypirc, write

OTHER = "https://pkgs.dev.azure.com/fabrikam/_packaging/tools/pypi/upload"


@pytest.mark.parametrize(
    ("name", "uploads", "variables", "repository"),
    [
        ("nobody gave a password", True, {}, None),
        ("a variable has one", False, {"TWINE_PASSWORD": "withdrawn", "TWINE_USERNAME": "frodo"}, None),
        ("a variable has a user name", True, {"TWINE_USERNAME": "frodo"}, None),
        ("the file has one", False, {}, "{}"),
        ("the file has one for another organisation of the same host", True, {}, OTHER),
        ("the file has one for another host", True, {}, "https://upload.example/legacy/"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " in value else "",
)
def test_twine_uploads_if_the_doctor_says_so_and_only_then(
    cloud: PracticeCloud,
    doctor: Doctor,
    azure_user: AzureUser,
    native: Client,
    client: Client,
    name: str,
    uploads: bool,
    variables: dict[str, str],
    repository: str | None,
) -> None:
    url = cloud.azure.feed.upload_url()
    chosen = ["--repository-url", url]
    if repository is not None:
        write(doctor.home / ".pypirc", pypirc(repository.format(url), "withdrawn"))
        chosen = ["--repository", "contoso"] if repository == "{}" else chosen
    package = wheel("fresh-bread", "3.0")
    (doctor.home / package.file_name).write_bytes(package.content)
    path = [native.bin, client.bin]
    command = ["twine", "upload", "--non-interactive", "--disable-progress-bar", *chosen, package.file_name]
    ended = client.run(command, doctor.environment(path, **variables))
    assert (ended.code == 0) is uploads, ended
    found = doctor.examine(url, path=path, **variables)
    assert (found.finding("twine").state == "good") is uploads, found.finding("twine")


def test_missing_twine_is_not_reported_as_misconfigured(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, native: Client
) -> None:
    write(doctor.home / ".pypirc", pypirc(cloud.azure.feed.upload_url(), "withdrawn"))
    for variables in ({}, {"TWINE_PASSWORD": "withdrawn"}):
        found = doctor.examine(cloud.azure.feed.url(), path=[native.bin], **variables)
        assert found.finding("twine").state == "off", found.finding("twine")
        assert found.document["summary"] == "there is a credential"

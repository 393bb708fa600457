"""flit uploads to private registries. It asks keyring only for passwords, by user names that it makes up."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries import REGISTRIES
from lab.registries.azure.organisations import WRITE

PROJECT = """\
[build-system]
requires = ["flit_core"]
build-backend = "flit_core.buildapi"

[project]
name = "fresh-bread"
version = "3.0"
description = "Bread."
"""
PUBLISH = ["flit", "publish", "--no-use-vcs", "--format", "wheel"]


@pytest.fixture
def project(home: Path) -> Path:
    """A package to publish, in the home directory."""
    (home / "pyproject.toml").write_text(PROJECT, encoding="utf-8")
    (home / "fresh_bread.py").write_text("", encoding="utf-8")
    return home


# flit sends the password of the user `pypi_token:project:fresh-bread` with the user name `__token__`, which Azure
# accepts and the others do not.
@pytest.mark.parametrize(
    ("name", "user"),
    [
        ("azure", "VssSessionToken"),
        ("azure", "anybody"),
        ("azure", "__token__"),
        ("codeartifact", "aws"),
        ("google", "oauth2accesstoken"),
        ("menda", "aws"),
    ],
)
def test_flit_publishes_to_a_private_registry(
    cloud: PracticeCloud, flit: Client, fake_programs: FakePrograms, project: Path, name: str, user: str
) -> None:
    registry = REGISTRIES[name](cloud, fake_programs, project)
    registry.log_in()
    variables = {**registry.variables, "FLIT_INDEX_URL": registry.upload_url, "FLIT_USERNAME": user}
    flit.run(PUBLISH, cloud.environment(project, path=[fake_programs.directory], **variables)).check()
    target = registry.upload_url.rstrip("/")
    uploads = [one for one in cloud.log.requests(method="POST") if one.url.rstrip("/") == target]
    assert [upload.status for upload in uploads] in ([200], [202]), cloud.log
    # One password, obtained once and sent to the registry only.
    [password] = registry.passwords()
    assert cloud.log.hosts_that_saw(password) == [registry.host]
    if name == "azure":
        assert [one.json()["scope"] for one in cloud.log.requests("vssps.dev.azure.com")] == [WRITE]
    assert cloud.log.refused() == []


def test_flit_without_login_shows_the_command_to_run(
    cloud: PracticeCloud, flit: Client, fake_programs: FakePrograms, project: Path
) -> None:
    variables = {"FLIT_INDEX_URL": cloud.azure.feed.upload_url(), "FLIT_USERNAME": "anybody"}
    ended = flit.run(PUBLISH, cloud.environment(project, path=[fake_programs.directory], **variables))
    assert ended.code != 0
    assert ended.stderr.count("run `ringbearer login URL`") == 1, ended
    assert cloud.log.requests(method="POST") == []

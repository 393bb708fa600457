"""uv sync in a job of GitHub Actions: without `az` and login, with a lock file whose URLs have GUIDs.

This is the case of uv's issue 8840. The user name makes uv ask keyring; `VssSessionToken` is a convention.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from support.azure_user import FORMS, assert_only_feeds_saw
from support.uv_project import locked_project

ISSUER = "pipelines.actions.githubusercontent.com"
LOGIN = "login.microsoftonline.com"


def job_environment(cloud: PracticeCloud, client: Client, tool: Client, home: Path, **variables: str) -> dict[str, str]:
    """The variables of the workflow, and those of the test."""
    return cloud.environment(
        home,
        path=[client.bin],
        UV_INDEX_CONTOSO_USERNAME="VssSessionToken",
        UV_KEYRING_PROVIDER="subprocess",
        UV_PYTHON=tool.python,
        **variables,
    )


@pytest.mark.parametrize("form", FORMS)
def test_uv_sync_needs_only_the_jobs_own_identity(
    cloud: PracticeCloud, client: Client, tool: Client, home: Path, tmp_path: Path, form: str
) -> None:
    job = cloud.azure.github_actions.job()
    builder = cloud.azure.directory.application("builder", cloud.azure.tenant)
    builder.trust("https://token.actions.githubusercontent.com", job.subject)
    project = locked_project(tmp_path / "shop", cloud, tool, cloud.azure.project_feed.url(form))
    environment = job_environment(cloud, client, tool, home, AZURE_CLIENT_ID=builder.client_id, **job.variables)
    tool.run(["uv", "sync"], environment, directory=project.directory).check()
    assert project.has_installed("greetings", "hello_private")
    feed, issuer, login = cloud.log.sent_by_ringbearer()
    assert [feed.method, issuer.method, login.method] == ["GET", "GET", "POST"]
    assert [issuer.host, login.host] == [ISSUER, LOGIN]
    assert len({feed.connection, issuer.connection, login.connection}) == 3
    assert cloud.log.bearers() == [(ISSUER, job.request_token)]
    assert cloud.log.hosts_that_saw(job.request_token) == [ISSUER]
    assert cloud.log.hosts_that_saw(login.form["client_assertion"]) == [LOGIN]
    # A service principal's token is the password as it is.
    assert_only_feeds_saw(cloud, *{password for _, _, password in cloud.log.basics()})
    assert cloud.log.refused() == []


@pytest.mark.parametrize("form", FORMS)
def test_uv_sync_uses_a_pat_without_a_request(
    cloud: PracticeCloud, client: Client, tool: Client, home: Path, tmp_path: Path, form: str
) -> None:
    token = cloud.azure.contoso.personal_access_token()
    project = locked_project(tmp_path / "shop", cloud, tool, cloud.azure.project_feed.url(form))
    environment = job_environment(cloud, client, tool, home, AZURE_DEVOPS_EXT_PAT=token, GITHUB_ACTIONS="true")
    tool.run(["uv", "sync"], environment, directory=project.directory).check()
    assert project.has_installed("greetings", "hello_private")
    assert cloud.log.sent_by_ringbearer() == []
    assert {password for _, _, password in cloud.log.basics()} == {token}
    assert_only_feeds_saw(cloud, token)


def test_job_without_an_identity_is_reported(
    cloud: PracticeCloud, client: Client, tool: Client, home: Path, tmp_path: Path
) -> None:
    # Without `permissions: id-token: write` the runner sets none of the variables.
    project = locked_project(tmp_path / "shop", cloud, tool, cloud.azure.feed.url())
    environment = job_environment(cloud, client, tool, home, AZURE_CLIENT_ID="an-application", GITHUB_ACTIONS="true")
    ended = tool.run(["uv", "sync"], environment, directory=project.directory)
    assert ended.code != 0 and "401 Unauthorized" in ended.stderr
    assert "may not ask GitHub for its identity token" in ended.stderr, ended
    assert "permissions: id-token: write" in ended.stderr

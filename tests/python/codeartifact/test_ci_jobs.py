"""The identity token of a CI job, with nothing but the role in AWS_ROLE_ARN."""

from __future__ import annotations

import json

import pytest
from lab import faults
from lab.clients import Client
from lab.registries.azure.oidc import GITHUB_ISSUER, WorkflowJob
from lab.registries.codeartifact.accounts import Role
from support.aws_user import API, STRICT, STS, AwsUser, assumed

GITHUB = "pipelines.actions.githubusercontent.com"
GITLAB = "https://gitlab.example"
GITLAB_SUBJECT = "project_path:contoso/ring:ref_type:branch:ref:main"


@pytest.fixture
def job(ada: AwsUser) -> WorkflowJob:
    """A job on GitHub."""
    return ada.cloud.azure.github_actions.job()


@pytest.fixture
def role(ada: AwsUser, job: WorkflowJob) -> Role:
    """A role that trusts it, and a project on GitLab."""
    made = ada.aws.accounts.role("publisher")
    made.trust_identity(GITHUB_ISSUER, job.subject)
    made.trust_identity(GITLAB, GITLAB_SUBJECT)
    return made


@pytest.mark.parametrize("program", ["client", "native"])
def test_github_job_needs_nothing_but_a_role(
    ada: AwsUser, job: WorkflowJob, role: Role, program: str, request: pytest.FixtureRequest
) -> None:
    client: Client = request.getfixturevalue(program)
    environment = ada.cloud.environment(ada.home, AWS_ROLE_ARN=role.arn, **job.variables)
    ended = client.run(["keyring", "get", ada.url, "aws"], environment).check()
    assert ended.stdout.split() == ada.aws.authorization_tokens.issued
    assert ended.stderr == ""
    assert ada.hosts() == [GITHUB, STS, API]
    assert ada.cloud.log.requests(GITHUB)[0].parameters["audience"] == "sts.amazonaws.com"
    assert ada.cloud.log.hosts_that_saw(job.request_token) == [GITHUB]


def test_job_without_a_role_has_no_source(ada: AwsUser, job: WorkflowJob) -> None:
    answer = ada.ask(**job.variables, **STRICT)
    assert answer.credential is None and answer.warnings == []
    assert ada.cloud.log.requests() == []


def test_role_without_a_job_has_no_source(ada: AwsUser, role: Role) -> None:
    answer = ada.ask(AWS_ROLE_ARN=role.arn, **STRICT)
    assert answer.credential is None and answer.warnings == []
    assert ada.cloud.log.requests() == []


def test_github_job_without_permission_learns_which_to_add(ada: AwsUser, role: Role) -> None:
    answer = ada.ask(GITHUB_ACTIONS="true", AWS_ROLE_ARN=role.arn)
    assert "id-token: write" in answer.warning, answer.warning
    assert ada.cloud.log.requests() == []


def test_gitlab_job_names_its_token_by_a_variable(ada: AwsUser, role: Role) -> None:
    token = ada.aws.identity_token(GITLAB_SUBJECT, issuer=GITLAB)
    answer = ada.ask(
        GITLAB_CI="true", RINGBEARER_AWS_OIDC_TOKEN=token, AWS_ROLE_ARN=role.arn, AWS_ROLE_SESSION_NAME="ada"
    )
    assert ada.caller(answer) == assumed("publisher") and answer.warnings == []
    assert ada.cloud.log.hosts_that_saw(token) == [STS]
    assert token not in answer.text


def test_refused_job_is_one_warning_that_names_its_subject(ada: AwsUser, job: WorkflowJob) -> None:
    role = ada.aws.accounts.role("publisher")
    role.trust_identity(GITHUB_ISSUER, "repo:contoso/other:ref:refs/heads/main")
    warning = ada.ask(AWS_ROLE_ARN=role.arn, **job.variables).warning
    assert "STS" in warning and f"accept sub {job.subject} with aud sts.amazonaws.com" in warning, warning


def test_job_that_github_refuses_is_no_other_identity(ada: AwsUser, job: WorkflowJob, role: Role) -> None:
    ada.files.write_credentials({"default": ada.key})
    body = json.dumps({"message": "planted " + job.request_token}).encode()
    ada.cloud.faults.add(faults.status(403, body=body), GITHUB)
    answer = ada.ask(AWS_ROLE_ARN=role.arn, **job.variables)
    assert "GitHub" in answer.warning and "; " in answer.warning, answer.warning
    assert job.request_token not in answer.text
    assert set(ada.hosts()) == {GITHUB}


def test_keys_of_an_earlier_step_come_first(ada: AwsUser, job: WorkflowJob, role: Role) -> None:
    session = ada.aws.accounts.session_of_role(role, "GitHubActions", 3600)
    answer = ada.ask(AWS_ROLE_ARN=role.arn, **job.variables, **session.variables)
    assert ada.caller(answer) == assumed("publisher", "GitHubActions")
    assert ada.hosts() == [API]

"""The services in containers and on machines of AWS that hand out keys; here they are on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import faults
from lab.registries.codeartifact.metadata import pod_identity_token
from support.aws_user import API, AwsUser, assumed


@pytest.fixture
def task(ada: AwsUser) -> AwsUser:
    """A container with a role."""
    role = ada.aws.accounts.role("tasks")
    ada.aws.container.key = ada.aws.accounts.session_of_role(role, "task", 3600)
    return ada


@pytest.fixture
def machine(ada: AwsUser) -> AwsUser:
    """A machine with a role."""
    role = ada.aws.accounts.role("builders")
    ada.aws.ec2.key = ada.aws.accounts.session_of_role(role, "i-0123456789abcdef0", 3600)
    return ada


def test_container_gets_a_token(task: AwsUser) -> None:
    assert task.caller(task.ask(**task.aws.container.variables)) == assumed("tasks", "task")
    assert task.hosts() == ["container", API]
    assert [one.host for one in task.cloud.log.requests(method="CONNECT")] == [API]


def test_pod_identity_reads_the_token_in_its_file(task: AwsUser, tmp_path: Path) -> None:
    container = task.aws.container
    container.authorization = pod_identity_token()
    (tmp_path / "token").write_text(container.authorization + "\n")
    leading = {**container.variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "wrong"}
    answers = task.ask_each(
        container.variables,
        {**leading, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(tmp_path / "token")},
        leading,
    )
    assert task.callers(answers) == [assumed("tasks", "task")] * 2 + [None]
    assert "AWS_CONTAINER" in answers[2].warning or "AccessDeniedException" in answers[2].warning, answers[2].warning
    assert task.cloud.log.hosts_that_saw(container.authorization) == ["container"]
    assert container.authorization not in "".join(answer.text for answer in answers)


def test_container_that_fails_is_one_warning(task: AwsUser) -> None:
    named = task.aws.container.variables
    silent = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": task.cloud.metadata.black_hole + "/v1/credentials"}
    nowhere = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": task.cloud.metadata.nowhere + "/v1/credentials"}
    answers = task.ask_each(nowhere, silent)
    task.aws.container.key = None
    answers += task.ask_each(named)
    task.cloud.faults.add(faults.garbage_json(), "container", times=1)
    answers += task.ask_each(named)
    for answer in answers:
        assert answer.credential is None and answer.seconds < 15
        assert "; " in answer.warning, answer.warning
    assert API not in task.hosts()


def test_container_with_two_lines_of_token_is_not_asked(task: AwsUser) -> None:
    answer = task.ask(**task.aws.container.variables, AWS_CONTAINER_AUTHORIZATION_TOKEN="a\r\nX-Planted: b")
    assert "AWS_CONTAINER_AUTHORIZATION_TOKEN" in answer.warning
    assert task.cloud.log.requests() == []


def test_machine_gets_a_token_by_the_second_version(machine: AwsUser) -> None:
    answer = machine.ask(**machine.aws.ec2.variables, HTTP_PROXY=machine.cloud.proxy_url, NO_PROXY=None)
    assert machine.caller(answer) == assumed("builders", "i-0123456789abcdef0") and answer.warnings == []
    requests = machine.cloud.log.requests()
    assert [(one.host, one.method) for one in requests] == [
        ("ec2", "PUT"),
        ("ec2", "GET"),
        ("ec2", "GET"),
        (API, "POST"),
    ]
    assert len(machine.cloud.log.connections("ec2", "plain")) == 1


def test_machine_that_is_turned_off_is_not_asked(machine: AwsUser) -> None:
    variables = {**machine.aws.ec2.variables, "AWS_EC2_METADATA_DISABLED": "TRUE"}
    answer = machine.ask(**variables)
    assert answer.credential is None and answer.warnings == []
    assert machine.cloud.log.requests() == []


def test_machine_without_a_role_has_no_source(ada: AwsUser) -> None:
    answer = ada.ask(**ada.aws.ec2.variables)
    assert answer.credential is None and answer.warnings == []
    assert {one.host for one in ada.cloud.log.requests()} == {"ec2"}


def test_machine_that_gives_no_key_says_why(machine: AwsUser) -> None:
    machine.aws.ec2.failure = ("AssumeRoleUnauthorizedAccess", "EC2 cannot assume the role builders.")
    warning = machine.ask(**machine.aws.ec2.variables).warning
    assert "AssumeRoleUnauthorizedAccess" in warning and "EC2 cannot assume the role" in warning, warning


def test_machine_that_does_not_answer_is_one_quick_warning(machine: AwsUser) -> None:
    machine.aws.ec2.is_beyond_hop_limit = True
    answer = machine.ask(**machine.aws.ec2.variables)
    assert "AWS_EC2_METADATA_SERVICE_ENDPOINT" in answer.warning and answer.seconds < 8, answer

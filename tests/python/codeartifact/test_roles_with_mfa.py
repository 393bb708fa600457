"""Roles that need an MFA code: the session that the AWS CLI keeps serves, and nothing ever prompts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.clients import Client
from lab.keyboard import Keyboard
from lab.registries.codeartifact.accounts import AccessKey
from support.aws_user import API, STS, AwsUser, assumed

SERIAL = "arn:aws:iam::111122223333:mfa/ada"
COMMAND = "`aws sts get-caller-identity --profile corp`"


@pytest.fixture
def arn(ada: AwsUser) -> str:
    """The role of the profile `corp`."""
    arn = ada.profile_with_role(mfa_serial=SERIAL)
    ada.aws.accounts.find_role(arn).mfa = (SERIAL, "123456")
    return arn


def session_of_cli(ada: AwsUser, arn: str, lifetime: float = 3600) -> tuple[AccessKey, Path]:
    """The session after the CLI asked for a code."""
    key = ada.aws.accounts.session_of_role(ada.aws.accounts.find_role(arn), "ada", lifetime)
    return key, ada.files.write_role_session(key, RoleArn=arn, RoleSessionName="ada", SerialNumber=SERIAL)


def test_session_of_the_cli_serves(ada: AwsUser, arn: str) -> None:
    session_of_cli(ada, arn)
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == assumed("reader") and answer.warnings == []
    assert ada.hosts() == [API]


def test_session_with_other_arguments_is_another(ada: AwsUser, arn: str) -> None:
    key, _ = session_of_cli(ada, arn)
    ada.files.write_role_session(key, RoleArn=arn, RoleSessionName="ada", SerialNumber=SERIAL, DurationSeconds=900)
    config = ada.files.directory / "config"
    text = config.read_text()
    cases = [text + more for more in ("duration_seconds = 900\n", "duration_seconds = 1800\n", "external_id = x1\n")]
    answers = ada.ask_with_files(*({str(config): case} for case in cases), AWS_PROFILE="corp")
    assert ada.callers(answers) == [assumed("reader"), None, None]


def test_without_a_session_the_command_is_named(ada: AwsUser, arn: str) -> None:
    assert COMMAND in ada.ask(AWS_PROFILE="corp").warning
    key, path = session_of_cli(ada, arn)
    good = json.loads(path.read_text())
    dates = ("2020-01-01T00:00:00Z", "2020-01-01T00:00:00UTC", "2020-01-01T00:00:00+00:00", "soon", None)
    contents = [json.dumps({"Credentials": {**good["Credentials"], "Expiration": one}}) for one in dates]
    contents += [json.dumps(good)[:150], "", "[]", '{"Credentials": 7}']
    answers = ada.ask_with_files(*({str(path): text} for text in contents), AWS_PROFILE="corp")
    assert ada.callers(answers) == [None] * len(contents)
    assert all(any(COMMAND in message for message in one.messages("WARNING", "DEBUG")) for one in answers)
    assert STS not in ada.hosts() and API not in ada.hosts()
    assert key.secret not in "".join(answer.text for answer in answers)


@pytest.mark.parametrize("program", ["client", "native"])
def test_nothing_prompts_at_a_terminal(ada: AwsUser, arn: str, program: str, request: pytest.FixtureRequest) -> None:
    client: Client = request.getfixturevalue(program)
    environment = ada.cloud.environment(ada.home, AWS_PROFILE="corp", TERM="xterm")
    ended = Keyboard([client.program("keyring"), "get", ada.url, "aws"], environment).ended()
    assert ended.code == 1 and ended.stdout == b"", ended
    assert b"MFA code" in ended.shown and COMMAND.encode() in ended.shown, ended
    assert ada.cloud.log.requests() == []

"""Profiles in the configuration files of AWS's programs, but for those with a login."""

from __future__ import annotations

import json
import os

import pytest
from lab.clock import iso_time
from lab.fake_programs import Answer, FakePrograms
from support.aws_user import API, STS, AwsUser, assumed


def test_both_files_are_merged_and_credentials_win(ada: AwsUser) -> None:
    other = ada.aws.accounts.user("other")
    session = ada.aws.accounts.session_of_user(ada.key, 3600)
    ada.files.write_credentials({"default": ada.key, "session": session})
    ada.files.write_config({"default": other.settings, "profile config-only": other.settings, "profile session": {}})
    answers = ada.ask_each({}, {"AWS_PROFILE": "config-only"}, {"AWS_DEFAULT_PROFILE": "session"})
    assert ada.callers(answers) == [ada.key.caller, other.caller, session.caller]


def test_files_may_be_elsewhere_and_written_by_hand(ada: AwsUser) -> None:
    text = f'\r\n# mine\r\n[ profile\t"my team" ] ; quoted\r\nAWS_Access_Key_Id={ada.key.id} # a comment\r\n'
    path = ada.home / "settings"
    path.write_text(f"{text}aws_secret_access_key =   {ada.key.secret}\r\n", newline="")
    path.chmod(0o600)
    answer = ada.ask(AWS_CONFIG_FILE="~/settings", AWS_SHARED_CREDENTIALS_FILE=os.devnull, AWS_PROFILE="my team")
    assert ada.caller(answer) == ada.key.caller and answer.warnings == []


def test_chain_of_roles_is_assumed_in_the_region_of_the_index(ada: AwsUser) -> None:
    first = ada.aws.accounts.role("first", ada.key)
    last = ada.aws.accounts.role("last", first, external_id="contoso/1=2", maximum_duration=900)
    ada.files.write_credentials({"base": ada.key})
    outer = {"role_arn": last.arn, "source_profile": "middle", "external_id": "contoso/1=2", "duration_seconds": 900}
    profiles = {
        "profile middle": {"role_arn": first.arn, "source_profile": "base"},
        "profile outer": {**outer, "role_session_name": "ada", "region": "us-east-1"},
    }
    ada.files.write_config(profiles)
    answer = ada.ask(AWS_PROFILE="outer", AWS_REGION="ap-south-1")
    assert ada.caller(answer) == assumed("last") and answer.warnings == []
    assert ada.hosts() == [STS, STS, API]
    assert len(ada.cloud.log.connections(STS)) == len(ada.cloud.log.connections(API)) == 1


def test_role_without_its_external_id_is_refused(ada: AwsUser) -> None:
    role = ada.aws.accounts.role("vendor", ada.key, external_id="contoso")
    ada.files.write_credentials({"base": ada.key})
    ada.files.write_config({"profile corp": {"role_arn": role.arn, "source_profile": "base"}})
    warning = ada.ask(AWS_PROFILE="corp").warning
    assert "STS" in warning and "corp" in warning and "trust policy" in warning, warning


@pytest.mark.parametrize("source", ["Environment", "EcsContainer", "Ec2InstanceMetadata"])
def test_credential_source_gives_the_key_for_a_role(ada: AwsUser, source: str) -> None:
    aws = ada.aws
    task = aws.accounts.role("task")
    for service in (aws.container, aws.ec2):
        service.key = aws.accounts.session_of_role(task, "task", 3600)
    role = aws.accounts.role("reader", ada.key, task)
    ada.files.write_config(
        {"profile corp": {"role_arn": role.arn, "credential_source": source, "role_session_name": "ada"}}
    )
    variables = {"Environment": ada.key, "EcsContainer": aws.container, "Ec2InstanceMetadata": aws.ec2}[
        source
    ].variables
    if source == "Environment":
        # Keys in the environment come before AWS_PROFILE, but not before the profile of a section.
        ada.write_keyringrc("[codeartifact]\nprofile_name = corp\n")
    answer = ada.ask(AWS_PROFILE="corp", **variables)
    assert ada.caller(answer) == assumed("reader") and answer.warnings == []


def test_program_prints_keys(ada: AwsUser, fake_programs: FakePrograms) -> None:
    session = ada.aws.accounts.session_of_user(ada.key, 3600)
    printed = {**session.process_output, "AccountId": "111122223333"}
    fake_programs.program("print-keys", Answer(json.dumps(printed), stderr="hello", read_stdin=True))
    ada.files.write_config({"profile corp": {"credential_process": "print-keys --for 'a b' \"c d\" $HOME"}})
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == session.caller and answer.warnings == []
    [called] = fake_programs.invocations()
    # No shell reads the line.
    assert called.arguments == ["--for", "a b", "c d", "$HOME"]


#: Output of the program, and words of the warning.
BAD_OUTPUT = {
    "fails": (Answer(stderr="log in to the vault first", code=3), "log in to the vault first"),
    "is killed": (Answer(killed_by="KILL"), "print-keys"),
    "no JSON": (Answer("hello"), "printed"),
    "another version": (Answer('{"Version": 2}'), "printed"),
    "half a key": (Answer('{"Version": 1, "AccessKeyId": "AKIA"}'), "printed"),
    "ended": (
        Answer(
            json.dumps(
                {"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "b", "Expiration": iso_time(1_700_000_000)}
            )
        ),
        "ended",
    ),
    "endless": (Answer("x" * 1000, endless=True), "print-keys"),
}


@pytest.mark.parametrize("case", BAD_OUTPUT)
def test_program_that_prints_no_keys_is_one_warning(ada: AwsUser, fake_programs: FakePrograms, case: str) -> None:
    answer, words = BAD_OUTPUT[case]
    fake_programs.program("print-keys", answer)
    ada.files.write_config({"profile corp": {"credential_process": "print-keys"}})
    warning = ada.ask(AWS_PROFILE="corp").warning
    assert words in warning and "corp" in warning, warning
    assert ada.cloud.log.requests() == []


#: Profile `corp`, and words of the warning.
BAD_PROFILES = {
    "missing": (None, "corp"),
    "empty": ({}, "aws configure --profile corp"),
    "half a key": ({"aws_access_key_id": "AKIA"}, "aws_secret_access_key"),
    "no source": ({"role_arn": "arn:aws:iam::111122223333:role/r"}, "source_profile"),
    "unknown source": ({"role_arn": "arn:aws:iam::111122223333:role/r", "source_profile": "x"}, "source_profile"),
    "a circle": ({"role_arn": "arn:aws:iam::111122223333:role/r", "source_profile": "corp"}, "corp"),
    "no role": ({"role_arn": "reader", "source_profile": "base"}, "arn:"),
    "no program": ({"credential_process": "no-such-program x"}, "no-such-program"),
    "half of SSO": ({"sso_account_id": "111122223333", "sso_role_name": "r", "sso_session": "x"}, "sso"),
}


def test_wrong_profile_is_one_warning_with_advice(ada: AwsUser) -> None:
    ada.files.write_credentials({"base": ada.key})
    path = ada.files.write_config({})
    cases = []
    for profile, _ in BAD_PROFILES.values():
        lines = (
            ["[profile other]"] if profile is None else ["[profile corp]", *(f"{k} = {v}" for k, v in profile.items())]
        )
        cases.append({str(path): "\n".join(lines)})
    answers = ada.ask_with_files(*cases, AWS_PROFILE="corp")
    for (name, (_, words)), answer in zip(BAD_PROFILES.items(), answers):
        if name == "empty":
            # As for AWS's programs, such a profile only has settings.
            assert answer.credential is None
            continue
        assert words in answer.warning and "; " in answer.warning, (name, answer.warning)
    assert ada.cloud.log.requests() == []


def test_file_that_everyone_may_write_is_refused(ada: AwsUser) -> None:
    path = ada.files.write_credentials({"default": ada.key})
    os.chmod(path, 0o666)
    warning = ada.ask().warning
    assert "chmod" in warning and "credentials" in warning, warning
    assert ada.cloud.log.requests() == []

"""The identity token in a file, as Kubernetes sets it up for pods."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.registries.codeartifact.site import EKS_ISSUER
from support.aws_user import API, STS, AwsUser, assumed

SUBJECT = "system:serviceaccount:default:builder"


@pytest.fixture
def variables(ada: AwsUser, tmp_path: Path) -> dict[str, str]:
    """The variables of a pod whose identity a role trusts."""
    role = ada.aws.accounts.role("pods")
    role.trust_identity(EKS_ISSUER, SUBJECT)
    (tmp_path / "token").write_text(ada.aws.identity_token() + "\n")
    named = {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_ROLE_SESSION_NAME": "ada"}
    return {**named, "AWS_ROLE_ARN": role.arn}


def test_pod_gets_a_token(ada: AwsUser, variables: dict[str, str]) -> None:
    answer = ada.ask(**variables)
    assert ada.caller(answer) == assumed("pods") and answer.warnings == []
    assert ada.hosts() == [STS, API]
    request = ada.cloud.log.requests(STS)[0]
    # Its token is the proof: there is no key to sign with.
    assert request.header("Authorization") is None


def test_token_goes_to_sts_alone(ada: AwsUser, variables: dict[str, str]) -> None:
    assert ada.caller(ada.ask(**variables))
    token = Path(variables["AWS_WEB_IDENTITY_TOKEN_FILE"]).read_text().strip()
    assert ada.cloud.log.hosts_that_saw(token) == [STS]


def test_session_has_a_name_without_the_variable(ada: AwsUser, variables: dict[str, str]) -> None:
    answer = ada.ask(**{**variables, "AWS_ROLE_SESSION_NAME": None})
    assert ada.caller(answer).startswith(assumed("pods", ""))


def test_profile_may_name_the_file(ada: AwsUser, variables: dict[str, str]) -> None:
    profile = {
        "role_arn": variables["AWS_ROLE_ARN"],
        "web_identity_token_file": variables["AWS_WEB_IDENTITY_TOKEN_FILE"],
        "role_session_name": "ada",
    }
    ada.files.write_config({"profile corp": profile})
    assert ada.caller(ada.ask(AWS_PROFILE="corp")) == assumed("pods")


def test_file_is_read_anew(ada: AwsUser, variables: dict[str, str]) -> None:
    path = variables["AWS_WEB_IDENTITY_TOKEN_FILE"]
    good = Path(path).read_text()
    answers = ada.ask_with_files({path: ada.aws.identity_token(lifetime=-1)}, {path: good}, **variables)
    assert ada.callers(answers) == [None, assumed("pods")]


def test_refusal_is_one_warning_with_advice(ada: AwsUser, variables: dict[str, str]) -> None:
    path = variables["AWS_WEB_IDENTITY_TOKEN_FILE"]
    refused = {
        "must be before the expiry": ada.aws.identity_token(lifetime=-1),
        "identity provider": ada.aws.identity_token(issuer="https://other.example"),
        "accept sub system:serviceaccount:default:other with aud sts.amazonaws.com": ada.aws.identity_token(
            "system:serviceaccount:default:other"
        ),
    }
    answers = ada.ask_with_files(*({path: token} for token in refused.values()), **variables)
    for (words, token), answer in zip(refused.items(), answers):
        assert words in answer.warning and "; " in answer.warning, answer.warning
        assert token not in answer.text


def test_unusable_setting_is_one_warning_without_a_request(ada: AwsUser, variables: dict[str, str]) -> None:
    cases = {
        "AWS_ROLE_ARN": {"AWS_ROLE_ARN": None},
        "AWS_WEB_IDENTITY_TOKEN_FILE": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(ada.home / "missing")},
        "arn:": {"AWS_ROLE_ARN": "pods"},
        "AWS_ROLE_SESSION_NAME": {"AWS_ROLE_SESSION_NAME": "a b"},
    }
    answers = ada.ask_each(*({**variables, **case} for case in cases.values()))
    for words, answer in zip(cases, answers):
        assert words in answer.warning and "; " in answer.warning, answer.warning
    assert ada.cloud.log.requests() == []

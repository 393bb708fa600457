"""Menda's registries are at hosts of CodeArtifact: a Menda login answers first, without one CodeArtifact does."""

from __future__ import annotations

import pytest
from lab import faults
from lab.clients import Client
from lab.look_up import LookUp
from lab.registries.menda import HOST, REGISTRY_HOST
from support.aws_user import AwsUser

INDEX = f"https://{REGISTRY_HOST}/pypi/plugins/simple/"
MENDA_API = HOST.partition("//")[2]


@pytest.fixture
def user(ada: AwsUser) -> AwsUser:
    """Ada, who may have a token for Menda's domain from AWS too."""
    name, _, owner = REGISTRY_HOST.partition(".")[0].rpartition("-")
    domain = ada.aws.add_domain(name, owner, region=REGISTRY_HOST.split(".")[3])
    domain.accounts.add(ada.key.account)
    return ada


def test_menda_answers_first_and_alone(user: AwsUser) -> None:
    both = {**user.cloud.menda.variables, **user.key.variables}
    (answer,) = user.look_up.all([LookUp(INDEX)], **both)
    assert answer.credential == ("aws", user.cloud.menda.registry_tokens[0]) and answer.warnings == []
    assert set(user.hosts()) == {MENDA_API}


def test_codeartifact_answers_without_a_menda_login(user: AwsUser) -> None:
    (answer,) = user.look_up.all([LookUp(INDEX)], **user.key.variables)
    assert user.caller(answer) == user.key.caller and answer.warnings == []


def test_neither_login_is_a_miss_without_a_word(user: AwsUser) -> None:
    (answer,) = user.look_up.all([LookUp(INDEX)])
    assert answer.credential is None and answer.messages("INFO", "WARNING", "ERROR") == []


def test_failing_menda_login_is_reported_and_aws_serves(user: AwsUser) -> None:
    user.cloud.faults.add(faults.status(403), MENDA_API)
    both = {**user.cloud.menda.variables, **user.key.variables}
    (answer,) = user.look_up.all([LookUp(INDEX)], **both)
    assert MENDA_API in answer.warning and REGISTRY_HOST in answer.warning
    assert user.caller(answer) == user.key.caller
    assert user.hosts()[0] == MENDA_API and user.hosts()[-1].startswith("codeartifact.")


def test_both_failures_are_reported(user: AwsUser) -> None:
    user.cloud.faults.add(faults.status(403), MENDA_API)
    wrong = {**user.key.variables, "AWS_SECRET_ACCESS_KEY": user.key.wrong_secret()}
    (answer,) = user.look_up.all([LookUp(INDEX)], **user.cloud.menda.variables, **wrong)
    assert answer.credential is None
    menda, codeartifact = answer.warnings
    assert "oauth2/token" in menda
    assert "InvalidSignatureException" in codeartifact, codeartifact


def test_strict_mode_raises_the_menda_failure(user: AwsUser) -> None:
    user.cloud.faults.add(faults.status(403), MENDA_API)
    both = {**user.cloud.menda.variables, **user.key.variables}
    (answer,) = user.look_up.all([LookUp(INDEX)], RINGBEARER_STRICT="1", **both)
    assert answer.error is not None and MENDA_API in answer.error.message


#: Whether Menda's login is there and whether it works, and whether AWS's is: who serves, and the lines on stderr.
NATIVE = {
    "both": (True, True, True, "menda", 0),
    "Menda alone": (True, True, False, "menda", 0),
    "AWS alone": (False, False, True, "aws", 0),
    "Menda fails": (True, False, True, "aws", 1),
    "neither": (False, False, False, None, 0),
    "Menda fails alone": (True, False, False, None, 1),
}


@pytest.mark.parametrize("case", NATIVE)
def test_native_programs_ask_both_in_the_same_order(user: AwsUser, native: Client, case: str) -> None:
    has_menda, works, has_aws, server, lines = NATIVE[case]
    if not works:
        user.cloud.faults.add(faults.status(403), MENDA_API)
    variables = {**(user.cloud.menda.variables if has_menda else {}), **(user.key.variables if has_aws else {})}
    environment = user.cloud.environment(user.home, **variables)
    for words in (["keyring", "get", INDEX, "aws"], ["ringbearer", "token", INDEX]):
        ended = native.run(words, environment)
        issued = {"menda": user.cloud.menda.registry_tokens, "aws": user.aws.authorization_tokens.issued, None: []}
        assert ended.stdout.split() == issued[server][-1:], ended
        assert (ended.code == 0) == bool(server), ended
        if words[0] == "keyring":
            assert ended.stderr.count("\n") == lines, ended

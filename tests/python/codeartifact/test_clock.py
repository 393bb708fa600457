"""A clock that differs from AWS's: the time of the signature is corrected once, and expiries are measured by it."""

from __future__ import annotations

import pytest
from support.aws_user import API, STS, AwsUser, assumed


@pytest.mark.parametrize("hours", [3, -3, 23])
def test_wrong_clock_is_corrected_once(ada: AwsUser, hours: int) -> None:
    ada.aws.clock.offset = hours * 3600
    answer = ada.ask(RINGBEARER_DEBUG="1", **ada.key.variables)
    assert ada.caller(answer) == ada.key.caller and answer.warnings == []
    assert ada.hosts() == [API, API]
    assert len(ada.cloud.log.connections(API)) == 1
    assert "clock" in answer.stderr, answer.stderr


def test_wrong_clock_is_corrected_for_a_role_too(ada: AwsUser) -> None:
    ada.profile_with_role()
    ada.aws.clock.offset = 3 * 3600
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == assumed("reader") and answer.warnings == []
    assert ada.hosts().count(STS) == 2 and ada.hosts().count(API) <= 2


@pytest.mark.parametrize("days", [8, -8])
def test_clock_that_is_days_off_is_named_and_not_corrected(ada: AwsUser, days: int) -> None:
    ada.aws.clock.offset = days * 86400
    warning = ada.ask(**ada.key.variables).warning
    assert f"clock is 8 days {'behind' if days > 0 else 'ahead'}" in warning, warning
    assert ada.hosts() == [API]


def test_few_minutes_need_no_correction(ada: AwsUser) -> None:
    ada.aws.clock.offset = 200
    assert ada.caller(ada.ask(**ada.key.variables)) == ada.key.caller
    assert ada.hosts() == [API]


def test_token_lives_as_long_as_by_the_clock_of_aws(ada: AwsUser) -> None:
    for offset in (-3 * 3600, 3 * 3600):
        ada.aws.clock.offset = offset
        ada.cloud.log.clear()
        first, second = ada.look_up.each(
            {}, {}, service=ada.url, AWS_CREDENTIAL_EXPIRATION=str(offset), **ada.key.variables
        )
        assert first.credential == second.credential
        assert ada.hosts() == [API, API]


def test_wrong_secret_and_clock_are_an_error(ada: AwsUser) -> None:
    ada.aws.clock.offset = 3 * 3600
    variables = {**ada.key.variables, "AWS_SECRET_ACCESS_KEY": ada.key.wrong_secret()}
    answer = ada.ask(**variables)
    assert answer.credential is None and "; " in answer.warning
    assert "clock" in answer.warning, answer.warning
    assert ada.hosts() == [API, API]


def test_wrong_secret_alone_is_no_reason_to_sign_again(ada: AwsUser) -> None:
    variables = {**ada.key.variables, "AWS_SECRET_ACCESS_KEY": ada.key.wrong_secret()}
    assert ada.key.id in ada.ask(**variables).warning
    assert ada.hosts() == [API]

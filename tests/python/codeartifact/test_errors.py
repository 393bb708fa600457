"""Failures are one warning with what to do; in strict mode they raise."""

from __future__ import annotations

import pytest
from lab import faults
from lab.clients import Client
from lab.faults import Fault
from lab.look_up import Answer, LookUp
from lab.messages import Response
from lab.registries.codeartifact.accounts import BEARER_TOKEN, GET_TOKEN
from lab.registries.codeartifact.refusals import throttled, throttled_by_sts
from support.aws_user import API, PORTAL, STRICT, STS, AwsUser, assumed

HOST = "practice-111122223333.d.codeartifact.eu-central-1.amazonaws.com"


#: Answers that are no tokens.
UNUSABLE: dict[str, Fault] = {
    "a page": faults.html(200),
    "a page with 203": faults.html(203),
    "nothing": faults.status(200),
    "no content": faults.status(204),
    "a redirect": faults.status(302, {"Location": "https://evil.example/"}),
    "a redirect that keeps the method": faults.status(307, {"Location": f"https://{STS}/"}),
    "half a JSON text": faults.garbage_json(),
    "no object": faults.garbage_json(b"[]"),
    "no UTF-8": faults.garbage_json(b'{"authorizationToken": "\xff"}'),
    "very deep": faults.garbage_json(b'{"authorizationToken":' * 100_000),
    "two texts": faults.garbage_json(b'{"authorizationToken": "a"} {}'),
    "no token": faults.garbage_json(b'{"expiration": 1893456000}'),
    "null": faults.with_members(authorizationToken=None),
    "a number": faults.with_members(authorizationToken=7),
    "empty": faults.with_members(authorizationToken=""),
    "two words": faults.with_members(authorizationToken="a b"),
    "a header more": faults.with_members(authorizationToken="a\r\nX-Planted: b"),
    "not for a header": faults.with_members(authorizationToken="t\u00f6ken"),
    "1 MB": faults.huge(1024 * 1024),
    "endless": faults.huge(None),
    "huge headers": faults.huge_headers(),
    "teapot": faults.status(418),
}

#: Faults of which each single one passes.
PASSING: dict[str, Fault] = {
    "throttled": throttled(0),
    "throttled without a time": throttled(None),
    "throttled with 400": faults.status(400, {"x-amzn-ErrorType": "ThrottlingException"}),
    "reset": faults.reset(),
    "dropped": faults.drop(),
    "cut": faults.truncated(),
    "500": faults.status(500),
    "502": faults.html(502),
    "503": faults.status(503),
    "504": faults.status(504),
}


class Domains:
    """Domains that meet one fault each, all asked for by one process."""

    def __init__(self, ada: AwsUser) -> None:
        self.ada = ada
        self.look_ups: list[LookUp] = []

    def add(self, fault: Fault, **more: object) -> None:
        """One more domain, in a region of its own: faults are chosen by host."""
        region = f"eu-fault-{len(self.look_ups) + 1}"
        self.ada.cloud.faults.add(fault, f"codeartifact.{region}.amazonaws.com", **more)
        self.ada.aws.add_domain("practice", region=region)
        self.look_ups.append(LookUp(self.ada.url.replace("eu-central-1", region)))

    def ask(self, **variables: str) -> list[Answer]:
        """One lookup for each."""
        return self.ada.look_up.all(self.look_ups, **{**self.ada.key.variables, **variables})


@pytest.fixture
def domains(ada: AwsUser) -> Domains:
    """None yet."""
    return Domains(ada)


def refusals(ada: AwsUser) -> dict[str, tuple[dict[str, str], str]]:
    """Variables of each refusal, and the advice."""
    accounts = ada.aws.accounts
    unknown = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "planted"}
    inactive, denied, bearer = accounts.user("inactive"), accounts.user("denied"), accounts.user("bearer")
    inactive.is_active = False
    denied.denied.add(GET_TOKEN)
    bearer.denied.add(BEARER_TOKEN)
    foreign, ended = accounts.user("foreign", "444455556666"), accounts.session_of_user(ada.key, -60)
    wrong = {**ada.key.variables, "AWS_SECRET_ACCESS_KEY": ada.key.wrong_secret()}
    without_session = {**accounts.session_of_user(ada.key, 3600).variables, "AWS_SESSION_TOKEN": None}
    return {
        "wrong secret": (wrong, ada.key.id),
        "unknown key": (unknown, "AKIAIOSFODNN7EXAMPLE"),
        "inactive key": (inactive.variables, inactive.id),
        "no session token": (without_session, "session token"),
        "ended session": (ended.variables, "AWS_ACCESS_KEY_ID"),
        "no permission": (denied.variables, GET_TOKEN),
        "no permission for STS": (bearer.variables, BEARER_TOKEN),
        "another account": (foreign.variables, GET_TOKEN),
    }


def test_each_refusal_is_one_warning_with_advice(ada: AwsUser) -> None:
    table = refusals(ada)
    answers = ada.ask_each(*(variables for variables, _ in table.values()))
    for (name, (_, words)), answer in zip(table.items(), answers):
        assert answer.credential is None
        assert HOST in answer.warning and words in answer.warning.partition("; ")[2], (name, answer.warning)
        assert "\n" not in answer.warning
    assert ada.hosts() == [API] * len(table)


def test_strict_mode_raises_each_refusal(ada: AwsUser) -> None:
    answers = ada.ask_each(*(variables for variables, _ in refusals(ada).values()), **STRICT)
    for answer in answers:
        assert {"RingbearerError", "KeyringError"} < set(answer.error.bases)
        assert HOST in answer.error.message and answer.warnings == []


def test_missing_domain_is_named(ada: AwsUser) -> None:
    url = ada.url.replace("practice", "absent")
    answer = ada.look_up(url, **ada.key.variables)
    assert "absent" in answer.warning and "eu-central-1" in answer.warning and "; " in answer.warning


def test_unusable_answer_is_one_warning(domains: Domains) -> None:
    for fault in UNUSABLE.values():
        domains.add(fault)
    answers = domains.ask()
    assert [name for name, answer in zip(UNUSABLE, answers) if answer.result is not None] == []
    for name, look_up, answer in zip(UNUSABLE, domains.look_ups, answers):
        assert look_up.service.split("/")[2] in answer.warning, (name, answer.warning)
        assert answer.seconds < 5 and "planted" not in answer.warning.lower()
    hosts = {request.host for request in domains.ada.cloud.log.requests()}
    assert len(hosts) == len(UNUSABLE) and STS not in hosts


def test_passing_fault_is_tried_again(domains: Domains) -> None:
    for fault in PASSING.values():
        domains.add(fault, times=1)
    answers = domains.ask()
    assert domains.ada.callers(answers) == [domains.ada.key.caller] * len(PASSING)
    assert [answer.warnings for answer in answers] == [[]] * len(PASSING)
    assert len(domains.ada.hosts()) == 2 * len(PASSING)


def test_fault_that_stays_is_one_warning(domains: Domains) -> None:
    for fault in PASSING.values():
        domains.add(fault)
    answers = domains.ask()
    for name, answer in zip(PASSING, answers):
        assert answer.credential is None and answer.warning, name
        assert "; " in answer.warning, (name, answer.warning)
        assert answer.seconds < 15, (name, answer.seconds)
    assert len(domains.ada.hosts()) == 3 * len(PASSING)


def test_time_that_a_busy_service_asks_for_is_waited(ada: AwsUser) -> None:
    ada.cloud.faults.add(throttled(1), API, times=1)
    answer = ada.ask(**ada.key.variables)
    assert ada.caller(answer) == ada.key.caller and answer.seconds >= 1


def test_hour_that_a_busy_service_asks_for_is_not_waited(ada: AwsUser) -> None:
    ada.cloud.faults.add(throttled(3600), API)
    answer = ada.ask(**ada.key.variables)
    assert answer.seconds < 10 and "ThrottlingException" in answer.warning


def test_busy_services_before_the_api_are_asked_again(ada: AwsUser) -> None:
    ada.profile_with_role()
    ada.cloud.faults.add(throttled_by_sts(), STS, times=1)
    assert ada.caller(ada.ask(AWS_PROFILE="corp")) == assumed("reader")
    ada.profile_with_sso(ada.aws.identity_center.log_in())
    ada.cloud.faults.add(throttled(0), PORTAL, times=1)
    assert ada.caller(ada.ask(AWS_PROFILE="corp")) == assumed("Reader")


#: Answers of STS and the portal that are no keys.
NO_KEYS = {
    "a page": faults.html(200),
    "nothing": faults.status(200),
    "half": faults.truncated(200),
    "another text": faults.status(200, {"Content-Type": "text/xml"}, b"<AssumeRoleResponse></AssumeRoleResponse>"),
    "entities": faults.status(
        200, {"Content-Type": "text/xml"}, b'<!DOCTYPE x [<!ENTITY a "b">]><AccessKeyId>&a;</AccessKeyId>' * 100
    ),
    "endless": faults.huge(None),
    "ended": faults.replaced(
        lambda answer: Response(
            200, [], answer.body.replace(b"<Expiration>20", b"<Expiration>19").replace(b'n": 1', b'n": 0')
        )
    ),
}


@pytest.mark.parametrize("host", [STS, PORTAL])
def test_answer_without_keys_is_one_warning(ada: AwsUser, host: str) -> None:
    names = list(NO_KEYS)
    if host == STS:
        ada.profile_with_role()
    else:
        ada.profile_with_sso(ada.aws.identity_center.log_in())
        names.remove("ended")
    for name in names:
        # A connection that breaks is tried again.
        ada.cloud.faults.add(NO_KEYS[name], host, times=3 if name == "half" else 1)
    answers = ada.ask_each(*({} for _ in names), AWS_PROFILE="corp")
    for name, answer in zip(names, answers):
        assert answer.credential is None, name
        messages = [line.message for line in answer.log if line.logger == "ringbearer"]
        assert len(messages) == 1 and HOST in messages[0], (name, messages)
    assert API not in ada.hosts()


@pytest.mark.parametrize("fault", ["silence", "drip", "untrusted"])
def test_service_out_of_reach_is_one_warning_in_time(ada: AwsUser, fault: str) -> None:
    if fault == "untrusted":
        ada.cloud.distrust(API)
    else:
        ada.cloud.faults.add(faults.silence() if fault == "silence" else faults.drip(1), API)
    answer = ada.ask(RINGBEARER_TIMEOUT="2", **ada.key.variables)
    assert HOST in answer.warning and "; " in answer.warning and answer.seconds < 8


def test_repeated_failure_warns_once(ada: AwsUser) -> None:
    variables = {**ada.key.variables, "AWS_SECRET_ACCESS_KEY": ada.key.wrong_secret()}
    look_ups = [LookUp(ada.url), LookUp(ada.url, "aws", "get_password"), LookUp(HOST), LookUp(ada.url)]
    answers = ada.look_up.all(look_ups, **variables)
    assert [len(answer.warnings) for answer in answers] == [1, 0, 0, 0]
    assert ada.hosts() == [API]


def test_native_program_says_one_line(ada: AwsUser, native: Client) -> None:
    variables = {**ada.key.variables, "AWS_SECRET_ACCESS_KEY": ada.key.wrong_secret()}
    ended = native.run(["keyring", "get", ada.url, "aws"], ada.cloud.environment(ada.home, **variables))
    assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1)
    assert ended.stderr.startswith("ringbearer: ") and HOST in ended.stderr

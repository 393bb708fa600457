"""One token for each domain, identity and duration: for all URLs, threads and processes of a login session."""

from __future__ import annotations

import json
import time

from lab import faults, kernel_keys
from lab.clients import Client
from lab.look_up import LookUp
from lab.messages import Response, json_response
from support.aws_user import API, AwsUser


def posts(ada: AwsUser) -> int:
    """The number of tokens that were asked for."""
    return len(ada.cloud.log.requests(API))


def test_all_threads_share_one_token(ada: AwsUser) -> None:
    ada.cloud.faults.add_latency(0.2, API)
    answers = ada.look_up.all([LookUp(ada.url, threads=8), LookUp(ada.url)], **ada.key.variables)
    found = [answers[0], *answers[0].others, answers[1]]
    assert {answer.credential for answer in found} == {("aws", ada.aws.authorization_tokens.issued[0])}
    assert posts(ada) == len(ada.cloud.log.connections(API)) == 1


def test_other_identity_or_duration_is_another_token(ada: AwsUser) -> None:
    other = ada.aws.accounts.user("other")
    ada.files.write_credentials({"one": ada.key, "two": other})
    one, two = {"AWS_PROFILE": "one"}, {"AWS_PROFILE": "two"}
    shorter = {**one, "RINGBEARER_CODEARTIFACT_DURATION": "900"}
    cases = [one, two, shorter, one, two, shorter]
    answers = ada.look_up.each(*cases, service=ada.url)
    tokens = [answer.credential for answer in answers]
    assert tokens[:3] == tokens[3:] and len(set(tokens)) == posts(ada) == 3
    assert ada.callers(answers[:3]) == [ada.key.caller, other.caller, ada.key.caller]


def test_token_that_ends_soon_is_replaced(ada: AwsUser) -> None:
    def ends_in_a_second(answer: Response) -> Response:
        return json_response({**json.loads(answer.body), "expiration": time.time() + 1})

    ada.cloud.faults.add(faults.replaced(ends_in_a_second), API, times=1)
    look_ups = [LookUp(ada.url), LookUp(ada.url, pause=1), LookUp(ada.url)]
    answers = ada.look_up.all(look_ups, **ada.key.variables)
    first, second = ada.aws.authorization_tokens.issued
    assert [answer.credential[1] for answer in answers] == [first, second, second]


def test_three_keyring_gets_are_one_request(ada: AwsUser, native: Client) -> None:
    kernel_keys.need_sharing()
    environment = ada.cloud.environment(ada.home, **ada.key.variables)
    found = [native.run(["keyring", "get", ada.url, "aws"], environment).check().stdout for _ in range(3)]
    assert found == [ada.aws.authorization_tokens.issued[0] + "\n"] * 3
    assert posts(ada) == 1


def test_programs_of_a_session_share_a_token_of_a_role(ada: AwsUser, native: Client, client: Client) -> None:
    kernel_keys.need_sharing()
    ada.profile_with_role()
    environment = ada.cloud.environment(ada.home, AWS_PROFILE="corp", RINGBEARER_CACHE="session")
    words = ["keyring", "get", ada.url, "aws"]
    assert native.run(words, environment).check().stdout == client.run(words, environment).check().stdout
    assert posts(ada) == 1 and len(ada.hosts()) == 2


def test_change_of_a_file_is_another_login(ada: AwsUser, native: Client) -> None:
    kernel_keys.need_sharing()
    environment = ada.cloud.environment(ada.home)
    users = [ada.key, ada.aws.accounts.user("other-user")]
    for user in users:
        ada.files.write_credentials({"default": user})
        native.run(["keyring", "get", ada.url, "aws"], environment).check()
    callers = [key.caller for key, _ in ada.aws.domain.tokens.values()]
    assert callers == [user.caller for user in users]


def test_ready_token_is_not_cached(ada: AwsUser, native: Client) -> None:
    for token in ("first", "second"):
        environment = ada.cloud.environment(ada.home, CODEARTIFACT_AUTH_TOKEN=token)
        assert native.run(["keyring", "get", ada.url, "aws"], environment).check().stdout == token + "\n"
    # The next program asks.
    environment = ada.cloud.environment(ada.home, **ada.key.variables)
    assert native.run(["keyring", "get", ada.url, "aws"], environment).check().stdout not in ("first\n", "second\n")


def test_cache_that_is_off_keeps_nothing(ada: AwsUser, native: Client) -> None:
    environment = ada.cloud.environment(ada.home, RINGBEARER_CACHE="off", **ada.key.variables)
    found = {native.run(["keyring", "get", ada.url, "aws"], environment).check().stdout for _ in range(2)}
    assert len(found) == posts(ada) == 2


def test_nothing_is_written_to_files(ada: AwsUser, native: Client) -> None:
    ada.profile_with_role()
    environment = ada.cloud.environment(ada.home, AWS_PROFILE="corp")
    before = sorted(ada.home.rglob("*"))
    native.run(["keyring", "get", ada.url, "aws"], environment).check()
    new = [path for path in ada.home.rglob("*") if path not in before and path.is_file()]
    assert [path for path in new if path.read_bytes()] == []

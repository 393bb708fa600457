"""Logins of `aws login`: keys that live for minutes, and are refreshed with a proof of possession."""

from __future__ import annotations

import json
import os
import stat
import threading
from pathlib import Path

import pytest
from lab import faults
from lab.clients import Client
from lab.registries.codeartifact.accounts import REFRESH_LOGIN
from lab.registries.codeartifact.sign_in import Login
from support.aws_user import API, SIGN_IN, AwsUser, change, files_below

COMMAND = "`aws login --profile corp`"


def log_in(ada: AwsUser, lifetime: float = 900, **more: object) -> tuple[Login, Path]:
    """A login of the profile `corp`, and its file."""
    login = ada.aws.sign_in.log_in(ada.key, lifetime, **more)
    ada.files.write_config({"profile corp": {"login_session": login.arn}})
    return login, ada.files.write_login(login)


def test_live_login_gets_a_token_and_stays_as_it_is(ada: AwsUser) -> None:
    log_in(ada)
    before = files_below(ada.files.directory)
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == ada.key.caller and answer.warnings == []
    assert ada.hosts() == [API]
    assert files_below(ada.files.directory) == before


def test_refreshed_login_is_written_back_whole(ada: AwsUser) -> None:
    login, path = log_in(ada, -60)
    change(path, unknown={"of": "a later CLI"})
    kept, before = json.loads(path.read_text()), files_below(ada.home)
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == ada.key.caller and answer.warnings == []
    assert ada.hosts() == [SIGN_IN, API]
    now = json.loads(path.read_text())
    key = {
        "accessKeyId": login.key.id,
        "secretAccessKey": login.key.secret,
        "sessionToken": login.key.session_token,
        "expiresAt": now["accessToken"]["expiresAt"],
    }
    assert now == {**kept, "accessToken": {**kept["accessToken"], **key}, "refreshToken": login.refresh_token}
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    after = files_below(ada.home)
    new = {name: content for name, content in after.items() if before.get(name) != content or name not in before}
    assert new.pop(str(path)) and set(new.values()) <= {b""}


def test_refresh_token_rotates_from_process_to_process(ada: AwsUser) -> None:
    login, path = log_in(ada, -60)
    for number in range(1, 4):
        answer = ada.ask(AWS_PROFILE="corp", RINGBEARER_CACHE="off")
        assert ada.caller(answer) == ada.key.caller and len(login.replaced) == number
        kept = json.loads(path.read_text())
        change(path, accessToken={**kept["accessToken"], "expiresAt": "2020-01-01T00:00:00Z"})


def test_processes_at_once_refresh_a_login_once(ada: AwsUser, native: Client) -> None:
    login, _ = log_in(ada, -60)
    urls = [ada.url]
    urls += [ada.aws.add_repository(ada.aws.add_domain(name), "python").url for name in ("second", "third")]
    ada.cloud.faults.add_latency(0.3, SIGN_IN)
    environment = ada.cloud.environment(ada.home, AWS_PROFILE="corp", RINGBEARER_CACHE="off")
    found: list[str] = []

    def get(url: str) -> None:
        found.append(native.run(["keyring", "get", url, "aws"], environment).check().stdout.strip())

    threads = [threading.Thread(target=get, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(ada.aws.authorization_tokens.issued)
    assert len(login.replaced) == ada.hosts().count(SIGN_IN) == 1


def test_login_in_another_region_is_refreshed_there(ada: AwsUser) -> None:
    log_in(ada, -60, region="us-west-2")
    assert ada.caller(ada.ask(AWS_PROFILE="corp")) == ada.key.caller
    assert ada.hosts() == ["us-west-2.signin.aws.amazon.com", API]


def test_logins_may_be_in_another_directory(ada: AwsUser) -> None:
    _, path = log_in(ada)
    other = ada.home / "elsewhere"
    path.parent.rename(other)
    assert ada.caller(ada.ask(AWS_PROFILE="corp", AWS_LOGIN_CACHE_DIRECTORY=str(other))) == ada.key.caller


@pytest.mark.parametrize("error", ["TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED"])
def test_ended_login_names_the_command(ada: AwsUser, error: str) -> None:
    login, path = log_in(ada, -60)
    login.refuse = error
    before = path.read_bytes()
    assert COMMAND in ada.ask(AWS_PROFILE="corp").warning
    assert ada.hosts() == [SIGN_IN] and path.read_bytes() == before


def test_missing_permission_is_named(ada: AwsUser) -> None:
    log_in(ada, -60)
    ada.key.denied.add(REFRESH_LOGIN)
    assert REFRESH_LOGIN in ada.ask(AWS_PROFILE="corp").warning


def test_service_that_fails_does_not_matter_while_the_key_lives(ada: AwsUser) -> None:
    log_in(ada, 200)
    ada.cloud.faults.add(faults.status(500), SIGN_IN)
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == ada.key.caller and answer.warnings == []


def test_file_that_cannot_be_used_names_the_command(ada: AwsUser) -> None:
    login, path = log_in(ada, -60)
    contents = {
        "half": json.dumps(login.file)[:300],
        "empty": "",
        "no key": json.dumps({**login.file, "accessToken": {}, "refreshToken": None}),
        "no proof": json.dumps(
            {**login.file, "dpopKey": "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----"}
        ),
    }
    answers = ada.ask_with_files(*({str(path): text} for text in contents.values()), AWS_PROFILE="corp")
    for name, answer in zip(contents, answers):
        assert answer.credential is None, name
        assert any(COMMAND in message for message in answer.messages("WARNING", "DEBUG")), (name, answer.log)
    assert ada.cloud.log.requests() == []

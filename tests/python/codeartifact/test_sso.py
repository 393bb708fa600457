"""Logins of `aws sso login`, which are refreshed in the CLI's own files."""

from __future__ import annotations

import json
import os
import shutil
import stat
import threading
from pathlib import Path

import pytest
from lab import faults, kernel_keys
from lab.clients import Client, Completed
from lab.clock import iso_time
from lab.look_up import LookUp
from support.aws_user import API, OIDC, PORTAL, AwsUser, assumed, change, files_below

LOGIN = "`aws sso login --profile corp`"


@pytest.mark.parametrize("is_legacy", [False, True], ids=["session", "legacy"])
def test_live_login_gets_a_token_and_stays_as_it_is(ada: AwsUser, is_legacy: bool) -> None:
    path = ada.profile_with_sso(ada.aws.identity_center.log_in(), is_legacy=is_legacy)
    before = files_below(ada.files.directory)
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == assumed("Reader") and answer.warnings == []
    assert ada.hosts() == [PORTAL, API]
    assert files_below(ada.files.directory) == before and path.exists()


def test_login_in_another_region_is_used_there(ada: AwsUser) -> None:
    session = ada.aws.identity_center.log_in(-60, region="us-east-1")
    ada.profile_with_sso(session)
    path = ada.files.directory / "config"
    path.write_text(path.read_text().replace("eu-central-1", "us-east-1"))
    assert ada.caller(ada.ask(AWS_PROFILE="corp")) == assumed("Reader")
    assert ada.hosts() == ["oidc.us-east-1.amazonaws.com", "portal.sso.us-east-1.amazonaws.com", API]


@pytest.mark.parametrize("rotates", [True, False])
def test_refreshed_login_is_written_back_whole(ada: AwsUser, rotates: bool) -> None:
    session = ada.aws.identity_center.log_in(-60)
    session.rotates = rotates
    path = ada.profile_with_sso(session)
    change(path, unknown={"of": ["a", "later", "CLI"]}, registrationExpiresAt=iso_time(4_000_000_000))
    before = files_below(ada.home)
    kept = json.loads(path.read_text())
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == assumed("Reader") and answer.warnings == []
    assert ada.hosts() == [OIDC, PORTAL, API]
    now = json.loads(path.read_text())
    changed = {"accessToken": session.access_token, "refreshToken": session.refresh_token}
    assert now == {**kept, **changed, "expiresAt": now["expiresAt"]} and now["expiresAt"] > kept["expiresAt"]
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    after = files_below(ada.home)
    # Nothing else is written, but for a lock without content.
    new = {name: content for name, content in after.items() if before.get(name) != content or name not in before}
    assert new.pop(str(path)) and set(new.values()) <= {b""}
    assert all(name.endswith(".lock") for name in new), new


def run_at_once(client: Client, commands: list[list[str]], environment: dict[str, str]) -> list[Completed]:
    """Runs programs at the same time."""
    ended: list[Completed] = []
    threads = [
        threading.Thread(target=lambda words=words: ended.append(client.run(words, environment))) for words in commands
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended


def test_processes_at_once_refresh_a_login_once(ada: AwsUser, native: Client) -> None:
    session = ada.aws.identity_center.log_in(-60)
    path = ada.profile_with_sso(session)
    # For different domains, so that the processes do not wait for each other's token.
    urls = [ada.url]
    urls += [ada.aws.add_repository(ada.aws.add_domain(name), "python").url for name in ("second", "third")]
    ada.cloud.faults.add_latency(0.3, OIDC)
    environment = ada.cloud.environment(ada.home, AWS_PROFILE="corp", RINGBEARER_CACHE="off")
    ended = run_at_once(native, [["keyring", "get", url, "aws"] for url in urls], environment)
    assert sorted(one.stdout.strip() for one in ended) == sorted(ada.aws.authorization_tokens.issued)
    assert ada.hosts().count(OIDC) == 1
    assert json.loads(path.read_text())["refreshToken"] == session.refresh_token


def test_refused_token_is_refreshed_once(ada: AwsUser) -> None:
    session = ada.aws.identity_center.log_in()
    path = ada.profile_with_sso(session)
    change(path, accessToken="withdrawn")
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == assumed("Reader")
    assert ada.hosts() == [PORTAL, OIDC, PORTAL, API]
    session.has_ended = True
    ada.cloud.log.clear()
    kernel_keys.new_session()
    assert LOGIN in ada.ask(AWS_PROFILE="corp").warning
    assert ada.hosts() == [PORTAL, OIDC]


def test_failed_refresh_does_not_matter_while_the_login_lives(ada: AwsUser) -> None:
    ada.profile_with_sso(ada.aws.identity_center.log_in(200))
    ada.cloud.faults.add(faults.status(500), OIDC)
    answer = ada.ask(AWS_PROFILE="corp")
    assert ada.caller(answer) == assumed("Reader") and answer.warnings == []


def test_login_that_cannot_be_used_names_the_command(ada: AwsUser) -> None:
    center = ada.aws.identity_center
    ended, unregistered, dead = center.log_in(-60), center.log_in(-60), center.log_in(-60)
    dead.has_ended = True
    path = ada.profile_with_sso(ended)
    contents = {
        "no refresh token": json.dumps(ended.legacy_file),
        "no registration": json.dumps({**unregistered.file, "registrationExpiresAt": "2020-01-01T00:00:00Z"}),
        "logged out": json.dumps(dead.file),
        "half": json.dumps(ended.file)[:200],
        "empty": "",
        "no object": "[]",
        "no token": '{"expiresAt": "2099-01-01T00:00:00Z"}',
        "no expiry": '{"accessToken": "token"}',
        "half a character": '{"accessToken": "\\ud83d", "expiresAt": "2099-01-01T00:00:00Z"}',
    }
    answers = ada.ask_with_files(*({str(path): text} for text in contents.values()), AWS_PROFILE="corp")
    reported = [answer.messages("WARNING", "DEBUG") for answer in answers]
    for name, answer, messages in zip(contents, answers, reported):
        assert answer.credential is None, name
        assert any(LOGIN in message for message in messages), (name, messages)
    path.unlink()
    assert LOGIN in ada.ask(AWS_PROFILE="corp").warning
    assert API not in ada.hosts()


def test_role_that_is_not_assigned_is_one_warning(ada: AwsUser) -> None:
    ada.profile_with_sso(ada.aws.identity_center.log_in())
    path = ada.files.directory / "config"
    path.write_text(path.read_text().replace("Reader", "Admin"))
    warning = ada.ask(AWS_PROFILE="corp").warning
    assert "Admin" in warning and "corp" in warning and "; " in warning, warning


def test_login_gives_the_key_for_a_role(ada: AwsUser) -> None:
    ada.profile_with_sso(ada.aws.identity_center.log_in())
    reader = ada.aws.identity_center.find_role("111122223333", "Reader")
    role = ada.aws.accounts.role("publisher", reader)
    config = ada.files.directory / "config"
    outer = f"\n[profile outer]\nrole_arn = {role.arn}\nsource_profile = corp\nrole_session_name = ada\n"
    config.write_text(config.read_text() + outer)
    assert ada.caller(ada.ask(AWS_PROFILE="outer")) == assumed("publisher")


def test_login_that_cannot_be_written_back_is_one_warning(ada: AwsUser) -> None:
    path = ada.profile_with_sso(ada.aws.identity_center.log_in(-60))
    before: list[str] = []
    if os.geteuid() == 0:
        # Root can write everywhere unless it drops that right.
        setpriv = shutil.which("setpriv") or pytest.skip("root can write everywhere, and setpriv is not installed")
        before = [setpriv, "--bounding-set=-all", "--inh-caps=-all"]
    os.chmod(path.parent, 0o500)
    try:
        [answer] = ada.look_up.all([LookUp(ada.url)], before=before, AWS_PROFILE="corp")
    finally:
        os.chmod(path.parent, 0o700)
    assert ada.caller(answer) == assumed("Reader") and str(path.parent) in answer.warning


def test_login_that_others_may_write_is_not_used(ada: AwsUser) -> None:
    path: Path = ada.profile_with_sso(ada.aws.identity_center.log_in())
    os.chmod(path, 0o666)
    assert LOGIN in ada.ask(AWS_PROFILE="corp").warning
    os.chmod(path, 0o600)
    assert ada.caller(ada.ask(AWS_PROFILE="corp")) == assumed("Reader")

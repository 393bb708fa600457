"""Profiles of the AWS CLI: programs that print access keys, and logins that programs share."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer
from lab.registries.codeartifact.accounts import ACCOUNT
from lab.registries.codeartifact.files import AwsFiles
from lab.registries.codeartifact.identity_center import START_URL, Session
from lab.registries.codeartifact.site import REGION
from lab.windows.access import SID, AccessPrograms
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.user import WindowsUser

OIDC = f"oidc.{REGION}.amazonaws.com"


@pytest.fixture
def ada(cloud_user: WindowsUser) -> WindowsUser:
    """A user of the profile `corp`, which is not written yet."""
    cloud_user.variables["AWS_PROFILE"] = "corp"
    return cloud_user


def words(cloud: PracticeCloud) -> tuple[str, ...]:
    """A lookup of the practice cloud's repository."""
    return "keyring", "get", cloud.codeartifact.repository.url, "aws"


def write_sso(ada: WindowsUser, cloud: PracticeCloud) -> tuple[Path, Session]:
    """Let the profile use a role by SSO, with a login that must be renewed. Returns its file and the login."""
    aws, files = cloud.codeartifact, AwsFiles(ada.home)
    aws.identity_center.assign("Reader")
    profile = {"sso_session": "work", "sso_account_id": ACCOUNT, "sso_role_name": "Reader"}
    portal = {"sso_start_url": START_URL, "sso_region": REGION}
    files.write_config({"profile corp": profile, "sso-session work": portal})
    session = aws.identity_center.log_in(-60)
    return files.write_session(session, "work"), session


@pytest.mark.parametrize("is_batch_file", [True, False])
def test_program_of_a_profile_prints_the_access_key(
    ada: WindowsUser, cloud: PracticeCloud, fake_programs: WindowsPrograms, is_batch_file: bool
) -> None:
    aws = cloud.codeartifact
    answer = Answer(json.dumps(aws.user.process_output), when=("--for", "a b"))
    if is_batch_file:
        fake_programs.program("vault", answer)
        command = ["vault"]
    else:
        command = [f'"{word}"' for word in fake_programs.command("vault", answer)]
    AwsFiles(ada.home).write_config({"profile corp": {"credential_process": " ".join([*command, '--for "a b"'])}})
    ended = ada.run(*words(cloud)).check()
    assert (ended.stdout, ended.stderr) == (aws.authorization_tokens.issued[0] + "\n", "")
    assert [call.arguments for call in fake_programs.invocations("vault")] == [["--for", "a b"]]
    assert aws.mistakes == []


def test_programs_that_start_at_once_renew_a_login_once(ada: WindowsUser, cloud: PracticeCloud) -> None:
    aws = cloud.codeartifact
    path, session = write_sso(ada, cloud)
    # So that all of them find the old login.
    cloud.faults.add_latency(1, host=OIDC)
    ended = ada.all(*[ada.start(*words(cloud)) for _ in range(6)])
    assert sorted(one.check().stdout for one in ended) == sorted(
        f"{token}\n" for token in aws.authorization_tokens.issued
    )
    assert [one.stderr for one in ended] == [""] * 6
    assert len(cloud.log.requests(OIDC)) == 1 and aws.mistakes == []
    written = json.loads(path.read_text(encoding="utf-8"))
    assert (written["accessToken"], written["refreshToken"]) == (session.access_token, session.refresh_token)
    left = {one.name: one.stat().st_size for one in path.parent.iterdir() if one != path}
    assert set(left.values()) <= {0}, left


def test_renewed_login_is_private_before_it_is_written(ada: WindowsUser, cloud: PracticeCloud, tmp_path: Path) -> None:
    path, _ = write_sso(ada, cloud)
    access = AccessPrograms(ada, tmp_path / "calls")
    ada.run(*words(cloud)).check()
    temporary = access.grants[-1]
    assert temporary.path.startswith(ada.wine.path(path.with_name(f".{path.name}")))
    assert (temporary.arguments, temporary.size) == (["/inheritance:r", "/grant:r", f"*{SID}:F", "/q"], 0)

"""The practice cloud: fake command-line tools."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_error, az_not_logged_in, az_refuses_tenant, az_token
from lab.interruptible import eventually


def run_az(fake_programs: FakePrograms, cloud: PracticeCloud, home: Path, *arguments: str, timeout: float = 10):
    environment = cloud.environment(home, path=[fake_programs.directory])
    return subprocess.run(
        [os.path.join(fake_programs.directory, "az"), "account", "get-access-token", *arguments],
        env=environment,
        cwd=str(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def test_stand_ins_answer_as_scripted_and_note_their_calls(
    fake_programs: FakePrograms, cloud: PracticeCloud, home: Path
) -> None:
    fake_programs.az(*az_token("the-token"))
    assert json.loads(run_az(fake_programs, cloud, home, "--tenant", "t").stdout)["accessToken"] == "the-token"
    assert run_az(fake_programs, cloud, home, "--query", "accessToken", "--output", "tsv").stdout == b"the-token\n"
    assert run_az(fake_programs, cloud, home, "--query", "accessToken").stdout == b'"the-token"\n'
    fake_programs.az(az_not_logged_in())
    assert b"az login" in run_az(fake_programs, cloud, home).stderr
    fake_programs.az(*az_refuses_tenant("the-token"))
    assert run_az(fake_programs, cloud, home, "--tenant", "t").returncode == 1
    assert run_az(fake_programs, cloud, home).returncode == 0
    fake_programs.az(az_error("50076", "t"))
    assert b"AADSTS50076" in run_az(fake_programs, cloud, home).stderr
    fake_programs.az(Answer(b"\xff\xfe", code=7))
    ended = run_az(fake_programs, cloud, home)
    assert (ended.returncode, ended.stdout) == (7, b"\xff\xfe")
    calls = fake_programs.invocations("az")
    assert len(calls) == 8
    assert calls[0].arguments == ["account", "get-access-token", "--tenant", "t"]
    assert calls[0].option("--tenant") == "t"
    assert calls[0].directory == str(home)
    assert calls[0].environment["HTTPS_PROXY"] == cloud.proxy_url


def test_stand_ins_can_hang_and_are_cleaned_up(fake_programs: FakePrograms, cloud: PracticeCloud, home: Path) -> None:
    for answer in (Answer(hang=True), Answer(hang="child"), Answer(b"a token", leave_grandchild=True)):
        fake_programs.az(answer)
        with pytest.raises(subprocess.TimeoutExpired):
            run_az(fake_programs, cloud, home, timeout=0.5)
    assert fake_programs.running()
    fake_programs.close()
    assert eventually(lambda: not fake_programs.running())


def test_real_az_without_login_prints_what_the_fake_prints(cloud: PracticeCloud, azure_cli: Client, home: Path) -> None:
    environment = cloud.environment(home, path=[azure_cli.bin])
    ended = azure_cli.run(["az", "account", "get-access-token", "--resource", "any"], environment)
    assert (ended.code, ended.stderr) == (1, az_not_logged_in().stderr)

"""Behaviour common to the providers that run a program: azure_cli, ado_auth_helper and azd."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, azd_token
from lab.look_up import LookUp, Lookups
from support.provider_programs import PROGRAMS, PROVIDER, ProviderPrograms, every_program, token_answers

ABSENT = {"azure_cli": "no az on PATH", "ado_auth_helper": "no ~/ado-auth-helper", "azd": "no azd on PATH"}
AUTHORITY = "vssps.dev.azure.com"


@every_program
def test_the_bearer_of_a_person_is_exchanged(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str, provider: str
) -> None:
    provider_programs.script(provider, *token_answers(provider, bearer))
    answer = provider_programs.ask(provider)
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[0])
    assert answer.warnings == []
    assert cloud.log.bearers() == [(AUTHORITY, bearer)]
    assert cloud.log.hosts_that_saw(bearer) == [AUTHORITY]
    assert bearer not in answer.text


@every_program
def test_the_bearer_of_a_service_principal_is_the_password(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, provider: str
) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant)
    token = cloud.azure.directory.application_token(application)
    provider_programs.script(provider, *token_answers(provider, token))
    assert provider_programs.ask(provider).credential == ("bearer", token)
    assert cloud.log.hosts_that_saw(token) == []


@every_program
def test_program_runs_elsewhere_with_no_stdin_or_secret_argument(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str, provider: str, tmp_path: Path
) -> None:
    # Reading stdin to its end returns at once if it is empty, and never if it is a terminal or a pipe.
    answers = token_answers(provider, bearer)
    for one in answers:
        one.read_stdin = True
    provider_programs.script(provider, *answers)
    (answer,) = provider_programs.look_up.all(
        [LookUp(cloud.azure.feed.url())],
        directory=tmp_path,
        AZURE_CLIENT_SECRET="planted",
        ARTIFACTS_KEYRING_NOFUSS_TOKEN="planted",
        **{PROVIDER: provider},
    )
    assert answer.served == provider
    (call,) = provider_programs.fake_programs.invocations(PROGRAMS[provider])
    assert call.directory == "/"
    assert call.environment["HTTPS_PROXY"] == cloud.proxy_url
    assert not any("planted" in argument or bearer in argument for argument in call.arguments)


@every_program
def test_without_the_program_the_provider_is_not_set_up(provider_programs: ProviderPrograms, provider: str) -> None:
    answer = provider_programs.ask(provider)
    assert answer.credential is None
    assert f"{provider} ({ABSENT[provider]})" in answer.warning
    assert "failed" not in answer.warning


@every_program
def test_file_without_execute_permission_is_not_run(
    provider_programs: ProviderPrograms, bearer: str, provider: str
) -> None:
    os.chmod(provider_programs.script(provider, *token_answers(provider, bearer)), 0o644)
    assert ABSENT[provider] in provider_programs.ask(provider).warning
    assert provider_programs.fake_programs.invocations() == []


@every_program
def test_directory_or_dangling_link_of_that_name_is_not_run(
    provider_programs: ProviderPrograms, provider: str, tmp_path: Path
) -> None:
    path = provider_programs.script(provider)
    os.remove(path)
    os.mkdir(path)
    assert ABSENT[provider] in provider_programs.ask(provider).warning
    os.rmdir(path)
    os.symlink(tmp_path / "gone", path)
    assert ABSENT[provider] in provider_programs.ask(provider).warning


@every_program
def test_a_program_that_cannot_start_is_reported(provider_programs: ProviderPrograms, provider: str) -> None:
    path = provider_programs.script(provider)
    Path(path).write_text("#!/no/such/interpreter\n")
    answer = provider_programs.ask(provider)
    assert answer.credential is None
    assert f"{provider} failed" in answer.warning and "cannot be run" in answer.warning


@every_program
def test_output_that_is_not_a_token_is_rejected(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, provider: str
) -> None:
    printed = [b"", b"\n", b"\xff\xfe\x00planted", b"WARNING: planted planted\n", b'{"planted": 1}']
    if provider != "ado_auth_helper":
        # These print JSON; the helper prints the token as it is.
        printed += [b"null", b'""', b"planted"]
    for content in printed:
        provider_programs.script(provider, Answer(content))
        answer = provider_programs.ask(provider)
        assert answer.credential is None
        assert f"{provider} failed" in answer.warning, content
        assert "planted" not in answer.text
    assert cloud.log.bearers() == []


@every_program
def test_a_failure_that_says_nothing_known_quotes_nothing(provider_programs: ProviderPrograms, provider: str) -> None:
    provider_programs.script(provider, Answer(b"planted", b"\xff planted-too \x1b[31m", code=7))
    answer = provider_programs.ask(provider)
    assert answer.credential is None
    assert f"{provider} failed" in answer.warning
    assert "planted" not in answer.text


@every_program
def test_output_without_end_is_cut_off_and_the_program_ended(
    provider_programs: ProviderPrograms, provider: str
) -> None:
    provider_programs.script(provider, Answer(b"A" * 65536, endless=True))
    answer = provider_programs.ask(provider)
    assert answer.credential is None
    assert f"{provider} failed" in answer.warning and "1024 KiB" in answer.warning
    assert provider_programs.fake_programs.running() == []


@every_program
@pytest.mark.parametrize("hang", [True, "child"], ids=["itself", "in a child that holds the pipe"])
def test_silent_program_is_killed_at_the_deadline(
    provider_programs: ProviderPrograms, provider: str, hang: bool | str
) -> None:
    provider_programs.script(provider, Answer(hang=hang))
    answer = provider_programs.ask(provider, RINGBEARER_TIMEOUT="1")
    assert answer.credential is None
    assert f"{PROGRAMS[provider]} did not end in time" in answer.warning
    assert answer.seconds < 10
    assert provider_programs.fake_programs.running() == []


@every_program
def test_orphan_that_holds_the_pipe_does_not_delay_the_token(
    cloud: PracticeCloud, provider_programs: ProviderPrograms, bearer: str, provider: str
) -> None:
    answers = token_answers(provider, bearer)
    for one in answers:
        one.leave_grandchild = True
    provider_programs.script(provider, *answers)
    answer = provider_programs.ask(provider)
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[0])
    assert answer.seconds < 10


@pytest.mark.parametrize("name", ["az", "azd"])
def test_program_on_a_relative_path_is_not_run(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, home: Path, tmp_path: Path, name: str
) -> None:
    project = tmp_path / "project"
    (project / "tools").mkdir(parents=True)
    for directory in (project, project / "tools"):
        fake_programs.program(name, Answer(b"planted"), directory=str(directory))
    programs = cloud.environment(home)["PATH"]
    answers = look_up.all(
        [
            LookUp(cloud.azure.feed.url(), environment={"PATH": path})
            for path in (f"tools:{programs}", f".:{programs}", f":{programs}:", f"./tools::{programs}", "")
        ],
        directory=project,
    )
    assert [answer.credential for answer in answers] == [None] * 5
    assert f"no {name} on PATH" in answers[0].skipped.values()
    assert fake_programs.invocations() == []


def test_ado_auth_helper_gets_ten_seconds_then_the_next_serves(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, home: Path, bearer: str
) -> None:
    fake_programs.ado_auth_helper(home, Answer(hang="child"))
    fake_programs.azd(azd_token(bearer))
    answer = look_up()
    assert answer.served == "azd"
    assert 9 < answer.seconds < 25
    assert fake_programs.running() == []

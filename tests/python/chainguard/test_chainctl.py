"""Arguments and output of chainctl, which is a fake program: the real one needs an account."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab.chainctl import logged_in
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.look_up import Answer as Outcome
from lab.look_up import LookUp, Lookups
from lab.registries.chainguard import AUDIENCE, CONSOLE
from support.chainguard_user import AUTH_TOKEN, INDEX, LOGIN, ask_each, reported

AUTH_TOKEN_ARGUMENTS = ["auth", "token", "--audience=libraries.cgr.dev"]
STRICT = {"RINGBEARER_STRICT": "1"}

#: The base classes that keyrings-chainguard-libraries' errors have here too.
BASES = {"ChainctlAuthError", "RingbearerError", "KeyringError"}


@pytest.fixture
def token(cloud: PracticeCloud) -> str:
    """A token for the libraries."""
    return cloud.chainguard.token()


def ask_twice(look_up: Lookups, **variables: str) -> tuple[Outcome, Outcome]:
    """Without RINGBEARER_STRICT, then with it: the warning and the exception have the same message."""
    services = [INDEX, INDEX + "greetings/", "libraries.cgr.dev"]
    look_ups = [LookUp(service) for service in services] + [LookUp(INDEX, environment=STRICT)]
    first, *others, strict = look_up.all(look_ups, **variables)
    assert [one.credential for one in (first, *others)] == [None] * 3
    assert [one.warnings for one in others] == [[]] * 2
    assert strict.error is not None and strict.warnings == []
    assert strict.error.message.startswith(first.warning.split("…")[0])
    assert set(strict.error.bases) >= BASES
    return first, strict


# -- asking


def test_chainctl_gets_arguments_closed_stdin_and_environment(
    look_up: Lookups, fake_programs: FakePrograms, token: str
) -> None:
    fake_programs.chainctl(Answer(token + "\n", "Opening browser to https://example\n", read_stdin=True))
    answer = look_up(INDEX, CHAINCTL_CONFIG="/somewhere")
    assert answer.credential == ("_token", token)
    assert answer.warnings == []
    (call,) = fake_programs.invocations()
    assert (call.name, call.arguments) == ("chainctl", AUTH_TOKEN_ARGUMENTS)
    assert call.environment["CHAINCTL_CONFIG"] == "/somewhere" and call.environment["HOME"] == look_up.home
    # Nothing is read from the working directory.
    assert call.directory == "/" or os.name == "nt"


def test_chainctl_on_a_relative_path_is_not_run(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, token: str, tmp_path: Path
) -> None:
    (tmp_path / "tools").mkdir()
    for directory in (tmp_path, tmp_path / "tools"):
        fake_programs.program("chainctl", logged_in(token), directory=str(directory))
    paths = [f"tools:{cloud.programs}", f".:{cloud.programs}", f":{cloud.programs}:", ""]
    answers = look_up.all([LookUp(INDEX, environment={"PATH": path}) for path in paths], directory=tmp_path)
    assert all("chainctl failed (chainctl is not on PATH)" in reported(answer) for answer in answers)
    assert fake_programs.invocations() == []


# -- what it prints

#: The output instead of TOKEN, and its message.
PRINTED: list[tuple[str | bytes, str]] = [
    ("", "chainctl printed nothing"),
    (" \n\t\r\n", "chainctl printed nothing"),
    ("A new version of chainctl is there: 9.9\nTOKEN\n", "more than a token"),
    ("TOKEN\nA new version of chainctl is there: 9.9\n", "more than a token"),
    ("WARNING: planted TOKEN\n", "more than a token"),
    ("Token: TOKEN", "more than a token"),
    ("TOKEN\nTOKEN\n", "more than a token"),
    ("TOKEN\tTOKEN", "more than a token"),
    ("TOKEN\u2028planted", "more than a token"),
    ("planted", "something that is not a token"),
    ("planted.planted.planted", "something that is not a token"),
    ("TOKEN.TOKEN", "something that is not a token"),
    ('{"token":"planted"}', "something that is not a token"),
    (b"\xff\xfe\x00planted", "something that is not a token"),
    (b"\0" * 1000, "something that is not a token"),
    ("CONSOLE\n", f"a token that is not for {AUDIENCE}"),
]


def printed(cloud: PracticeCloud, text: str | bytes) -> str | bytes:
    """The output, with valid tokens in it."""
    if isinstance(text, bytes):
        return text
    return text.replace("TOKEN", cloud.chainguard.token()).replace("CONSOLE", cloud.chainguard.token(CONSOLE))


@pytest.mark.parametrize(("text", "problem"), PRINTED, ids=range(len(PRINTED)))
def test_output_that_is_not_a_token_never_becomes_a_password(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, text: str | bytes, problem: str
) -> None:
    content = printed(cloud, text)
    fake_programs.chainctl(Answer(content))
    first, strict = ask_twice(look_up)
    assert strict.error.type == "ChainctlCommandError" and "ProcessError" in strict.error.bases
    assert "chainctl failed (chainctl printed " in first.warning and problem in first.warning
    assert "run `chainctl auth " in first.warning
    assert "planted" not in first.text and "9.9" not in first.text
    for word in content.split() if isinstance(content, str) else []:
        assert len(word) < 99 or (word not in first.text and word not in strict.text)
    assert len(fake_programs.invocations()) == 1


@pytest.mark.parametrize("form", ['"{}"', "'{}'", '{}"', "token={}", "Bearer:{}", "\ufeff{}", "{},", "({})"])
def test_text_attached_to_a_token_is_not_part_of_the_password(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, token: str, tmp_path: Path, form: str
) -> None:
    stuck = form.format(token)
    fake_programs.chainctl(logged_in(stuck))
    cloud.chainguard.write_cache(tmp_path / "cached", stuck)
    answers = ask_each(look_up, {}, {AUTH_TOKEN: stuck}, cloud.chainguard.cache_of(tmp_path / "cached"))
    # Extracting the token from it would be correct too.
    assert [one.credential for one in answers if one.credential not in (None, ("_token", token))] == []


def test_colours_around_a_token_are_not_part_of_the_password(
    look_up: Lookups, fake_programs: FakePrograms, token: str
) -> None:
    fake_programs.chainctl(logged_in(f"\x1b[32m{token}\x1b[0m"))
    answer = look_up(INDEX)
    assert answer.credential is None
    assert "chainctl printed something that is not a token" in answer.warning
    assert token not in answer.text


def test_token_is_trimmed_and_needs_no_audience(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, token: str
) -> None:
    fake_programs.chainctl(logged_in(f"\r\n  {token}\t\r\n\n"))
    assert look_up(INDEX).credential == ("_token", token)
    silent = cloud.chainguard.token(None)
    fake_programs.chainctl(logged_in(silent))
    assert look_up(INDEX).credential == ("_token", silent)


def test_expired_token_that_chainctl_prints_is_not_used(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    expired = cloud.chainguard.token(lifetime=-1)
    fake_programs.chainctl(logged_in(expired))
    answer = look_up(INDEX)
    assert answer.credential is None
    assert "chainctl printed a token that has expired" in answer.warning and LOGIN in answer.warning
    assert expired not in answer.text


@pytest.mark.parametrize("endless", [True, False], ids=["endless", "huge"])
def test_output_beyond_reason_is_cut_off_and_chainctl_ended(
    look_up: Lookups, fake_programs: FakePrograms, endless: bool
) -> None:
    fake_programs.chainctl(Answer(b"A" * (65536 if endless else 1024 * 1024 + 1), endless=endless))
    first, strict = ask_twice(look_up)
    assert strict.error.type == "ChainctlCommandError"
    assert "chainctl printed more than 1024 KiB" in first.warning and LOGIN in first.warning
    assert first.seconds < 5 and len(first.warning) < 1500
    assert fake_programs.running() == []


# -- failures


def test_missing_chainctl_is_reported_with_what_to_install(look_up: Lookups) -> None:
    first, strict = ask_twice(look_up)
    assert strict.error.type == "ChainctlNotFoundError" and "ProcessError" in strict.error.bases
    assert "chainctl is not on PATH" in first.warning and f"install chainctl and run {LOGIN}" in first.warning


@pytest.mark.parametrize("code", [1, 2, 127, 255])
def test_failing_chainctl_is_reported_by_status_without_output(
    look_up: Lookups, fake_programs: FakePrograms, token: str, code: int
) -> None:
    # A printed token does not count if the exit status is a failure.
    fake_programs.chainctl(Answer(token + "\n", b"\xff planted \x1b[31m\n", code=code))
    first, strict = ask_twice(look_up)
    assert strict.error.type == "ChainctlCommandError" and "ProcessError" in strict.error.bases
    assert f"chainctl failed (chainctl ended with status {code})" in first.warning and LOGIN in first.warning
    assert "planted" not in first.text + strict.text and token not in first.text + strict.text
    assert len(fake_programs.invocations()) == 1


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")
def test_killed_or_unstartable_chainctl_is_reported(look_up: Lookups, fake_programs: FakePrograms) -> None:
    path = Path(fake_programs.chainctl())
    path.write_text("#!/bin/sh\nkill -9 $$\n")
    killed, strict = ask_twice(look_up)
    assert strict.error.type == "ChainctlCommandError"
    assert "chainctl was ended by a signal" in killed.warning and LOGIN in killed.warning
    path.write_text("#!/no/such/interpreter\n")
    broken, strict = ask_twice(look_up)
    assert strict.error.type == "ChainctlCommandError"
    # The warning cuts the long path.
    assert f"{path} cannot be run" in strict.error.message and "chainctl failed (/" in broken.warning


@pytest.mark.parametrize("hang", [True, "child"], ids=["itself", "in a child that holds the pipe"])
def test_hanging_chainctl_and_its_children_are_killed(
    look_up: Lookups, fake_programs: FakePrograms, hang: bool | str
) -> None:
    fake_programs.chainctl(Answer("planted\n", hang=hang))
    plain, strict = ask_each(look_up, {}, STRICT, RINGBEARER_TIMEOUT="1")
    assert "chainctl failed (chainctl did not end in time)" in plain.warning
    assert f"it may have waited for a sign-in in a browser: run {LOGIN}" in plain.warning
    assert strict.error.type == "ChainctlTimeoutError"
    assert set(strict.error.bases) >= {*BASES, "LookupTimeoutError"}
    assert max(plain.seconds, strict.seconds) < 3.5
    assert len(fake_programs.invocations()) == 2
    assert fake_programs.running() == []


def test_source_without_time_left_is_not_reported_as_failed(look_up: Lookups, fake_programs: FakePrograms) -> None:
    fake_programs.chainctl(Answer(hang=True))
    answer = look_up(INDEX, RINGBEARER_TIMEOUT="1")
    assert "chainctl did not end in time" in reported(answer)
    # Without CHAINCTL_PARENT it is not configured.
    assert "new_pull_token" not in answer.asked and "new_pull_token failed" not in answer.warning


def test_browser_left_by_chainctl_does_not_delay_the_token(
    look_up: Lookups, fake_programs: FakePrograms, token: str
) -> None:
    fake_programs.chainctl(Answer(token + "\n", leave_grandchild=True))
    answer = look_up(INDEX)
    assert answer.credential == ("_token", token)
    assert answer.seconds < 5

"""Progress of the doctor, closed streams and interruption."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_token
from lab.interruptible import eventually
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, TOOLS, Doctor

#: From the signal to the end, in seconds.
AT_ONCE = 1

with_each_program = pytest.mark.parametrize("program", ["native", "console script", "module"])


def begun(doctor: Doctor, program: str, *words: str, path: list[str] | None = None, **more: str) -> subprocess.Popen:
    """A running doctor."""
    client, command = doctor.programs[program]
    return client.start([*command, "doctor", *words], doctor.environment(path or [], **more))


def lines_until(process: subprocess.Popen, text: str) -> list[str]:
    """Its output up to a text, which must arrive in time."""
    watch = threading.Timer(10, process.kill)
    watch.start()
    lines: list[str] = []
    while not lines or text not in lines[-1]:
        line = process.stdout.readline().decode()
        assert line, lines
        lines.append(line)
    watch.cancel()
    return lines


def interrupted(process: subprocess.Popen) -> tuple[int, str, str]:
    """Exit code, remaining stdout and stderr after Ctrl-C, which ends it at once."""
    sent = time.monotonic()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=10)
    assert time.monotonic() - sent < AT_ONCE
    return process.returncode, stdout.decode(), stderr.decode()


def code_of_ctrl_c(program: str) -> int:
    """Ended by the signal itself, or with a shell's exit code."""
    return -signal.SIGINT if program == "native" else 130


# -- as it happens


@with_each_program
def test_finished_steps_are_shown_during_a_slow_one(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms, program: str
) -> None:
    fake_programs.az(Answer(hang=True))
    process = begun(doctor, program, cloud.azure.feed.url())
    lines = lines_until(process, "azure_pipelines")
    assert eventually(fake_programs.running)
    assert process.poll() is None
    assert [line.split()[1] for line in lines if line.startswith("  ok")] == ["address", "backend", "discovery"]
    interrupted(process)


@with_each_program
def test_look_up_is_shown_while_a_slow_keyring_is_running(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, fake_programs: FakePrograms, program: str
) -> None:
    fake_programs.program("keyring", Answer(hang=True))
    process = begun(doctor, program, cloud.azure.feed.url())
    lines = lines_until(process, TOOLS)
    assert eventually(fake_programs.running)
    assert any("accepts this credential" in line for line in lines)
    interrupted(process)


def test_a_slow_step_has_its_time(cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms) -> None:
    token = cloud.azure.directory.user_token(cloud.azure.user)
    cloud.faults.add_latency(0.3, host="vssps.dev.azure.com")
    fake_programs.az(*[Answer(one.stdout, delay=0.2, when=one.when) for one in az_token(token)])
    found = doctor.examine(cloud.azure.feed.url())
    times = {one.name: one.milliseconds for one in reversed(found.findings())}
    assert times["azure_cli"] >= 200 and times["exchange"] >= 300
    assert sorted(times, key=times.__getitem__)[-2:] == ["azure_cli", "exchange"], times


# -- closed streams


@with_each_program
def test_closed_pipe_ends_silently(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, native: Client, tool: Client, program: str
) -> None:
    for words in ([], ["--json"]):
        process = begun(doctor, program, cloud.azure.feed.url(), *words, path=[native.bin, tool.bin], **SET_UP)
        process.stdout.close()
        process.stdout = None
        assert process.communicate(timeout=10)[1] == b""
        assert process.returncode in (0, 1, -signal.SIGPIPE)


@with_each_program
def test_closed_streams_cause_no_error_message(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, program: str
) -> None:
    client, command = doctor.programs[program]
    words = [client.program(command[0]), *command[1:], "doctor", cloud.azure.feed.url()]
    shell = ["/bin/sh", "-c", '"$@" <&- >&- 2>&-; echo $?', "sh", *words]
    ended = client.run(shell, doctor.environment())
    assert ended.stdout in ("0\n", "1\n"), ended
    assert ended.stderr == ""


# -- Ctrl-C


@with_each_program
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_ctrl_c_ends_the_wait_for_az_and_az_with_it(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms, program: str, words: tuple[str, ...]
) -> None:
    fake_programs.az(Answer(hang="child"))
    process = begun(doctor, program, cloud.azure.feed.url(), *words)
    assert eventually(fake_programs.running)
    code, stdout, stderr = interrupted(process)
    assert (code, stderr) == (code_of_ctrl_c(program), "")
    assert TOOLS not in stdout and "there is no credential" not in stdout
    assert not words or stdout == ""
    # What a killed program started ends a moment later.
    assert eventually(lambda: fake_programs.running() == [])


@with_each_program
@pytest.mark.parametrize("words", [(), ("--json",)], ids=["text", "json"])
def test_ctrl_c_ends_the_wait_for_a_keyring_without_guesses(
    cloud: PracticeCloud,
    doctor: Doctor,
    azure_user: AzureUser,
    fake_programs: FakePrograms,
    native: Client,
    tool: Client,
    program: str,
    words: tuple[str, ...],
) -> None:
    fake_programs.program("keyring", Answer(hang="child"))
    process = begun(doctor, program, cloud.azure.feed.url(), *words, path=[tool.bin], **SET_UP)
    assert eventually(fake_programs.running)
    code, stdout, stderr = interrupted(process)
    assert (code, stderr) == (code_of_ctrl_c(program), "")
    # A truncated document is not JSON.
    assert stdout.partition(TOOLS)[2].strip() == "" if not words else stdout == "", stdout
    # What a killed program started ends a moment later.
    assert eventually(lambda: fake_programs.running() == [])


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
def test_the_request_to_end_is_obeyed_too(cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms) -> None:
    fake_programs.az(Answer(hang=True))
    process = begun(doctor, "native", cloud.azure.feed.url())
    assert eventually(fake_programs.running)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=5)
    assert process.returncode == -signal.SIGTERM
    # What a killed program started ends a moment later.
    assert eventually(lambda: fake_programs.running() == [])


# -- the time


def test_slow_look_up_makes_no_false_claim_about_the_tools(
    cloud: PracticeCloud,
    doctor: Doctor,
    azure_user: AzureUser,
    fake_programs: FakePrograms,
    native: Client,
    tool: Client,
) -> None:
    url, path = with_user_name(cloud.azure.feed.url()), [native.bin, tool.bin]
    well = doctor.examine(url, path=path, **SET_UP)
    fake_programs.az(Answer(hang=True))
    late = doctor.examine(url, path=path, RINGBEARER_TIMEOUT="1", **SET_UP)
    assert (late.code, late.finding("credential").state) == (1, "bad")
    assert "RINGBEARER_TIMEOUT" in late.fix("credential")
    states = {name: (well.finding(name).state, late.finding(name).state) for name in ("keyring", "uv", "pip")}
    assert all(after in (before, "doubtful") for before, after in states.values()), states


def test_slow_keyring_is_not_reported_as_having_no_answer(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, fake_programs: FakePrograms, tool: Client
) -> None:
    fake_programs.program("keyring", Answer(hang=True))
    found = doctor.examine(cloud.azure.feed.url(), path=[tool.bin], RINGBEARER_TIMEOUT="1", **SET_UP)
    assert "timed out" in found.finding("keyring").detail, found.finding("keyring")

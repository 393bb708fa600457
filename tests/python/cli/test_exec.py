"""`ringbearer exec`: a command runs with a token in its environment, otherwise unchanged."""

from __future__ import annotations

import os
import re
import signal
import sys
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.faults import silence
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.azure_user import AzureUser
from support.chainguard_user import AUTH_TOKEN, PULL_IDENTITY, PULL_TOKEN
from support.command_line import GIVEN, CommandLine, assert_complaint, names_in

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are for POSIX")


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program."""
    return CommandLine(either, cloud, home, fake_programs)


def shell(ringbearer: CommandLine, script: str, *arguments: object, **more: object) -> Completed:
    """Runs a shell script with a token."""
    return ringbearer.with_token("exec", ringbearer.url, "--", "sh", "-c", script, *arguments, **more)


def environment_of(ended: Completed) -> dict[str, str]:
    """The output of `env -0`."""
    pairs = os.fsdecode(ended.raw_stdout).split("\0")[:-1]
    return dict(pair.split("=", 1) for pair in pairs)


@pytest.mark.parametrize("own", [None, "UV_INDEX_CORP_PASSWORD"], ids=["usual name", "own name"])
def test_command_gets_the_token_and_the_same_environment(
    ringbearer: CommandLine, registry: Registry, own: str | None
) -> None:
    # A shell could not set the last two.
    odd = {"EMPTY": "", "LINES": "a\nb=c", "BYTES": "\udcff\udcfe", "a.b-c": "1", "É": "2"}
    options = ["--variable", own] if own else []
    variables = {**registry.variables, **odd}
    ended = ringbearer("exec", registry.index_url, *options, "--", "env", "-0", **variables).check()
    [token] = registry.passwords()
    assert environment_of(ended) == {**ringbearer.environment(**variables), (own or registry.exec_variable): token}
    assert ended.stderr == ""
    registry.assert_ways(1)


def test_pull_token_is_in_two_variables(ringbearer: CommandLine, cloud: PracticeCloud) -> None:
    identity, token = cloud.chainguard.pull_token()
    given = {PULL_IDENTITY: f" {identity}\n", PULL_TOKEN: f" {token} "}
    url = cloud.chainguard.python.url
    seen = environment_of(ringbearer("exec", url, "--", "env", "-0", **given).check())
    assert (seen[PULL_IDENTITY], seen[PULL_TOKEN], seen.get(AUTH_TOKEN)) == (identity, token, None)
    seen = environment_of(ringbearer("exec", "--variable=ONE", url, "--", "env", "-0", **given).check())
    assert seen["ONE"] == token


def test_existing_variable_is_replaced(ringbearer: CommandLine, azure_user: AzureUser) -> None:
    words = ["exec", ringbearer.url, "--variable", "CORP", "--", "env", "-0"]
    ended = ringbearer(*words, CORP="old").check()
    [token] = ringbearer.cloud.azure.session_tokens.issued
    assert re.findall(rb"(?:^|\0)CORP=([^\0]*)", ended.raw_stdout) == [token.encode()]


@pytest.mark.parametrize("name", ["", "1st", "a=b", "a b", "a-b", "é", "a\nb"])
def test_invalid_variable_name_is_refused(ringbearer: CommandLine, name: str) -> None:
    ended = ringbearer("exec", ringbearer.url, "--variable", name, "--", "true")
    assert_complaint(ended, "is not the name of a variable", code=2)
    ringbearer.assert_no_sign_in()


def test_it_ends_as_the_command_ends(ringbearer: CommandLine) -> None:
    for code in (0, 1, 2, 7, 126, 127, 130, 255):
        assert shell(ringbearer, f"exit {code}").code == code
    for name in ("TERM", "KILL", "INT", "PIPE", "SEGV", "HUP"):
        assert shell(ringbearer, f"kill -{name} $$").code == -getattr(signal, "SIG" + name)


def test_a_signal_reaches_the_command(ringbearer: CommandLine) -> None:
    words = ["ringbearer", "exec", ringbearer.url, "--", "sh", "-c", "echo begun; read line; exit 3"]
    process = ringbearer.program.start(words, ringbearer.environment(**{GIVEN: ringbearer.token}), with_stdin=True)
    assert process.stdout.readline() == b"begun\n"
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=10)
    assert process.returncode == -signal.SIGTERM


def test_ctrl_c_during_the_sign_in_does_not_run_the_command(
    ringbearer: CommandLine, azure_user: AzureUser, home: Path
) -> None:
    ringbearer.cloud.faults.add(silence(), host="pkgs.dev.azure.com")
    process = ringbearer.program.start(
        ["ringbearer", "exec", ringbearer.url, "--", "sh", "-c", "echo ran >>ran"], ringbearer.environment()
    )
    ringbearer.log.wait_for(host="pkgs.dev.azure.com")
    process.send_signal(signal.SIGINT)
    stdout, _ = process.communicate(timeout=10)
    assert process.returncode in (130, -signal.SIGINT) and stdout == b""
    assert "ran" not in names_in(home)


def test_standard_streams_are_the_commands(ringbearer: CommandLine) -> None:
    given = bytes(range(256)) * 4096
    ended = shell(ringbearer, "cat; echo beside >&2", stdin=given).check()
    assert ended.raw_stdout == given and ended.stderr == "beside\n"
    assert shell(ringbearer, "test -t 0 || test -t 1 || test -t 2").code == 1
    closed = ("/bin/sh", "-c", 'exec "$0" "$@" <&-')
    assert shell(ringbearer, "cat", before=closed).stdout == ""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_no_file_and_no_ignored_signal_is_left_to_the_command(ringbearer: CommandLine, azure_user: AzureUser) -> None:
    script = "ls /proc/self/fd; while read -r line; do echo $line; done </proc/self/status"
    run = ["sh", "-c", script]
    ended = ringbearer("exec", ringbearer.url, "--", *run).check()
    directly = ringbearer.program.run(["/bin/sh", *run[1:]], ringbearer.environment()).check()

    def of_interest(text: str) -> list[str]:
        return [line for line in text.splitlines() if line.isdigit() or line.startswith(("SigIgn", "SigBlk", "SigCgt"))]

    assert of_interest(ended.stdout) == of_interest(directly.stdout)


def test_signals_that_were_ignored_stay_so(ringbearer: CommandLine) -> None:
    # As a shell does for background processes.
    before = ("/bin/sh", "-c", 'trap "" INT TERM HUP QUIT && exec "$0" "$@"')
    for name in ("HUP", "QUIT", "INT", "TERM"):
        ended = shell(ringbearer, f"kill -{name} $$; echo alive", before=before)
        assert (name, ended.code, ended.stdout) == (name, 0, "alive\n")


def test_the_working_directory_is_the_callers(ringbearer: CommandLine, tmp_path: Path) -> None:
    place = tmp_path / "a place\nof 'its' own é"
    place.mkdir()
    assert shell(ringbearer, "pwd", directory=place).stdout == f"{place}\n"


def test_arguments_arrive_to_the_letter(ringbearer: CommandLine) -> None:
    odd = [
        "",
        " ",
        "a b",
        '"',
        "'",
        "\\",
        "$HOME",
        "*",
        "a\nb",
        "--",
        "--help",
        "--variable",
        "-h",
        "é",
        "\udcff\udc80",
    ]
    ended = shell(ringbearer, 'printf "%s\\0" "$0" "$@"', *odd).check()
    assert os.fsdecode(ended.raw_stdout).split("\0")[:-1] == odd


def test_the_command_runs_by_the_name_it_has_or_by_a_path(ringbearer: CommandLine, tmp_path: Path) -> None:
    script = tmp_path / "own program"
    script.write_text('#!/bin/sh\necho "$0"\n')
    script.chmod(0o755)
    (tmp_path / "link").symlink_to(script.name)
    for name, where in ((script, None), ("./own program", tmp_path), ("../own program", tmp_path / "below")):
        (tmp_path / "below").mkdir(exist_ok=True)
        assert ringbearer.with_token("exec", ringbearer.url, "--", name, directory=where).stdout == f"{name}\n"
    assert ringbearer.with_token("exec", ringbearer.url, "--", "./link", directory=tmp_path).stdout == "./link\n"
    found = ringbearer.with_token("exec", ringbearer.url, "--", "link", PATH=f"{tmp_path}{os.pathsep}/bin")
    assert found.stdout.strip().endswith("/link")


def test_program_in_the_working_directory_is_not_run(ringbearer: CommandLine, tmp_path: Path) -> None:
    script = tmp_path / "only-here"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o755)
    for path in ("", ".", f":{os.pathsep}."):
        ended = ringbearer("exec", ringbearer.url, "--", "only-here", directory=tmp_path, PATH=path)
        assert_complaint(ended, "only-here: not found on PATH", code=127)


def test_command_that_cannot_run_exits_like_in_a_shell(
    ringbearer: CommandLine, azure_user: AzureUser, tmp_path: Path
) -> None:
    (tmp_path / "text").write_text("no program")
    (tmp_path / "folder").mkdir()
    (tmp_path / "nowhere").symlink_to("not-there")
    cases = {"not-a-command": 127, "./not-there": 127, "./nowhere": 127, "": 127, "text/below": 127}
    cases.update({"./text": 126, "./folder": 126, str(tmp_path / "text"): 126, "/": 126})
    codes = {}
    for name in cases:
        ended = ringbearer("exec", ringbearer.url, "--", name, directory=tmp_path)
        codes[name] = ended.code
        assert_complaint(ended, f"{name}: ", code=ended.code)
    assert codes == cases
    ringbearer.assert_no_sign_in()


def test_a_command_that_the_system_refuses_is_126_too(ringbearer: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_text("#!/not/there\n")
    path.chmod(0o755)
    ended = ringbearer.with_token("exec", ringbearer.url, "--", path)
    assert_complaint(ended, f"{path} cannot be run", code=126)


@pytest.mark.parametrize("name", list(REGISTRIES))
def test_without_a_token_the_command_does_not_run(
    ringbearer: CommandLine, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path, name: str
) -> None:
    registry = REGISTRIES[name](cloud, fake_programs, home)
    ended = ringbearer("exec", registry.index_url, "--", "sh", "-c", "echo ran >>ran; echo ran", directory=home)
    assert_complaint(ended, registry.host)
    foreign = ringbearer("exec", "https://example.com/simple/", "--", "sh", "-c", "echo ran >>ran", directory=home)
    assert_complaint(foreign, "example.com is not an index that ringbearer serves")
    assert "ran" not in names_in(home)


@pytest.mark.parametrize("words", ["", "--", "URL", "URL --", "URL sh", "URL URL -- true", "URL --json -- true"])
def test_wrong_arguments_show_the_usage(ringbearer: CommandLine, words: str) -> None:
    ended = ringbearer.with_token("exec", *(ringbearer.url if word == "URL" else word for word in words.split()))
    assert_complaint(ended, "usage: ringbearer exec [URL]", code=2)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc")
def test_the_token_is_in_no_list_of_arguments(ringbearer: CommandLine, registry: Registry, tmp_path: Path) -> None:
    # First of ringbearer, while it fetches the token; then of the command, which replaces it.
    words = ["ringbearer", "exec", registry.index_url, "--", "sh", "-c", "echo begun; read line"]
    process = ringbearer.program.start(words, ringbearer.environment(**registry.variables), with_stdin=True)
    arguments = Path(f"/proc/{process.pid}/cmdline")
    lists = [arguments.read_bytes()]
    assert process.stdout.readline() == b"begun\n"
    lists.append(arguments.read_bytes())
    process.communicate(timeout=10)
    [token] = registry.passwords()
    assert lists[1].endswith(b"sh\0-c\0echo begun; read line\0")
    assert all(token.encode() not in one for one in lists)
    assert all(token not in invocation.arguments for invocation in ringbearer.fake_programs.invocations())

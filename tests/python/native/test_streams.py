"""Closed streams and odd arguments: an answer goes to standard output or nowhere."""

from __future__ import annotations

import os
import subprocess
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lab import executions, strace
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_not_logged_in
from lab.store import StoreUser
from support.azure_user import AzureUser

pytestmark = pytest.mark.skipif(
    os.name == "nt", reason="Windows has neither a POSIX shell nor Unix sockets for an agent"
)

NAMES = ["registry.example", "frodo"]
PAT = "the-access-token"


@dataclass
class Program:
    """One of the programs, for a user with a login and a store."""

    client: Client
    name: str
    environment: dict[str, str] = field(repr=False)

    def __call__(self, *words: str, stdin: str | None = None, streams: str = "") -> Completed:
        """Run it with the streams that a shell sets up."""
        command = ["/bin/sh", "-c", f'exec "$@" {streams}', "sh", self.client.program(self.name), *words]
        return self.client.run(command, self.environment, 10, stdin)


@pytest.fixture(params=["native keyring", "native ringbearer", "client ringbearer"])
def program(
    request: pytest.FixtureRequest, cloud: PracticeCloud, store: StoreUser, fake_programs: FakePrograms
) -> Program:
    """Each of them, without another keyring on PATH."""
    fixture, _, name = request.param.partition(" ")
    store.set(*NAMES, "the-password")
    variables = {"SSH_AUTH_SOCK": str(store.socket), "AZURE_DEVOPS_EXT_PAT": PAT}
    environment = cloud.environment(store.home, path=[fake_programs.directory], **variables)
    return Program(request.getfixturevalue(fixture), name, environment)


@pytest.fixture
def served(cloud: PracticeCloud) -> list[str]:
    """The arguments of a `get` that is answered."""
    return ["get", cloud.azure.feed.url(), "frodo"]


# -- standard output and standard error


def test_closed_stdout_pipe_is_not_an_error(program: Program, served: list[str]) -> None:
    for words in (served, ["get", *NAMES], ["--mode=creds", "--output=json", *served], ["get", "--help"]):
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.Popen(
            [program.client.program(program.name), *words],
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            env=program.environment,
        )
        os.close(writer)
        assert process.communicate(timeout=10)[1] == b""
        assert process.returncode == 0


def test_closed_stderr_pipe_is_not_an_error(
    program: Program, served: list[str], fake_programs: FakePrograms, store: StoreUser
) -> None:
    fake_programs.az(az_not_logged_in())
    del program.environment["AZURE_DEVOPS_EXT_PAT"]
    for words in (served, ["get"], ["del", "nobody", "there"]):
        reader, writer = os.pipe()
        os.close(reader)
        process = subprocess.Popen(
            [program.client.program(program.name), *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=writer,
            env=program.environment,
        )
        os.close(writer)
        assert process.communicate(timeout=10)[0] == b""
        assert process.returncode in (1, 2)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error_that_does_not_repeat_the_answer(program: Program, served: list[str]) -> None:
    for words, secret in ((served, PAT), (["get", *NAMES], "the-password")):
        ended = program(*words, streams=">/dev/full")
        assert ended.code == 1 and ended.stderr.startswith("ringbearer: standard output cannot be written"), ended
        assert secret not in ended.output
    assert program(*served, streams="2>/dev/full").stdout == PAT + "\n"
    assert program("get", streams="2>/dev/full").code == 2


def test_answer_needs_neither_stdin_nor_stderr(program: Program, served: list[str]) -> None:
    for streams in ("<&-", "2>&-", "<&- 2>&-"):
        for words, answer in ((served, PAT), (["get", *NAMES], "the-password")):
            assert program(*words, streams=streams).stdout == answer + "\n"
        assert program("get", "nobody", "there", streams=streams).code == 1
        assert program("get", streams=streams).code == 2


def test_without_standard_input_nothing_is_stored(program: Program, store: StoreUser) -> None:
    ended = program("set", *NAMES, streams="<&-")
    assert ended.code in (1, 2) and ended.stderr.startswith("ringbearer: "), ended
    assert store.get(*NAMES) == "the-password"


@pytest.mark.skipif(strace.MISSING is not None, reason=str(strace.MISSING))
def test_answer_with_closed_stdout_goes_nowhere(
    program: Program, cloud: PracticeCloud, azure_user: AzureUser, tmp_path: Path
) -> None:
    # The next file or connection gets the number of the closed stream.
    environment = {
        **program.environment,
        "PATH": azure_user.environment(program.client.bin)["PATH"],
        "RINGBEARER_CACHE": "off",
    }
    del environment["AZURE_DEVOPS_EXT_PAT"]
    log, found = tmp_path / "log", []
    for streams in (">&-", ">&- 2>&-", "<&- >&-", "<&- >&- 2>&-"):
        shell = ["/bin/sh", "-c", f'exec "$@" {streams}', "sh"]
        for words in (["get", cloud.azure.feed.url(), "frodo"], ["get", *NAMES]):
            command = [*executions.writing(log), *shell, program.client.program(program.name), *words]
            assert program.client.run(command, environment).output == ""
            secrets = [*cloud.azure.session_tokens.issued, "the-password"]
            written = [line.target for line in executions.writes(log) if any(one in line.text for one in secrets)]
            found += [(streams, words, target) for target in written if target != "/dev/null"]
    assert found == []
    assert len(cloud.azure.session_tokens.issued) == 4


def test_password_is_stored_without_stdout_and_stderr(program: Program, store: StoreUser) -> None:
    for streams in (">&-", "2>&-", ">&- 2>&-"):
        assert program("set", *NAMES, stdin=streams, streams=streams).code == 0
        assert store.get(*NAMES) == streams
        assert store.content()["version"] == 1


# -- arguments


def test_names_that_are_not_unicode_are_nobodys_and_harm_nothing(program: Program, served: list[str]) -> None:
    odd = ["caf\udce9", "\udcff", "a\udc80b"]
    for word in odd:
        for words in (["get", word, "frodo"], ["get", NAMES[0], word], ["--mode=creds", "get", word]):
            ended = program(*words)
            assert (ended.code, ended.output) == (1, ""), ended
        # An index gives every user name the same answer.
        assert program(*served[:2], word).stdout == PAT + "\n"
        for operation in ("set", "del"):
            for names in ([word, "frodo"], ["registry.example", word]):
                ended = program(operation, *names, stdin="other")
                assert ended.code in (1, 2) and ended.stdout == "", ended
                assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, ended
        for words in ([f"--mode={word}", *served], ["--mode", word, *served], [f"-{word}", *served], [f"--{word}"]):
            ended = program(*words)
            assert (ended.code, ended.stdout) == (2, ""), ended
    assert program("get", *NAMES).stdout == "the-password\n"


def test_enormous_arguments_are_a_miss_and_shortened_in_messages(program: Program, served: list[str]) -> None:
    long = "x" * 100_000
    url = f"https://pkgs.dev.azure.com/{long}/_packaging/tools/pypi/simple/"
    for words in (["get", long, "frodo"], ["get", NAMES[0], long], ["get", url, "frodo"], ["get", long, long]):
        ended = program(*words)
        assert (ended.code, ended.output) == (1, ""), ended.output[:500]
    assert program(*served[:2], long).stdout == PAT + "\n"
    for words in (["get", *NAMES, *[long] * 10], ["--mode", long, *served], [f"--{long}", *served], [long]):
        ended = program(*words)
        length, lines = len(ended.stderr), ended.stderr.count("\n")
        assert (ended.code, ended.stdout, lines) == (2, "", 1)
        assert length < 4000


def test_empty_names_are_names(program: Program, store: StoreUser) -> None:
    for names in (["", ""], ["", "frodo"], ["registry.example", ""]):
        assert program("get", *names).output == ""
        assert program("set", *names, stdin=f"of {names}").code == 0
        assert store.get(*names) == f"of {names}"
        assert program("get", *names).stdout == f"of {names}\n"
        assert program("del", *names).code == 0
        assert program("get", *names).code == 1


def test_arguments_are_escaped_in_messages(program: Program) -> None:
    tricks = "\x1b[31m\x9b2J\rstart\x7f\u202edrow\nringbearer: all is well\u2028end"
    for words in (
        ["get", "a", "b", tricks],
        ["get" + tricks],
        ["--mode", tricks, "get", "a", "b"],
        [f"--mode={tricks}", "get", "a", "b"],
        ["-b", tricks, "get", "a", "b"],
        [f"--{tricks}"],
        ["--mode", "creds", f"--output={tricks}", "get", "a"],
    ):
        ended = program(*words)
        assert ended.code in (1, 2) and ended.stdout == "", ended
        assert ended.stderr.count("\n") == 1
        kinds = {unicodedata.category(character) for character in ended.stderr.rstrip("\n")}
        assert not kinds & {"Cc", "Cf", "Zl", "Zp"}, (words, ended.stderr)

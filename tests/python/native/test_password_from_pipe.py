"""A password from a pipe is stored as keyring stores it, or is an error."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.store import RINGBEARER, Request, StoreUser

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no Unix sockets for an agent")

NAMES = ["registry.example", "frodo"]

#: Input and the password that it becomes.
PIPED = {
    b"the-password": "the-password",
    b"the-password\n": "the-password",
    # Python translates line ends on Windows alone.
    b"the-password\r\n": "the-password\r",
    b"the-password\r": "the-password\r",
    b"the-password\n\n": "the-password\n",
    b"first\nsecond\r\nthird\rfourth": "first\nsecond\r\nthird\rfourth",
    b"\nsecond\n": "\nsecond",
    b" with  blanks \t\n": " with  blanks \t",
    b"\x00\x01\x1b[31m\x7f\n": "\x00\x01\x1b[31m\x7f",
    "é😀\u2028\u0085\n".encode(): "é😀\u2028\u0085",
    "\ufeffwith a mark\n".encode(): "\ufeffwith a mark",
    b"x" * 300_000 + b"\n": "x" * 300_000,
}

#: Input that is an error.
NONE = [b"", b"\n", b"\xff", b"caf\xe9\n", b"half\xc3", b"\xed\xa0\x80\n", b"\xff" * 100_000]


@dataclass
class Piping:
    """A user with a store, and one of the programs."""

    store: StoreUser
    client: Client
    program: str
    environment: dict[str, str]

    def __call__(self, stdin: bytes, user: str = NAMES[1]) -> Completed:
        """Store a password."""
        return self.client.run([self.program, "set", NAMES[0], user], self.environment, stdin=stdin)


@pytest.fixture(params=["native keyring", "native ringbearer", "client ringbearer"])
def piping(request: pytest.FixtureRequest, cloud: PracticeCloud, store: StoreUser) -> Piping:
    """Each of the programs, without another keyring on PATH."""
    fixture, _, name = request.param.partition(" ")
    store.set(*NAMES, "before")
    environment = cloud.environment(store.home, SSH_AUTH_SOCK=store.socket)
    return Piping(store, request.getfixturevalue(fixture), name, environment)


def test_keyring_reads_these_passwords_from_these_pipes(store: StoreUser) -> None:
    for piped in [*[one for one in PIPED if b"\r" in one], *list(PIPED)[-4:]]:
        store.command("keyring", "-b", RINGBEARER, "set", *NAMES, stdin=piped).check()
        assert store.get(*NAMES) == PIPED[piped], piped[:50]


def test_piped_password_is_stored_without_one_newline(piping: Piping) -> None:
    for number, piped in enumerate(PIPED):
        ended = piping(piped, str(number))
        assert (ended.code, ended.output) == (0, ""), (piped[:50], ended)
    stored = piping.store.ask([Request("get_password", [NAMES[0], str(number)]) for number in range(len(PIPED))])
    pairs = zip(PIPED.items(), (answer.result for answer in stored))
    assert [(piped[:50], str(found)[:50]) for (piped, password), found in pairs if found != password] == []


def test_invalid_password_is_an_error_without_quoting_it(piping: Piping) -> None:
    for piped in NONE:
        ended = piping(piped)
        assert ended.code in (1, 2) and ended.stdout == "", (piped[:50], ended)
        assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, (piped[:50], ended)
        assert "caf" not in ended.stderr and "half" not in ended.stderr
    assert piping.store.get(*NAMES) == "before"


def test_more_than_64_mib_is_an_error_and_stores_nothing(piping: Piping) -> None:
    ended = piping(b"x" * (64 * 1024 * 1024 + 1))
    assert ended.code in (1, 2) and ended.stdout == ""
    assert "65536 KiB" in ended.stderr and ended.stderr.count("\n") == 1 and len(ended.stderr) < 500
    assert piping.store.get(*NAMES) == "before"


def test_a_pipe_that_never_ends_is_an_error_too(piping: Piping) -> None:
    command = ["/bin/sh", "-c", 'exec "$@" </dev/zero', "sh", piping.client.program(piping.program), "set", *NAMES]
    ended = piping.client.run(command, piping.environment)
    assert ended.code in (1, 2) and "65536 KiB" in ended.stderr
    assert piping.store.get(*NAMES) == "before"


@pytest.mark.parametrize("piping", ["native keyring"], indirect=True)
def test_a_short_password_does_not_take_the_room_of_the_longest(piping: Piping) -> None:
    measuring = (
        "import resource, subprocess, sys\n"
        "subprocess.run(sys.argv[1:], check=True)\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    command = ["python", "-c", measuring, piping.client.program(piping.program), "set", *NAMES]
    ended = piping.client.run(command, piping.environment, stdin=b"the-password").check()
    # In KiB on Linux, in bytes on macOS.
    assert int(ended.stdout) < 32 * 1024 * (1024 if sys.platform == "darwin" else 1)

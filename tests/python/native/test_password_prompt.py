"""The password prompt: no echo, line editing, and a restored terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

if os.name != "nt":
    from lab.keyboard import Keyboard
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.interruptible import eventually
from lab.store import StoreUser
from support.native_keyring import NativeKeyring

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no POSIX pseudo-terminals")

NAMES = ["registry.example", "frodo"]
PROMPT = b"Password for 'frodo' in 'registry.example': "

#: Typed keys and the password that they become.
KEYS = {
    b"the-password\r": "the-password",
    b"the-password\n": "the-password",
    b" with  blanks \r": " with  blanks ",
    b"wrong\x15right\r": "right",
    b"\x15\x15right\r": "right",
    b"rigth\x7f\x7fht\r": "right",
    b"rigth\x08\x08ht\r": "right",
    b"\x7f\x08\x7fright\r": "right",
    "é😀right\r".encode(): "é😀right",
    "rightÿ€😀\x7f\x7f\x7f\r".encode(): "right",
    b"right\x04": "right",
    b"\r": "",
}


@dataclass
class Typist:
    """A user at a terminal, with a store."""

    store: StoreUser
    program: str
    environment: dict[str, str]

    def begin(self, operation: str = "set") -> Keyboard:
        """Run `keyring set` up to the password prompt."""
        keyboard = Keyboard([self.program, operation, *NAMES], self.environment)
        keyboard.wait_for(PROMPT)
        return keyboard


@pytest.fixture(params=["native keyring", "native ringbearer", "client ringbearer"])
def typist(request: pytest.FixtureRequest, cloud: PracticeCloud, store: StoreUser) -> Typist:
    """Each of the programs, without another keyring on PATH."""
    fixture, _, name = request.param.partition(" ")
    store.set("other", "other", "other")
    environment = cloud.environment(store.home, SSH_AUTH_SOCK=store.socket)
    return Typist(store, request.getfixturevalue(fixture).program(name), environment)


def test_typed_password_is_stored_and_never_shown(typist: Typist) -> None:
    for keys, password in KEYS.items():
        keyboard = typist.begin()
        keyboard.type(keys)
        ended = keyboard.ended()
        assert (ended.code, ended.stdout, ended.shown) == (0, b"", PROMPT + b"\r\n"), keys
        assert ended.is_restored, keys
        assert typist.store.get(*NAMES) == password, keys


@pytest.mark.parametrize("typed", [b"\x03", b"half of it\x03", b"half\x15\x03", b"\x7f\x03"])
def test_ctrl_c_ends_it_with_130_and_nothing_is_stored(typist: Typist, typed: bytes) -> None:
    keyboard = typist.begin()
    keyboard.type(typed)
    ended = keyboard.ended()
    assert (ended.code, ended.stdout, ended.shown) == (130, b"", PROMPT + b"\r\n")
    assert ended.is_restored
    assert typist.store.get(*NAMES) is None


def test_ctrl_d_on_an_empty_line_stores_nothing(typist: Typist) -> None:
    keyboard = typist.begin()
    keyboard.type(b"\x04")
    ended = keyboard.ended()
    assert ended.code in (1, 2) and ended.stdout == b""
    assert ended.shown.startswith(PROMPT + b"\r\nringbearer: ") and b"no password" in ended.shown
    assert ended.is_restored
    assert typist.store.get(*NAMES) is None


@pytest.mark.parametrize("typed", [b"caf\xe9\r", b"\xff\r", b"half\xc3\r", "é".encode() + b"\x80\r"])
def test_input_in_another_encoding_is_an_error(typist: Typist, typed: bytes) -> None:
    keyboard = typist.begin()
    keyboard.type(typed)
    ended = keyboard.ended()
    assert ended.code in (1, 2), ended
    assert b"UTF-8" in ended.shown and ended.shown.startswith(PROMPT) and ended.is_restored
    assert typist.store.get(*NAMES) is None


def test_overlong_line_is_an_error_and_not_shown(typist: Typist) -> None:
    keyboard = typist.begin()
    for _ in range(64):
        keyboard.type(b"Q" * 1024)
    keyboard.type(b"Q")
    ended = keyboard.ended()
    assert ended.code in (1, 2) and b"too long" in ended.shown and b"Q" not in ended.shown
    assert ended.is_restored
    assert typist.store.get(*NAMES) is None


def test_sigint_from_elsewhere_restores_the_terminal(typist: Typist) -> None:
    keyboard = typist.begin()
    keyboard.type(b"half of it")
    keyboard.process.send_signal(signal.SIGINT)
    ended = keyboard.ended()
    # Python programs are not killed by the signal.
    assert ended.code in (-signal.SIGINT, 130)
    assert b"half" not in ended.shown
    assert ended.is_restored
    assert typist.store.get(*NAMES) is None


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("typist", ["native keyring"], indirect=True)
def test_sigterm_restores_the_terminal(typist: Typist, name: str, times: int) -> None:
    number = getattr(signal, name)
    keyboard = typist.begin()
    keyboard.type(b"half of it")
    for _ in range(times):
        keyboard.process.send_signal(number)
        assert eventually(lambda: not is_pending(keyboard.process, number))
    ended = keyboard.ended()
    assert ended.code in ((-number,) if times == 1 else (-number, 128 + number))
    assert b"half" not in ended.shown
    assert ended.is_restored
    assert typist.store.get(*NAMES) is None


def is_pending(process: subprocess.Popen[bytes], number: int) -> bool:
    """Whether a signal is pending; another one would be lost meanwhile."""
    if process.poll() is not None or not os.path.exists("/proc/self/status"):
        return False
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def test_names_are_escaped_in_the_prompt(typist: Typist) -> None:
    keyboard = Keyboard([typist.program, "set", "\x1b[2Jservice\r\n", "user\x07\u202e"], typist.environment)
    keyboard.wait_for(b": ")
    keyboard.type(b"\x03")
    ended = keyboard.ended()
    shown = ended.shown.decode()
    assert "service" in shown and "user" in shown and shown.count("\n") == 1
    assert not set(shown) & set("\x1b\x07\u202e")


@pytest.mark.skipif(sys.platform == "darwin", reason="keyring has its own store there")
def test_the_next_keyring_asks_at_the_terminal_itself(
    cloud: PracticeCloud, native: Client, store: StoreUser, beside: Callable[..., Client]
) -> None:
    keyring = NativeKeyring(cloud, native, store.home, [beside("alt").bin])
    keyboard = Keyboard([native.program("keyring"), "set", *NAMES], keyring.environment())
    keyboard.wait_for(PROMPT)
    keyboard.type(b"the-password\n")
    ended = keyboard.ended()
    assert (ended.code, ended.shown, ended.is_restored) == (0, PROMPT + b"\r\n", True)
    assert keyring("get", *NAMES).stdout == "the-password\n"

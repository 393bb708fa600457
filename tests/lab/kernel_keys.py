"""Whether processes of this session can share keys in the kernel's key retention service."""

from __future__ import annotations

import ctypes
import functools
import platform
import shutil
import sys
from pathlib import Path

import pytest

from . import strace

_KEYCTL = {"x86_64": 250, "aarch64": 219}
_ADD_KEY = {"x86_64": 248, "aarch64": 217}
_JOIN_SESSION_KEYRING, _GET_KEYRING_ID, _CHOWN, _SESSION = 1, 0, 4, -3


def _keyctl(operation: int, *arguments: object) -> int:
    return _call(_KEYCTL, ctypes.c_long(operation), *arguments)


def _call(numbers: dict[str, int], *arguments: object) -> int:
    """A system call, which Python does not have."""
    number = numbers.get(platform.machine(), -1) if sys.platform == "linux" else -1
    return -1 if number < 0 else ctypes.CDLL(None).syscall(number, *arguments)


def new_session(name: str | None = None) -> None:
    """Gives this thread and its child processes a new session keyring, if the kernel has keyrings."""
    _keyctl(_JOIN_SESSION_KEYRING, ctypes.c_char_p(name.encode()) if name else ctypes.c_long(0))


def withheld(directory: Path) -> tuple[str, ...]:
    """A command prefix: the kernel has no key service, as in many containers."""
    options = ["-e", "trace=keyctl,add_key", "-e", "inject=keyctl,add_key:error=EPERM"]
    return (*strace.tracing(directory / "log"), *options)


def give_session(user: int) -> None:
    """Makes the session keyring another user's, whose quota then counts. Needs root."""
    assert _give(_SESSION, user)


def fill_quota(user: int) -> None:
    """Gives another user keys of this session until there is no room for a token. Needs root."""
    for size in (2000, 200):
        number = 0
        while _give(_add_key(f"filler-{size}-{number}", size), user):
            number += 1


def _add_key(name: str, size: int) -> int:
    content = ctypes.create_string_buffer(size)
    key = _call(_ADD_KEY, b"user", name.encode(), content, ctypes.c_size_t(size), ctypes.c_long(_SESSION))
    assert key > 0, name
    return key


def _give(key: int, user: int) -> bool:
    """Makes a key another user's, if that user's quota has room."""
    return _keyctl(_CHOWN, ctypes.c_long(key), ctypes.c_long(user), ctypes.c_long(user)) == 0


@functools.lru_cache(maxsize=None)
def can_share() -> bool:
    """Whether they can: only on Linux, and not in many containers."""
    return _keyctl(_GET_KEYRING_ID, ctypes.c_long(_SESSION), ctypes.c_long(0)) >= 0


def need_sharing() -> None:
    """Skip the test if they cannot."""
    if not (can_share() and shutil.which("strace")):
        pytest.skip("needs the kernel's key retention service and strace")


def sign_ins(processes: int) -> int:
    """The number of sign-ins of this many native programs, run one after the other."""
    return 1 if can_share() else processes

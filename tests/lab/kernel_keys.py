"""Whether processes of this session can share keys in the kernel's key retention service."""

from __future__ import annotations

import ctypes
import functools
import platform
import shutil
import sys

import pytest

_NUMBERS = {"x86_64": 250, "aarch64": 219}
_JOIN_SESSION_KEYRING, _GET_KEYRING_ID, _SESSION = 1, 0, -3


def _keyctl(operation: int, *arguments: object) -> int:
    """The system call, which Python does not have."""
    number = _NUMBERS.get(platform.machine(), -1) if sys.platform == "linux" else -1
    return -1 if number < 0 else ctypes.CDLL(None).syscall(number, operation, *arguments)


def new_session(name: str | None = None) -> None:
    """Gives this thread and its child processes a new session keyring, if the kernel has keyrings."""
    _keyctl(_JOIN_SESSION_KEYRING, ctypes.c_char_p(name.encode()) if name else ctypes.c_long(0))


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

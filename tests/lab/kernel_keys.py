"""Whether processes of this session can share what is in the kernel's key retention service."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

_PROGRAM = """
import ctypes, platform, sys
number = {"x86_64": 250, "aarch64": 219}.get(platform.machine(), -1)
get_keyring_id, session = 0, -3
sys.exit(ctypes.CDLL(None).syscall(number, get_keyring_id, session, 0) < 0)
"""


def need_sharing() -> None:
    """Skips a test where they cannot: the system call is Linux's, and many containers forbid it."""
    if sys.platform == "linux" and shutil.which("strace"):
        asked = subprocess.run([sys.executable, "-c", _PROGRAM], env=dict(os.environ), check=False)
        if asked.returncode == 0:
            return
    pytest.skip("the kernel's key retention service, or strace, is not there")

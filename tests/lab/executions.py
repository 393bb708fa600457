"""The programs that a process executes, and what it writes, recorded by strace (Linux)."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path


def watching(log: object, length: int = 32) -> list[str]:
    """A command prefix that logs the executed programs to ``log``, with this many characters of each argument."""
    options = ["-f", "-qq", "-s", str(length), "-e", "trace=execve", "-e", "signal=none"]
    return [shutil.which("strace") or "strace", *options, "-o", str(log)]


def programs(log: object) -> list[str]:
    """The paths of the executed programs, in order; the first is the traced one.

    The end of a call is not seen in threads other than the first, since execve ends them.
    """
    lines = Path(str(log)).read_text(encoding="utf-8", errors="replace").splitlines()
    begun = (re.match(r'(?:\d+ +)?execve\("([^"]*)".*(?: = 0|\.\.\.>)$', line) for line in lines)
    return [call[1] for call in begun if call]


@dataclass
class Write:
    """The recorded writes and their targets: a path, or strace's description of a connection."""

    target: str
    text: str


def writing(log: object) -> list[str]:
    """A command prefix that logs all writes and their targets to ``log``."""
    options = ["-f", "-qq", "-y", "-s", "100000", "-e", "trace=write,writev,sendto,sendmsg", "-e", "signal=none"]
    return [shutil.which("strace") or "strace", *options, "-o", str(log)]


def writes(log: object) -> list[Write]:
    """What was written, in order."""
    lines = Path(str(log)).read_text(encoding="utf-8", errors="replace").splitlines()
    calls = (re.match(r"(?:\d+ +)?\w+\(\d+<(.*?)>, (.*)", line) for line in lines)
    return [Write(call[1], call[2]) for call in calls if call]

"""The programs that a process becomes or starts, and what it writes, seen by strace (Linux)."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass
from pathlib import Path


def watching(log: object) -> list[str]:
    """The beginning of a command: which programs it and its children begin is written to ``log``."""
    return [shutil.which("strace") or "strace", "-f", "-qq", "-o", str(log), "-e", "trace=execve", "-e", "signal=none"]


def programs(log: object) -> list[str]:
    """The paths of the programs that were begun, in order; the watched one is the first.

    The end of a call by any other thread than the first is not seen, since that thread has gone.
    """
    lines = Path(str(log)).read_text(encoding="utf-8", errors="replace").splitlines()
    begun = (re.match(r'(?:\d+ +)?execve\("([^"]*)".*(?: = 0|\.\.\.>)$', line) for line in lines)
    return [call[1] for call in begun if call]


@dataclass
class Write:
    """What was written, as far as it was noted, and where to: a path, or what strace calls a connection."""

    target: str
    text: str


def writing(log: object) -> list[str]:
    """The beginning of a command: whatever it writes, and where to, is written to ``log``."""
    options = ["-f", "-qq", "-y", "-s", "100000", "-e", "trace=write,writev,sendto,sendmsg", "-e", "signal=none"]
    return [shutil.which("strace") or "strace", *options, "-o", str(log)]


def writes(log: object) -> list[Write]:
    """What was written, in order."""
    lines = Path(str(log)).read_text(encoding="utf-8", errors="replace").splitlines()
    calls = (re.match(r"(?:\d+ +)?\w+\(\d+<(.*?)>, (.*)", line) for line in lines)
    return [Write(call[1], call[2]) for call in calls if call]

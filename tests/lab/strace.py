"""The system calls of a process, recorded and disturbed by strace (Linux)."""

from __future__ import annotations

import re
import shutil
import subprocess

_STRACE = shutil.which("strace") or ""

#: The system calls that sync and rename files.
SYNCING = "fsync,fdatasync"
RENAMING = "rename,renameat,renameat2"

_LINE = re.compile(r"(?:\d+ +)?(?P<name>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")


def _why_not() -> str | None:
    if not _STRACE:
        return "strace is not installed"
    ended = subprocess.run(
        [_STRACE, "-f", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return f"strace does not work here: {ended.stderr.strip()}" if ended.returncode else None


#: Why strace cannot be used here; None if it can.
MISSING = _why_not()


def tracing(log: object, *injections: str) -> list[str]:
    """A command prefix that logs syncs and renames to ``log``.

    An injection is strace's, such as ``fsync:error=EIO:when=1``.
    """
    disturbances = [word for injection in injections for word in ("-e", f"inject={injection}")]
    return [_STRACE, "-f", "-y", "-qq", "-o", str(log), "-e", f"trace={SYNCING},{RENAMING}", *disturbances]


def calls(log: object) -> list[tuple[str, list[str]]]:
    """The calls that succeeded, in order: what was done, ``sync`` or ``rename``, and the paths."""
    found = []
    with open(str(log), encoding="utf-8") as stream:
        for line in stream:
            call = _LINE.match(line)
            if call is None or call["result"] != "0":
                continue
            if call["name"] in SYNCING.split(","):
                found.append(("sync", re.findall(r"<(.*)>", call["arguments"])))
            else:
                found.append(("rename", re.findall(r'"([^"]*)"', call["arguments"])))
    return found

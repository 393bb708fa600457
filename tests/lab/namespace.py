"""Files at fixed paths, seen by one process only, in its own mount namespace (Linux)."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess

_UNSHARE = shutil.which("unshare") or ""


def _works(options: list[str]) -> bool:
    script = "mount -t tmpfs none /run"
    ended = subprocess.run(
        [_UNSHARE, *options, "sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return ended.returncode == 0


def _options() -> list[str] | None:
    if not _UNSHARE:
        return None
    # Root needs no user namespace; others need one in which they are root.
    return next((options for options in (["-m"], ["-r", "-m"]) if _works(options)), None)


_OPTIONS = _options()
#: Whether `with_files` can be used here.
AVAILABLE = _OPTIONS is not None


def with_files(files: dict[str, str], modes: dict[str, int] | None = None) -> list[str]:
    """A command prefix: the command sees these files, in directories that have nothing else.

    The top two directories of each file are replaced (``/run``, ``/var/opt``, ``/etc/ssl``, ``/sys/class``).
    """
    lines = ["set -e"]
    covered = set()
    for path in files:
        parts = path.split("/")
        cover = next(
            (place for place in ("/run", "/var/opt", "/etc/ssl", "/sys/class") if path.startswith(place + "/")), None
        )
        assert cover and ".." not in parts, path
        if cover not in covered:
            covered.add(cover)
            lines.append(f"mount -t tmpfs none {cover}")
        lines.append(f"mkdir -p {shlex.quote(os.path.dirname(path))}")
    for path, text in files.items():
        lines.append(f"printf %s {shlex.quote(text)} >{shlex.quote(path)}")
    for path, mode in (modes or {}).items():
        lines.append(f"chmod {mode:o} {shlex.quote(path)}")
    return _command(lines)


def without(path: str) -> list[str]:
    """A command prefix: the command sees this file empty, as container runtimes hide one."""
    return _command(["set -e", f"mount --bind /dev/null {shlex.quote(path)}"])


def with_text(path: str, text: str) -> list[str]:
    """The beginning of a command: what follows runs where this file, which must exist, has this text."""
    lines = ["mount -t tmpfs none /run", f"printf %s {shlex.quote(text)} >/run/text"]
    return _command(["set -e", *lines, f"mount --bind /run/text {shlex.quote(path)}"])


def with_hosts(addresses: dict[str, str]) -> list[str]:
    """A command prefix: for the command, only these host names have addresses."""
    text = "".join(f"{address} {name}\n" for name, address in addresses.items())
    covers = ["mount -t tmpfs none /run", f"printf %s {shlex.quote(text)} >/run/hosts"]
    covers += ["mount --bind /run/hosts /etc/hosts", "mount --bind /dev/null /etc/resolv.conf"]
    return _command(["set -e", *covers])


def _command(lines: list[str]) -> list[str]:
    assert _OPTIONS is not None
    # The PATH of the command has only a few programs; these are found without it.
    prefix = "PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin\n"
    script = "before=$PATH\n" + prefix + "\n".join(lines) + '\nPATH=$before\nexec "$@"'
    return [_UNSHARE, *_OPTIONS, "/bin/sh", "-c", script, "sh"]

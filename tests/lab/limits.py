"""Programs that run under a limit of the operating system (Linux)."""

from __future__ import annotations

import os
import shutil

_PRLIMIT, _SETPRIV, _UNSHARE = (shutil.which(name) or "" for name in ("prlimit", "setpriv", "unshare"))

#: Whether `few_processes` and `few_files` can be used here.
AVAILABLE = bool(_PRLIMIT and (_SETPRIV if os.name != "nt" and os.geteuid() == 0 else _UNSHARE))


def few_processes(count: int) -> list[str]:
    """A command prefix: the command has at most this many processes and threads, itself included."""
    limit = [_PRLIMIT, f"--nproc={count}"]
    if os.geteuid() == 0:
        # Root has no limit. A user id of its own, whose processes are counted, with root's access to files.
        capabilities = "+dac_override,+dac_read_search"
        user = ["--reuid", str(100_000 + os.getpid() % 100_000), f"--inh-caps={capabilities}"]
        return [*limit, _SETPRIV, *user, f"--ambient-caps={capabilities}"]
    # A user namespace counts for itself.
    return [_UNSHARE, "-r", *limit]


def few_files(count: int) -> list[str]:
    """A command prefix: the command has at most this many open files, standard streams included."""
    return [_PRLIMIT, f"--nofile={count}"]

"""Processes that set passwords in a loop and acknowledge each one, until they are killed."""

from __future__ import annotations

import os
import signal
import subprocess

from .clients import kill_group
from .store import StoreUser

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "acknowledging_program.py")


class Setters:
    """Such processes, one after the other, until the end of the ``with``."""

    def __init__(self, store: StoreUser) -> None:
        self._process = subprocess.Popen(
            [store.client.python, _PROGRAM, store.backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=store.environment(),
            start_new_session=True,
        )

    def __enter__(self) -> Setters:
        return self

    def __exit__(self, *_: object) -> None:
        kill_group(self._process)
        self._process.communicate()

    def begin(self, word: str) -> int:
        """Start one, which sets the passwords of ``WORD-0``, ``WORD-1`` and so on. Returns its process id."""
        self._process.stdin.write(word.encode() + b"\n")
        self._process.stdin.flush()
        return int(self.line().partition("child ")[2])

    def line(self) -> str:
        """The next user name whose password is stored."""
        line = self._process.stdout.readline().decode().strip()
        assert line and not line.startswith("failed"), line
        return line

    def kill(self, process: int) -> list[str]:
        """``kill -9``. Returns the user names that it had still printed."""
        os.kill(process, signal.SIGKILL)
        return list(iter(self.line, "dead"))


def password(username: str) -> str:
    """The password that such a process sets for a user."""
    return username[::-1]

"""Processes to interrupt, and polling for a condition."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import Callable


class Interruptible:
    """A process that answers a signal with the line ``interrupted {time.monotonic()}``."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def line(self) -> str:
        """The next line of its stdout; empty at the end."""
        return self.process.stdout.readline().decode().strip()

    def interrupt(self, number: int = signal.SIGINT) -> float:
        """Send a signal. Returns the seconds until it became an exception."""
        sent = time.monotonic()
        os.kill(self.process.pid, number)
        word, _, moment = self.line().partition(" ")
        assert word == "interrupted", word
        return float(moment) - sent

    def end(self, timeout: float = 10) -> tuple[int, str]:
        """Wait for its exit. Returns exit status and stderr."""
        _, stderr = self.process.communicate(timeout=timeout)
        return self.process.returncode, stderr.decode()


def eventually(condition: Callable[[], object], timeout: float = 10) -> bool:
    """Whether something becomes true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.005)
    return True

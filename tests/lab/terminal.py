"""A command whose standard error is a terminal."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Watched:
    """How a command ended, and what the terminal got."""

    code: int
    stdout: bytes
    #: The output, with the sequences that move the cursor.
    terminal: str

    def screen(self) -> list[str]:
        """The lines that a terminal finally shows."""
        lines = []
        for line in self.terminal.replace("\r\n", "\n").split("\n"):
            shown = ""
            for part in line.split("\r"):
                part, erases, rest = part.rpartition("\x1b[K")
                shown = rest if erases else rest + shown[len(rest) :]
            lines.append(shown.rstrip())
        return [line for line in lines if line]


class Watching:
    """Start a command whose standard error is a terminal."""

    def __init__(self, command: Sequence[str], environment: dict[str, str]) -> None:
        self._terminal, end = pty.openpty()
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=end, env=environment)
        os.close(end)
        self._read = b""

    def until(self, text: str, timeout: float = 20) -> None:
        """Wait until the terminal has got a text."""
        deadline = time.monotonic() + timeout
        while text.encode() not in self._read:
            ready, _, _ = select.select([self._terminal], [], [], max(0, deadline - time.monotonic()))
            assert ready, (text, self._read)
            self._read += os.read(self._terminal, 65536)

    def ended(self, timeout: float = 60) -> Watched:
        """Wait for its exit. Its output must fit into the buffers of the pipe and the terminal."""
        try:
            self.process.wait(timeout)
            return Watched(self.process.returncode, self.process.stdout.read(), self._shown().decode())
        finally:
            self.process.kill()
            self.process.stdout.close()
            os.close(self._terminal)

    def _shown(self) -> bytes:
        shown = self._read
        while True:
            try:
                part = os.read(self._terminal, 65536)
            except OSError:  # Linux reports the closed end as an error.
                return shown
            if not part:
                return shown
            shown += part

"""A command in the foreground of a terminal that is none of its standard streams, as programs run by pip or uv are."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import tempfile
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str
    #: What the terminal shows.
    shown: str


class Foreground:
    """Start a command with a controlling terminal of its own; standard input is null, and the output goes to files."""

    def __init__(self, command: Sequence[object], environment: dict[str, str], directory: object | None = None) -> None:
        self._terminal, end = pty.openpty()
        self._stdout, self._stderr = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        self.shown = ""

        def take() -> None:
            fcntl.ioctl(end, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=self._stdout,
            stderr=self._stderr,
            env=environment,
            cwd=None if directory is None else str(directory),
            start_new_session=True,
            preexec_fn=take,
        )
        # Kept open, so that the terminal can be read after all its processes have ended.
        self._end = end

    def until(self, text: str, timeout: float = 20) -> str:
        """Wait until the terminal shows a text. Returns all that it shows."""
        end = time.monotonic() + timeout
        while text not in self.shown:
            assert time.monotonic() < end, f"the terminal shows {self.shown!r}"
            assert self.process.poll() is None, self.ended()
            self._read(0.02)
        return self.shown

    def type(self, keys: bytes) -> None:
        """Type keys: Ctrl-C interrupts the foreground process group."""
        os.write(self._terminal, keys)

    def ended(self, timeout: float = 30) -> Ended:
        """Wait for the end of the command. The processes that it leaves are killed."""
        end = time.monotonic() + timeout
        try:
            while self.process.poll() is None:
                assert time.monotonic() < end, f"the terminal shows {self.shown!r}"
                self._read(0.02)
            self._read(0)
            return Ended(self.process.returncode, _text(self._stdout), _text(self._stderr), self.shown)
        finally:
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait()
            os.close(self._end)
            os.close(self._terminal)

    def _read(self, timeout: float) -> None:
        while select.select([self._terminal], [], [], timeout)[0]:
            self.shown += os.read(self._terminal, 65536).decode().replace("\r\n", "\n")
            timeout = 0


def _text(stream) -> str:
    with stream:
        stream.seek(0)
        return stream.read().decode()

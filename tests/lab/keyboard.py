"""A command on its own terminal, and simulated typing."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import subprocess
import termios
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Typed:
    """How a command ended."""

    code: int
    stdout: bytes
    #: The terminal's content: the command's output and echoed input.
    shown: bytes
    #: Whether the terminal settings are restored.
    is_restored: bool


class Keyboard:
    """A command whose standard input and standard error are its controlling terminal; standard
    output is a pipe.
    """

    def __init__(self, command: Sequence[str], environment: dict[str, str], patience: float = 10) -> None:
        self._end = time.monotonic() + patience
        self._terminal, terminal = pty.openpty()
        self._before = termios.tcgetattr(self._terminal)
        self._shown = b""

        def take() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=terminal,
            env=environment,
            start_new_session=True,
            preexec_fn=take,
        )
        # Kept open, so that the terminal settings can be read after all other processes have ended.
        self._held = terminal

    def wait_for(self, text: bytes) -> None:
        """Wait until the terminal shows a text and echo is off."""
        while text not in self._shown or self._attributes()[3] & termios.ECHO:
            assert time.monotonic() < self._end and self.process.poll() is None, self._shown
            self._read(0.005)

    def type(self, keys: bytes) -> None:
        """Type keys."""
        os.write(self._terminal, keys)

    def ended(self) -> Typed:
        """Wait for the end."""
        try:
            while self.process.poll() is None:
                assert time.monotonic() < self._end, self._shown
                self._read(0.005)
            self._read(0)
            stdout = self.process.stdout.read()
            return Typed(self.process.returncode, stdout, self._shown, self._attributes() == self._before)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
            os.close(self._held)
            os.close(self._terminal)

    def _attributes(self) -> list:
        return termios.tcgetattr(self._terminal)

    def _read(self, patience: float) -> None:
        while select.select([self._terminal], [], [], patience)[0]:
            self._shown += os.read(self._terminal, 65536)
            patience = 0

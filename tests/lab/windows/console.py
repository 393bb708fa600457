"""A Windows program on a console. Wine makes one of a Unix terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from dataclasses import dataclass

from .user import WindowsUser

#: Sequences that move the cursor, and titles of the window.
_CONTROL = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b\][^\x07]*\x07")

#: Rows and columns. No message is wrapped.
_SIZE = (50, 500)

#: STATUS_CONTROL_C_EXIT, of which Unix keeps eight bits.
CONTROL_C_EXIT = 0xC000013A & 0xFF


@dataclass
class Shown:
    """How a program ended."""

    #: The lowest eight bits of the exit code.
    code: int
    #: The content of the console.
    text: str


class Console:
    """A program of the user's, whose standard streams are a console. The home directory is that of wine."""

    def __init__(self, user: WindowsUser, program: str, *arguments: object, timeout: float = 40) -> None:
        variables = user.environment()
        variables["WINEPATH"] = variables.pop("PATH")
        self._end = time.monotonic() + timeout
        self._shown = b""
        self._terminal, end = pty.openpty()
        fcntl.ioctl(end, termios.TIOCSWINSZ, struct.pack("HHHH", *_SIZE, 0, 0))

        def take_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self._process = subprocess.Popen(
            ["/usr/bin/wine", user.executable(program), *map(str, arguments)],
            stdin=end,
            stdout=end,
            stderr=end,
            env={**user.wine.environment(variables), "TERM": "xterm"},
            cwd=user.home,
            start_new_session=True,
            preexec_fn=take_terminal,
        )
        os.close(end)

    @property
    def text(self) -> str:
        """The content of the console so far."""
        return _CONTROL.sub(b"", self._shown).decode("utf-8", "replace").replace("\r", "")

    def wait_for(self, text: str) -> None:
        """Wait until the console shows a text."""
        while text not in self.text:
            assert time.monotonic() < self._end and self._read(), self.text

    def wait_for_prompt(self, text: str) -> None:
        """The same, and until wine reads the keyboard: before that, Linux echoes what is typed."""
        self.wait_for(text)
        while termios.tcgetattr(self._terminal)[3] & termios.ECHO:
            assert time.monotonic() < self._end and self._read(), self.text

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._terminal, keys.encode())

    def ended(self) -> Shown:
        """Wait for the end."""
        try:
            while self._process.poll() is None:
                assert time.monotonic() < self._end, self.text
                self._read()
            while self._read():
                pass
            return Shown(self._process.returncode, self.text)
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._terminal)

    def _read(self) -> bool:
        """Read for a moment. Whether the console may show more."""
        if not select.select([self._terminal], [], [], 0.1)[0]:
            return self._process.poll() is None
        try:
            part = os.read(self._terminal, 65536)
        except OSError:  # Linux reports the closed end as an error.
            part = b""
        self._shown += part
        return bool(part)

"""A command whose standard output is a terminal."""

from __future__ import annotations

import os
import re
import select
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

#: The sequences by which a program colours text (ECMA-48, section 8.3.117).
COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass
class Seen:
    """How a command ended, and what it wrote to the terminal."""

    code: int
    #: The output with colours.
    text: str

    @property
    def plain(self) -> str:
        """The output without colours."""
        return COLOUR.sub("", self.text)


def seen(command: Sequence[object], environment: dict[str, str], directory: object, patience: float = 20) -> Seen:
    """Run a command to its end, with a terminal for standard output and standard error."""
    import pty  # Windows has none.

    terminal, end = pty.openpty()
    words = [str(word) for word in command]
    process = subprocess.Popen(
        words, stdin=subprocess.DEVNULL, stdout=end, stderr=end, env=environment, cwd=str(directory)
    )
    os.close(end)
    shown, deadline = b"", time.monotonic() + patience
    try:
        while True:
            assert time.monotonic() < deadline, shown
            if not select.select([terminal], [], [], 0.1)[0]:
                continue
            try:
                part = os.read(terminal, 65536)
            except OSError:  # Linux reports the closed end as an error.
                part = b""
            if not part:
                return Seen(process.wait(patience), shown.decode().replace("\r\n", "\n"))
            shown += part
    finally:
        process.kill()
        process.wait()
        os.close(terminal)

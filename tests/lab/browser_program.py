"""A program for ``$BROWSER`` that hands the address to the test, which opens it as it likes.

A test writes::

    program = BrowserProgram(tmp_path)
    process = start_program(client, ["ringbearer", "login"], cloud.environment(home, BROWSER=program.path))
    chromium.open(program.wait())
"""

from __future__ import annotations

import os
import time

#: Only what a shell has built in: the PATH of a child may have nothing else.
_SCRIPT = """#!/bin/sh
printf '%s\\n' "$*" >> "{record}"
{ending}
"""


class BrowserProgram:
    """A script in ``directory``. ``ending`` is what it does then, in shell: ``exit 3``; ``sleep 60`` stays open."""

    def __init__(self, directory: object, ending: str = "exit 0", name: str = "browser") -> None:
        #: For ``$BROWSER``.
        self.path = os.path.join(str(directory), name)
        self._record = self.path + "-opened"
        with open(self.path, "w", encoding="utf-8") as stream:
            stream.write(_SCRIPT.format(record=self._record, ending=ending))
        os.chmod(self.path, 0o755)

    @property
    def opened(self) -> list[str]:
        """The arguments of every start so far, joined by a space: one address each."""
        try:
            with open(self._record, encoding="utf-8") as stream:
                *whole, _ = stream.read().split("\n")
        except FileNotFoundError:
            return []
        return whole

    def wait(self, count: int = 1, timeout: float = 30) -> str:
        """The latest address, once there are this many."""
        deadline = time.monotonic() + timeout
        while len(self.opened) < count:
            assert time.monotonic() < deadline, f"waited {timeout} s for {count} addresses, saw {self.opened}"
            time.sleep(0.02)
        return self.opened[-1]

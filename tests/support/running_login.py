"""`ringbearer login` for the practice cloud's feed, while a test signs in or interferes."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from lab.clients import Completed, kill_group
from lab.sign_in_page import parameters
from support.command_line import CommandLine

#: Where Entra redeems codes.
TOKEN_ENDPOINT = {"host": "login.microsoftonline.com", "path": "*/token"}


@dataclass
class RunningLogin:
    """A sign-in that has not ended."""

    process: subprocess.Popen[bytes]

    def url(self) -> str:
        """The sign-in page, from the first event of ``--json --browser``."""
        return json.loads(self.process.stdout.readline())["url"]

    def read_until(self, text: str, timeout: float = 10) -> str:
        """Standard error up to a text and the end of the next paragraph, at least."""
        shown = b""
        deadline = time.monotonic() + timeout
        while b"\n\n" not in shown.partition(text.encode())[2]:
            ready, _, _ = select.select([self.process.stderr], [], [], max(0, deadline - time.monotonic()))
            # Not by the stream, whose buffer `end` would miss.
            part = os.read(self.process.stderr.fileno(), 65536) if ready else b""
            assert part, (text, shown)
            shown += part
        return shown.decode()

    def end(self, timeout: float = 20) -> Completed:
        """Wait for its exit."""
        began = time.monotonic()
        stdout, stderr = (part.decode() for part in self.process.communicate(timeout=timeout))
        return Completed(["ringbearer", "login"], self.process.returncode, stdout, stderr, time.monotonic() - began)


class LoginCommand(CommandLine):
    """Starts `ringbearer login`. The login is not kept."""

    def environment(self, *path: object, **variables: str | None) -> dict[str, str]:
        return super().environment(*path, **{"RINGBEARER_LOGIN_STORE": "off", **variables})

    @contextmanager
    def running(self, *words: str, **variables: str | None) -> Iterator[RunningLogin]:
        """It runs; at the end it is killed if it still does."""
        process = self.program.start(["ringbearer", "login", self.url, *words], self.environment(**variables))
        try:
            yield RunningLogin(process)
        finally:
            if process.poll() is None:
                kill_group(process)
                process.communicate()

    @property
    def redemptions(self) -> int:
        """How many requests the token endpoint got."""
        return len(self.log.requests(**TOKEN_ENDPOINT))


def port_of(url: str) -> int:
    """The port that a sign-in page redirects to."""
    port = urlsplit(parameters(url)["redirect_uri"]).port
    assert port
    return port

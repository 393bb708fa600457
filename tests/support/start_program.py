"""Programs that a test inspects while they run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Callable

from lab.clients import Client, kill_group

#: A client, its command, the environment, and standard input.
StartProgram = Callable[..., "subprocess.Popen[bytes]"]


@contextmanager
def starting() -> Iterator[StartProgram]:
    """Starts programs of a client; those that still run at the end are killed."""
    started = []

    def start(client: Client, words: list[str], environment: dict[str, str], stdin: bytes = b"") -> subprocess.Popen:
        process = client.start(words, environment, with_stdin=True)
        started.append(process)
        process.stdin.write(stdin)
        process.stdin.close()
        process.stdin = None
        return process

    yield start
    for process in started:
        kill_group(process)
        process.communicate()

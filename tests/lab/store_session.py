"""A process that has loaded the store and answers requests while the test changes its surroundings:
the disk, the limits, the file itself.

::

    with StoreSession(store) as session:
        session.set("service", "user", "secret")
        fill_the_disk()
        assert "keyring.errors.PasswordSetError" in session.fails("set_password", "service", "user", "other").bases
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from .clients import kill_group
from .store import Answer, Failure, StoreUser

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "store_session_program.py")


@dataclass
class Measured(Answer):
    """An answer, and the memory that the call used."""

    #: Peak growth of the memory of the process in bytes; None if not measured.
    grown: int | None = None


class StoreSession:
    """One process, from its start to the end of the ``with``."""

    def __init__(
        self, store: StoreUser, before: Sequence[str] = (), umask: int = 0o077, **variables: str | None
    ) -> None:
        """``before`` is a command prefix that starts the process, for instance in a namespace."""
        # Python's own files must not be taken for those of the store.
        environment = {**store.environment(**variables), "PYTHONDONTWRITEBYTECODE": "1"}
        self.process = subprocess.Popen(
            [*before, store.client.python, _PROGRAM, store.backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=store.home,
            start_new_session=True,
            umask=umask,
        )
        self._line()

    def __enter__(self) -> StoreSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def kill(self) -> None:
        """``kill -9``, for its children too."""
        kill_group(self.process)
        self.process.communicate()

    def send(self, method: str, *arguments: str | None, measure: bool = False) -> None:
        """Ask without waiting; :meth:`answer` waits."""
        request = {"method": method, "arguments": arguments, "measure": measure}
        self.process.stdin.write(json.dumps(request).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self) -> Measured:
        """The answer to the oldest unanswered request."""
        answer = json.loads(self._line())
        error = answer["error"]
        failure = Failure(**error) if error else None
        return Measured(answer["result"], failure, answer["seconds"], answer["grown"])

    def ask(self, method: str, *arguments: str | None, measure: bool = False) -> Measured:
        """The outcome of one call."""
        self.send(method, *arguments, measure=measure)
        return self.answer()

    def call(self, method: str, *arguments: str | None) -> object:
        """The result of one call; an exception fails the test."""
        answer = self.ask(method, *arguments)
        assert answer.error is None, answer.error.text
        return answer.result

    def fails(self, method: str, *arguments: str | None) -> Failure:
        """The exception of one call."""
        answer = self.ask(method, *arguments)
        assert answer.error is not None, answer.result
        return answer.error

    def get(self, service: str, username: str) -> object:
        """The password, or None."""
        return self.call("get_password", service, username)

    def set(self, service: str, username: str, password: str) -> None:
        """Store a password."""
        self.call("set_password", service, username, password)

    def _line(self) -> bytes:
        line = self.process.stdout.readline()
        assert line, f"the process has ended: {self.process.stderr.read().decode()}"
        return line


@contextmanager
def held_lock(store: StoreUser) -> Iterator[None]:
    """Holds the lock of the store, so that all writers wait and then start at once."""
    import fcntl

    os.makedirs(os.path.dirname(store.path), mode=0o700, exist_ok=True)
    with open(store.path + ".lock", "a", encoding="ascii") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        yield


def is_locked(store: StoreUser) -> bool:
    """Whether a process holds the lock of the store."""
    import fcntl

    with open(store.path + ".lock", "a", encoding="ascii") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def temporaries(store: StoreUser) -> list[str]:
    """The temporary files beside the store, by name."""
    begin = f".{os.path.basename(store.path)}.ringbearer-"
    return sorted(name for name in os.listdir(os.path.dirname(store.path)) if name.startswith(begin))

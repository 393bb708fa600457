"""The store of a Windows user."""

from __future__ import annotations

import contextlib
import fcntl
import json
from collections.abc import Iterator
from pathlib import Path

from ..clients import Completed
from .user import RunningProgram, WindowsUser


class WindowsStore:
    """The store at its default path, and the commands that use it."""

    def __init__(self, user: WindowsUser) -> None:
        self.user = user
        self.path: Path = user.home / ".local" / "share" / "ssh-agent-keyring" / "store.json"

    @property
    def shown_path(self) -> str:
        """The path as programs print it."""
        return self.user.wine.path(self.path)

    def command(self, *words: object) -> Completed:
        """``ringbearer store ...``"""
        return self.user.run("ringbearer", "store", *words)

    def set(self, service: str, username: str, password: str) -> None:
        """Store a password."""
        self.start_set(service, username, password).wait().check()

    def start_set(self, service: str, username: str, password: str) -> RunningProgram:
        """The same in the background. The program has its password when this returns."""
        started = self.user.start("keyring", "set", service, username, input=password)
        started.send_input()
        return started

    def get(self, service: str, username: str) -> str:
        """The password."""
        return self.raw(service, username).decode().removesuffix("\n")

    def raw(self, service: str, username: str) -> bytes:
        """The output of `keyring get`."""
        return self.user.run("keyring", "get", service, username).check().raw_stdout

    def delete(self, service: str, username: str) -> None:
        """Remove a password."""
        self.user.run("keyring", "del", service, username).check()

    def passwords(self) -> dict[tuple[str, str], str]:
        """Every password, by service and user name."""
        file = self.user.home / "export.json"
        self.command("export", self.user.wine.path(file)).check()
        records = json.loads(file.read_text(encoding="utf-8"))["records"]
        file.unlink()
        return {(one["service"], one["username"]): one["password"] for one in records}

    def content(self) -> dict:
        """The file, parsed."""
        return json.loads(self.path.read_text(encoding="utf-8"))

    def files(self) -> list[str]:
        """The files beside it."""
        return sorted(path.name for path in self.path.parent.iterdir())

    @contextlib.contextmanager
    def held_lock(self) -> Iterator[None]:
        """The lock, held by this process. Wine makes a POSIX lock of each of Windows."""
        with open(f"{self.path}.lock", "r+b") as lock:
            fcntl.lockf(lock, fcntl.LOCK_EX)
            yield

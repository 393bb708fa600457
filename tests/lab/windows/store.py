"""The store of a Windows user."""

from __future__ import annotations

import json
import time
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

    def content(self) -> dict:
        """The file, parsed."""
        return json.loads(self.path.read_text(encoding="utf-8"))

    def files(self) -> list[str]:
        """The files beside it."""
        return sorted(path.name for path in self.path.parent.iterdir())

    def wait_for_lock(self, free: bool = False, timeout: float = 30) -> None:
        """Until a program has the lock, or none has it."""
        end = time.monotonic() + timeout
        while self.command("lock").code != (0 if free else 6):
            assert time.monotonic() < end, "the lock did not change"
            time.sleep(0.1)

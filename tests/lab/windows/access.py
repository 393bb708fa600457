"""The programs of Windows that limit the access to a file: what they were called with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .user import WindowsUser

#: The SID that `whoami` prints.
SID = "S-1-5-21-1-2-3-1001"


@dataclass(frozen=True)
class Grant:
    """A call of `icacls`."""

    path: str
    arguments: list[str]
    #: The size of the file when it was called; -1 for a directory.
    size: int


class AccessPrograms:
    r"""`icacls.exe` and `whoami.exe` of `C:\windows\system32`. They record the calls of one user's programs."""

    def __init__(self, user: WindowsUser, calls: Path) -> None:
        self._user = user
        self._calls = calls
        user.variables["LAB_ACCESS"] = user.wine.path(calls)

    def fail(self, code: int) -> None:
        """Let `icacls` fail, as on a drive without access control lists."""
        self._user.variables["LAB_ACCESS_CODE"] = str(code)

    @property
    def grants(self) -> list[Grant]:
        """The calls of `icacls`, in order."""
        text = self._calls.read_text(encoding="utf-8") if self._calls.exists() else ""
        split = [call.splitlines() for call in text.split("\n\n") if call]
        return [Grant(path, arguments, int(size)) for path, *arguments, size in split]

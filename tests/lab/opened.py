"""Waits until a process opens a file, as one does repeatedly while it waits for a lock. Linux only."""

from __future__ import annotations

import ctypes
import os
import select

_IN_OPEN = 0x20


class Opened:
    """Watches a file from now on."""

    def __init__(self, path: str) -> None:
        library = ctypes.CDLL(None, use_errno=True)
        self._watch = library.inotify_init()
        assert self._watch >= 0, os.strerror(ctypes.get_errno())
        assert library.inotify_add_watch(self._watch, os.fsencode(path), _IN_OPEN) >= 0, os.strerror(ctypes.get_errno())

    def wait(self, timeout: float = 30) -> bool:
        """Whether a process opens it in time."""
        return bool(select.select([self._watch], [], [], timeout)[0])

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._watch)

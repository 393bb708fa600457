"""A small disk for one process: a tmpfs on a directory, in a mount namespace (Linux)."""

from __future__ import annotations

import errno
import os

from . import namespace
from .store import StoreUser
from .store_session import StoreSession

_MOUNT = 'before=$PATH; PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; mount -t tmpfs -o "$0" none "$1"; PATH=$before; shift'


def on_small_disk(directory: str, size: str = "256k", inodes: int = 100) -> list[str]:
    """A command prefix: the command has an empty disk of this size at an existing directory."""
    options = f"size={size},nr_inodes={inodes},mode=700"
    return [*namespace.with_files({}), "/bin/sh", "-e", "-c", _MOUNT + '; exec "$@"', options, directory]


class SmallDisk:
    """Such a disk, seen from outside."""

    def __init__(self, store: StoreUser, session: StoreSession) -> None:
        self._root = f"/proc/{session.process.pid}/root"
        self._directory = self._root + os.path.dirname(store.path)
        self.store_path = self._root + store.path

    def names(self) -> list[str]:
        """The files on it."""
        return sorted(os.listdir(self._directory))

    def content(self) -> bytes:
        """The store file."""
        with open(self.store_path, "rb") as stream:
            return stream.read()

    def free(self) -> tuple[int, int]:
        """The numbers of free blocks and free files."""
        found = os.statvfs(self._directory)
        return found.f_bfree, found.f_ffree

    def fill(self, leave: int = 0) -> None:
        """Fill all of its space except these bytes."""
        block = b"x" * 4096
        with open(os.path.join(self._directory, "filler"), "ab", buffering=0) as stream:
            _until_full(lambda: stream.write(block))
            stream.truncate(max(0, stream.tell() - leave))

    def fill_with_files(self) -> None:
        """Use up its file entries."""
        names = (os.path.join(self._directory, f"filler{number}") for number in range(10_000))
        _until_full(lambda: open(next(names), "w", encoding="ascii").close())

    def make_room(self) -> None:
        """Remove what :meth:`fill` and :meth:`fill_with_files` made."""
        for name in self.names():
            if name.startswith("filler"):
                os.remove(os.path.join(self._directory, name))


def _until_full(action) -> None:
    while True:
        try:
            action()
        except OSError as error:
            assert error.errno == errno.ENOSPC, error
            return

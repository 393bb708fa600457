"""Writes to a store as the published package does: without a lock, from what it read before. But it loses nothing.

``python foreign_writer_program.py STORE TIMES``: adds a record of its own as often, each time with all that it just
read, and prints their identifiers at the end, as JSON. ``begun`` on stderr says that the first is there.

It swaps its file with the store's in one step and then looks at what it got: what another had written since it read
goes into the next file, and it ends only when there is nothing of that kind. So whatever is missing in the end, the
other has lost. It leaves the other the moment in which nothing can be noticed any more: while there is a temporary
file beside the store, it swaps nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import sys

_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def _swap(one: str, other: str) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        raise OSError(ctypes.get_errno(), "renameat2", one)


def _read(path: str) -> dict:
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)


def _is_being_replaced(path: str) -> bool:
    begin = f".{os.path.basename(path)}.ringbearer-"
    return any(name.startswith(begin) for name in os.listdir(os.path.dirname(path)))


def main(path: str, times: int) -> None:
    mine: list[str] = []
    #: What was swapped out before it was read.
    rescued: dict[str, object] = {}
    while len(mine) < times or rescued:
        store = _read(path)
        store["records"].update({name: value for name, value in rescued.items() if name not in store["records"]})
        name = f"{len(mine):064x}"
        store["records"][name] = {"ciphertext": "AAAA" * 30, "nonce": "AAAAAAAAAAAAAAAA"}
        # Another process may still read the replaced file as the store: it is not written to.
        with contextlib.suppress(FileNotFoundError):
            os.remove(path + ".foreign")
        with open(path + ".foreign", "x", encoding="utf-8") as stream:
            stream.write(json.dumps(store, indent=2, sort_keys=True) + "\n")
        while _is_being_replaced(path):
            pass
        _swap(path + ".foreign", path)
        mine.append(name)
        found = _read(path + ".foreign")["records"]
        rescued = {name: value for name, value in found.items() if name not in store["records"]}
        if len(mine) == 1:
            print("begun", file=sys.stderr, flush=True)
    os.remove(path + ".foreign")
    print(json.dumps(mine))


main(sys.argv[1], int(sys.argv[2]))

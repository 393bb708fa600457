"""Runs in the client's environment while its stdin is open: one request a line, one answer a line; see
`lab.store_session`.
"""

from __future__ import annotations

import importlib
import json
import sys

from store_answer import answer_of

del sys.path[0]


def _reset_peak() -> None:
    """Reset the peak of the memory in use (Linux)."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as stream:
        stream.write("5")


def _memory(name: str) -> int:
    """A figure of the kernel in bytes: ``VmRSS`` now, ``VmHWM`` at peak."""
    with open("/proc/self/status", encoding="utf-8") as stream:
        line = next(line for line in stream if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def _ask(keyring: object, request: dict) -> dict:
    if not request["measure"]:
        return {**answer_of(keyring, request), "grown": None}
    _reset_peak()
    before = _memory("VmRSS")
    return {**answer_of(keyring, request), "grown": _memory("VmHWM") - before}


module, _, name = sys.argv[1].rpartition(".")
backend = getattr(importlib.import_module(module), name)()
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(_ask(backend, json.loads(line))), flush=True)

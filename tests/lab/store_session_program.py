"""Runs in the client's environment while its stdin is open: one request a line, one answer a line; see
`lab.store_session`.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
import traceback

del sys.path[0]


def _reset_peak() -> None:
    """Begin anew to look for the most memory that is in use (Linux)."""
    with open("/proc/self/clear_refs", "w", encoding="ascii") as stream:
        stream.write("5")


def _memory(name: str) -> int:
    """A figure of the kernel's, in bytes: ``VmRSS`` now, ``VmHWM`` at most."""
    with open("/proc/self/status", encoding="utf-8") as stream:
        line = next(line for line in stream if line.startswith(name + ":"))
    return int(line.split()[1]) * 1024


def _ask(keyring: object, request: dict) -> dict:
    answer: dict = {"result": None, "error": None, "grown": None}
    if request["measure"]:
        _reset_peak()
        before = _memory("VmRSS")
    started = time.monotonic()
    try:
        found = getattr(keyring, request["method"])(*request["arguments"])
        if request["method"] == "get_credential" and found is not None:
            found = [found.username, found.password]
        answer["result"] = found
    except BaseException as error:
        text = repr(error) + "\n" + "".join(traceback.format_exception(type(error), error, error.__traceback__))
        bases = [base.__module__ + "." + base.__name__ for base in type(error).__mro__]
        answer["error"] = {"type": type(error).__name__, "bases": bases, "message": str(error), "text": text}
    answer["seconds"] = time.monotonic() - started
    if request["measure"]:
        answer["grown"] = _memory("VmHWM") - before
    return answer


module, _, name = sys.argv[1].rpartition(".")
backend = getattr(importlib.import_module(module), name)()
print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(_ask(backend, json.loads(line))), flush=True)

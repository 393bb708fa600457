"""Runs in the client's environment, as a process of its own: asks one keyring backend and prints the answers.

``python store_program.py BACKEND``, requests as JSON on stdin, a list of answers as JSON on stdout; see `lab.store`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback

del sys.path[0]


def _ask(keyring: object, request: dict) -> dict:
    os.environ.update(request["environment"])
    started = time.monotonic()
    answer: dict = {"result": None, "error": None}
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
    return answer


module, _, name = sys.argv[1].rpartition(".")
backend = getattr(importlib.import_module(module), name)()
requests = json.load(sys.stdin)
print("ready", file=sys.stderr, flush=True)
answers = [_ask(backend, request) for request in requests for _ in range(request["times"])]
print(json.dumps(answers))

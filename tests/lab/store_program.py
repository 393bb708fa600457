"""Runs in the client's environment, as a process of its own: asks one keyring backend and prints the answers.

``python store_program.py BACKEND``, requests as JSON on stdin, a list of answers as JSON on stdout; see `lab.store`.
"""

from __future__ import annotations

import importlib
import json
import os
import sys

from store_answer import answer_of

del sys.path[0]


module, _, name = sys.argv[1].rpartition(".")
backend = getattr(importlib.import_module(module), name)()
requests = json.load(sys.stdin)
print("ready", file=sys.stderr, flush=True)
answers = []
for request in requests:
    os.environ.update(request["environment"])
    answers += [answer_of(backend, request) for _ in range(request["times"])]
print(json.dumps(answers))

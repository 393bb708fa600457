"""Sets passwords endlessly and acknowledges each one, until it is killed.

``python acknowledging_program.py BACKEND``: for each word on stdin, a child process sets the passwords of the users
``WORD-0``, ``WORD-1`` and so on of the service ``kill``; the password is the user name, backwards. On stdout:
``child PID`` when it begins, the user name after each that is stored, ``dead`` when the child was killed.

The children are forked from a process that has loaded the backend and not used it, which saves the start of Python.
"""

from __future__ import annotations

import importlib
import itertools
import os
import sys

del sys.path[0]


def _say(text: str) -> None:
    os.write(1, text.encode() + b"\n")


module, _, name = sys.argv[1].rpartition(".")
backend = getattr(importlib.import_module(module), name)()
for line in sys.stdin:
    word = line.strip()
    child = os.fork()
    if child == 0:
        _say(f"child {os.getpid()}")
        try:
            for number in itertools.count():
                username = f"{word}-{number}"
                backend.set_password("kill", username, username[::-1])
                _say(username)
        except Exception as error:
            _say(f"failed: {error!r}")
        os._exit(1)
    os.waitpid(child, 0)
    _say("dead")

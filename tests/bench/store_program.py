"""Runs in the environment of a backend: times its calls, one request a line on stdin, one answer a line on stdout.

``python store_program.py BACKEND``; see `bench.store`.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sys
import time

module, _, name = sys.argv[1].rpartition(".")
Backend = getattr(importlib.import_module(module), name)


def get(request: dict) -> float:
    backend = Backend()
    started = time.perf_counter()
    found = backend.get_password("service", "user 0")
    ended = time.perf_counter()
    assert found is not None
    return ended - started


def miss(request: dict) -> float:
    """get of an absent record, for which the whole store must be read."""
    backend = Backend()
    started = time.perf_counter()
    assert backend.get_password("service", "nobody") is None
    return time.perf_counter() - started


def set_(request: dict) -> float:
    backend = Backend()
    # Sync first, so that the other side's unsynced writes are not measured here.
    os.sync()
    started = time.perf_counter()
    backend.set_password("service", "user 0", request["password"])
    return time.perf_counter() - started


def ask_agent(request: dict) -> float:
    """The minimal agent request: one connection, one signature."""
    message, path = bytes.fromhex(request["message"]), os.environ["SSH_AUTH_SOCK"]
    started = time.perf_counter()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(path)
    connection.sendall(message)
    answer = connection.recv(4096)
    connection.close()
    ended = time.perf_counter()
    assert answer[4] == 14, answer
    return ended - started


def memory(name: str) -> int:
    """A figure of the kernel, in bytes."""
    with open("/proc/self/status") as status:
        [line] = [line for line in status if line.startswith(name)]
    return int(line.split()[1]) * 1024


def peak(request: dict) -> int:
    """Peak memory of a call beyond that of the process before it."""
    with open("/proc/self/clear_refs", "w") as forget_the_peak:
        forget_the_peak.write("5")
    before = memory("VmRSS")
    CALLS[request["of"]](request)
    return memory("VmHWM") - before


CALLS = {"get": get, "miss": miss, "set": set_, "agent": ask_agent, "peak": peak}

for line in sys.stdin:
    request = json.loads(line)
    os.environ["SSH_AGENT_KEYRING_STORE_PATH"] = request["store"]
    print(CALLS[request["call"]](request), flush=True)

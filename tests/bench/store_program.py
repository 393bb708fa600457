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
    """What is not there: nothing of the store can be left unread."""
    backend = Backend()
    started = time.perf_counter()
    assert backend.get_password("service", "nobody") is None
    return time.perf_counter() - started


def set_(request: dict) -> float:
    backend = Backend()
    # What the other side wrote and did not sync is not to be paid for here.
    os.sync()
    started = time.perf_counter()
    backend.set_password("service", "user 0", request["password"])
    return time.perf_counter() - started


def ask_agent(request: dict) -> float:
    """The least that an agent can be asked for: one connection, one signature."""
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
    """Bytes, as Linux counts them."""
    with open("/proc/self/status") as status:
        [line] = [line for line in status if line.startswith(name)]
    return int(line.split()[1]) * 1024


def peak(request: dict) -> int:
    """The most memory that a call takes beyond what the process has before it."""
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

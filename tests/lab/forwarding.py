"""Agent forwarding as by ``ssh -A``: a socket to an agent elsewhere, held by a process with a given name."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile

_PROGRAM = r"""
import os, socket, sys, threading

path, agent, name, is_orphaned = sys.argv[1:]
with open("/proc/self/comm", "w") as comm:
    comm.write(name)
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
if is_orphaned == "yes" and os.fork():
    # The socket still belongs to the process that created it, which has ended.
    os._exit(0)
print(os.getpid(), flush=True)

def pass_on(source, destination):
    while data := source.recv(65536):
        destination.sendall(data)
    destination.shutdown(socket.SHUT_WR)

while True:
    near, far = listener.accept()[0], socket.socket(socket.AF_UNIX)
    far.connect(agent)
    for ends in ((near, far), (far, near)):
        threading.Thread(target=pass_on, args=ends, daemon=True).start()
"""


class ForwardedSocket:
    """A socket that leads to an agent. Linux only: elsewhere the listener cannot be identified."""

    def __init__(self, agent: str, process: str, socket: str = "s", is_orphaned: bool = False) -> None:
        # A socket's path may have 107 bytes, which the directories of tests exceed.
        self._directory = tempfile.mkdtemp(prefix="forwarded-")
        self.socket = os.path.join(self._directory, socket)
        words = [self.socket, agent, process, "yes" if is_orphaned else "no"]
        self._process = subprocess.Popen([sys.executable, "-c", _PROGRAM, *words], stdout=subprocess.PIPE)
        self._listener = int(self._process.stdout.readline())
        if is_orphaned:
            self._process.wait(10)

    def close(self) -> None:
        """End it."""
        os.kill(self._listener, signal.SIGKILL)
        self._process.wait(10)
        self._process.stdout.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> ForwardedSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

"""The named pipe through which Windows programs reach a real ssh-agent.

A Windows program serves the pipe and connects to a port of loopback; from there the bytes go to the agent's socket.
"""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
from pathlib import Path

from ..server import Listener
from ..wine import Wine, compiled

#: The pipe of Windows' own ssh-agent.
DEFAULT = "\\\\.\\pipe\\openssh-ssh-agent"

_PROGRAM = Path(__file__).with_name("agent_pipe.c")


class AgentPipe:
    """A pipe, until :meth:`close`. While it has no agent, it hangs up on every request."""

    def __init__(self, wine: Wine, name: str = DEFAULT) -> None:
        self.name = name
        #: The socket of the agent.
        self.socket: str | None = None
        self._listener = Listener(self._serve)
        # A process group of its own: Ctrl-C is for pytest.
        self._process = subprocess.Popen(
            ["/usr/bin/wine", str(compiled(_PROGRAM, "ws2_32")), name, str(self._listener.port)],
            env=wine.environment(),
            # It ends with this process, also if that is killed.
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert self._process.stdout.readline().strip() == b"ready", "the agent's pipe does not start"

    def close(self) -> None:
        """Remove the pipe."""
        self._process.kill()
        self._process.communicate()
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.socket(socket.AF_UNIX) as agent:
            if self.socket is None:
                return
            try:
                agent.connect(self.socket)
            except OSError:
                return
            back = threading.Thread(target=_copy, args=(agent, client), daemon=True)
            back.start()
            _copy(client, agent)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)

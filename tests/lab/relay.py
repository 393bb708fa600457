"""A relay in front of the practice cloud's proxy: a network whose round trips take time.

A round trip is the time from a client's first byte to the first byte of the answer, on top of what the server takes.
Each chunk is delivered half a round trip after it arrived, in both directions; chunks in flight do not wait for each
other. On loopback, connecting takes no time, and the client then waits one round trip for the answer to CONNECT: this
stands for SYN and SYN-ACK of a direct connection. A new host thus costs what it costs without a proxy: one round trip
for the connection, one for TLS 1.3, one for the first request.
"""

from __future__ import annotations

import queue
import socket
import threading
import time

from .server import Listener


class Relay:
    """Forwards connections to a port on loopback."""

    def __init__(self, port: int, round_trip_ms: float) -> None:
        self._port = port
        #: Applies to every chunk that arrives from now on.
        self.round_trip_ms = round_trip_ms
        self._listener = Listener(self._serve)
        self.port = self._listener.port

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _serve(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._port)) as server:
            # The listener does the same for the client: delayed acknowledgements would hide a round trip.
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=self._pass_on, args=(server, client), name="lab-relay", daemon=True)
            back.start()
            self._pass_on(client, server)
            back.join()

    def _pass_on(self, source: socket.socket, destination: socket.socket) -> None:
        in_flight: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        deliver = threading.Thread(target=_deliver, args=(in_flight, destination), name="lab-relay", daemon=True)
        deliver.start()
        chunk = b"-"
        while chunk:
            try:
                chunk = source.recv(65536)
            except OSError:
                chunk = b""
            in_flight.put((time.monotonic() + self.round_trip_ms / 2000, chunk))
        deliver.join()


def _deliver(in_flight: queue.SimpleQueue[tuple[float, bytes]], destination: socket.socket) -> None:
    while True:
        due, chunk = in_flight.get()
        time.sleep(max(0.0, due - time.monotonic()))
        try:
            if not chunk:
                destination.shutdown(socket.SHUT_WR)
                return
            destination.sendall(chunk)
        except OSError:
            return

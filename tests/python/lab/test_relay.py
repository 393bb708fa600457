"""The relay: how long a client waits for round trips."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from urllib.parse import urlsplit

from lab.cloud import PracticeCloud
from lab.relay import Relay
from lab.server import Listener

MS = 100


def seconds(cloud: PracticeCloud, requests: int) -> float:
    """The time of some requests over one new connection."""
    start = time.monotonic()
    relay = urlsplit(cloud.proxy_url)
    context = ssl.create_default_context(cafile=cloud.ca_file)
    connection = http.client.HTTPSConnection(relay.hostname, relay.port, context=context)
    connection.set_tunnel("pkgs.dev.azure.com", 443)
    for _ in range(requests):
        connection.request("GET", "/contoso/")
        connection.getresponse().read()
    connection.close()
    return time.monotonic() - start


def test_new_host_costs_three_round_trips_and_a_request_one(cloud: PracticeCloud) -> None:
    found = {}
    for milliseconds in (0, MS):
        cloud.round_trip_ms = milliseconds
        found[milliseconds] = [min(seconds(cloud, requests) for _ in range(3)) for requests in (1, 3)]
    first, third = ((slow - fast) * 1000 / MS for fast, slow in zip(found[0], found[MS]))
    # Other load may lengthen a fast run too.
    assert 2.5 < first < 3.8 and 1.5 < third - first < 2.8, found


def test_chunks_in_flight_do_not_wait_for_each_other() -> None:
    arrived: list[float] = []
    done = threading.Event()

    def receive(stream: socket.socket) -> None:
        with stream:
            while stream.recv(1):
                arrived.append(time.monotonic())
        done.set()

    listener = Listener(receive)
    relay = Relay(listener.port, 400)
    with socket.create_connection(("127.0.0.1", relay.port)) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        start = time.monotonic()
        for _ in range(5):
            client.sendall(b"x")
            time.sleep(0.02)
    assert done.wait(5)
    relay.close()
    listener.close()
    assert len(arrived) == 5 and 0.2 <= arrived[0] - start and arrived[-1] - start < 0.5, arrived

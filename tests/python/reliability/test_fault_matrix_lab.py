"""The faults of the fault matrix: truncated messages and clock skew."""

from __future__ import annotations

import json
import socket
import time

import pytest
from lab import broken_wire, tokens
from lab.cloud import PracticeCloud
from lab.messages import Request, Response, json_response
from support.browser import Browser


@pytest.fixture
def request_of_nobody(cloud: PracticeCloud, browser: Browser) -> Request:
    """Any request."""
    browser.open(cloud.azure.feed.url())
    return cloud.log.requests()[0]


@pytest.mark.parametrize(
    ("fault", "last"), [(broken_wire.breaks_off_in_head(), b"applica"), (broken_wire.breaks_off_in_body(), b'": ')]
)
def test_a_message_can_be_reset_in_its_header_or_in_its_body(cloud: PracticeCloud, fault, last: bytes) -> None:
    cloud.faults.add(fault, host="imds")
    address = cloud.metadata.imds.url.rpartition(":")[2]
    seen = b""
    with socket.create_connection(("127.0.0.1", int(address)), timeout=5) as client:
        client.sendall(b"GET /elsewhere HTTP/1.1\r\nHost: imds\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while True:
                seen += client.recv(4096)
    assert seen.startswith(b"HTTP/1.1 404 ") and seen.endswith(last), seen


def test_a_message_can_stall_in_its_body(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.faults.add(broken_wire.stalls_in_body())
    answer = browser.open(cloud.azure.feed.url(), timeout=0.5)
    assert (answer.status, answer.headers["X-VSS-ResourceTenant"]) == (401, cloud.azure.tenant.id)
    with pytest.raises(OSError):
        answer.read()


def test_message_can_trickle_and_is_complete(cloud: PracticeCloud, browser: Browser) -> None:
    whole = browser.open(cloud.azure.feed.url()).read()
    cloud.faults.add(broken_wire.trickles(0.0005))
    answer = browser.open(cloud.azure.feed.url())
    assert (answer.status, answer.read()) == (401, whole)


def test_token_can_be_cut_or_corrupted(request_of_nobody: Request) -> None:
    token = tokens.mint({"sub": "somebody"})

    def answer(request: Request) -> Response:
        return json_response({"first": "a", "token": token, "last": "z"})

    cut = broken_wire.cut()(request_of_nobody, answer).body
    assert isinstance(cut, bytes) and cut.endswith(token[: len(token) // 2].encode())
    unreadable = broken_wire.not_utf_8()(request_of_nobody, answer).body
    assert isinstance(unreadable, bytes) and unreadable.replace(b"\xff", b"") == answer(request_of_nobody).body
    with pytest.raises(UnicodeDecodeError):
        unreadable.decode()


def test_clock_skew_applies_to_every_timestamp(request_of_nobody: Request) -> None:
    now = int(time.time())
    true = {"token": tokens.mint({"sub": "somebody"}, 3600), "expires_on": str(now), "expires_in": 60}
    true["expiry"] = "2026-01-01T12:00:00Z"
    off = broken_wire.clock_off(-5)(request_of_nobody, lambda request: json_response(true))
    assert isinstance(off.body, bytes)
    said = json.loads(off.body)
    assert (said["expires_on"], said["expires_in"]) == (str(now - 5 * 3600), 60)
    assert said["expiry"] == "2026-01-01T07:00:00Z"
    assert tokens.verify(said["token"]) is None
    claims = tokens.read_genuine(said["token"])
    assert claims is not None and claims["sub"] == "somebody"
    assert abs(claims["exp"] - (now - 4 * 3600)) <= 5 and claims["iat"] < now

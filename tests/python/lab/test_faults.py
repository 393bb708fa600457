"""The practice cloud: injected faults."""

from __future__ import annotations

import http.client
import socket

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from support.browser import Browser


def test_fault_sends_its_status_and_headers_as_often_as_set(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.faults.add(faults.status(429, {"Retry-After": "1"}), host="pkgs.dev.azure.com", times=2)
    answers = [browser.open(cloud.azure.feed.url()) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 401]
    assert answers[0].headers["Retry-After"] == "1"


def test_a_fault_can_spare_the_first_requests(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.faults.add(faults.status(503), after=1, times=1)
    assert [browser.open(cloud.azure.feed.url()).status for _ in range(3)] == [401, 503, 401]


@pytest.mark.parametrize("fault", [faults.reset(), faults.drop()])
def test_a_connection_can_end_without_an_answer(cloud: PracticeCloud, browser: Browser, fault) -> None:
    cloud.faults.add(fault, path="*/simple/")
    with pytest.raises(OSError):
        browser.open(cloud.azure.feed.url())
    assert cloud.log.requests()[0].status in ("reset", "close")


def test_silence_lasts_until_the_client_gives_up(cloud: PracticeCloud) -> None:
    cloud.faults.add(faults.silence(), method="CONNECT")
    with socket.create_connection(("127.0.0.1", cloud.proxy.port), timeout=0.3) as client:
        client.sendall(b"CONNECT pkgs.dev.azure.com:443 HTTP/1.1\r\n\r\n")
        with pytest.raises(socket.timeout):
            client.recv(1)


def test_latency_of_one_host_leaves_the_others_fast(cloud: PracticeCloud, browser: Browser) -> None:
    # Longer than the browser waits.
    cloud.faults.add_latency(5, host="vssps.dev.azure.com")
    assert browser.open(cloud.azure.feed.url()).status == 401
    with pytest.raises(OSError):
        browser.open(cloud.azure.contoso.authority, timeout=0.5)
    assert [request.status for request in cloud.log.requests() if request.status] == [401]


def test_bodies_that_are_too_large_never_end_or_break_off(cloud: PracticeCloud, browser: Browser) -> None:
    rule = cloud.faults.add(faults.huge(10 * 1024 * 1024))
    assert len(browser.open(cloud.azure.feed.url()).read()) > 10 * 1024 * 1024
    rule.fault = faults.huge(None)
    assert len(browser.open(cloud.azure.feed.url()).read(12 * 1024 * 1024)) == 12 * 1024 * 1024
    rule.fault = faults.truncated()
    answer = browser.open(cloud.azure.feed.url())
    with pytest.raises(http.client.IncompleteRead):
        answer.read()
    rule.fault = faults.drip(pause=0.001)
    assert b"Access Denied" in browser.open(cloud.azure.feed.url()).read()


def test_html_page_can_replace_json(cloud: PracticeCloud, browser: Browser) -> None:
    rule = cloud.faults.add(faults.html(203))
    answer = browser.open(cloud.azure.feed.url())
    assert (answer.status, b"Sign in" in answer.read()) == (203, True)
    rule.fault = faults.sign_in_redirect()
    answer = browser.open(cloud.azure.feed.url())
    assert (answer.status, "_signin" in answer.headers["Location"]) == (302, True)
    rule.fault = faults.garbage_json()
    with pytest.raises(ValueError):
        browser.json(cloud.azure.feed.url())

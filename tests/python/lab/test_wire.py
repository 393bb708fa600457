"""The practice cloud: proxy, certificates and hostile hosts."""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from contextlib import ExitStack

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from support.browser import Browser, basic


def test_clouds_run_in_parallel_and_see_only_their_requests(authority) -> None:
    with ExitStack() as stack:
        clouds = [stack.enter_context(PracticeCloud(authority)) for _ in range(20)]
        assert len({cloud.proxy.port for cloud in clouds}) == len(clouds)
        Browser(clouds[7]).open(clouds[7].azure.feed.url())
        assert [len(cloud.log.requests()) for cloud in clouds] == [int(number == 7) for number in range(20)]


def test_an_unlisted_host_is_refused_and_recorded(cloud: PracticeCloud, browser: Browser) -> None:
    with pytest.raises(OSError, match="403"):
        browser.open("https://pypi.example/simple/")
    assert cloud.log.refused() == ["pypi.example"]
    assert cloud.log.connections() == []


def test_another_port_than_443_is_refused(cloud: PracticeCloud, browser: Browser) -> None:
    with pytest.raises(OSError, match="403"):
        browser.open("https://pkgs.dev.azure.com:8443/contoso/")
    assert cloud.log.refused() == ["pkgs.dev.azure.com"]


def test_plain_http_is_refused_and_logged(cloud: PracticeCloud) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({"http": cloud.proxy_url}))
    request = urllib.request.Request("http://pkgs.dev.azure.com/contoso/", headers={"Authorization": "Bearer leaked"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        opener.open(request, timeout=10)
    assert cloud.log.bearers() == [("pkgs.dev.azure.com", "leaked")]


def test_the_proxy_can_ask_for_a_password(cloud: PracticeCloud) -> None:
    cloud.proxy.require("sam", "p@ss:word")
    assert Browser(cloud).open(cloud.azure.feed.url()).status == 401
    with pytest.raises(OSError, match="407"):
        Browser(cloud, cloud.proxy.url_without_credentials).open(cloud.azure.feed.url())


@pytest.mark.parametrize("kind", ["distrust", "expire", "misname"])
def test_a_host_can_show_a_certificate_that_must_be_rejected(cloud: PracticeCloud, browser: Browser, kind: str) -> None:
    getattr(cloud, kind)("pkgs.dev.azure.com")
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        browser.open(cloud.azure.feed.url())
    assert cloud.log.requests() == []


def test_forty_connections_at_once_are_each_answered(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.faults.latency = 0.2
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(browser.open(cloud.azure.feed.url()).status)) for _ in range(40)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [401] * 40
    assert len(cloud.log.connections("pkgs.dev.azure.com")) == 40
    moments = [request.time for request in cloud.log.requests("pkgs.dev.azure.com")]
    # Sequentially, they would take eight seconds.
    assert max(moments) - min(moments) < 40 * 0.2 / 2


def test_closing_ends_silent_connections_at_once(authority) -> None:
    with PracticeCloud(authority) as cloud:
        cloud.faults.add(faults.silence())
        ended = []

        def wait() -> None:
            with pytest.raises(OSError):
                Browser(cloud).open(cloud.azure.feed.url())
            ended.append(True)

        thread = threading.Thread(target=wait)
        thread.start()
        cloud.log.wait_for(host="pkgs.dev.azure.com")
    thread.join(2)
    assert ended == [True]


# -- hostile hosts


@pytest.mark.parametrize("host", ["evil.example", "evil-pkgs.dev.azure.com", "pkgs.dev.azure.com.evil.example"])
def test_hostile_host_accepts_and_logs_everything(cloud: PracticeCloud, browser: Browser, host: str) -> None:
    browser.open(f"https://{host}/x", headers={"Authorization": "Bearer secret-1"})
    assert cloud.log.bearers() == [(host, "secret-1")]
    browser.open(f"https://{host}/x", headers=basic("secret-2"))
    assert cloud.log.hosts_that_saw("secret-2") == [host]
    assert cloud.log.hosts_that_saw("secret-3") == []

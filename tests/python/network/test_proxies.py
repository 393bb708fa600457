"""Proxies from the environment."""

from __future__ import annotations

import socketserver
import sys
import threading
from collections.abc import Iterator

import pytest
from lab import namespace
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.socks import SocksProxy
from support.azure_look_ups import RETRIES, TOKEN, AzureLookUps, served

PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


def test_proxy_variables_are_honoured_and_https_proxy_first(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    nowhere = cloud.metadata.nowhere
    settings = [{name: cloud.proxy_url} for name in PROXIES]
    settings += [
        {name: cloud.proxy_url, **dict.fromkeys(PROXIES[number + 1 :], nowhere)} for number, name in enumerate(PROXIES)
    ]
    settings.append({"HTTPS_PROXY": cloud.proxy_url.replace("http://", "")})
    settings.append({"https_proxy": " ", "HTTPS_PROXY": cloud.proxy_url + "/"})
    answers = azure_look_ups(settings, HTTP_PROXY=nowhere, NO_PROXY=None)
    assert served(answers) == [True] * len(settings)


def test_a_proxy_gets_the_user_name_and_password_in_its_address(
    cloud: PracticeCloud, azure_look_ups: AzureLookUps
) -> None:
    cloud.proxy.require("sam@shire", "p@ss:w/rd %41")
    assert served(azure_look_ups([{"HTTPS_PROXY": cloud.proxy_url}])) == [True]


def test_a_proxy_that_refuses_is_named_and_not_asked_again(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    cloud.proxy.require("sam", "right")
    wrong = cloud.proxy_url.replace("right", "wrong")
    answers = azure_look_ups([{"HTTPS_PROXY": wrong}, {"HTTPS_PROXY": cloud.proxy.url_without_credentials}])
    assert served(answers) == [False, False]
    for answer in answers:
        assert "pkgs.dev.azure.com" in answer.warning and "407" in answer.warning
        assert "HTTPS_PROXY" in answer.warning
        assert "wrong" not in answer.text
    assert len(cloud.log.requests(host="pkgs.dev.azure.com", method="CONNECT")) == 2
    assert cloud.log.bearers() == []


def test_unreachable_or_invalid_proxy_is_named(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    broken = [
        "http://[::bad/",
        "https://",
        "http://user:pass@word@:x",
        "ftp://127.0.0.1:1",
        "http://127.0.0.1:99999",
        "::::",
        "http://",
    ]
    settings = [{"HTTPS_PROXY": cloud.metadata.nowhere}] + [{"all_proxy": value} for value in broken]
    answers = azure_look_ups(settings, **{RETRIES: "1", "HTTPS_PROXY": None, "RINGBEARER_TIMEOUT": "5"})
    assert served(answers) == [False] * len(settings)
    assert "(the proxy for pkgs.dev.azure.com refused the connection); check HTTPS_PROXY" in answers[0].warning
    unnamed = {value: answer.warning for value, answer in zip(broken, answers[1:]) if "all_proxy" not in answer.warning}
    assert unnamed == {}
    assert [value for value, answer in zip(broken, answers[1:]) if "word" in answer.text] == []
    assert cloud.log.requests(method="CONNECT") == []


class Plain(socketserver.BaseRequestHandler):
    """Answers anything as an HTTP server answers a TLS handshake."""

    def handle(self) -> None:
        """Read, and refuse."""
        self.request.recv(1024)
        self.request.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def test_proxy_that_speaks_no_tls_differs_from_the_host(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Plain) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"https://127.0.0.1:{server.server_address[1]}"
        (answer,) = azure_look_ups([{"HTTPS_PROXY": address}], **{RETRIES: "1"})
        server.shutdown()
    assert "(TLS with the proxy for pkgs.dev.azure.com failed: " in answer.warning
    assert "write its address as http://HOST:PORT" in answer.warning
    assert cloud.log.requests() == []


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs its own host names, which are resolved locally")
def test_names_and_refusals_of_host_and_proxy_are_told_apart(cloud: PracticeCloud, look_up: Lookups) -> None:
    url, other = cloud.azure.feed.url(), cloud.azure.organisation("other", cloud.azure.tenant).feed("tools").url()
    direct: dict[str, str | None] = dict.fromkeys(PROXIES)
    through = {**direct, "HTTPS_PROXY": "http://proxy.example:3128"}
    variables = {TOKEN: cloud.azure.directory.user_token(cloud.azure.user), RETRIES: "1"}
    unknown, proxy = look_up.all(
        [LookUp(url, environment=direct), LookUp(other, environment=through)],
        before=namespace.with_hosts({"localhost": "127.0.0.1"}),
        **variables,
    )
    assert "(the name pkgs.dev.azure.com cannot be resolved (" in unknown.warning
    assert "(the name of the proxy proxy.example cannot be resolved (" in proxy.warning
    # Nothing listens at this address of loopback.
    (refused,) = look_up.all(
        [LookUp(url, environment=direct)], before=namespace.with_hosts({"pkgs.dev.azure.com": "127.0.0.9"}), **variables
    )
    assert "(pkgs.dev.azure.com refused the connection); " in refused.warning
    assert "uncategorized" not in unknown.text + proxy.text + refused.text


def test_loopback_is_never_proxied(cloud: PracticeCloud, look_up: Lookups) -> None:
    """GitHub's job token is the only token of an internet service that may be requested from loopback.

    Which hosts NO_PROXY names is tested in Rust, where hosts need not exist: `src/system/os/proxy.rs`.
    """
    answer = look_up(
        ACTIONS_ID_TOKEN_REQUEST_URL=cloud.metadata.imds.url + "/github?api-version=2.0",
        ACTIONS_ID_TOKEN_REQUEST_TOKEN="request-token",
        AZURE_CLIENT_ID="an-application",
        ARTIFACTS_KEYRING_NOFUSS_PROVIDER="workload_identity",
        NO_PROXY=None,
    )
    assert answer.credential is None and "workload_identity failed" in answer.warning
    assert [request.path for request in cloud.log.requests(host="imds")] == ["/github"]
    assert {request.host for request in cloud.log.requests(method="CONNECT")} == {
        "pkgs.dev.azure.com",
        "login.microsoftonline.com",
    }
    assert cloud.log.bearers() == [("imds", "request-token")]
    assert cloud.log.refused() == []


HOSTS = {"pkgs.dev.azure.com": "127.0.0.2", "vssps.dev.azure.com": "127.0.0.3"}


@pytest.fixture
def socks(cloud: PracticeCloud) -> Iterator[SocksProxy]:
    made = SocksProxy(cloud.proxy.port, {address: name for name, address in HOSTS.items()})
    yield made
    made.close()


def test_socks5h_proxy_serves_and_a_missing_one_is_one_warning(
    cloud: PracticeCloud, azure_look_ups: AzureLookUps, socks: SocksProxy
) -> None:
    closed = cloud.metadata.nowhere.replace("http://", "socks5h://")
    settings = [{name: closed} for name in PROXIES] + [{"ALL_PROXY": f"socks5h://{socks.address}"}]
    *absent, served_by_it = azure_look_ups(settings, **{RETRIES: "1", "HTTPS_PROXY": None})
    assert served(absent) == [False] * len(absent)
    assert ["pkgs.dev.azure.com" in answer.warning for answer in absent] == [True] * len(absent)
    assert served_by_it.credential is not None
    assert sorted(socks.asked) == sorted(HOSTS)
    assert served_by_it.stderr == ""


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs its own host names, which are resolved locally")
def test_socks5_proxy_serves_and_a_missing_one_is_one_warning(
    cloud: PracticeCloud, look_up: Lookups, socks: SocksProxy
) -> None:
    token = cloud.azure.directory.user_token(cloud.azure.user)
    closed = cloud.metadata.nowhere.replace("http://", "socks5://")
    other = cloud.azure.organisation("other", cloud.azure.tenant).feed("tools").url()
    absent, answer = look_up.all(
        [
            LookUp(other, environment={"HTTPS_PROXY": closed}),
            LookUp(cloud.azure.feed.url(), environment={"HTTPS_PROXY": f"socks5://{socks.address}"}),
        ],
        before=namespace.with_hosts(HOSTS),
        **{TOKEN: token, RETRIES: "1"},
    )
    assert absent.credential is None and "pkgs.dev.azure.com" in absent.warning
    assert answer.credential is not None
    assert sorted(socks.asked) == sorted(HOSTS.values())
    assert answer.stderr == ""


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels refuse or accept the connection")
def test_connection_attempt_ends_after_five_seconds(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    (answer,) = azure_look_ups([{"HTTPS_PROXY": cloud.metadata.black_hole}], **{RETRIES: "1"})
    assert answer.credential is None
    assert "connecting to the proxy for pkgs.dev.azure.com took too long" in answer.warning
    assert 4 < answer.seconds < 15


def test_metadata_services_are_never_asked_through_a_proxy(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.metadata.imds.system_assigned = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    answer = look_up(ARTIFACTS_KEYRING_NOFUSS_PROVIDER="managed_identity", NO_PROXY=None)
    assert answer.credential[0] == "bearer"
    assert cloud.log.refused() == []
    assert len(cloud.log.requests(host="imds")) == 1

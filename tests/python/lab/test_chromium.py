"""Headless Chromium: it signs in at the practice cloud and posts the code to a port of this machine."""

from __future__ import annotations

import http.server
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlencode

import pytest
from lab.browser_program import BrowserProgram
from lab.chromium import Chromium
from lab.cloud import PracticeCloud
from lab.registries.azure.directory import AZURE_ARTIFACTS
from lab.registries.azure.entra.requirements import SCOPE

LOGIN = "login.microsoftonline.com"


class Listener:
    """A client's port on loopback, IPv4 and IPv6. Chromium opens connections ahead, hence the threads."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], dict[str, list[str]]]] = []
        self._servers = [http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())]
        self.port = self._servers[0].server_port
        if socket.has_ipv6:
            six = type("Six", (http.server.ThreadingHTTPServer,), {"address_family": socket.AF_INET6})
            self._servers.append(six(("::1", self.port), self._handler()))
        for server in self._servers:
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def _handler(listener):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                listener.posts.append((dict(self.headers), parse_qs(body)))
                self.send_response(200)
                self.send_header("Content-Type", "text/plain")
                self.end_headers()
                self.wfile.write(b"You are signed in")

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler

    def close(self) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def authorize_url(cloud: PracticeCloud, listener: Listener) -> str:
    query = {
        "client_id": AZURE_ARTIFACTS,
        "response_type": "code",
        "redirect_uri": f"http://localhost:{listener.port}",
        "scope": SCOPE,
        "state": "s" * 43,
        "nonce": "n" * 43,
        "code_challenge": "c" * 43,
        "code_challenge_method": "S256",
        "prompt": "select_account",
        "response_mode": "form_post",
        "client_info": "1",
    }
    return f"https://{LOGIN}/{cloud.azure.tenant}/oauth2/v2.0/authorize?" + urlencode(query)


def test_chromium_signs_in_and_posts_the_code(
    cloud: PracticeCloud, chromium: Chromium, listener: Listener, tmp_path: Path
) -> None:
    ada = cloud.entra.add_user("ada@contoso.example", "lovelace")
    cloud.azure.tenant.requires_mfa = cloud.azure.tenant.requires_consent = True
    chromium.open(authorize_url(cloud, listener))
    chromium.fill("#username", ada.name)
    chromium.fill("#password", "byron")
    chromium.click("#sign-in")
    chromium.wait_for_text("password is incorrect")
    chromium.fill("#password", "lovelace")
    chromium.click("#sign-in")
    chromium.fill("#code", ada.one_time_code)
    chromium.click("#verify")
    chromium.click("#accept")
    assert chromium.wait_for_text("signed in") == "You are signed in"
    assert chromium.url == f"http://localhost:{listener.port}/"
    ((headers, fields),) = listener.posts
    assert headers["Host"] == f"localhost:{listener.port}"
    assert headers["Content-Type"] == "application/x-www-form-urlencoded"
    # From https to http, a browser names no origin.
    assert headers["Origin"] == "null"
    assert (fields["state"], fields["code"]) == (["s" * 43], [cloud.entra.authorizations.opened[0].code])
    assert cloud.entra.mistakes == []
    # Nothing but the sign-in page left the browser.
    assert cloud.log.refused() == [] and {request.host for request in cloud.log.requests()} == {LOGIN}
    chromium.screenshot(tmp_path / "page.png")
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_chromium_reaches_nothing_but_the_cloud(cloud: PracticeCloud, chromium: Chromium) -> None:
    chromium.open(f"https://{LOGIN}/")
    for url in ("https://elsewhere.example/", "https://192.0.2.1/", "https://accounts.google.com/"):
        with pytest.raises(AssertionError, match="net::ERR_"):
            chromium.open(url)
    assert set(cloud.log.refused()) == {"elsewhere.example", "192.0.2.1"}


@pytest.mark.skipif(os.name == "nt", reason="the program is a shell script")
def test_program_for_browser_hands_the_address_over(tmp_path: Path) -> None:
    program = BrowserProgram(tmp_path)
    assert program.opened == []
    url = "https://login.example/?a=$HOME&b='c'"
    subprocess.run([program.path, url], check=True, env={})
    assert program.wait() == url

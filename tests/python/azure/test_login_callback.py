"""The listener of `ringbearer login --browser` and hostile requests: after each, the right answer still signs in."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from lab import faults
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.directory import User
from lab.sign_in_page import Answer, FormPost, deliver, sign_in
from support.running_login import TOKEN_ENDPOINT, LoginCommand, RunningLogin, port_of

if os.name == "nt":
    pytest.skip("a program that starts no browser is POSIX's", allow_module_level=True)

#: A browser that does nothing, so that no real one opens.
NO_BROWSER = {"BROWSER": "true"}
FORM = "application/x-www-form-urlencoded"
#: Exit codes after Ctrl-C.
INTERRUPTED = (130, -signal.SIGINT)


@dataclass
class Attempt:
    """A running sign-in whose person has finished at the sign-in page; the browser has not posted the answer."""

    command: LoginCommand
    running: RunningLogin
    url: str
    post: FormPost

    @property
    def port(self) -> int:
        return port_of(self.url)

    def succeeds(self, answer: Answer | None = None) -> None:
        """The right answer signs in, and its code has been redeemed once."""
        answer = answer or deliver(self.post)
        assert answer.status == 200 and "ada@contoso.example" in answer.text, answer
        ended = self.running.end()
        assert ended.code == 0 and '"event":"signed-in"' in ended.stdout.replace(" ", ""), ended
        assert self.command.redemptions == 1 and self.command.cloud.entra.mistakes == []
        assert not is_open(self.port)

    def fails(self, post: FormPost, *parts: str) -> Completed:
        """An answer ends the sign-in: page and terminal say why."""
        answer = deliver(post)
        ended = self.running.end()
        assert (answer.status, ended.code, ended.stdout) == (400, 1, ""), (answer, ended)
        for part in parts:
            assert part in answer.text and part in ended.stderr, (part, answer, ended)
        assert not is_open(self.port)
        return ended


@pytest.fixture
def attempt(login: LoginCommand, cloud: PracticeCloud, ada: User) -> Iterator[Attempt]:
    """Ada has signed in at the page."""
    with attempt_of(login, cloud, ada) as made:
        yield made


@contextmanager
def attempt_of(login: LoginCommand, cloud: PracticeCloud, user: User, **variables: str) -> Iterator[Attempt]:
    with login.running("--browser", "--json", **NO_BROWSER, **variables) as running:
        url = running.url()
        yield Attempt(login, running, url, sign_in(cloud, url, user))


def changed(post: FormPost, **fields: str | None) -> FormPost:
    """The answer with other fields; None removes one."""
    merged = {**post.fields, **fields}
    return replace(post, fields={name: value for name, value in merged.items() if value is not None})


@dataclass
class Hostile:
    """A request that is not the right answer."""

    status: int
    start: str = "POST / HTTP/1.1"
    headers: dict[str, str] = field(default_factory=dict)
    #: Other fields of the answer; None removes one.
    fields: dict[str, str | None] = field(default_factory=dict)
    #: Replaces the answer.
    body: bytes | None = None

    def send(self, post: FormPost) -> tuple[int, str]:
        """Status and text of the reply."""
        body = changed(post, **self.fields).body if self.body is None else self.body
        port = urlsplit(post.url).port
        start = self.start.replace("ANSWER", urlencode(post.fields))
        length = str(len(body))
        headers = {"Host": f"localhost:{port}", "Content-Type": FORM, "Content-Length": length, **self.headers}
        lines = [start, *(f"{name}: {value.replace('PORT', str(port))}" for name, value in headers.items() if value)]
        with closing(socket.create_connection(("127.0.0.1", port), timeout=20)) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            reply = b"".join(iter(lambda: connection.recv(65536), b""))
        return int(reply.split()[1]), reply.decode()


HOSTILE = {
    "wrong-state": Hostile(400, fields={"state": "A" * 43}),
    "no-state": Hostile(400, fields={"state": None}),
    "no-code": Hostile(400, fields={"code": None}),
    "code-with-space": Hostile(400, fields={"code": "a b"}),
    "code-of-8-KB": Hostile(400, fields={"code": "a" * 8193}),
    "two-codes": Hostile(400, body=b"code=a&code=b"),
    "error-with-wrong-state": Hostile(400, fields={"code": None, "error": "access_denied", "state": "A" * 43}),
    "other-host": Hostile(400, headers={"Host": "evil.example:PORT"}),
    "address-as-host": Hostile(400, headers={"Host": "127.0.0.1:PORT"}),
    "other-port": Hostile(400, headers={"Host": "localhost"}),
    "no-host": Hostile(400, headers={"Host": ""}),
    "other-path": Hostile(400, start="POST /callback HTTP/1.1"),
    "code-in-query": Hostile(400, start="GET /?ANSWER HTTP/1.1", body=b""),
    "post-with-query": Hostile(400, start="POST /?ANSWER HTTP/1.1"),
    "empty-get": Hostile(200, start="GET / HTTP/1.1", body=b""),
    "icon": Hostile(400, start="GET /favicon.ico HTTP/1.1", body=b""),
    "other-method": Hostile(400, start="PUT / HTTP/1.1"),
    # A page that asks before it reaches the local network.
    "preflight": Hostile(400, "OPTIONS / HTTP/1.1", {"Access-Control-Request-Private-Network": "true"}, body=b""),
    "plain-text": Hostile(400, headers={"Content-Type": "text/plain"}),
    "no-type": Hostile(400, headers={"Content-Type": ""}),
    "json": Hostile(400, headers={"Content-Type": "application/json"}, body=b'{"code":"a"}'),
    "megabyte": Hostile(413, body=b"code=" + b"a" * 1_000_000),
    "chunked": Hostile(400, headers={"Content-Length": "", "Transfer-Encoding": "chunked"}, body=b"0\r\n\r\n"),
    "tls": Hostile(400, start="\x16\x03\x01\x02"),
}


def test_hostile_requests_do_not_end_the_sign_in(attempt: Attempt) -> None:
    for name, request in HOSTILE.items():
        status, reply = request.send(attempt.post)
        assert status == request.status, (name, reply)
        # No other page reads the reply, and none of it is the request's.
        assert "Access-Control-" not in reply and attempt.post.fields["code"] not in reply, (name, reply)
        assert attempt.command.redemptions == 0, name
    attempt.succeeds()


def test_pages_are_not_stored_and_load_nothing(attempt: Attempt) -> None:
    for answer in (deliver(changed(attempt.post, state="x")), deliver(attempt.post)):
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none';"), answer
        assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert "Server" not in answer.headers and "src=" not in answer.text and "href=" not in answer.text, answer
    attempt.succeeds(answer)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_browser_may_resolve_localhost_to_either_address(attempt: Attempt, host: str) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("this machine has no IPv6")
    attempt.succeeds(deliver(attempt.post, host=host))


def test_slow_and_idle_connections_delay_nobody(attempt: Attempt) -> None:
    idle = [socket.create_connection(("127.0.0.1", attempt.port)) for _ in range(40)]
    stop = threading.Event()

    def drip() -> None:
        with closing(socket.create_connection(("127.0.0.1", attempt.port))) as slow:
            for byte in b"POST / HTTP/1.1\r\n" * 100:
                if stop.wait(0.1):
                    return
                slow.send(bytes([byte]))

    slow = threading.Thread(target=drip)
    slow.start()
    began = time.monotonic()
    try:
        answer = deliver(attempt.post)
    finally:
        stop.set()
    assert time.monotonic() - began < 3
    attempt.succeeds(answer)
    slow.join()
    for one in idle:
        one.close()


def test_requests_of_another_page_do_not_delay_the_answer(attempt: Attempt) -> None:
    stop, answered = threading.Event(), threading.Event()
    statuses: set[int] = set()

    def send_requests() -> None:
        while not stop.is_set():
            try:
                statuses.add(HOSTILE["wrong-state"].send(attempt.post)[0])
                answered.set()
            except (OSError, IndexError):
                continue

    with ThreadPoolExecutor(4) as others:
        for _ in range(4):
            others.submit(send_requests)
        assert answered.wait(20)
        answer = deliver(attempt.post)
        stop.set()
    # The last ones come when an answer is there, or nobody listens.
    assert 400 in statuses and statuses <= {400, 409}
    attempt.succeeds(answer)


def test_two_browsers_at_once_redeem_a_code_once(attempt: Attempt, cloud: PracticeCloud) -> None:
    cloud.faults.add(faults.latency(0.5), **TOKEN_ENDPOINT)
    with ThreadPoolExecutor(2) as browsers:
        answers = list(browsers.map(deliver, [attempt.post] * 2))
    assert sorted(answer.status for answer in answers) == [200, 409], answers
    attempt.succeeds(min(answers, key=lambda answer: answer.status))


def test_an_answer_cannot_be_replayed(attempt: Attempt, login: LoginCommand, cloud: PracticeCloud, ada: User) -> None:
    attempt.succeeds()
    with attempt_of(login, cloud, ada) as second:
        port = second.port
        assert deliver(replace(attempt.post, url=second.post.url)).status == 400
        # The right state with the code of another sign-in, whose verifier differs.
        mixed = changed(second.post, code=attempt.post.fields["code"])
        ended = second.fails(mixed, "AADSTS")
    assert attempt.post.fields["code"] not in ended.output and not is_open(port)


@pytest.mark.parametrize(
    ("parameter", "known"),
    [("nonce", "the ID token belongs to another sign-in"), ("code_challenge", "AADSTS501481")],
)
def test_code_of_another_sign_in_is_refused(
    login: LoginCommand, cloud: PracticeCloud, ada: User, parameter: str, known: str
) -> None:
    with login.running("--browser", "--json", **NO_BROWSER) as running:
        url = running.url()
        page, _, query = url.partition("?")
        other = page + "?" + urlencode({**dict(parse_qsl(query)), parameter: "A" * 43})
        attempt = Attempt(login, running, url, sign_in(cloud, other, ada))
        ended = attempt.fails(attempt.post, known)
    assert not [secret for secret in cloud.entra.secrets if secret in ended.output]


def test_declined_sign_in_is_said_on_page_and_terminal(login: LoginCommand, cloud: PracticeCloud, ada: User) -> None:
    with login.running("--browser", "--json", **NO_BROWSER) as running:
        url = running.url()
        attempt = Attempt(login, running, url, sign_in(cloud, url, ada, declines=True))
        assert attempt.post.fields["error"]
        attempt.fails(attempt.post, "declined")
    assert login.redemptions == 0


def test_markup_of_an_error_is_shown_as_text(attempt: Attempt) -> None:
    markup = "<script>alert('x')</script>&amp;\x1b[31m"
    post = changed(attempt.post, code=None, error="server_error", error_description=markup)
    answer = deliver(post)
    assert "<script" not in answer.text and "&lt;script&gt;" in answer.text and "\x1b" not in answer.text, answer
    ended = attempt.running.end()
    assert ended.code == 1 and "\x1b" not in ended.stderr and "the sign-in page answered: <script>" in ended.stderr


@pytest.mark.parametrize(
    ("fault", "known"),
    [
        (faults.status(503), "HTTP 503"),
        (faults.garbage_json(), "login.microsoftonline.com"),
        (faults.html(), "login.microsoftonline.com"),
        (faults.drop(), "login.microsoftonline.com"),
    ],
    ids=["503", "garbage", "html", "drop"],
)
def test_failing_token_endpoint_is_said_on_the_page(
    attempt: Attempt, cloud: PracticeCloud, fault: faults.Fault, known: str
) -> None:
    cloud.faults.add(fault, **TOKEN_ENDPOINT)
    attempt.fails(attempt.post, known)
    # A code serves once: nothing is repeated.
    assert attempt.command.redemptions == 1


def test_policy_that_forbids_the_code_is_explained(attempt: Attempt, cloud: PracticeCloud) -> None:
    cloud.entra.refuse("53003", grant="authorization_code")
    ended = attempt.fails(attempt.post, "AADSTS53003", "Conditional Access")
    assert "ask the administrator of the tenant" in ended.stderr, ended


def test_access_to_the_feed_counts_before_the_page(attempt: Attempt, cloud: PracticeCloud) -> None:
    cloud.azure.contoso.exchange.refuse = "TF400813"
    attempt.fails(attempt.post, "TF400813")


@pytest.mark.parametrize("place", ["page", "half-a-request", "redemption", "exchange"])
def test_ctrl_c_ends_it_at_once_and_closes_the_port(
    login: LoginCommand, cloud: PracticeCloud, ada: User, place: str
) -> None:
    with attempt_of(login, cloud, ada) as attempt:
        browser = socket.create_connection(("127.0.0.1", attempt.port))
        body = attempt.post.body
        head = f"POST / HTTP/1.1\r\nHost: localhost:{attempt.port}\r\nContent-Type: {FORM}\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        if place == "half-a-request":
            browser.sendall(request[:-10])
            time.sleep(0.1)
        elif place in ("redemption", "exchange"):
            host = {"redemption": "login.microsoftonline.com", "exchange": "vssps.dev.azure.com"}[place]
            cloud.faults.add(faults.silence(), host=host)
            browser.sendall(request)
            cloud.log.wait_for(host=host, method="POST")
        os.killpg(attempt.running.process.pid, signal.SIGINT)
        ended = attempt.running.end(5)
        assert ended.code in INTERRUPTED and ended.duration < 2 and ended.output == "", ended
        assert not is_open(attempt.port)
        browser.close()


def test_ctrl_c_ends_the_program_of_the_wheel(
    client: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms, ada: User
) -> None:
    with attempt_of(LoginCommand(client, cloud, home, fake_programs), cloud, ada) as attempt:
        os.killpg(attempt.running.process.pid, signal.SIGINT)
        ended = attempt.running.end(5)
        assert ended.code in INTERRUPTED and ended.duration < 2 and "Traceback" not in ended.stderr, ended
        assert not is_open(attempt.port)


def test_limit_of_the_person_closes_the_port(login: LoginCommand, cloud: PracticeCloud, ada: User) -> None:
    limit = {"ARTIFACTS_CREDENTIALPROVIDER_DEVICEFLOWTIMEOUTSECONDS": "1"}
    with attempt_of(login, cloud, ada, **limit) as attempt:
        ended = attempt.running.end()
        assert (ended.code, ended.stdout) == (1, "") and "nobody signed in within 1 s" in ended.stderr, ended
        assert not is_open(attempt.port)


def is_open(port: int) -> bool:
    """Whether somebody listens on a port of the loopback interface."""
    for address in ("127.0.0.1", "::1"):
        try:
            socket.create_connection((address, port), timeout=5).close()
        except OSError:
            continue
        return True
    return False


def has_ipv6() -> bool:
    try:
        with closing(socket.socket(socket.AF_INET6)) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True

"""A person at the practice sign-in page, without a browser: plain HTTP through the proxy, forms read and sent.

A test writes::

    post = sign_in(cloud, url, ada)                 # url: what the client told the browser to open
    assert post.url == "http://localhost:40123" and post.fields["state"] == ...
    answer = deliver(post)                          # what the browser would do next
    answer = deliver(replace(post, fields={**post.fields, "state": "another"}))
"""

from __future__ import annotations

import http.client
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from .cloud import PracticeCloud
from .registries.azure.directory import User

#: More pages than a sign-in has.
_MOST_PAGES = 8


@dataclass
class FormPost:
    """What the last page posts to the client."""

    url: str
    fields: dict[str, str]

    @property
    def body(self) -> bytes:
        """As a browser sends it."""
        return urlencode(self.fields).encode()


@dataclass
class Answer:
    """An answer of the client's listener."""

    status: int
    headers: dict[str, str]
    text: str


class SignInFailed(Exception):
    """The page shows an error to the person, who cannot go on."""


def sign_in(
    cloud: PracticeCloud,
    url: str,
    user: User,
    password: str | None = None,
    one_time_code: str | None = None,
    declines: bool = False,
) -> FormPost:
    """Follow the pages of ``url`` until they post to localhost. ``declines`` presses Cancel on the first one."""
    browser = _opener(cloud)
    page = _open(browser, url, None)
    for _ in range(_MOST_PAGES):
        form = page.form
        if urlsplit(form.action).hostname == "localhost":
            return FormPost(form.action, form.fields)
        if page.problem:
            raise SignInFailed(page.problem)
        fields = dict(form.fields)
        if "passwd" in fields:
            fields.update(login=user.name, passwd=password or user.password)
        if "otc" in fields:
            fields["otc"] = one_time_code or user.one_time_code
        fields["choice"] = form.choices[-1 if declines else 0]
        page = _open(browser, urljoin(page.url, form.action), urlencode(fields).encode())
    raise SignInFailed("the pages do not end")


def deliver(post: FormPost, host: str = "127.0.0.1", timeout: float = 20, **headers: str) -> Answer:
    """Post the fields to the client's listener, as a browser does. ``headers`` replace a browser's."""
    port = urlsplit(post.url).port
    sent = {
        "Host": f"localhost:{port}",
        "Content-Type": "application/x-www-form-urlencoded",
        # From https to http, a browser names no origin.
        "Origin": "null",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("POST", urlsplit(post.url).path or "/", post.body, sent)
        answer = connection.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read(1 << 20).decode("utf-8", "replace"))
    finally:
        connection.close()


def parameters(url: str) -> dict[str, str]:
    """The query of an address."""
    return dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))


@dataclass
class _Form:
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    choices: list[str] = field(default_factory=list)


class _Page(HTMLParser):
    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url = url
        self.form = _Form()
        self.problem = ""
        self._is_problem = False
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attributes}
        self._is_problem = found.get("id") in ("problem", "error")
        if tag == "form":
            self.form.action = found["action"]
        elif tag == "input" and "name" in found:
            self.form.fields[found["name"]] = found.get("value", "")
        elif tag == "button":
            self.form.choices.append(found["value"])

    def handle_data(self, data: str) -> None:
        if self._is_problem:
            self.problem += data

    def handle_endtag(self, tag: str) -> None:
        self._is_problem = False


def _opener(cloud: PracticeCloud) -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(
        urllib.request.ProxyHandler({"https": cloud.proxy_url}),
        urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=cloud.ca_file)),
    )


def _open(browser: urllib.request.OpenerDirector, url: str, body: bytes | None) -> _Page:
    with browser.open(url, body, timeout=20) as answer:
        page = _Page(answer.geturl(), answer.read().decode())
    if not page.form.action:
        raise SignInFailed(page.problem or "the page has no form")
    return page

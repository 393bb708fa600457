"""A plain HTTP client of the practice cloud."""

from __future__ import annotations

import base64
import json
import ssl
import urllib.error
import urllib.parse
import urllib.request

from lab.cloud import PracticeCloud
from lab.registries.azure.organisations import READ


class Browser:
    """urllib with the cloud's proxy and authority; redirects are not followed."""

    def __init__(self, cloud: PracticeCloud, proxy_url: str | None = None) -> None:
        context = ssl.create_default_context(cafile=cloud.ca_file)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": proxy_url or cloud.proxy_url}),
            urllib.request.HTTPSHandler(context=context),
            _StayHere(),
        )

    def open(
        self,
        url: str,
        data: object = None,
        headers: dict[str, str] | None = None,
        method: str | None = None,
        timeout: float = 10,
    ):
        body = data
        if isinstance(data, dict):
            body = urllib.parse.urlencode(data).encode()
        request = urllib.request.Request(url, body, headers or {}, method=method)
        try:
            return self._opener.open(request, timeout=timeout)
        except urllib.error.HTTPError as error:
            return error

    def json(self, url: str, **how: object):
        answer = self.open(url, **how)
        return answer.status, json.loads(answer.read())


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        return None


def basic(password: str, user: str = "VssSessionToken") -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def with_password(url: str, password: str, user: str = "anything") -> str:
    return url.replace("https://", f"https://{user}:{password}@")


def exchange(browser: Browser, authority: str, bearer: str, **body: object):
    return browser.json(
        authority + "_apis/Token/SessionTokens?api-version=5.0-preview.1",
        data=json.dumps(dict({"scope": READ, "displayName": "test"}, **body)).encode(),
        headers={
            "Authorization": "Bearer " + bearer,
            "Content-Type": "application/json",
            "X-TFS-FedAuthRedirect": "Suppress",
        },
    )

"""The practice cloud: Artifact Registry, for real clients."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel
from lab.registries.google.site import MULTI_REGION_HOST, REGIONAL_HOST
from support.browser import Browser, basic, with_password

USER = "oauth2accesstoken"


def token_of(cloud: PracticeCloud, name: str = "ada") -> str:
    """An access token of a person."""
    return cloud.google.tokens.issue(f"{name}@contoso.example").text


def status(browser: Browser, url: str, token: str | None = None, user: str = USER) -> int:
    """The status of a page."""
    return browser.open(url, headers=basic(token, user) if token else {}).status


def test_repository_is_for_tokens_of_readers_with_one_user_name(cloud: PracticeCloud, browser: Browser) -> None:
    google, url = cloud.google, cloud.google.repository.url
    ada, ended = token_of(cloud), google.tokens.issue("ada@contoso.example", lifetime=-1).text
    answer = browser.open(url)
    assert (answer.status, answer.headers["WWW-Authenticate"].split()[0]) == (401, "Basic")
    found = {
        "reader": status(browser, url, ada),
        "no role": status(browser, url, token_of(cloud, "alice")),
        "__token__": status(browser, url, ada, "__token__"),
        "empty user name": status(browser, url, ada, ""),
        "ended": status(browser, url, ended),
        "unknown": status(browser, url, "ya29.unknown"),
        "missing package": status(browser, url + "missing/", ada),
        "missing repository": status(browser, url.replace("/tools/", "/other/"), ada),
        "other location": status(browser, url.replace("us-central1-", "us-west1-"), ada),
    }
    assert found == {
        "reader": 200,
        "no role": 403,
        "__token__": 401,
        "empty user name": 401,
        "ended": 401,
        "unknown": 401,
        "missing package": 404,
        "missing repository": 404,
        "other location": 404,
    }
    google.repository.writers.clear()
    google.repository.readers.add("ada@contoso.example")
    assert status(browser, url, ada) == 200
    upload = browser.open(google.repository.upload_url, data={"a": "b"}, headers=basic(ada, USER))
    assert upload.status == 403 and b"uploadArtifacts" in upload.read()
    assert google.mistakes == []


def test_public_repository_needs_no_credentials(cloud: PracticeCloud, browser: Browser) -> None:
    repository = cloud.google.repository
    repository.is_public = True
    assert status(browser, repository.url) == 200
    assert browser.open(repository.upload_url, data={"a": "b"}).status == 401


@pytest.mark.parametrize("code", [302, 307])
def test_download_is_on_the_same_host_with_the_same_credentials(
    cloud: PracticeCloud, browser: Browser, code: int
) -> None:
    repository = cloud.google.repository
    repository.redirect_status = code
    ada = token_of(cloud)
    answer = browser.open(repository.file_url("greetings-2.0-py3-none-any.whl"), headers=basic(ada, USER))
    location = answer.headers["Location"]
    start = f"https://{repository.host}/artifacts-downloads/namespaces/contoso-tools/repositories/tools/downloads/"
    assert answer.status == code and location.startswith(start)
    assert [status(browser, location), status(browser, location, ada)] == [401, 200]
    assert status(browser, start + "unknown", ada) == 404


def test_download_can_be_on_another_host(cloud: PracticeCloud, browser: Browser) -> None:
    repository = cloud.google.repository
    repository.download_host = "evil.example"
    answer = browser.open(repository.file_url("greetings-2.0-py3-none-any.whl"), headers=basic(token_of(cloud), USER))
    assert answer.headers["Location"].startswith("https://evil.example/")


@pytest.mark.parametrize("host", [MULTI_REGION_HOST, REGIONAL_HOST])
def test_other_kinds_of_hosts_have_repositories(cloud: PracticeCloud, browser: Browser, host: str) -> None:
    google = cloud.google
    repository = google.repositories.add("tools", host)
    repository.readers.add("ada@contoso.example")
    repository.add(wheel("elsewhere"))
    assert status(browser, repository.url + "elsewhere/", token_of(cloud)) == 200
    assert google.mistakes == []
    assert status(browser, "https://a.b-python.pkg.dev/contoso-tools/tools/simple/") == 404
    assert google.mistakes == ["Google has no host a.b-python.pkg.dev"]


@pytest.mark.parametrize("program", ["pip", "uv"])
def test_installers_follow_the_redirect_of_files(
    cloud: PracticeCloud, tool: Client, home: Path, tmp_path: Path, program: str
) -> None:
    url = with_password(cloud.google.repository.url, token_of(cloud), USER)
    words = ["pip", "install"] if program == "pip" else ["uv", "pip", "install", "--python", tool.python]
    words += ["--target", tmp_path / "packages", "--index-url", url, "greetings"]
    tool.run(words, cloud.environment(home, [tool.bin])).check()
    assert (tmp_path / "packages" / "hello_private.py").exists()
    downloads = cloud.log.requests(cloud.google.repository.host, "/artifacts-downloads/*", status=200)
    assert downloads and all(request.basic[0] == USER for request in downloads)


def test_twine_uploads(cloud: PracticeCloud, client_without: Client, home: Path, tmp_path: Path) -> None:
    google = cloud.google
    package = wheel("uploaded")
    (tmp_path / package.file_name).write_bytes(package.content)
    words = ["twine", "upload", "--repository-url", google.repository.upload_url, "-u", USER, "-p", token_of(cloud)]
    environment = cloud.environment(home, [client_without.bin])
    client_without.run([*words, tmp_path / package.file_name], environment).check()
    assert google.repository.packages[-1].content == package.content
    assert client_without.run([*words, tmp_path / package.file_name], environment).code == 1

"""The practice cloud, tried with the real clients and without ringbearer."""

from __future__ import annotations

import base64
import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import pytest
from lab import faults, tokens
from lab.azure.directory import AZURE_DEVOPS, TOKEN_EXCHANGE_AUDIENCE
from lab.azure.organisations import READ, WRITE
from lab.cli_stand_ins import Answer, StandIns, az_error, az_not_logged_in, az_refuses_tenant, az_token
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel as make_wheel

PORTAL = "https://login.microsoftonline.com"


class Browser:
    """urllib with the cloud's proxy and authority; redirects are not followed."""

    def __init__(self, cloud: PracticeCloud, proxy_url: str | None = None) -> None:
        context = ssl.create_default_context(cafile=cloud.ca_file)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({"https": proxy_url or cloud.proxy_url}),
            urllib.request.HTTPSHandler(context=context),
            _StayHere(),
        )

    def open(self, url: str, data: object = None, headers: dict[str, str] | None = None, method: str | None = None):
        body = data
        if isinstance(data, dict):
            body = urllib.parse.urlencode(data).encode()
        request = urllib.request.Request(url, body, headers or {}, method=method)
        try:
            return self._opener.open(request, timeout=10)
        except urllib.error.HTTPError as error:
            return error

    def json(self, url: str, **how: object):
        answer = self.open(url, **how)
        return answer.status, json.loads(answer.read())


class _StayHere(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *arguments: object) -> None:
        return None


@pytest.fixture
def browser(cloud: PracticeCloud) -> Browser:
    return Browser(cloud)


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


# -- the proxy and the wire


def test_a_cloud_is_made_in_less_than_100_milliseconds(authority) -> None:
    started = time.perf_counter()
    with PracticeCloud(authority):
        made = time.perf_counter() - started
    assert made < 0.1


def test_an_unlisted_host_is_refused_and_recorded(cloud: PracticeCloud, browser: Browser) -> None:
    with pytest.raises(OSError, match="403"):
        browser.open("https://pypi.example/simple/")
    assert cloud.log.refused() == ["pypi.example"]
    assert cloud.log.connections() == []


def test_another_port_than_443_is_refused(cloud: PracticeCloud, browser: Browser) -> None:
    with pytest.raises(OSError, match="403"):
        browser.open("https://pkgs.dev.azure.com:8443/contoso/")
    assert cloud.log.refused() == ["pkgs.dev.azure.com"]


def test_plain_http_is_refused_but_what_was_sent_is_seen(cloud: PracticeCloud) -> None:
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


def test_many_connections_at_once(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.faults.latency = 0.2
    statuses = []
    threads = [
        threading.Thread(target=lambda: statuses.append(browser.open(cloud.azure.feed.url()).status)) for _ in range(40)
    ]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == [401] * 40
    assert len(cloud.log.connections("pkgs.dev.azure.com")) == 40
    assert time.monotonic() - started < 3


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


# -- faults


def test_a_status_with_headers_so_many_times(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.faults.add(faults.status(429, {"Retry-After": "1"}), host="pkgs.dev.azure.com", times=2)
    answers = [browser.open(cloud.azure.feed.url()) for _ in range(3)]
    assert [answer.status for answer in answers] == [429, 429, 401]
    assert answers[0].headers["Retry-After"] == "1"


def test_a_fault_can_spare_the_first_requests(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.faults.add(faults.status(503), after=1, times=1)
    assert [browser.open(cloud.azure.feed.url()).status for _ in range(3)] == [401, 503, 401]


@pytest.mark.parametrize("fault", [faults.reset(), faults.drop()])
def test_a_connection_that_ends_without_an_answer(cloud: PracticeCloud, browser: Browser, fault) -> None:
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
    cloud.faults.add_latency(0.3, host="vssps.dev.azure.com")
    started = time.monotonic()
    browser.open(cloud.azure.feed.url())
    assert time.monotonic() - started < 0.25
    browser.open(cloud.azure.contoso.authority)
    assert time.monotonic() - started > 0.3


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


def test_pages_where_data_was_expected(cloud: PracticeCloud, browser: Browser) -> None:
    rule = cloud.faults.add(faults.html(203))
    answer = browser.open(cloud.azure.feed.url())
    assert (answer.status, b"Sign in" in answer.read()) == (203, True)
    rule.fault = faults.sign_in_redirect()
    answer = browser.open(cloud.azure.feed.url())
    assert (answer.status, "_signin" in answer.headers["Location"]) == (302, True)
    rule.fault = faults.garbage_json()
    with pytest.raises(ValueError):
        browser.json(cloud.azure.feed.url())


# -- feeds


@pytest.mark.parametrize("form", ["dev.azure.com", "visualstudio.com"])
def test_a_401_names_tenant_and_authority(cloud: PracticeCloud, browser: Browser, form: str) -> None:
    for feed in (cloud.azure.feed, cloud.azure.project_feed):
        headers = browser.open(feed.url(form)).headers
        assert (
            headers.get_all("WWW-Authenticate")[0]
            == f"Bearer authorization_uri=https://login.windows.net/{cloud.azure.tenant}"
        )
        assert headers.get_all("WWW-Authenticate")[1].startswith("Basic realm=")
        assert headers["X-VSS-ResourceTenant"] == cloud.azure.tenant.id
        assert headers["X-VSS-AuthorizationEndpoint"] == "https://vssps.dev.azure.com/contoso/"


def test_the_challenge_takes_any_shape(cloud: PracticeCloud, browser: Browser) -> None:
    challenge = cloud.azure.contoso.challenge
    challenge.joined = challenge.quoted = challenge.reverse = True
    challenge.resource_tenants.insert(0, "00000000-0000-0000-0000-000000000000")
    headers = browser.open(cloud.azure.feed.url()).headers
    (line,) = headers.get_all("WWW-Authenticate")
    assert line.startswith("TFS-Federated, Basic") and line.endswith(f'/{cloud.azure.tenant}"')
    assert len(headers.get_all("X-VSS-ResourceTenant")) == 2
    challenge.headers = [("WWW-Authenticate", "Bearer authorization_uri=https://evil.example/x")]
    assert browser.open(cloud.azure.feed.url()).headers["X-VSS-ResourceTenant"] is None
    personal = cloud.azure.organisation("shire").feed("pies")
    headers = browser.open(personal.url()).headers
    assert headers.get_all("WWW-Authenticate")[0] == "Bearer"
    assert headers["X-VSS-ResourceTenant"] == "00000000-0000-0000-0000-000000000000"


def test_a_public_feed_asks_only_for_what_is_not_saved_in_it(cloud: PracticeCloud, browser: Browser) -> None:
    feed = cloud.azure.contoso.feed("open", public=True)
    feed.add(make_wheel("saved"))
    root = browser.open(feed.url())
    assert (root.status, root.headers["WWW-Authenticate"]) == (200, None)
    assert browser.open(feed.url() + "saved/").status == 200
    assert browser.open(feed.url() + "elsewhere/").status == 401
    assert browser.open(feed.upload_url(), data=b"").status == 401


def test_head_can_fail_as_in_some_deployments(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.azure.feeds.head_status = 405
    assert browser.open(cloud.azure.feed.url(), method="HEAD").status == 405


def test_passwords_are_checked(cloud: PracticeCloud, browser: Browser) -> None:
    organisation, directory = cloud.azure.contoso, cloud.azure.directory
    application = directory.application("builder", cloud.azure.tenant)
    foreigner = directory.application("stranger", directory.tenant("mordor.example"))
    other = cloud.azure.organisation("other", cloud.azure.tenant)

    def status(password: str) -> int:
        return browser.open(cloud.azure.feed.url(), headers=basic(password)).status

    assert status(organisation.personal_access_token()) == 200
    assert status(organisation.pipeline_token()) == 200
    assert status(directory.application_token(application)) == 200
    assert status(directory.application_token(application, lifetime=-1)) == 401
    assert status(directory.application_token(application, audience="https://management.azure.com")) == 401
    assert status(directory.application_token(foreigner)) == 401
    assert status(directory.user_token(cloud.azure.frodo)) == 401
    assert status(organisation.personal_access_token(lifetime=-1)) == 401
    assert status(other.personal_access_token()) == 401
    assert status("wrong") == 401


def test_a_download_leads_to_storage_that_wants_no_credentials(cloud: PracticeCloud, browser: Browser) -> None:
    package = cloud.azure.project_feed.find("hello_private-1.0-py3-none-any.whl")
    headers = basic(cloud.azure.contoso.personal_access_token())
    answer = browser.open(cloud.azure.project_feed.file_url(package), headers=headers)
    assert answer.status == 303
    location = answer.headers["Location"]
    assert ".blob.core.windows.net/" in location
    assert browser.open(location).read() == package.content
    assert browser.open(location, headers=headers).status == 400
    part = browser.open(location, headers={"Range": "bytes=2-5"})
    assert (part.status, part.read()) == (206, package.content[2:6])


# -- session tokens


@pytest.mark.parametrize(
    "issuer",
    [
        "https://vssps.dev.azure.com/contoso/",
        "https://contoso.vssps.visualstudio.com/",
        "https://app.vssps.visualstudio.com/",
        "https://wcus0.app.vssps.visualstudio.com/",
    ],
)
def test_a_person_exchanges_a_bearer_for_a_session_token(cloud: PracticeCloud, browser: Browser, issuer: str) -> None:
    bearer = cloud.azure.directory.user_token(cloud.azure.frodo)
    status, answer = exchange(browser, issuer, bearer)
    assert status == 200
    assert answer["validTo"].endswith("Z") and answer["scope"] == READ
    assert browser.open(cloud.azure.feed.url(), headers=basic(answer["token"])).status == 200
    upload = browser.open(cloud.azure.feed.upload_url(), data=b"", headers=basic(answer["token"]))
    assert upload.status == 403
    assert cloud.log.bearers() == [(urllib.parse.urlsplit(issuer).hostname, bearer)]


def test_the_exchange_rejects_what_the_service_rejects(cloud: PracticeCloud, browser: Browser) -> None:
    azure, directory = cloud.azure, cloud.azure.directory
    authority = azure.contoso.authority
    application = directory.application("builder", azure.tenant)
    stranger = directory.user("saruman@isengard.example", directory.tenant("isengard.example"))
    for bearer in (
        directory.application_token(application),
        directory.user_token(azure.frodo, audience="https://management.azure.com"),
        directory.user_token(azure.frodo, lifetime=-5),
        directory.user_token(stranger),
        "nonsense",
    ):
        assert (
            browser.open(
                authority + "_apis/Token/SessionTokens?api-version=5.0-preview.1",
                data=b"{}",
                headers={"Authorization": "Bearer " + bearer, "X-TFS-FedAuthRedirect": "Suppress"},
            ).status
            == 401
        )
    good = directory.user_token(azure.frodo)
    headers = {"Authorization": "Bearer " + good}
    url = authority + "_apis/Token/SessionTokens?api-version=5.0-preview.1"
    assert browser.open(url, data=b"{}", headers=headers).status == 302
    assert exchange(browser, authority, good, scope="vso.code")[0] == 400


def test_the_exchange_can_be_difficult(cloud: PracticeCloud, browser: Browser) -> None:
    azure = cloud.azure
    bearer = azure.directory.user_token(azure.frodo)
    how = azure.contoso.exchange
    how.maximum_lifetime = 60
    status, answer = exchange(browser, azure.contoso.authority, bearer, validTo="2099-01-01T00:00:00Z")
    assert status == 200
    assert tokens.read(answer["token"])["exp"] < time.time() + 61
    how.rejects_valid_to = True
    assert exchange(browser, azure.contoso.authority, bearer, validTo="2099-01-01T00:00:00Z")[0] == 400
    how.tells_valid_to = False
    assert "validTo" not in exchange(browser, azure.contoso.authority, bearer)[1]
    how.refuse = "TF401444"
    status, answer = exchange(browser, azure.contoso.authority, bearer)
    assert status == 401 and "TF401444" in answer["message"] and "frodo@contoso.example" in answer["message"]
    how.refuse = "TF400813"
    assert "TF400813" in exchange(browser, azure.contoso.authority, bearer)[1]["message"]


# -- Entra and other issuers


def ask_for_token(browser: Browser, cloud: PracticeCloud, **form: str):
    fields = {"grant_type": "client_credentials", "scope": AZURE_DEVOPS + "/.default"}
    fields.update(form)
    return browser.json(f"{PORTAL}/{cloud.azure.tenant}/oauth2/v2.0/token", data=fields)


def test_a_client_secret_buys_a_token(cloud: PracticeCloud, browser: Browser) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant, secret="mellon")
    status, answer = ask_for_token(browser, cloud, client_id=application.client_id, client_secret="mellon")
    assert status == 200
    assert browser.open(cloud.azure.feed.url(), headers=basic(answer["access_token"], "bearer")).status == 200
    status, answer = ask_for_token(browser, cloud, client_id=application.client_id, client_secret="wrong")
    assert (status, answer["error"], answer["error_codes"]) == (401, "invalid_client", [7000215])
    assert "AADSTS7000215" in answer["error_description"]
    status, answer = ask_for_token(browser, cloud, client_id="nobody", client_secret="mellon")
    assert answer["error_codes"] == [700016]
    status, answer = ask_for_token(
        browser, cloud, client_id=application.client_id, client_secret="mellon", scope=AZURE_DEVOPS
    )
    assert answer["error_codes"] == [1002012]


def test_github_actions_and_pipelines_buy_tokens_with_their_own(cloud: PracticeCloud, browser: Browser) -> None:
    azure = cloud.azure
    application = azure.directory.application("builder", azure.tenant)
    job = azure.github_actions.job()
    url = job.variables["ACTIONS_ID_TOKEN_REQUEST_URL"] + "&audience=" + TOKEN_EXCHANGE_AUDIENCE
    assert browser.open(url).status == 401
    github = browser.json(url, headers={"Authorization": "Bearer " + job.request_token})[1]["value"]
    access = azure.contoso.pipeline_token()
    pipeline = azure.pipelines.job("contoso", access)
    url = f"{pipeline.url}?api-version=7.1&serviceConnectionId={pipeline.connection_id}"
    assert browser.open(url, data=b"").status == 401
    azure_pipelines = browser.json(url, data=b"", headers={"Authorization": "Bearer " + access})[1]["oidcToken"]

    def statuses():
        form = {
            "client_id": application.client_id,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        }
        return [
            ask_for_token(browser, cloud, client_assertion=assertion, **form)[0]
            for assertion in (github, azure_pipelines)
        ]

    assert statuses() == [401, 401]
    application.trust("https://token.actions.githubusercontent.com", job.subject)
    assert statuses() == [200, 401]
    application.trust(pipeline.issuer, pipeline.subject)
    assert statuses() == [200, 200]


def test_a_certificate_assertion_is_verified(cloud: PracticeCloud, browser: Browser) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant)
    certificate = application.certificate()
    form = {
        "client_id": application.client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    now = int(time.time())
    claims = {
        "aud": f"{PORTAL}/{cloud.azure.tenant}/oauth2/v2.0/token",
        "iss": application.client_id,
        "sub": application.client_id,
        "jti": "1",
        "nbf": now,
        "exp": now + 600,
    }
    good = certificate.sign_assertion(claims)
    assert ask_for_token(browser, cloud, client_assertion=good, **form)[0] == 200
    bad = certificate.sign_assertion(dict(claims, aud="https://evil.example/"))
    status, answer = ask_for_token(browser, cloud, client_assertion=bad, **form)
    assert (status, answer["error_codes"]) == (401, [700027])
    tampered = good[:-6] + "AAAAAA"
    assert ask_for_token(browser, cloud, client_assertion=tampered, **form)[0] == 401


# -- managed identities


def ask_identity(url: str, headers: dict[str, str], data: bytes | None = None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(urllib.request.Request(url, data, headers), timeout=5)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer


def test_managed_identity_endpoints(cloud: PracticeCloud) -> None:
    metadata = cloud.metadata
    identity = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    query = "?api-version={}&resource=" + AZURE_DEVOPS
    path = "/metadata/identity/oauth2/token"
    imds = metadata.imds.url + path + query.format("2018-02-01")
    assert ask_identity(imds, {"Metadata": "true"})[0] == 400
    for endpoint in (metadata.imds, metadata.app_service, metadata.arc, metadata.azure_ml, metadata.cloud_shell):
        endpoint.system_assigned = identity
    assert ask_identity(imds, {})[0] == 400
    assert ask_identity(imds + "/.default", {"Metadata": "true"})[0] == 400
    status, answer = ask_identity(imds, {"Metadata": "true"})
    token = json.loads(answer.read())["access_token"]
    assert status == 200
    assert Browser(cloud).open(cloud.azure.feed.url(), headers=basic(token, "bearer")).status == 200

    service = metadata.app_service.variables
    url = service["IDENTITY_ENDPOINT"] + query.format("2019-08-01")
    assert ask_identity(url, {})[0] == 401
    assert ask_identity(url, {"X-IDENTITY-HEADER": service["IDENTITY_HEADER"]})[0] == 200

    url = metadata.arc.variables["IDENTITY_ENDPOINT"] + query.format("2020-06-01")
    status, answer = ask_identity(url, {"Metadata": "true"})
    key_file = Path(answer.headers["WWW-Authenticate"].partition("realm=")[2])
    assert status == 401 and key_file.suffix == ".key"
    assert ask_identity(url, {"Metadata": "true", "Authorization": "Basic " + key_file.read_text()})[0] == 200

    learning = metadata.azure_ml.variables
    url = learning["MSI_ENDPOINT"] + query.format("2017-09-01") + "&clientid=" + identity.client_id
    assert ask_identity(url, {"secret": learning["MSI_SECRET"]})[0] == 200

    url = metadata.cloud_shell.variables["MSI_ENDPOINT"]
    assert ask_identity(url, {"Metadata": "true"}, ("resource=" + AZURE_DEVOPS).encode())[0] == 200
    cloud.faults.add(faults.status(410), host="imds", times=1)
    assert [ask_identity(imds, {"Metadata": "true"})[0] for _ in range(2)] == [410, 200]
    assert len(cloud.log.requests(host="imds", status=410)) == 1
    with pytest.raises(urllib.error.URLError):
        ask_identity(metadata.nowhere, {})


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels refuse or accept")
def test_connecting_can_hang(cloud: PracticeCloud) -> None:
    host, _, port = cloud.metadata.black_hole.rpartition("/")[2].partition(":")
    with pytest.raises(socket.timeout):
        socket.create_connection((host, int(port)), timeout=0.3)


def test_no_environment_leads_to_the_metadata_service_of_the_machine(cloud: PracticeCloud, home: Path) -> None:
    host = cloud.environment(home)["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    assert host == cloud.metadata.imds.url
    with pytest.raises(ValueError, match="metadata"):
        cloud.environment(home, AZURE_POD_IDENTITY_AUTHORITY_HOST=None)


def test_nothing_of_the_machine_is_in_an_environment(
    cloud: PracticeCloud, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRACTICE_LEAK", "1")
    environment = cloud.environment(home, NO_PROXY=None, MORE="yes")
    assert "PRACTICE_LEAK" not in environment
    assert "NO_PROXY" not in environment
    assert environment["MORE"] == "yes"


# -- hostile hosts


@pytest.mark.parametrize("host", ["evil.example", "evil-pkgs.dev.azure.com", "pkgs.dev.azure.com.evil.example"])
def test_a_hostile_host_takes_what_it_is_given(cloud: PracticeCloud, browser: Browser, host: str) -> None:
    browser.open(f"https://{host}/x", headers={"Authorization": "Bearer secret-1"})
    assert cloud.log.bearers() == [(host, "secret-1")]
    browser.open(f"https://{host}/x", headers=basic("secret-2"))
    assert cloud.log.hosts_that_saw("secret-2") == [host]
    assert cloud.log.hosts_that_saw("secret-3") == []


# -- stand-ins


def run_az(stand_ins: StandIns, cloud: PracticeCloud, home: Path, *arguments: str, timeout: float = 10):
    environment = cloud.environment(home, path=[stand_ins.directory])
    return subprocess.run(
        [os.path.join(stand_ins.directory, "az"), "account", "get-access-token", *arguments],
        env=environment,
        cwd=str(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout,
        check=False,
    )


def test_stand_ins_answer_as_scripted_and_note_their_calls(
    stand_ins: StandIns, cloud: PracticeCloud, home: Path
) -> None:
    stand_ins.az(*az_token("the-token"))
    assert json.loads(run_az(stand_ins, cloud, home, "--tenant", "t").stdout)["accessToken"] == "the-token"
    assert run_az(stand_ins, cloud, home, "--query", "accessToken", "--output", "tsv").stdout == b"the-token\n"
    assert run_az(stand_ins, cloud, home, "--query", "accessToken").stdout == b'"the-token"\n'
    stand_ins.az(az_not_logged_in())
    assert b"az login" in run_az(stand_ins, cloud, home).stderr
    stand_ins.az(*az_refuses_tenant("the-token"))
    assert run_az(stand_ins, cloud, home, "--tenant", "t").returncode == 1
    assert run_az(stand_ins, cloud, home).returncode == 0
    stand_ins.az(az_error("50076", "t"))
    assert b"AADSTS50076" in run_az(stand_ins, cloud, home).stderr
    stand_ins.az(Answer(b"\xff\xfe", code=7))
    ended = run_az(stand_ins, cloud, home)
    assert (ended.returncode, ended.stdout) == (7, b"\xff\xfe")
    calls = stand_ins.invocations("az")
    assert len(calls) == 8
    assert calls[0].arguments == ["account", "get-access-token", "--tenant", "t"]
    assert calls[0].option("--tenant") == "t"
    assert calls[0].directory == str(home)
    assert calls[0].environment["HTTPS_PROXY"] == cloud.proxy_url


def test_stand_ins_can_hang_and_are_cleaned_up(stand_ins: StandIns, cloud: PracticeCloud, home: Path) -> None:
    for answer in (Answer(hang=True), Answer(hang="child"), Answer(b"a token", leave_grandchild=True)):
        stand_ins.az(answer)
        with pytest.raises(subprocess.TimeoutExpired):
            run_az(stand_ins, cloud, home, timeout=0.5)
    assert stand_ins.running()
    stand_ins.close()
    time.sleep(0.1)
    assert stand_ins.running() == []


# -- the real clients


@pytest.mark.parametrize("form", ["dev.azure.com", "visualstudio.com"])
def test_pip_installs_with_a_password_in_the_address(cloud: PracticeCloud, tool: Client, home: Path, form: str) -> None:
    url = with_password(cloud.azure.feed.url(form), cloud.azure.contoso.personal_access_token())
    ended = tool.run(
        ["pip", "install", "--target", home / "packages", "--index-url", url, "greetings"], cloud.environment(home)
    ).check()
    assert "Successfully installed greetings-2.0 hello-private-1.1" in ended.stdout
    assert cloud.log.refused() == []


@pytest.mark.parametrize("form", ["dev.azure.com", "visualstudio.com"])
def test_uv_installs_with_a_password_in_the_address(cloud: PracticeCloud, tool: Client, home: Path, form: str) -> None:
    url = with_password(cloud.azure.project_feed.url(form), cloud.azure.contoso.personal_access_token())
    tool.run(
        [
            "uv",
            "pip",
            "install",
            "--python",
            tool.python,
            "--target",
            home / "packages",
            "--default-index",
            url,
            "greetings",
        ],
        cloud.environment(home),
    ).check()
    assert (home / "packages" / "hello_private.py").exists()
    assert cloud.log.refused() == []


def test_pip_without_a_password_fails_and_nothing_leaves_loopback(
    cloud: PracticeCloud, tool: Client, home: Path
) -> None:
    ended = tool.run(
        ["pip", "install", "--target", home / "packages", "--index-url", cloud.azure.feed.url(), "greetings"],
        cloud.environment(home),
    )
    assert ended.code != 0
    assert {connection.host for connection in cloud.log.connections()} == {"pkgs.dev.azure.com"}


@pytest.mark.parametrize("form", ["dev.azure.com", "visualstudio.com"])
def test_twine_uploads_and_pip_installs_what_it_uploaded(
    cloud: PracticeCloud, client_without: Client, tool: Client, home: Path, form: str
) -> None:
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    password = cloud.azure.contoso.personal_access_token(WRITE)
    environment = cloud.environment(home, TWINE_USERNAME="anything", TWINE_PASSWORD=password)
    upload = ["twine", "upload", "--non-interactive", "--repository-url", cloud.azure.feed.upload_url(form)]
    client_without.run([*upload, home / package.file_name], environment).check()
    again = client_without.run([*upload, home / package.file_name], environment)
    assert again.code != 0 and "409" in again.output
    url = with_password(cloud.azure.feed.url(form), password)
    tool.run(
        ["pip", "install", "--target", home / "packages", "--index-url", url, "fresh-bread"], cloud.environment(home)
    ).check()
    reader = dict(environment, TWINE_PASSWORD=cloud.azure.contoso.personal_access_token(READ))
    assert "403" in client_without.run([*upload, home / package.file_name], reader).output


def test_the_azure_cli_logs_in_as_a_service_principal(cloud: PracticeCloud, azure_cli: Client, home: Path) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant, secret="mellon")
    environment = cloud.environment(home, path=[azure_cli.bin])
    azure_cli.run(
        [
            "az",
            "login",
            "--service-principal",
            "--username",
            application.client_id,
            "--password",
            "mellon",
            "--tenant",
            cloud.azure.tenant,
        ],
        environment,
    ).check()
    token = azure_cli_token(cloud, azure_cli, environment)
    assert tokens.verify(token)["idtyp"] == "app"
    assert Browser(cloud).open(cloud.azure.feed.url(), headers=basic(token, "bearer")).status == 200


def test_the_azure_cli_logs_in_by_device_code(cloud: PracticeCloud, azure_cli: Client, home: Path) -> None:
    cloud.entra.device_user = cloud.azure.frodo
    environment = cloud.environment(home, path=[azure_cli.bin])
    azure_cli.run(["az", "login", "--use-device-code"], environment).check()
    token = azure_cli_token(cloud, azure_cli, environment)
    assert tokens.verify(token)["upn"] == cloud.azure.frodo.name
    assert exchange(Browser(cloud), cloud.azure.contoso.authority, token)[0] == 200
    cloud.azure.frodo.refuse = "50076"
    ended = azure_cli.run(["az", "account", "get-access-token", "--resource", "https://vault.azure.net"], environment)
    assert ended.code == 1 and "AADSTS50076" in ended.stderr


def test_the_azure_cli_says_when_nobody_is_logged_in(cloud: PracticeCloud, azure_cli: Client, home: Path) -> None:
    ended = azure_cli.run(
        ["az", "account", "get-access-token", "--resource", AZURE_DEVOPS], cloud.environment(home, path=[azure_cli.bin])
    )
    assert ended.code == 1
    assert ended.stderr == az_not_logged_in().stderr


def azure_cli_token(cloud: PracticeCloud, azure_cli: Client, environment: dict[str, str]) -> str:
    ended = azure_cli.run(
        [
            "az",
            "account",
            "get-access-token",
            "--resource",
            AZURE_DEVOPS,
            "--tenant",
            cloud.azure.tenant,
            "--query",
            "accessToken",
            "--output",
            "json",
        ],
        environment,
    ).check()
    return json.loads(ended.stdout)

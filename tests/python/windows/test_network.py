"""Proxies by variable, certificates and time limits."""

from __future__ import annotations

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from lab.windows.user import WindowsUser
from support.windows_answers import assert_complaint

GIVEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
NONE = {"HTTPS_PROXY": None, "HTTP_PROXY": None, "NO_PROXY": None}


@pytest.fixture
def entra(cloud_user: WindowsUser, cloud: PracticeCloud) -> WindowsUser:
    """A user with an Entra token, which takes two requests to become a password."""
    cloud_user.variables[GIVEN] = cloud.azure.directory.user_token(cloud.azure.user)
    # One attempt: no test waits for another.
    cloud_user.variables["ARTIFACTS_KEYRING_NOFUSS_RETRIES"] = "1"
    return cloud_user


def ask(user: WindowsUser, cloud: PracticeCloud, **variables: str | None):
    """A lookup of the practice cloud's feed."""
    return user.run("ringbearer", "get", cloud.azure.feed.url(), "VssSessionToken", variables=variables)


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_proxy_of_a_variable_is_used(entra: WindowsUser, cloud: PracticeCloud, variable: str) -> None:
    ask(entra, cloud, **{**NONE, variable: cloud.proxy_url}).check()
    assert len(cloud.log.requests(method="CONNECT")) == 2


def test_proxy_gets_the_user_name_and_password_in_its_address(entra: WindowsUser, cloud: PracticeCloud) -> None:
    cloud.proxy.require("sam@shire", "p@ss:w/rd %41")
    ask(entra, cloud, HTTPS_PROXY=cloud.proxy_url).check()


def test_proxy_that_refuses_is_named_without_its_password(entra: WindowsUser, cloud: PracticeCloud) -> None:
    cloud.proxy.require("sam", "right")
    ended = ask(entra, cloud, HTTPS_PROXY=cloud.proxy_url.replace("right", "wrong"))
    assert_complaint(ended, "pkgs.dev.azure.com", "407", "HTTPS_PROXY")
    assert "wrong" not in ended.output


def test_unreachable_proxy_is_named(entra: WindowsUser, cloud: PracticeCloud) -> None:
    ended = ask(entra, cloud, HTTPS_PROXY=cloud.metadata.nowhere, RINGBEARER_TIMEOUT="10")
    assert_complaint(ended, "pkgs.dev.azure.com", "HTTPS_PROXY")


@pytest.mark.parametrize("kind", ["distrust", "expire", "misname"])
def test_certificate_that_is_not_valid_is_named(entra: WindowsUser, cloud: PracticeCloud, kind: str) -> None:
    getattr(cloud, kind)("vssps.dev.azure.com")
    ended = ask(entra, cloud)
    assert_complaint(ended, "vssps.dev.azure.com", "certificate")
    assert cloud.log.bearers() == [], "a token was sent to a host that was not checked"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_DIR"])
def test_authority_of_a_variable_is_trusted(entra: WindowsUser, cloud: PracticeCloud, variable: str) -> None:
    file = entra.wine.path(cloud.ca_file)
    place = file.rpartition("\\")[0] if variable == "SSL_CERT_DIR" else file
    if variable == "SSL_CERT_DIR":
        # A list of directories, with the separator of Windows.
        place = f"C:\\windows;{place}"
    ask(entra, cloud, **{"SSL_CERT_FILE": None, variable: place}).check()


def test_missing_bundle_is_named_with_its_variable(entra: WindowsUser, cloud: PracticeCloud) -> None:
    path = "C:\\no such folder\\bundle.pem"
    assert_complaint(ask(entra, cloud, SSL_CERT_FILE=path), f"SSL_CERT_FILE names {path}")
    assert cloud.log.requests() == []


def test_silent_host_ends_at_the_limit(entra: WindowsUser, cloud: PracticeCloud) -> None:
    cloud.faults.add(faults.silence(), host="vssps.dev.azure.com")
    ended = ask(entra, cloud, RINGBEARER_TIMEOUT="2")
    assert_complaint(ended, "vssps.dev.azure.com")
    assert 2 <= ended.duration < 10


def test_server_that_fails_once_is_asked_again(entra: WindowsUser, cloud: PracticeCloud) -> None:
    cloud.faults.add(faults.status(503, {"Retry-After": "0"}), host="vssps.dev.azure.com", times=1)
    ask(entra, cloud, ARTIFACTS_KEYRING_NOFUSS_RETRIES="3").check()
    assert len(cloud.log.requests(host="vssps.dev.azure.com")) == 2


def test_requests_name_the_program_and_the_system(entra: WindowsUser, cloud: PracticeCloud) -> None:
    ask(entra, cloud).check()
    agents = {request.header("User-Agent") for request in cloud.log.sent_by_ringbearer()}
    assert len(agents) == 1 and "indows" in agents.pop(), agents

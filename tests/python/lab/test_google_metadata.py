"""The practice cloud: Google's metadata server, and how environments keep clients from the machine's own."""

from __future__ import annotations

import http.client
import socket
import time
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.registries.google.access_tokens import CLOUD_PLATFORM, READ_ONLY
from lab.registries.google.metadata import metadata_fails, metadata_redirects

FLAVOR = {"Metadata-Flavor": "Google"}
ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"
NAMES = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")


def ask(
    cloud: PracticeCloud, path: str, headers: dict[str, str] | None = None, method: str = "GET", timeout: float = 5
):
    """Ask the metadata server: status, headers and body."""
    connection = http.client.HTTPConnection(cloud.google.metadata.address, timeout=timeout)
    try:
        connection.request(method, path, headers=FLAVOR if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read().decode()
    finally:
        connection.close()


def test_machine_has_its_service_account(cloud: PracticeCloud) -> None:
    google = cloud.google
    assert ask(cloud, "/")[::2] == (200, "computeMetadata/\n")
    assert ask(cloud, ACCOUNT + "token")[0] == 404
    google.metadata.account = google.robot
    assert ask(cloud, ACCOUNT + "email")[::2] == (200, google.robot.email)
    status, headers, _ = ask(cloud, ACCOUNT + "token")
    assert (status, headers["Metadata-Flavor"]) == (200, "Google")
    assert google.tokens.principal(google.tokens.issued[-1]) == google.robot.email
    scopes = []
    for google.metadata.may_choose_scopes in (False, True):
        ask(cloud, f"{ACCOUNT}token?scopes={READ_ONLY}")
        scopes.append(google.tokens.find(google.tokens.issued[-1]).scopes)
    assert scopes[0][0] == CLOUD_PLATFORM and scopes[1] == (READ_ONLY,)
    assert google.mistakes == []


@pytest.mark.parametrize(
    ("mistake", "status", "request_"),
    [
        ("no Metadata-Flavor", 403, {"headers": {}}),
        ("no Metadata-Flavor", 403, {"headers": {"Metadata-Flavor": "google"}}),
        ("a request through a proxy", 403, {"headers": {**FLAVOR, "X-Forwarded-For": "127.0.0.1"}}),
        ("the header Authorization", 400, {"headers": {**FLAVOR, "Authorization": "Bearer a"}}),
        ("the method is POST", 405, {"method": "POST"}),
        ("the parameters are", 400, {"path": ACCOUNT + "token?audience=a"}),
        ("no such path", 404, {"path": ACCOUNT + "tokens"}),
        ("no such path", 404, {"path": "/latest/meta-data"}),
    ],
)
def test_wrong_request_is_a_mistake(cloud: PracticeCloud, mistake: str, status: int, request_: dict) -> None:
    google = cloud.google
    google.metadata.account = google.robot
    assert ask(cloud, **{"path": ACCOUNT + "token", **request_})[0] == status
    [found] = google.mistakes
    assert mistake in found


def test_server_can_be_none_of_google(cloud: PracticeCloud) -> None:
    google = cloud.google
    google.metadata.account = google.robot
    google.metadata.has_flavor = False
    assert "Metadata-Flavor" not in ask(cloud, "/")[1]
    google.metadata.is_silent = True
    with pytest.raises(socket.timeout):
        ask(cloud, "/", timeout=0.2)
    assert len(cloud.log.connections("google-metadata", kind="plain")) == 2
    google.metadata.is_silent, google.metadata.delay = False, 0.3
    begin = time.monotonic()
    assert ask(cloud, "/")[0] == 200 and time.monotonic() - begin >= 0.3


def test_server_can_fail_once_and_redirect(cloud: PracticeCloud) -> None:
    google = cloud.google
    google.metadata.account = google.robot
    cloud.faults.add(metadata_fails(), host="google-metadata", times=1)
    assert [ask(cloud, ACCOUNT + "token")[0] for _ in range(2)] == [503, 200]
    cloud.faults.add(metadata_redirects("https://evil.example/"), host="google-metadata")
    status, headers, _ = ask(cloud, ACCOUNT + "token")
    assert (status, headers["Location"], headers["Metadata-Flavor"]) == (302, "https://evil.example/", "Google")


def test_no_environment_asks_the_metadata_server_of_the_machine(cloud: PracticeCloud, home: Path) -> None:
    address = cloud.google.metadata.address
    environment = cloud.environment(home)
    assert [environment[name] for name in (*NAMES, "NO_GCE_CHECK")] == [address, address, address, "true"]
    environment = cloud.environment(home, **cloud.google.metadata.variables)
    assert "NO_GCE_CHECK" not in environment and environment["GCE_METADATA_IP"] == address
    assert "GCE_METADATA_HOST" not in cloud.environment(home, **dict.fromkeys(NAMES))
    wrong = [
        {"NO_GCE_CHECK": None, "GCE_METADATA_HOST": None},
        {"NO_GCE_CHECK": None, "GCE_METADATA_IP": None},
        {"NO_GCE_CHECK": "false", "GCE_METADATA_ROOT": None},
        {"NO_GCE_CHECK": None, "GCE_METADATA_HOST": ""},
        {"GCE_METADATA_IP": "169.254.169.254"},
        {"GCE_METADATA_HOST": "metadata.google.internal"},
        {"GCE_METADATA_HOST": "127.0.0.1.evil.example"},
    ]
    for variables in wrong:
        with pytest.raises(ValueError, match="metadata"):
            cloud.environment(home, **variables)

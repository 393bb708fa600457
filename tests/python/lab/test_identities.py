"""The practice cloud: the endpoints of managed identities."""

from __future__ import annotations

import json
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from lab.registries.azure.directory import AZURE_DEVOPS, Application
from support.browser import Browser, basic

QUERY = "?api-version={}&resource=" + AZURE_DEVOPS
METADATA = {"Metadata": "true"}


def ask_identity(url: str, headers: dict[str, str], data: bytes | None = None):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(urllib.request.Request(url, data, headers), timeout=5)
    except urllib.error.HTTPError as error:
        answer = error
    return answer.status, answer


@pytest.fixture
def imds(cloud: PracticeCloud) -> str:
    """Where a virtual machine asks."""
    return cloud.metadata.imds.url + "/metadata/identity/oauth2/token" + QUERY.format("2018-02-01")


def test_metadata_service_answers_a_valid_request_with_a_token(cloud: PracticeCloud, imds: str) -> None:
    assert ask_identity(imds, METADATA)[0] == 400
    cloud.metadata.imds.system_assigned = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    assert ask_identity(imds, {})[0] == 400
    assert ask_identity(imds + "/.default", METADATA)[0] == 400
    status, answer = ask_identity(imds, METADATA)
    token = json.loads(answer.read())["access_token"]
    assert status == 200
    assert Browser(cloud).open(cloud.azure.feed.url(), headers=basic(token, "bearer")).status == 200


def test_an_endpoint_with_a_secret_gives_nothing_without_it(cloud: PracticeCloud, identity: Application) -> None:
    service = cloud.metadata.app_service.variables
    url = service["IDENTITY_ENDPOINT"] + QUERY.format("2019-08-01")
    assert ask_identity(url, {})[0] == 401
    assert ask_identity(url, {"X-IDENTITY-HEADER": service["IDENTITY_HEADER"]})[0] == 200
    learning = cloud.metadata.azure_ml.variables
    url = learning["MSI_ENDPOINT"] + QUERY.format("2017-09-01") + "&clientid=" + identity.client_id
    assert ask_identity(url, {})[0] == 401
    assert ask_identity(url, {"secret": learning["MSI_SECRET"]})[0] == 200
    assert ask_identity(url.replace("2017-09-01", "2019-08-01"), {"secret": learning["MSI_SECRET"]})[0] == 400


def test_arc_gives_a_token_for_the_content_of_its_key_file(cloud: PracticeCloud, identity: Application) -> None:
    url = cloud.metadata.arc.variables["IDENTITY_ENDPOINT"] + QUERY.format("2020-06-01")
    status, answer = ask_identity(url, METADATA)
    key_file = Path(answer.headers["WWW-Authenticate"].partition("realm=")[2])
    assert status == 401 and key_file.suffix == ".key"
    assert ask_identity(url, {**METADATA, "Authorization": "Basic " + key_file.read_text()})[0] == 200


def test_the_cloud_shell_is_asked_by_a_form(cloud: PracticeCloud, identity: Application) -> None:
    url = cloud.metadata.cloud_shell.variables["MSI_ENDPOINT"]
    assert ask_identity(url, METADATA, ("resource=" + AZURE_DEVOPS).encode())[0] == 200


def test_a_fault_strikes_a_metadata_service_by_its_name(cloud: PracticeCloud, imds: str) -> None:
    cloud.faults.add(faults.status(410), host="imds", times=1)
    assert [ask_identity(imds, METADATA)[0] for _ in range(2)] == [410, 400]
    assert len(cloud.log.requests(host="imds", status=410)) == 1


def test_nowhere_refuses_every_connection(cloud: PracticeCloud) -> None:
    with pytest.raises(urllib.error.URLError):
        ask_identity(cloud.metadata.nowhere, {})


@pytest.mark.skipif(sys.platform != "linux", reason="other kernels refuse or accept the connection")
def test_connecting_can_hang(cloud: PracticeCloud) -> None:
    host, _, port = cloud.metadata.black_hole.rpartition("/")[2].partition(":")
    with pytest.raises(socket.timeout):
        socket.create_connection((host, int(port)), timeout=0.3)

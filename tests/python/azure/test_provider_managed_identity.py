"""The provider managed_identity at the metadata service of a virtual machine."""

from __future__ import annotations

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.azure.directory import AZURE_DEVOPS, Application
from support.managed_identity import client_of

PROVIDER = {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "managed_identity"}


@pytest.fixture
def machine(cloud: PracticeCloud) -> Application:
    """The system-assigned identity of a virtual machine."""
    identity = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    cloud.metadata.imds.system_assigned = identity
    return identity


def test_the_identity_of_the_machine_serves_and_no_proxy_sees_it(
    cloud: PracticeCloud, look_up: Lookups, machine: Application
) -> None:
    # Without NO_PROXY every ordinary request would go through the proxy, http ones too.
    answer = look_up(NO_PROXY=None, ALL_PROXY=cloud.proxy_url, http_proxy=cloud.proxy_url)
    assert client_of(cloud, answer.credential) == machine.client_id
    (request,) = cloud.log.requests("imds")
    assert request.method == "GET"
    assert request.path == "/metadata/identity/oauth2/token"
    assert request.parameters == {"api-version": "2018-02-01", "resource": AZURE_DEVOPS}
    assert request.header("Metadata") == "true"
    assert cloud.log.refused() == []
    assert {connection.host for connection in cloud.log.connections()} == {"pkgs.dev.azure.com"}
    assert answer.credential is not None
    assert cloud.log.hosts_that_saw(answer.credential[1]) == []
    assert answer.credential[1] not in answer.text


def test_the_client_id_chooses_among_several_identities(cloud: PracticeCloud, look_up: Lookups) -> None:
    directory = cloud.azure.directory
    first, second = (directory.managed_identity(name, cloud.azure.tenant) for name in ("first", "second"))
    cloud.metadata.imds.user_assigned = [first, second]
    chosen, unknown, ambiguous = look_up.each(
        {"AZURE_CLIENT_ID": second.client_id}, {"AZURE_CLIENT_ID": "nobody"}, {}, **PROVIDER
    )
    assert client_of(cloud, chosen.credential) == second.client_id
    assert unknown.credential is ambiguous.credential is None
    assert "managed_identity" in unknown.warning and "AZURE_CLIENT_ID" in unknown.warning
    assert "AZURE_CLIENT_ID chooses one" in ambiguous.warning
    assert [request.status for request in cloud.log.requests("imds")] == [200, 400, 400]


def test_a_machine_without_metadata_service_is_not_set_up(cloud: PracticeCloud, look_up: Lookups) -> None:
    answer = look_up(AZURE_POD_IDENTITY_AUTHORITY_HOST=cloud.metadata.nowhere)
    assert answer.credential is None
    assert answer.skipped["managed_identity"] == "no metadata service here"
    assert "failed" not in answer.warning


def test_unreachable_metadata_service_is_abandoned_soon(cloud: PracticeCloud, look_up: Lookups) -> None:
    answer = look_up(AZURE_POD_IDENTITY_AUTHORITY_HOST=cloud.metadata.black_hole, **PROVIDER)
    assert answer.credential is None
    assert "no metadata service here" in answer.warning
    # The probe has one second.
    assert answer.seconds < 5


def test_silent_metadata_service_is_abandoned(cloud: PracticeCloud, look_up: Lookups, machine: Application) -> None:
    cloud.faults.add(faults.silence(), host="imds")
    answer = look_up(RINGBEARER_TIMEOUT="2", **PROVIDER)
    assert answer.credential is None
    assert len(answer.warnings) == 1
    assert answer.seconds < 10
    assert len(cloud.log.requests("imds")) == 1


def test_docker_desktop_that_forbids_is_not_set_up(
    cloud: PracticeCloud, look_up: Lookups, machine: Application
) -> None:
    cloud.faults.add(faults.status(403), host="imds")
    answer = look_up(**PROVIDER)
    assert answer.credential is None
    assert "failed" not in answer.warning
    assert len(cloud.log.requests("imds")) == 1


@pytest.mark.parametrize("status", [404, 410, 429, 500, 503])
def test_starting_metadata_service_is_retried(
    cloud: PracticeCloud, look_up: Lookups, machine: Application, status: int
) -> None:
    cloud.faults.add(faults.status(status), host="imds", times=2)
    answer = look_up(**PROVIDER)
    assert client_of(cloud, answer.credential) == machine.client_id
    assert [request.status for request in cloud.log.requests("imds")] == [status, status, 200]


def test_a_service_that_asks_for_time_is_given_it(cloud: PracticeCloud, look_up: Lookups, machine: Application) -> None:
    cloud.faults.add(faults.status(429, {"Retry-After": "2"}), host="imds", times=1)
    assert look_up(**PROVIDER).served == "managed_identity"
    first, second = cloud.log.requests("imds")
    assert second.time - first.time >= 1.9


def test_response_without_a_token_is_reported(cloud: PracticeCloud, look_up: Lookups, machine: Application) -> None:
    fault = cloud.faults.add(faults.garbage_json(b'{"access_token": "plant'), host="imds")
    garbage = look_up(**PROVIDER)
    fault.fault = faults.html(200)
    page = look_up(**PROVIDER)
    fault.fault = faults.garbage_json(b'{"access_token": " "}')
    empty = look_up(**PROVIDER)
    fault.fault = faults.huge()
    huge = look_up(**PROVIDER)
    for answer in (garbage, page, empty, huge):
        assert answer.credential is None
        assert "managed_identity failed" in answer.warning
        assert "plant" not in answer.text


def test_a_redirect_of_the_service_is_not_followed(
    cloud: PracticeCloud, look_up: Lookups, machine: Application
) -> None:
    cloud.faults.add(faults.sign_in_redirect("https://evil.example/"), host="imds")
    answer = look_up(**PROVIDER)
    assert answer.credential is None
    assert "managed_identity failed" in answer.warning
    assert cloud.log.requests("evil.example") == []


def test_invalid_metadata_url_is_reported(cloud: PracticeCloud, look_up: Lookups) -> None:
    # Unlike the lab's usual check, this must not be a loopback address; nothing is ever sent to it.
    environment = cloud.environment(look_up.home, **PROVIDER)
    for value in ("not a url", "file:///127.0.0.1/x", "127.0.0.1:80"):
        (answer,) = look_up.all(
            [LookUp(cloud.azure.feed.url(), environment={"AZURE_POD_IDENTITY_AUTHORITY_HOST": value})],
            environment=environment,
        )
        assert answer.credential is None
        assert "AZURE_POD_IDENTITY_AUTHORITY_HOST" in answer.warning


def test_retry_after_beyond_the_deadline_ends_at_once(
    cloud: PracticeCloud, look_up: Lookups, machine: Application
) -> None:
    fault = cloud.faults.add(faults.status(429), host="imds")
    for pause in ("3600", "18446744073709551615"):
        fault.fault = faults.status(429, {"Retry-After": pause})
        answer = look_up(RINGBEARER_TIMEOUT="5", **PROVIDER)
        assert answer.credential is None
        assert len(answer.warnings) == 1
        assert answer.seconds < 3
    assert len(cloud.log.requests("imds")) == 2

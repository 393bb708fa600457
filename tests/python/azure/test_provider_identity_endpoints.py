"""The provider managed_identity on App Service, Azure ML, Cloud Shell and Arc."""

from __future__ import annotations

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from lab.look_up import Lookups
from lab.registries.azure.directory import AZURE_DEVOPS, Application
from support.managed_identity import client_of

PROVIDER = {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "managed_identity"}


@pytest.fixture
def another(cloud: PracticeCloud) -> Application:
    """A user-assigned identity of the services that support one."""
    made = cloud.azure.directory.managed_identity("another", cloud.azure.tenant)
    cloud.metadata.app_service.user_assigned = cloud.metadata.azure_ml.user_assigned = [made]
    return made


def endpoint_of(cloud: PracticeCloud, name: str):
    return getattr(cloud.metadata, name.replace("-", "_"))


def test_app_service_request_has_its_header_and_the_identity(
    cloud: PracticeCloud, look_up: Lookups, identity: Application, another: Application
) -> None:
    service = cloud.metadata.app_service
    usual, chosen, unknown = look_up.each(
        {}, {"AZURE_CLIENT_ID": another.client_id}, {"AZURE_CLIENT_ID": "nobody"}, **service.variables, **PROVIDER
    )
    assert client_of(cloud, usual.credential) == identity.client_id
    assert client_of(cloud, chosen.credential) == another.client_id
    assert unknown.credential is None and "managed_identity failed" in unknown.warning
    requests = cloud.log.requests("app-service")
    assert requests[0].parameters == {"api-version": "2019-08-01", "resource": AZURE_DEVOPS}
    assert requests[1].parameters["client_id"] == another.client_id
    assert cloud.log.hosts_that_saw(service.secret) == ["app-service"]
    assert service.secret not in usual.text + unknown.text


def test_azure_ml_request_has_its_secret_and_the_identity(
    cloud: PracticeCloud, look_up: Lookups, identity: Application, another: Application
) -> None:
    service = cloud.metadata.azure_ml
    usual, chosen = look_up.each({}, {"AZURE_CLIENT_ID": another.client_id}, **service.variables, **PROVIDER)
    assert client_of(cloud, usual.credential) == identity.client_id
    assert client_of(cloud, chosen.credential) == another.client_id
    first, second = cloud.log.requests("azure-ml")
    assert first.parameters == {"api-version": "2017-09-01", "resource": AZURE_DEVOPS}
    assert second.parameters["clientid"] == another.client_id
    assert cloud.log.hosts_that_saw(service.secret) == ["azure-ml"]


def test_cloud_shell_bearer_of_a_user_is_exchanged(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.metadata.cloud_shell.user = cloud.azure.user
    answer = look_up(**cloud.metadata.cloud_shell.variables, **PROVIDER)
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[0])
    (request,) = cloud.log.requests("cloud-shell")
    assert (request.method, request.form) == ("POST", {"resource": AZURE_DEVOPS})
    assert request.header("Metadata") == "true"
    assert [host for host, _ in cloud.log.bearers()] == ["vssps.dev.azure.com"]


def test_endpoints_are_tried_in_order_and_imds_last(
    cloud: PracticeCloud, look_up: Lookups, identity: Application
) -> None:
    metadata = cloud.metadata
    metadata.imds.system_assigned = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    metadata.arc.realm = "/refused.key"
    learning, shell = metadata.azure_ml.variables, metadata.cloud_shell.variables
    names = ["app-service", "arc", "azure-ml", "cloud-shell", "imds"]
    cases = [
        {**learning, "IMDS_ENDPOINT": metadata.arc.url, **metadata.app_service.variables},
        {**learning, **metadata.arc.variables},
        learning,
        shell,
        {"IDENTITY_HEADER": "x", "MSI_SECRET": "x", "IMDS_ENDPOINT": metadata.arc.url},
    ]
    for name, case in zip(names, cases):
        cloud.log.clear()
        look_up.each(case, **PROVIDER)
        assert [one for one in names if cloud.log.requests(one)] == [name]


@pytest.mark.parametrize("name", ["app-service", "azure-ml", "cloud-shell", "arc"])
def test_failing_endpoint_is_reported_and_never_proxied(
    cloud: PracticeCloud, look_up: Lookups, identity: Application, name: str
) -> None:
    endpoint = endpoint_of(cloud, name)
    rule = cloud.faults.add(faults.status(403), host=name)
    proxies = {"NO_PROXY": None, "ALL_PROXY": cloud.proxy_url, "http_proxy": cloud.proxy_url}
    refused = look_up(**endpoint.variables, **PROVIDER, **proxies)
    rule.fault = faults.html(200)
    page = look_up(**endpoint.variables, **PROVIDER, **proxies)
    elsewhere = {
        variable: value.replace(endpoint.url, cloud.metadata.nowhere) for variable, value in endpoint.variables.items()
    }
    away = look_up(**elsewhere, **PROVIDER, **proxies)
    for answer in (refused, page, away):
        assert answer.credential is None
        assert "managed_identity failed" in answer.warning
    assert "403" in refused.warning
    assert "web page" in page.warning
    assert len(cloud.log.requests(name)) == 2
    assert {connection.host for connection in cloud.log.connections()} == {"pkgs.dev.azure.com"}
    assert cloud.log.refused() == []


def test_endpoint_secret_is_not_sent_to_a_remote_http_host(cloud: PracticeCloud, look_up: Lookups) -> None:
    distant = "http://198.51.100.7/msi/token"
    service, learning = cloud.metadata.app_service, cloud.metadata.azure_ml
    answers = look_up.each(
        {"IDENTITY_ENDPOINT": distant, "IDENTITY_HEADER": service.secret},
        {"MSI_ENDPOINT": distant, "MSI_SECRET": learning.secret},
        {"IDENTITY_ENDPOINT": "http://evil.example/msi/token", "IDENTITY_HEADER": service.secret},
        {"IDENTITY_ENDPOINT": "http://127.0.0.1.evil.example/x", "IDENTITY_HEADER": service.secret},
        {"IDENTITY_ENDPOINT": "not a url", "IDENTITY_HEADER": service.secret},
        **PROVIDER,
    )
    for answer in answers:
        assert answer.credential is None
        assert answer.seconds < 3
    assert "neither a local address nor https" in answers[0].warning
    assert "IDENTITY_ENDPOINT is not an http URL" in answers[-1].warning
    assert cloud.log.hosts_that_saw(service.secret) + cloud.log.hosts_that_saw(learning.secret) == []
    assert cloud.log.refused() == []

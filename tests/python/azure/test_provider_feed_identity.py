"""The provider feed_identity: the application or managed identity of a named feed."""

from __future__ import annotations

import json
from pathlib import Path

from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.look_up import LookUp, Lookups
from support.managed_identity import client_of

VARIABLE = "ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS"
LOGIN = "login.microsoftonline.com"


def endpoints(*entries: tuple[str, dict[str, str]]) -> dict[str, str]:
    """The variable with these fields for the endpoints."""
    return {VARIABLE: json.dumps({"endpointCredentials": [{"endpoint": url, **fields} for url, fields in entries]})}


def test_each_feed_signs_in_with_its_own_identity(cloud: PracticeCloud, look_up: Lookups, tmp_path: Path) -> None:
    azure, directory = cloud.azure, cloud.azure.directory
    application = directory.application("builder", azure.tenant)
    certificate = tmp_path / "builder.pem"
    certificate.write_text(application.certificate().pem)
    machine, assigned = (directory.managed_identity(name, azure.tenant) for name in ("machine", "assigned"))
    cloud.metadata.imds.system_assigned, cloud.metadata.imds.user_assigned = machine, [assigned]
    by_certificate = {"clientId": application.client_id, "clientCertificateFilePath": str(certificate)}
    value = endpoints(
        (azure.feed.url(), by_certificate), ("https://pkgs.dev.azure.com/contoso/", {"clientId": "system"})
    )
    other = "https://pkgs.dev.azure.com/contoso/_packaging/other/pypi/simple/"
    # The client id and tenant of the environment belong to other providers.
    variables = {**value, "AZURE_CLIENT_ID": "nobody", "AZURE_TENANT_ID": "nowhere.example"}
    feed, rest = look_up.all([LookUp(azure.feed.url()), LookUp(other)], **variables)
    assert [answer.served for answer in (feed, rest)] == ["feed_identity"] * 2
    assert client_of(cloud, feed.credential) == application.client_id
    assert client_of(cloud, rest.credential) == machine.client_id
    (request,) = cloud.log.requests(LOGIN)
    assert request.path == f"/{azure.tenant}/oauth2/v2.0/token" and "PRIVATE" not in feed.text
    by_client_id = look_up(**endpoints((azure.feed.url(), {"clientId": assigned.client_id})))
    assert client_of(cloud, by_client_id.credential) == assigned.client_id


def test_failing_identity_of_a_feed_is_not_followed_by_az(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, tmp_path: Path
) -> None:
    azure = cloud.azure
    fake_programs.az(*az_token(azure.directory.user_token(azure.user)))
    certificate = tmp_path / "builder.pem"
    certificate.write_text(azure.directory.application("builder", azure.tenant).certificate().pem)
    url, robot = azure.feed.url(), {"clientId": "robot"}
    cases = {
        "AADSTS700016": {**robot, "clientCertificateFilePath": str(certificate)},
        "cannot be read": {**robot, "clientCertificateFilePath": str(tmp_path / "missing.pem")},
        "openssl pkcs12": {**robot, "clientCertificateFilePath": "C:\\robot.pfx"},
        "by its subject": {**robot, "clientCertificateSubjectName": "CN=robot"},
        "no identity with the id": robot,
    }
    answers = look_up.each(*(endpoints((url, fields)) for fields in cases.values()), {VARIABLE: "no JSON"})
    for answer, expected in zip(answers, [*cases, "is not the expected JSON"]):
        assert answer.credential is None and answer.asked[-1] == "feed_identity"
        assert expected in answer.warning and f"unset {VARIABLE}" in answer.warning, answer.warning
    assert fake_programs.invocations() == []


def test_identities_of_other_feeds_are_not_a_failure(cloud: PracticeCloud, look_up: Lookups) -> None:
    others = [
        "https://pkgs.dev.azure.com/contoso-evil/",
        cloud.azure.feed.url().replace("/_packaging/", "/_packaging/x"),
    ]
    value = endpoints(*((url, {"clientId": "system"}) for url in others))
    feed, bad = look_up.each(value, endpoints(("", {"clientId": "system"})), AZURE_DEVOPS_EXT_PAT="personal")
    assert feed.credential == bad.credential == ("VssSessionToken", "personal")
    assert feed.skipped["feed_identity"] == "no endpoint matches this feed" and feed.warnings == bad.warnings == []

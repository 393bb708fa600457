"""The providers that exchange a token of another issuer: workload_identity and azure_pipelines."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import faults, tokens
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.azure.directory import TOKEN_EXCHANGE_AUDIENCE, Application
from lab.registries.azure.oidc import GITHUB_ISSUER

PROVIDER = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER"
LOGIN = "login.microsoftonline.com"
GITHUB = "pipelines.actions.githubusercontent.com"
KUBERNETES = {"issuer": "https://oidc.example/", "subject": "system:serviceaccount:ci:builder"}


@pytest.fixture
def application(cloud: PracticeCloud) -> Application:
    return cloud.azure.directory.application("builder", cloud.azure.tenant)


def assertion(subject: str = KUBERNETES["subject"]) -> str:
    return tokens.mint({"iss": KUBERNETES["issuer"], "sub": subject, "aud": TOKEN_EXCHANGE_AUDIENCE})


# -- workload_identity by a file


def test_token_file_is_read_for_each_exchange(
    cloud: PracticeCloud, look_up: Lookups, application: Application, tmp_path: Path
) -> None:
    application.trust(**KUBERNETES)
    # Expires at once: no bearer is cached between lookups.
    cloud.entra.lifetime = 0
    path, first, second = tmp_path / "token", assertion(), assertion()
    url = cloud.azure.feed.url()
    answers = look_up.all(
        [LookUp(url, files={str(path): first + "\n"}), LookUp(url, files={str(path): second})],
        AZURE_CLIENT_ID=application.client_id,
        AZURE_FEDERATED_TOKEN_FILE=str(path),
    )
    assert [answer.credential for answer in answers] == [("bearer", token) for _, token in cloud.entra.issued]
    assert answers[0].served == "workload_identity"
    sent = [request.form["client_assertion"] for request in cloud.log.requests(LOGIN)]
    assert sent == [first, second]
    for answer in answers:
        assert first not in answer.text and second not in answer.text


def test_token_file_precedes_github_and_uses_the_tenant_variable(
    cloud: PracticeCloud, look_up: Lookups, tmp_path: Path
) -> None:
    elsewhere = cloud.azure.directory.tenant("fabrikam.example")
    visitor = cloud.azure.directory.application("visitor", elsewhere)
    visitor.trust(**KUBERNETES)
    path = tmp_path / "token"
    path.write_text(assertion())
    answer = look_up(
        AZURE_CLIENT_ID=visitor.client_id,
        AZURE_TENANT_ID=elsewhere.id,
        AZURE_FEDERATED_TOKEN_FILE=str(path),
        **cloud.azure.github_actions.job().variables,
    )
    assert answer.credential == ("bearer", cloud.entra.issued[0][1])
    assert cloud.log.requests(GITHUB) == []


def test_missing_workload_identity_settings_are_named(look_up: Lookups, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(assertion())
    nothing, no_client, no_token = look_up.each(
        {},
        {"AZURE_FEDERATED_TOKEN_FILE": str(path)},
        {"AZURE_CLIENT_ID": "c", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://" + GITHUB},
        **{PROVIDER: "workload_identity"},
    )
    assert "no AZURE_FEDERATED_TOKEN_FILE" in nothing.warning and "ACTIONS_ID_TOKEN_REQUEST_URL" in nothing.warning
    assert "workload_identity (no AZURE_CLIENT_ID)" in no_client.warning
    assert "ACTIONS_ID_TOKEN_REQUEST_TOKEN" in no_token.warning
    assert [answer.credential for answer in (nothing, no_client, no_token)] == [None] * 3


def test_a_token_file_that_cannot_be_used_is_named(
    cloud: PracticeCloud, look_up: Lookups, application: Application, tmp_path: Path
) -> None:
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")
    paths = [tmp_path / "missing", empty, binary]
    answers = look_up.each(
        *({"AZURE_FEDERATED_TOKEN_FILE": str(path)} for path in paths),
        AZURE_CLIENT_ID=application.client_id,
        **{PROVIDER: "workload_identity"},
    )
    for answer, path in zip(answers, paths):
        assert answer.credential is None
        assert f"AZURE_FEDERATED_TOKEN_FILE names {path}" in answer.warning
    assert cloud.log.requests(LOGIN) == []


def test_no_matching_federated_credential_is_explained(
    cloud: PracticeCloud, look_up: Lookups, application: Application, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(assertion("somebody else"))
    answer = look_up(
        AZURE_CLIENT_ID=application.client_id,
        AZURE_FEDERATED_TOKEN_FILE=str(path),
        **{PROVIDER: "workload_identity"},
    )
    assert answer.credential is None
    assert "AADSTS70021" in answer.warning and "federated credential" in answer.warning
    assert path.read_text() not in answer.text


# -- workload_identity on GitHub Actions


def test_a_job_on_github_signs_in_with_its_own_token(
    cloud: PracticeCloud, look_up: Lookups, application: Application
) -> None:
    job = cloud.azure.github_actions.job()
    application.trust(GITHUB_ISSUER, job.subject)
    answer = look_up(AZURE_CLIENT_ID=application.client_id, **job.variables)
    bearer = cloud.entra.issued[0][1]
    assert answer.credential == ("bearer", bearer)
    (request,) = cloud.log.requests(GITHUB)
    # The URL already has a query.
    assert request.url.startswith(job.url + "&audience=")
    assert request.parameters["audience"] == TOKEN_EXCHANGE_AUDIENCE
    assert cloud.log.bearers() == [(GITHUB, job.request_token)]
    sent = cloud.log.requests(LOGIN)[0].form["client_assertion"]
    for secret in (job.request_token, sent, bearer):
        assert secret not in answer.text


def test_the_audience_can_be_another(cloud: PracticeCloud, look_up: Lookups, application: Application) -> None:
    job = cloud.azure.github_actions.job()
    application.trust(GITHUB_ISSUER, job.subject, "api://my audience&more")
    answer = look_up(
        AZURE_CLIENT_ID=application.client_id,
        AZURE_FEDERATED_TOKEN_AUDIENCE="api://my audience&more",
        **job.variables,
    )
    assert answer.served == "workload_identity"
    assert cloud.log.requests(GITHUB)[0].parameters["audience"] == "api://my audience&more"


def test_github_refusal_names_the_permission_to_add(
    cloud: PracticeCloud, look_up: Lookups, application: Application
) -> None:
    job = cloud.azure.github_actions.job()
    (answer,) = look_up.each(
        {**job.variables, "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "planted"},
        AZURE_CLIENT_ID=application.client_id,
        **{PROVIDER: "workload_identity"},
    )
    assert answer.credential is None
    assert "workload_identity failed" in answer.warning and "id-token: write" in answer.warning
    assert "planted" not in answer.text
    cloud.faults.add(faults.html(200), host=GITHUB)
    page = look_up(AZURE_CLIENT_ID=application.client_id, **job.variables, **{PROVIDER: "workload_identity"})
    assert page.credential is None and "web page" in page.warning
    assert cloud.log.requests(LOGIN) == []


def test_the_token_of_a_job_is_never_sent_over_plain_http(
    cloud: PracticeCloud, look_up: Lookups, application: Application
) -> None:
    job = cloud.azure.github_actions.job()
    (github,) = look_up.each(
        {**job.variables, "ACTIONS_ID_TOKEN_REQUEST_URL": job.url.replace("https://", "http://")},
        AZURE_CLIENT_ID=application.client_id,
        **{PROVIDER: "workload_identity"},
    )
    assert github.credential is None and "https" in github.warning
    access = cloud.azure.contoso.pipeline_token()
    pipeline = cloud.azure.pipelines.job("contoso", access)
    (pipelines,) = look_up.each(
        {
            "SYSTEM_OIDCREQUESTURI": pipeline.url.replace("https://", "http://"),
            "SYSTEM_ACCESSTOKEN": access,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": pipeline.connection_id,
            "AZURESUBSCRIPTION_CLIENT_ID": application.client_id,
        },
        **{PROVIDER: "azure_pipelines"},
    )
    assert pipelines.credential is None and "https" in pipelines.warning
    assert cloud.log.hosts_that_saw(job.request_token) == []
    assert cloud.log.hosts_that_saw(access) == []


# -- azure_pipelines


@pytest.fixture
def pipeline(cloud: PracticeCloud, application: Application) -> dict[str, str]:
    """The variables of a step with a service connection."""
    access = cloud.azure.contoso.pipeline_token()
    job = cloud.azure.pipelines.job("contoso", access)
    application.trust(job.issuer, job.subject)
    return {
        "SYSTEM_OIDCREQUESTURI": job.url,
        "SYSTEM_ACCESSTOKEN": access,
        "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": job.connection_id,
        "AZURESUBSCRIPTION_CLIENT_ID": application.client_id,
        "AZURESUBSCRIPTION_TENANT_ID": cloud.azure.tenant.id,
    }


def test_service_connection_gets_a_bearer_for_the_job_token(
    cloud: PracticeCloud, look_up: Lookups, pipeline: dict[str, str]
) -> None:
    (answer,) = look_up.each(pipeline, **{PROVIDER: "azure_pipelines"})
    bearer = cloud.entra.issued[0][1]
    assert answer.credential == ("bearer", bearer)
    (request,) = cloud.log.requests("dev.azure.com")
    assert (request.method, request.url.partition("?")[0]) == ("POST", pipeline["SYSTEM_OIDCREQUESTURI"])
    assert request.parameters == {
        "api-version": "7.1",
        "serviceConnectionId": pipeline["AZURESUBSCRIPTION_SERVICE_CONNECTION_ID"],
    }
    assert cloud.log.bearers() == [("dev.azure.com", pipeline["SYSTEM_ACCESSTOKEN"])]
    assert pipeline["SYSTEM_ACCESSTOKEN"] not in answer.text and bearer not in answer.text


def test_the_tenant_of_the_connection_is_where_it_signs_in(
    cloud: PracticeCloud, look_up: Lookups, pipeline: dict[str, str]
) -> None:
    elsewhere = cloud.azure.directory.tenant("fabrikam.example")
    (answer,) = look_up.each({**pipeline, "AZURESUBSCRIPTION_TENANT_ID": elsewhere.id}, **{PROVIDER: "azure_pipelines"})
    assert answer.credential is None and "AADSTS700016" in answer.warning
    assert cloud.log.requests(LOGIN)[0].path == f"/{elsewhere.id}/oauth2/v2.0/token"


def test_missing_service_connection_settings_are_named(
    cloud: PracticeCloud, look_up: Lookups, pipeline: dict[str, str]
) -> None:
    names = [name for name in pipeline if name != "AZURESUBSCRIPTION_TENANT_ID"]
    cases = [{key: value for key, value in pipeline.items() if key != name} for name in names]
    for name, answer in zip(names, look_up.each(*cases, **{PROVIDER: "azure_pipelines"})):
        assert answer.credential is None
        assert name in answer.warning
        kind = "azure_pipelines failed" if name == "SYSTEM_ACCESSTOKEN" else f"azure_pipelines (no {name})"
        assert kind in answer.warning
    assert cloud.log.requests("dev.azure.com") == []


def test_service_connection_denied_to_the_job_is_reported(
    cloud: PracticeCloud, look_up: Lookups, pipeline: dict[str, str]
) -> None:
    unknown, expired = look_up.each(
        {**pipeline, "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "another"},
        {**pipeline, "SYSTEM_ACCESSTOKEN": "planted"},
        **{PROVIDER: "azure_pipelines"},
    )
    assert unknown.credential is expired.credential is None
    assert "azure_pipelines failed" in unknown.warning and "404" in unknown.warning
    assert "401" in expired.warning and "planted" not in expired.text
    assert cloud.log.requests(LOGIN) == []

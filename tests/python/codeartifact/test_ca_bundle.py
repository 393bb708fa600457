"""The settings that replace the trusted authorities for AWS's services: AWS_CA_BUNDLE, ca_bundle and verify."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.authority import CertificateAuthority
from lab.environment import TRUST_VARIABLES
from support.aws_user import API, STS, AwsUser, assumed


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file of an authority that none of the hosts has a certificate of."""
    made = CertificateAuthority()
    path = tmp_path_factory.mktemp("authority") / "other.pem"
    path.write_bytes(Path(made.ca_file).read_bytes())
    made.close()
    return str(path)


@pytest.fixture
def elsewhere(other: str) -> dict[str, str]:
    """Variables of other programs that name it."""
    return dict.fromkeys((*TRUST_VARIABLES, "CURL_CA_BUNDLE"), other)


@pytest.mark.parametrize("place", ["AWS_CA_BUNDLE", "ca_bundle", "verify"])
def test_bundle_for_aws_has_precedence(ada: AwsUser, elsewhere: dict[str, str], place: str) -> None:
    ada.profile_with_role()
    variables = {**elsewhere, "AWS_PROFILE": "corp"}
    assert "certificate" in ada.ask(**variables).warning
    ada.cloud.log.clear()
    if place == "AWS_CA_BUNDLE":
        variables["AWS_CA_BUNDLE"] = ada.cloud.ca_file
    elif place == "ca_bundle":
        ada.profile_with_role(ca_bundle=ada.cloud.ca_file)
    else:
        ada.write_keyringrc(f"[codeartifact]\nverify = {ada.cloud.ca_file}\n")
    answer = ada.ask(**variables)
    assert ada.caller(answer) == assumed("reader") and answer.warnings == []
    assert ada.hosts() == [STS, API]


@pytest.mark.parametrize("place", ["AWS_CA_BUNDLE", "ca_bundle", "verify"])
def test_bundle_of_another_authority_trusts_nothing(ada: AwsUser, other: str, place: str) -> None:
    ada.files.write_credentials({"default": ada.key})
    if place == "ca_bundle":
        ada.files.write_config({"default": {"ca_bundle": other}})
    if place == "verify":
        ada.write_keyringrc(f"[codeartifact]\nverify = {other}\n")
    answer = ada.ask(AWS_CA_BUNDLE=other if place == "AWS_CA_BUNDLE" else None)
    assert "certificate" in answer.warning and "; " in answer.warning
    assert ada.cloud.log.requests() == []


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_bundle_without_certificates_is_one_warning(ada: AwsUser, content: str | None) -> None:
    path = ada.home / "ca.pem"
    if content is not None:
        path.write_text(content)
    warning = ada.ask(AWS_CA_BUNDLE=str(path), **ada.key.variables).warning
    assert "AWS_CA_BUNDLE" in warning, warning
    assert ada.cloud.log.requests() == []


def test_bundle_in_the_home_directory_is_found(ada: AwsUser, elsewhere: dict[str, str]) -> None:
    (ada.home / "ca.pem").write_bytes(Path(ada.cloud.ca_file).read_bytes())
    answer = ada.ask(AWS_CA_BUNDLE="~/ca.pem", **elsewhere, **ada.key.variables)
    assert ada.caller(answer) == ada.key.caller


def test_job_token_is_asked_for_by_the_usual_authorities(ada: AwsUser, elsewhere: dict[str, str]) -> None:
    job = ada.cloud.azure.github_actions.job()
    role = ada.aws.accounts.role("publisher")
    answer = ada.ask(AWS_CA_BUNDLE=ada.cloud.ca_file, AWS_ROLE_ARN=role.arn, **elsewhere, **job.variables)
    assert "pipelines.actions.githubusercontent.com" in answer.warning, answer.warning
    assert ada.cloud.log.requests() == []

"""The providers that sign in as an application: client_secret and client_certificate."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from lab import faults, tokens
from lab.cloud import PracticeCloud
from lab.look_up import Lookups
from lab.registries.azure.certificates import ClientCertificate
from lab.registries.azure.directory import AZURE_DEVOPS, Application

PROVIDER = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER"
LOGIN = "login.microsoftonline.com"


@pytest.fixture
def application(cloud: PracticeCloud) -> Application:
    return cloud.azure.directory.application("builder", cloud.azure.tenant, secret="mellon & more=+%")


def with_secret(application: Application, secret: str = "mellon & more=+%", **more: str) -> dict[str, str]:
    return {"AZURE_CLIENT_ID": application.client_id, "AZURE_CLIENT_SECRET": secret, **more}


def private_pem(key, encryption: serialization.KeySerializationEncryption, traditional: bool = False) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


# -- client_secret


def test_client_secret_gets_a_bearer_and_goes_nowhere_else(
    cloud: PracticeCloud, look_up: Lookups, application: Application
) -> None:
    answer = look_up(**with_secret(application))
    ((_, bearer),) = cloud.entra.issued
    assert answer.credential == ("bearer", bearer)
    assert answer.served == "client_secret"
    assert answer.warnings == []
    (request,) = cloud.log.requests(LOGIN)
    assert request.path == f"/{cloud.azure.tenant}/oauth2/v2.0/token"
    assert request.form == {
        "grant_type": "client_credentials",
        "client_id": application.client_id,
        "client_secret": "mellon & more=+%",
        "scope": AZURE_DEVOPS + "/.default",
    }
    assert cloud.log.hosts_that_saw(bearer) == []
    assert cloud.log.hosts_that_saw("mellon") == [LOGIN]
    assert "mellon" not in answer.text and bearer not in answer.text


def test_a_secret_and_an_application_are_each_missed_by_name(look_up: Lookups) -> None:
    broken, absent = look_up.each(
        {"AZURE_CLIENT_SECRET": "mellon"}, {"AZURE_CLIENT_ID": "some-client"}, **{PROVIDER: "client_secret"}
    )
    assert broken.credential is absent.credential is None
    assert "client_secret failed (AZURE_CLIENT_SECRET is set and AZURE_CLIENT_ID is not)" in broken.warning
    assert "client_secret (no AZURE_CLIENT_SECRET)" in absent.warning


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("7000215", "AZURE_CLIENT_SECRET"),
        ("7000222", "expired"),
        ("700016", "AZURE_CLIENT_ID"),
        ("90002", "AZURE_TENANT_ID"),
        ("53003", "Conditional Access"),
    ],
)
def test_entra_refusal_is_quoted_with_advice(
    cloud: PracticeCloud, look_up: Lookups, application: Application, code: str, told: str
) -> None:
    variables = with_secret(application)
    if code == "7000215":
        variables["AZURE_CLIENT_SECRET"] = "planted"
    elif code == "700016":
        variables["AZURE_CLIENT_ID"] = "nobody"
    elif code == "90002":
        variables["AZURE_TENANT_ID"] = "11111111-2222-3333-4444-555555555555"
    else:
        application.refuse = code
    (answer,) = look_up.each(variables, **{PROVIDER: "client_secret"})
    assert answer.credential is None
    _, _, remedy = answer.warning.partition(";")
    assert f"(AADSTS{code})" in remedy
    assert told in remedy
    assert "planted" not in answer.text
    assert len(cloud.log.requests(LOGIN)) == 1


def test_a_passing_failure_of_entra_is_tried_again(
    cloud: PracticeCloud, look_up: Lookups, application: Application
) -> None:
    cloud.faults.add(faults.status(503), host=LOGIN, times=1)
    cloud.faults.add(faults.reset(), host=LOGIN, times=1)
    assert look_up(**with_secret(application)).served == "client_secret"
    assert [request.status for request in cloud.log.requests(LOGIN)] == [503, "reset", 200]


def test_sign_in_page_from_the_token_endpoint_is_rejected(
    cloud: PracticeCloud, look_up: Lookups, application: Application
) -> None:
    cloud.faults.add(faults.html(200), host=LOGIN, times=1)
    cloud.faults.add(faults.sign_in_redirect("https://evil.example/"), host=LOGIN, times=1)
    page, redirect = look_up.each(
        with_secret(application), with_secret(application, AZD_AUTH_CERT="1"), **{PROVIDER: "client_secret"}
    )
    assert page.credential is redirect.credential is None
    assert "client_secret failed" in page.warning and "web page" in page.warning
    assert "client_secret failed" in redirect.warning
    assert cloud.log.requests("evil.example") == []


# -- which tenant, which login host


def test_the_tenant_of_the_environment_beats_that_of_the_feed(cloud: PracticeCloud, look_up: Lookups) -> None:
    directory = cloud.azure.directory
    elsewhere = directory.tenant("fabrikam.example")
    application = directory.application("visitor", elsewhere, secret="mellon")
    by_id, by_domain = look_up.each(
        with_secret(application, "mellon", AZURE_TENANT_ID=elsewhere.id),
        with_secret(application, "mellon", AZURE_TENANT_ID=elsewhere.domain),
    )
    paths = [request.path for request in cloud.log.requests(LOGIN)]
    assert paths == [f"/{name}/oauth2/v2.0/token" for name in (elsewhere.id, elsewhere.domain)]
    for answer in (by_id, by_domain):
        assert answer.credential is not None
        assert (tokens.read(answer.credential[1]) or {})["tid"] == elsewhere.id


def test_invalid_tenant_is_never_part_of_a_url(
    cloud: PracticeCloud, look_up: Lookups, application: Application
) -> None:
    names = ["../common", "a/b", "a?b", "a#b", "@evil.example", "--help", "a b"]
    cases = [with_secret(application, AZURE_TENANT_ID=name) for name in names]
    for answer in look_up.each(*cases, **{PROVIDER: "client_secret"}):
        assert answer.credential is None
    assert cloud.log.requests(LOGIN) == []
    assert cloud.log.refused() == []


@pytest.mark.parametrize(
    ("value", "host"),
    [
        ("https://login.microsoftonline.us", "login.microsoftonline.us"),
        ("https://login.microsoftonline.us/", "login.microsoftonline.us"),
        ("login.partner.microsoftonline.cn", "login.partner.microsoftonline.cn"),
    ],
)
def test_the_authority_host_of_another_cloud_is_taken(
    cloud: PracticeCloud, look_up: Lookups, application: Application, value: str, host: str
) -> None:
    answer = look_up(**with_secret(application, AZURE_AUTHORITY_HOST=value))
    assert answer.served == "client_secret"
    assert cloud.log.hosts_that_saw(application.client_id) == [host]


def test_an_authority_host_that_is_not_known_gets_nothing(
    cloud: PracticeCloud, look_up: Lookups, application: Application
) -> None:
    values = [
        "https://evil.example",
        "http://login.microsoftonline.com",
        "https://login.microsoftonline.com:8443",
        "https://login.microsoftonline.com.evil.example",
        "https://evil-login.microsoftonline.com",
        "https://user@login.microsoftonline.com",
        "https://login.microsoftonline.com/tenant",
        "https://login.microsoftonline.com@evil.example",
    ]
    answers = look_up.each(*(with_secret(application, AZURE_AUTHORITY_HOST=value) for value in values))
    assert [answer.credential for answer in answers] == [None] * len(values)
    assert "AZURE_AUTHORITY_HOST" in answers[0].warning and "login.microsoftonline.com" in answers[0].warning
    assert {connection.host for connection in cloud.log.connections()} == {"pkgs.dev.azure.com"}
    assert cloud.log.refused() == []
    assert cloud.log.hosts_that_saw("mellon") == []


# -- client_certificate


def test_certificate_signs_in_every_common_file_format(
    cloud: PracticeCloud, look_up: Lookups, application: Application, tmp_path: Path
) -> None:
    certificate, chain = application.certificate(), ClientCertificate(1)
    contents = {
        "key first": certificate.pem,
        "certificate first": certificate.certificate_pem + certificate.key_pem,
        "PKCS #1": certificate.traditional_key_pem + certificate.certificate_pem,
        "with a chain": certificate.pem + chain.certificate_pem,
        "with attributes": "Bag Attributes\n    localKeyID: 01\n" + certificate.pem,
        "with CRLF": certificate.pem.replace("\n", "\r\n"),
    }
    cases = []
    for number, content in enumerate(contents.values()):
        path = tmp_path / f"{number}.pem"
        path.write_bytes(content.encode())
        cases.append({"AZURE_CLIENT_CERTIFICATE_PATH": str(path)})
    answers = look_up.each(*cases, AZURE_CLIENT_ID=application.client_id)
    assert dict(zip(contents, [answer.served for answer in answers])) == {
        name: "client_certificate" for name in contents
    }
    assert [answer.credential for answer in answers] == [("bearer", token) for _, token in cloud.entra.issued]
    assertions = [request.form["client_assertion"] for request in cloud.log.requests(LOGIN)]
    claims = [tokens.read(assertion) or {} for assertion in assertions]
    assert len({claim["jti"] for claim in claims}) == len(contents)
    for claim in claims:
        assert claim["aud"] == f"https://{LOGIN}/{cloud.azure.tenant}/oauth2/v2.0/token"
        assert claim["exp"] - claim["nbf"] == 600


def test_unregistered_certificate_differs_from_wrong_secret(
    cloud: PracticeCloud, look_up: Lookups, application: Application, tmp_path: Path
) -> None:
    application.certificate()
    path = tmp_path / "another.pem"
    path.write_text(ClientCertificate(1).pem)
    answer = look_up(
        AZURE_CLIENT_ID=application.client_id,
        AZURE_CLIENT_CERTIFICATE_PATH=str(path),
        **{PROVIDER: "client_certificate"},
    )
    assert answer.credential is None
    assert "AADSTS700027" in answer.warning and "AZURE_CLIENT_CERTIFICATE_PATH" in answer.warning


def test_unusable_certificate_file_is_named_with_the_cause(
    cloud: PracticeCloud, look_up: Lookups, application: Application, short_path: Path
) -> None:
    certificate = application.certificate()
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    locked, no_lock = serialization.BestAvailableEncryption(b"planted"), serialization.NoEncryption()
    contents = {
        "no certificate": certificate.key_pem,
        "no unencrypted key": certificate.certificate_pem,
        "unencrypted": private_pem(key, locked) + certificate.certificate_pem,
        "unencrypted RSA": private_pem(key, locked, traditional=True) + certificate.certificate_pem,
        "no RSA key": private_pem(ec.generate_private_key(ec.SECP256R1()), no_lock) + certificate.certificate_pem,
        "no RSA key of": private_pem(ec.generate_private_key(ec.SECP256R1()), no_lock, True)
        + certificate.certificate_pem,
        "holds": "nothing of the sort",
        "not valid PEM": certificate.pem[:400] + "!" + certificate.pem[401:],
    }
    paths = []
    for number, content in enumerate(contents.values()):
        paths.append(short_path / f"{number}.pem")
        paths[-1].write_text(content)
    (short_path / "folder").mkdir()
    for what, path in (("cannot be read", short_path / "missing.pem"), ("cannot be", short_path / "folder")):
        contents[what] = ""
        paths.append(path)
    cases = [{"AZURE_CLIENT_CERTIFICATE_PATH": str(path)} for path in paths]
    answers = look_up.each(*cases, AZURE_CLIENT_ID=application.client_id, **{PROVIDER: "client_certificate"})
    for answer, what, path in zip(answers, contents, paths):
        assert answer.credential is None
        assert "client_certificate failed" in answer.warning
        assert "AZURE_CLIENT_CERTIFICATE_PATH" in answer.warning and str(path) in answer.warning
        assert what in answer.warning
        assert "PRIVATE KEY" not in answer.text
    assert cloud.log.requests(LOGIN) == []


def test_missing_certificate_or_client_id_is_named(look_up: Lookups) -> None:
    broken, absent = look_up.each(
        {"AZURE_CLIENT_CERTIFICATE_PATH": "/nowhere.pem"},
        {"AZURE_CLIENT_ID": "some-client"},
        **{PROVIDER: "client_certificate"},
    )
    assert "AZURE_CLIENT_CERTIFICATE_PATH is set and AZURE_CLIENT_ID is not" in broken.warning
    assert "client_certificate (no AZURE_CLIENT_CERTIFICATE_PATH)" in absent.warning

"""Keys of service accounts, as the Console and gcloud write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from lab.clients import Client
from lab.registries.google.accounts import OLD_TOKEN_URLS
from support.google_auth import GoogleAuth
from support.google_user import APPLICATION_CREDENTIALS, OAUTH, STRICT, GoogleUser

PEM, NONE = serialization.Encoding.PEM, serialization.NoEncryption()
PKCS1, PKCS8 = serialization.PrivateFormat.TraditionalOpenSSL, serialization.PrivateFormat.PKCS8


@pytest.fixture
def ada(ada: GoogleUser, short_path: Path) -> GoogleUser:
    """Someone without a login, whose files have paths that a warning does not cut."""
    ada.files.home = short_path
    return ada


def rewritten(key: str, form: serialization.PrivateFormat, password: bytes | None = None) -> str:
    """The same private key in another form."""
    protection = serialization.BestAvailableEncryption(password) if password else NONE
    loaded = serialization.load_pem_private_key(key.encode(), None)
    return loaded.private_bytes(PEM, form, protection).decode()


def test_key_of_the_console_gets_a_token(ada: GoogleUser) -> None:
    answer = ada.ask(**ada.use(ada.google.key.file))
    assert ada.account(answer) == ada.google.robot.email and answer.warnings == []
    [request] = ada.cloud.log.requests()
    assert (request.host, request.method, request.path) == (OAUTH, "POST", "/token")
    assert set(request.form) == {"grant_type", "assertion"}


def test_key_is_read_wherever_a_login_may_be(ada: GoogleUser) -> None:
    ada.files.write_application_default(ada.google.key.file)
    assert ada.account(ada.ask()) == ada.google.robot.email
    (ada.files.directory / "application_default_credentials.json").unlink()
    # As `gcloud auth activate-service-account` leaves it.
    other = ada.google.accounts.key(ada.google.publisher)
    ada.files.write_login(other)
    assert ada.account(ada.ask()) == ada.google.publisher.email


@pytest.mark.parametrize("form", [PKCS8, PKCS1], ids=["PKCS #8", "PKCS #1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["LF", "CRLF"])
def test_key_that_google_auth_accepts_is_read(
    ada: GoogleUser, google_auth: Client, form: serialization.PrivateFormat, line_end: str
) -> None:
    file = ada.google.key.file
    private_key = rewritten(file["private_key"], form).replace("\n", line_end)
    assert ("BEGIN RSA PRIVATE KEY" in private_key) == (form == PKCS1)
    content = {**file, "private_key": private_key}
    assert GoogleAuth(ada.cloud, google_auth, ada.home).principal(content) == ada.google.robot.email
    answer = ada.ask(**ada.use(content))
    assert ada.account(answer) == ada.google.robot.email and answer.warnings == []


def test_few_fields_are_enough(ada: GoogleUser, google_auth: Client) -> None:
    needed = ("type", "client_email", "private_key", "private_key_id", "token_uri")
    content = {name: value for name, value in ada.google.key.file.items() if name in needed}
    assert GoogleAuth(ada.cloud, google_auth, ada.home).principal(content) == ada.google.robot.email
    assert ada.account(ada.ask(**ada.use(content))) == ada.google.robot.email


@pytest.mark.parametrize("url", OLD_TOKEN_URLS)
def test_old_key_gets_a_token_at_its_own_address(ada: GoogleUser, url: str) -> None:
    answer = ada.ask(**ada.use({**ada.google.key.file, "token_uri": url}))
    assert ada.account(answer) == ada.google.robot.email and answer.warnings == []
    assert [request.url for request in ada.cloud.log.requests()] == [url]


FOREIGN = [
    "https://oauth2.googleapis.com.evil.example/token",
    "https://evil-oauth2.googleapis.com/token",
    "https://sts.googleapis.com/token",
    "https://us-central1-python.pkg.dev/token",
    "https://oauth2.googleapis.com@evil.example/token",
    "https://ada@oauth2.googleapis.com/token",
    "https://oauth2.googleapis.com:8443/token",
    "http://oauth2.googleapis.com/token",
    "http://127.0.0.1:8080/token",
    "file:///etc/passwd",
    "oauth2.googleapis.com/token",
]


def test_foreign_token_address_is_refused_without_a_request(ada: GoogleUser) -> None:
    contents = [json.dumps({**ada.google.key.file, "token_uri": url}) for url in FOREIGN]
    path = str(ada.files.write(""))
    answers = ada.ask_with_files(
        *({path: content} for content in contents), GOOGLE_APPLICATION_CREDENTIALS=path, **STRICT
    )
    for url, answer in zip(FOREIGN, answers):
        assert answer.error and "token_uri must be" in answer.error.message, (url, answer)
        assert APPLICATION_CREDENTIALS in answer.error.message, answer.error.message
    assert ada.cloud.log.requests() == ada.cloud.log.requests(method="CONNECT") == []


@pytest.mark.parametrize("hours", [3, -3])
def test_wrong_clock_is_named_and_not_tried_again(ada: GoogleUser, hours: int) -> None:
    ada.google.clock.offset = hours * 3600
    warning = ada.ask(**ada.use(ada.google.key.file)).warning
    assert f"clock is 3 h {'behind' if hours > 0 else 'ahead'}" in warning, warning
    assert ada.hosts() == [OAUTH]


@pytest.mark.parametrize("seconds", [200, -60])
def test_clock_that_is_a_little_off_does_not_matter(ada: GoogleUser, seconds: int) -> None:
    ada.google.clock.offset = seconds
    answer = ada.ask(**ada.use(ada.google.key.file))
    assert ada.account(answer) == ada.google.robot.email and answer.warnings == []


def test_refusal_says_what_is_wrong_with_the_key(ada: GoogleUser) -> None:
    google = ada.google
    disabled = google.accounts.service_account("disabled")
    disabled.is_disabled = True
    deleted = google.accounts.key(google.robot)
    deleted.is_deleted = True
    refused = {
        "the key was deleted or disabled": deleted.file,
        "the service account was deleted": {
            **google.key.file,
            "client_email": "gone@contoso-tools.iam.gserviceaccount.com",
        },
        "disabled": google.accounts.key(disabled).file,
    }
    path = str(ada.files.write(""))
    cases = [{path: json.dumps(content)} for content in refused.values()]
    answers = ada.ask_with_files(*cases, GOOGLE_APPLICATION_CREDENTIALS=path)
    for words, answer in zip(refused, answers):
        assert words in answer.warning and "; " in answer.warning, answer.warning
    assert ada.hosts() == [OAUTH] * 3


def test_unusable_key_is_an_error_without_a_request(ada: GoogleUser) -> None:
    file = ada.google.key.file
    curve = ec.generate_private_key(ec.SECP256R1()).private_bytes(PEM, PKCS8, NONE).decode()
    unusable = {
        "lacks private_key": {"private_key": ""},
        "lacks client_email": {"client_email": None},
        "private_key": {"private_key": "MIIEvQ"},
        "has a private_key": {"private_key": curve},
        "has a private_key that": {"private_key": rewritten(file["private_key"], PKCS8, b"secret")},
        "private_key that is": {"private_key": file["private_key"].replace("\n", "\\n")},
        "not a string": {"client_email": 5},
        "universe.example": {"universe_domain": "universe.example"},
    }
    path = str(ada.files.write(""))
    cases = [{path: json.dumps({**file, **fields})} for fields in unusable.values()]
    answers = ada.ask_with_files(*cases, GOOGLE_APPLICATION_CREDENTIALS=path, **STRICT)
    middle = file["private_key"].splitlines()[4]
    for words, answer in zip(unusable, answers):
        assert answer.error and words in answer.error.message, (words, answer)
        assert APPLICATION_CREDENTIALS in answer.error.message and middle not in answer.text
    assert ada.cloud.log.requests() == []

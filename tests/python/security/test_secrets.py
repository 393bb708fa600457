"""Secrets are planted in every input, and every output is searched for them."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path
from urllib.parse import quote

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_token
from lab.look_up import Answer as LookedUp
from lab.look_up import LookUp, Lookups
from lab.registries.azure.certificates import ClientCertificate

TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
ENDPOINTS = "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS"
SETTINGS = [{}, {"RINGBEARER_DEBUG": "1"}, {"RINGBEARER_DEBUG": "1", "RINGBEARER_STRICT": "1"}]


class Planted:
    """Planted secrets, by name; created on first use."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __call__(self, name: str, value: str | None = None) -> str:
        self.values[name] = value or f"planted-{secrets.token_hex(16)}"
        return self.values[name]

    def forms(self) -> list[tuple[str, bytes]]:
        """Plain, percent-encoded and in the base64 of a header; of JWTs and keys a distinctive part too."""
        found = []
        for name, value in self.values.items():
            texts = {value, quote(value, safe=""), json.dumps(value)[1:-1]}
            if value.count(".") == 2:
                texts.add(value.rpartition(".")[2])
            if "PRIVATE KEY" in value:
                texts.update(value.splitlines()[1:-1])
            for user in ("", "user:", "VssSessionToken:"):
                texts.add(base64.b64encode((user + value).encode()).decode().rstrip("=")[:-1])
            found += [(name, text.encode()) for text in texts]
        return found

    def assert_not_in(self, *places: str | bytes) -> None:
        for place in places:
            content = place if isinstance(place, bytes) else place.encode("utf-8", "surrogatepass")
            for name, form in self.forms():
                assert form not in content, f"{name} is in {content!r}"


@pytest.fixture
def planted() -> Planted:
    return Planted()


def assert_hidden(planted: Planted, answers: list[LookedUp], look_up: Lookups, fake_programs: FakePrograms) -> None:
    planted.assert_not_in(look_up.completed.raw_stdout, look_up.completed.stderr)
    planted.assert_not_in(*[answer.text for answer in answers])
    planted.assert_not_in(*[call.line for call in fake_programs.invocations()])


def echoing(member: str, sent: str) -> faults.Fault:
    """A service that echoes the request."""
    body = json.dumps({member: f"TF400813: {sent} is not known ({sent[:-8]})"}).encode()
    return faults.status(401, {"Content-Type": "application/json"}, body)


def organisations(cloud: PracticeCloud, count: int) -> list[str]:
    """A separate index URL for each lookup, so that none shares a cache entry."""
    made = [cloud.azure.organisation(f"planted-{number}", cloud.azure.tenant) for number in range(count)]
    return [organisation.feed("tools").url() for organisation in made]


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_secret_is_shown_when_look_ups_succeed(
    cloud: PracticeCloud,
    look_up: Lookups,
    fake_programs: FakePrograms,
    home: Path,
    planted: Planted,
    settings: dict[str, str],
) -> None:
    azure = cloud.azure
    application = azure.directory.application("builder", azure.tenant, secret=planted("client secret"))
    certificate = application.certificate()
    planted("certificate key", certificate.key_pem)
    (home / "certificate.pem").write_text(certificate.pem)
    (home / "token").write_text(planted("token file"))
    bearer = planted("bearer", azure.directory.user_token(azure.user))
    fake_programs.az(*az_token(planted("az", azure.directory.user_token(azure.user))))
    cloud.metadata.app_service.system_assigned = azure.directory.managed_identity("machine", azure.tenant)
    cloud.metadata.app_service.secret = planted("IDENTITY_HEADER")
    cloud.proxy.require("user", planted("proxy password"))
    sources: list[dict[str, str]] = [
        {TOKEN: planted(TOKEN)},
        {"ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE": str(home / "token")},
        {"VSS_NUGET_ACCESSTOKEN": planted("VSS_NUGET_ACCESSTOKEN")},
        {"AZURE_DEVOPS_EXT_PAT": planted("AZURE_DEVOPS_EXT_PAT")},
        {"SYSTEM_ACCESSTOKEN": planted("SYSTEM_ACCESSTOKEN", azure.contoso.pipeline_token())},
        {TOKEN: bearer},
        {"AZURE_CLIENT_ID": application.client_id, "AZURE_CLIENT_SECRET": planted.values["client secret"]},
        {"AZURE_CLIENT_ID": application.client_id, "AZURE_CLIENT_CERTIFICATE_PATH": str(home / "certificate.pem")},
        {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "azure_cli"},
        {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "managed_identity", **cloud.metadata.app_service.variables},
        {"ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN": planted("ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN")},
        {"AZURE_DEVOPS_EXT_CONFIG_DIR": str(home)},
    ]
    logins = home / "personalAccessTokens"
    logins.write_text(
        f"[azdevops-cli:https://dev.azure.com/planted-{len(sources) - 1}]\npersonal access token = {planted('login')}\n"
    )
    logins.chmod(0o600)
    urls = organisations(cloud, len(sources) + 1)
    document = {"endpointCredentials": [{"endpoint": urls[-1], "password": planted("endpoint password")}]}
    sources.append({ENDPOINTS: json.dumps(document)})
    names = {name for source in sources for name in source}
    credentials = f"user:{planted('password in the service')}@"
    look_ups = [
        LookUp(
            url.replace("://", "://" + credentials) + "?sig=" + planted(f"query {number}"),
            environment={**dict.fromkeys(names), **source},
        )
        for number, (url, source) in enumerate(zip(urls, sources))
    ]
    answers = look_up.all(look_ups, **settings)
    assert [answer.credential is not None for answer in answers] == [True] * len(sources), answers
    for number, answer in enumerate(answers):
        planted(f"password {number}", answer.credential[1])
    assert [warning for answer in answers for warning in answer.warnings] == []
    if settings:
        assert "POST https://vssps.dev.azure.com/planted-5/_apis/Token/SessionTokens" in answers[0].stderr
    assert answers[0].stdout == ""
    assert_hidden(planted, answers, look_up, fake_programs)


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_secret_is_shown_when_look_ups_fail(
    cloud: PracticeCloud,
    look_up: Lookups,
    fake_programs: FakePrograms,
    home: Path,
    planted: Planted,
    settings: dict[str, str],
) -> None:
    azure = cloud.azure
    bearer = planted("bearer", azure.directory.user_token(azure.user))
    body = json.dumps({"secret": planted("body"), "token": {"x": planted("token of a body")}}).encode()
    page = ("<html>" + planted("page")).encode()
    key = planted("certificate key", ClientCertificate().key_pem)
    (home / "broken.pem").write_text(key[:200] + planted("inside a key") + key[200:])
    (home / "no-certificate.pem").write_text(key)
    application = {"AZURE_CLIENT_ID": "an-application"}
    secret = {**application, "AZURE_CLIENT_SECRET": planted("client secret")}
    fake_programs.az(Answer(planted("az stdout"), planted("az stderr") + "\n", code=1))
    cli = {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "azure_cli"}
    token_host, exchange_host = "login.microsoftonline.com", "vssps.dev.azure.com"
    forced = {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "managed_identity"}
    header = {"IDENTITY_ENDPOINT": "http://identity.example/", "IDENTITY_HEADER": planted("IDENTITY_HEADER")}
    sources: list[tuple[dict[str, str], faults.Fault | None, str]] = [
        ({TOKEN: bearer}, echoing("message", bearer), exchange_host),
        (secret, echoing("error_description", planted.values["client secret"]), token_host),
        ({TOKEN: bearer}, faults.garbage_json(body), exchange_host),
        ({TOKEN: bearer}, faults.garbage_json(page), exchange_host),
        ({TOKEN: bearer}, faults.status(401, body=body), exchange_host),
        ({TOKEN: bearer}, faults.status(400, body=body), exchange_host),
        ({TOKEN: bearer}, faults.drop(), exchange_host),
        ({TOKEN: bearer}, faults.sign_in_redirect("https://evil.example/?x=" + planted("redirect")), exchange_host),
        (secret, faults.garbage_json(body), token_host),
        (secret, faults.status(401, body=body), token_host),
        (secret, faults.status(400, body=page), token_host),
        ({**application, "AZURE_CLIENT_CERTIFICATE_PATH": str(home / "broken.pem")}, None, ""),
        ({**application, "AZURE_CLIENT_CERTIFICATE_PATH": str(home / "no-certificate.pem")}, None, ""),
        (cli, None, ""),
        ({**forced, **header}, None, ""),
        (
            {**forced, "MSI_ENDPOINT": "not a url " + planted("MSI_ENDPOINT"), "MSI_SECRET": planted("MSI_SECRET")},
            None,
            "",
        ),
        ({ENDPOINTS: '{"endpointCredentials": [{"password": "' + planted("broken endpoints")}, None, ""),
        ({ENDPOINTS: json.dumps({"endpointCredentials": [planted("odd endpoints")]})}, None, ""),
        ({"HTTPS_PROXY": "http://user:" + planted("broken proxy") + "@[::bad/", TOKEN: bearer}, None, ""),
        (
            {"HTTPS_PROXY": cloud.metadata.nowhere.replace("//", "//user:" + planted("proxy") + "@"), TOKEN: bearer},
            None,
            "",
        ),
        ({"AZURE_AUTHORITY_HOST": "https://u:" + planted("authority") + "@evil.example", **secret}, None, ""),
    ]
    urls = organisations(cloud, len(sources))
    names = {name for source, _, _ in sources for name in source if name != "HTTPS_PROXY"}
    look_ups = []
    for number, (url, (source, fault, host)) in enumerate(zip(urls, sources)):
        if fault is not None:
            tenant = azure.directory.tenant(f"tenant-{number}.example")
            azure.organisations[
                -len(sources) + number
            ].challenge.authorization_uri = f"https://login.windows.net/{tenant}"
            cloud.faults.add(fault, host=host, path=f"/planted-{number}/*" if host == exchange_host else f"/{tenant}/*")
        password = planted(f"service {number}")
        service = url.replace("://", f"://user:{password}@") + "#" + password
        environment = {**dict.fromkeys(names), "HTTPS_PROXY": cloud.proxy_url, **source}
        look_ups.append(LookUp(service, environment=environment))
    answers = look_up.all(look_ups, ARTIFACTS_KEYRING_NOFUSS_RETRIES="1", **settings)
    assert [answer.result for answer in answers] == [None] * len(answers)
    if "RINGBEARER_STRICT" in settings:
        assert all(answer.error and "RingbearerError" in answer.error.bases for answer in answers), answers
    elif not settings:
        assert [len(answer.warnings) for answer in answers] == [1] * len(answers), [one.warnings for one in answers]
    assert fake_programs.invocations("az")
    assert_hidden(planted, answers, look_up, fake_programs)


@pytest.mark.parametrize("settings", SETTINGS)
def test_secret_in_a_path_or_url_is_not_shown(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, planted: Planted, settings: dict[str, str]
) -> None:
    pem = planted("certificate key", ClientCertificate().key_pem)
    token = planted("assertion", cloud.azure.directory.user_token(cloud.azure.user))
    providers = {
        "AZURE_CLIENT_CERTIFICATE_PATH": "client_certificate",
        "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE": "env_var",
        "AZURE_FEDERATED_TOKEN_FILE": "workload_identity",
    }
    cases = [
        (variable, {variable: value, "ARTIFACTS_KEYRING_NOFUSS_PROVIDER": provider})
        for variable, provider in providers.items()
        for value in (pem, token, "/" + token, planted("word for " + variable))
    ]
    access = cloud.azure.contoso.pipeline_token()
    job = cloud.azure.pipelines.job("contoso", planted("SYSTEM_ACCESSTOKEN", access))
    for url in (job.url, "https://dev.azure.com/nowhere", "https://evil.example\\x"):
        service_connection = {
            "SYSTEM_OIDCREQUESTURI": url.replace("://", f"://user:{planted('password ' + url)}@"),
            "SYSTEM_ACCESSTOKEN": access,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": job.connection_id,
            "AZURESUBSCRIPTION_CLIENT_ID": "an-application",
            "ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "azure_pipelines",
        }
        cases.append(("azure_pipelines", service_connection))
    answers = look_up.each(*(case for _, case in cases), AZURE_CLIENT_ID="an-application", **settings)
    assert [answer.result for answer in answers] == [None] * len(cases)
    for (named, _), answer in zip(cases, answers):
        assert named in (answer.error.message if answer.error else answer.text)
    assert_hidden(planted, answers, look_up, fake_programs)


PROGRAM = """
import gc, keyring, pickle, sys
from ringbearer import _core, backends, errors
backend = backends.AzureArtifactsKeyring()
found = backend.get_credential(sys.argv[1], None)
assert found.password
for one in (backend, backends, _core, errors):
    print(repr(one), str(one), vars(one))
for one in gc.get_objects():
    if type(one).__module__.partition(".")[0] == "ringbearer":
        print(repr(one), getattr(one, "__dict__", None))
print(pickle.dumps(backend))
backend.set_password(sys.argv[1], "user", sys.argv[2])
"""


def test_secrets_are_in_no_repr_and_no_attribute(
    cloud: PracticeCloud, client: Client, home: Path, planted: Planted
) -> None:
    password = planted("AZURE_DEVOPS_EXT_PAT")
    environment = cloud.environment(home, AZURE_DEVOPS_EXT_PAT=password)
    service = cloud.azure.feed.url().replace("://", f"://user:{planted('service')}@")
    # The test program itself has the new password as an argument; the exception must not contain it.
    ended = client.run(["python", "-c", PROGRAM, service, planted("new password")], environment)
    assert ended.code == 1 and "ReadOnlyError" in ended.stderr
    assert "AzureArtifactsKeyring" in ended.stdout
    planted.assert_not_in(ended.stdout, ended.stderr)


def test_nothing_is_written_below_home(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, home: Path
) -> None:
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    cloud.environment(home)
    before = sorted(os.path.join(*found[:1], name) for found in os.walk(home) for name in found[2])
    assert look_up(RINGBEARER_DEBUG="1").credential is not None
    after = sorted(os.path.join(*found[:1], name) for found in os.walk(home) for name in found[2])
    assert after == before

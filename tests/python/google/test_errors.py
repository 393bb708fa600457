"""Each failure is one short line with what to run or to change; in strict mode it raises."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import faults, gcloud
from lab.clients import Client
from lab.fake_programs import Answer as Program
from lab.fake_programs import FakePrograms
from lab.faults import Fault
from lab.look_up import Answer, LookUp
from lab.registries.google.accounts import APPLICATION_DEFAULT, GCLOUD
from lab.registries.google.federation import AWS4_REQUEST, JWT, Provider
from lab.registries.google.files import (
    GoogleFiles,
    aws_source,
    executable_failure,
    executable_output,
    executable_source,
    external_account,
    file_source,
    impersonated,
    url_source,
)
from lab.registries.google.metadata import metadata_fails, metadata_redirects
from lab.registries.google.refusals import Refused, bad_request, busy, expired_or_revoked, reauthentication
from lab.registries.google.site import HOST
from support.google_user import APPLICATION_CREDENTIALS, IAM, METADATA, OAUTH, STRICT, STS, UNREAD, GoogleUser
from support.native_keyring import NativeKeyring, assert_complaint

ADC_LOGIN, GCLOUD_LOGIN = "`gcloud auth application-default login`", "`gcloud auth login`"
DIRECTORY, OVERRIDE = "CLOUDSDK_CONFIG", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"
ALLOWED = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
#: The most characters of a line, with its start.
LONGEST = 320


@dataclass
class Failure:
    """A login that fails, and what its line has after the host, or lacks."""

    name: str
    variables: dict[str, str | None]
    words: tuple[str, ...]
    lacks: tuple[str, ...] = ()

    def check(self, line: str) -> None:
        """It is one short line with these words."""
        assert HOST in line and "\n" not in line and len(line) <= LONGEST, (self.name, line)
        assert [word for word in self.words if word not in line] == [], (self.name, line)
        assert [word for word in (*self.lacks, "Traceback", "panicked") if word in line] == [], (self.name, line)
        # What to do.
        assert "; " in line.partition(HOST)[2], (self.name, line)


class Tables:
    """The failures by subject."""

    def __init__(self, ada: GoogleUser, directory: Path, programs: FakePrograms) -> None:
        self.ada = ada
        self.google = ada.google
        self.directory = directory
        self.programs = programs
        self.files_of_variables = GoogleFiles(directory)
        self._count = 0

    def _use(self, content: object) -> dict[str, str | None]:
        """A credential file that the variable names."""
        self._count += 1
        text = content if isinstance(content, str) else json.dumps(content)
        return {APPLICATION_CREDENTIALS: str(self.files_of_variables.write(text, f"{self._count}.json"))}

    def _configuration(self) -> GoogleFiles:
        """The files of another home directory."""
        self._count += 1
        return GoogleFiles(self.directory / str(self._count))

    def people(self) -> list[Failure]:
        """Logins that Google refuses, each by the file of every command."""
        refusals: list[tuple[Refused, str]] = [
            (expired_or_revoked(), "expired or revoked"),
            (bad_request(), "expired or was revoked"),
            (reauthentication("invalid_rapt"), "invalid_rapt"),
            (reauthentication("rapt_required"), "rapt_required"),
        ]
        found = []
        for refusal, words in refusals:
            login = self.google.accounts.log_in("ada")
            own = self.google.accounts.log_in("alice", GCLOUD)
            login.failure = own.failure = refusal
            default, configuration = self._configuration(), self._configuration()
            default.write_application_default(login.file)
            configuration.write_login(own)
            name = f"{refusal.message} of"
            found += [
                Failure(f"{name} a variable", self._use(login.file), (words, ADC_LOGIN, APPLICATION_CREDENTIALS)),
                Failure(f"{name} the usual file", {DIRECTORY: str(default.directory)}, (words, ADC_LOGIN)),
                Failure(
                    f"{name} gcloud", {DIRECTORY: str(configuration.directory)}, (words, GCLOUD_LOGIN), ("application",)
                ),
            ]
        words = ("damaged", "invalid_client", APPLICATION_CREDENTIALS)
        unknown = self._use({**self.google.login.file, "client_secret": "planted"})
        found.append(Failure("unknown client", unknown, words, ("planted",)))
        for refusal, words in (
            (Refused(400, "invalid_scope", "Some requested scopes were invalid."), ("scope", ADC_LOGIN)),
            (Refused(401, "unauthorized_client", "Unauthorized"), ("damaged", "unauthorized_client")),
        ):
            login = self.google.accounts.log_in("ada")
            login.failure = refusal
            found.append(Failure(refusal.code, self._use(login.file), (*words, APPLICATION_CREDENTIALS)))
        return found

    def files(self) -> list[Failure]:
        """Files that hold no credentials that can be used."""
        login, key = self.google.login.file, self.google.key.file
        provider = self.google.providers.workload()
        certificate = external_account(provider, {"certificate": {"use_default_certificate_config": True}})
        contents: list[tuple[str, object, str]] = [
            ("empty", "", "not valid JSON"),
            ("half", json.dumps(login)[:-1], "not valid JSON"),
            ("a token", "ya29.planted", "not valid JSON"),
            ("an array", [login], "no credentials"),
            ("an OAuth client", {"installed": {"client_secret": "planted"}}, "no type"),
            ("a type nobody knows", {**login, "type": "carrier_pigeon"}, "carrier_pigeon"),
            ("Distributed Cloud", {"type": "gdch_service_account"}, "gdch_service_account"),
            ("a client certificate", certificate, "X.509"),
            ("another universe", {**login, "universe_domain": "apis.contoso.example"}, "apis.contoso.example"),
            ("no refresh token", {**login, "refresh_token": ""}, "refresh_token"),
            ("no client", {**login, "client_id": None}, "client_id"),
            ("no email", {**key, "client_email": None}, "client_email"),
            ("no key", {**key, "private_key": "planted"}, "private_key"),
            ("a foreign endpoint", {**key, "token_uri": "https://evil.example/token"}, "token_uri"),
            ("no audience", {**external_account(provider, file_source("/planted")), "audience": ""}, "audience"),
            ("no source", {**external_account(provider, {})}, "credential_source"),
            (
                "a foreign STS",
                external_account(provider, file_source("/x"), token_url="https://evil.example/"),
                "token_url",
            ),
            ("no credentials inside", impersonated({}, self.google.publisher), "source_credentials"),
            ("1 MB", " " * 1_000_000, "cannot be read"),
        ]
        found = [Failure(name, self._use(it), (word, APPLICATION_CREDENTIALS)) for name, it, word in contents]
        workforce = {**login, "type": "external_account_authorized_user"}
        found.append(Failure("a login of a workforce", self._use(workforce), ("only gcloud", GCLOUD_LOGIN)))
        for name, path in (("missing", self.directory / "missing.json"), ("a directory", self.directory)):
            found.append(Failure(name, {APPLICATION_CREDENTIALS: str(path)}, (APPLICATION_CREDENTIALS,)))
        for path, variable in (("key.json", APPLICATION_CREDENTIALS), ("-", OVERRIDE)):
            found.append(Failure(f"the path {path}", {variable: path}, (variable, "absolute")))
        if os.name != "nt":
            writable = self._use(login)
            os.chmod(str(writable[APPLICATION_CREDENTIALS]), 0o666)
            found.append(Failure("writable by all", writable, ("chmod o-w",)))
        return found

    def service_accounts(self) -> list[Failure]:
        """Keys that Google refuses."""
        accounts = self.google.accounts
        deleted, disabled = accounts.key(self.google.robot), accounts.service_account("disabled")
        deleted.is_deleted = disabled.is_disabled = True
        unknown = {**self.google.key.file, "client_email": "nobody@contoso-tools.iam.gserviceaccount.com"}
        return [
            Failure(
                "deleted key", self._use(deleted.file), ("Invalid JWT Signature", "new key", APPLICATION_CREDENTIALS)
            ),
            Failure("deleted account", self._use(unknown), ("account not found", APPLICATION_CREDENTIALS)),
            Failure("disabled account", self._use(accounts.key(disabled).file), ("account disabled",)),
        ]

    def federation(self) -> list[Failure]:
        """Workloads that Google, or their identity provider, refuses."""
        providers = self.google.providers
        provider = providers.workload(subjects={"job"})
        disabled = providers.workload("disabled", subjects={"job"}, is_disabled=True)
        missing = Provider(disabled.name.replace("disabled", "missing"), subjects={"job"})

        def by_file(token: str, provider: Provider = provider, field: str | None = None) -> dict[str, str | None]:
            self._count += 1
            path = self.files_of_variables.write(token, f"subject-{self._count}")
            return self._use(external_account(provider, file_source(path, field)))

        absent = str(self.directory / "absent")
        people = providers.workforce(subjects={"ada"}, client=APPLICATION_DEFAULT)
        subject = file_source(self.files_of_variables.write(people.subject_token("ada"), "subject-of-ada"))
        other_client = self._use({**external_account(people, subject), "client_secret": "planted"})
        found = [
            Failure("another client", other_client, ("OAuth client",), ("planted",)),
            Failure("another subject", by_file(provider.subject_token("other")), ("attribute condition",)),
            Failure("another audience", by_file(provider.subject_token("job", "contoso")), ("audience",)),
            Failure("an old token", by_file(provider.subject_token("job", lifetime=-60)), ("stale",)),
            Failure("no token of it", by_file("planted"), ("sts.googleapis.com",), ("planted",)),
            Failure("another issuer", by_file(provider.subject_token("job", iss="https://x.example")), ("issuer",)),
            Failure("a disabled provider", by_file(disabled.subject_token("job"), disabled), ("audience",)),
            Failure("a missing provider", by_file(missing.subject_token("job"), missing), ("audience",)),
            Failure("an empty file", by_file(" \n"), ("subject-",)),
            Failure("no JSON", by_file("planted", field="value"), ("subject-",), ("planted",)),
            Failure(
                "another field",
                by_file('{"token": "planted"}', field="value"),
                ("subject_token_field_name",),
                ("planted",),
            ),
            Failure("no file", self._use(external_account(provider, file_source(absent))), (absent,)),
        ]
        job = self.ada.cloud.azure.github_actions.job("job")
        urls: list[tuple[str, str, str, str | None]] = [
            ("another job", job.url.replace("/1/", "/99/"), job.request_token, "value"),
            ("another request token", job.url, "planted", "value"),
            ("another field", job.url, job.request_token, "planted"),
        ]
        for name, url, token, field in urls:
            source = url_source(f"{url}&audience=x", {"Authorization": f"Bearer {token}"}, field)
            words = ("pipelines.actions.githubusercontent.com",)
            found.append(Failure(f"{name} by a URL", self._use(external_account(provider, source)), words))
        plain = url_source("http://identity.contoso.example/token")
        found.append(Failure("no TLS", self._use(external_account(provider, plain)), (APPLICATION_CREDENTIALS,)))
        return found

    def programs_of_files(self) -> list[Failure]:
        """Programs of credential files that print no subject token."""
        provider = self.google.providers.workload("program", subjects={"job"})
        good = executable_output(provider.subject_token("job"), JWT)
        found = []

        def add(name: str, answer: Program | None, *words: str, **variables: str | None) -> None:
            self._count += 1
            command = f"mint-{self._count}"
            path = self.programs.program(command, answer) if answer else str(self.directory / command)
            content = external_account(provider, executable_source(path))
            found.append(Failure(name, {**self._use(content), **ALLOWED, **variables}, words, ("planted",)))

        permission = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"
        add("not allowed", Program(json.dumps(good)), f"{permission}=1", **{permission: None})
        add("says why", Program(json.dumps(executable_failure())), "Caller not authorized.", "401")
        add("fails", Program(stderr="no session\n", code=3), "status 3", "no session")
        add("prints nothing", Program(), "mint-")
        add("prints a bare token", Program("planted"), "mint-")
        add("another version", Program(json.dumps({**good, "version": 2})), "version")
        add("another type", Program(json.dumps({**good, "token_type": "planted"})), "token_type")
        add("no token", Program(json.dumps({**good, "id_token": ""})), "mint-")
        add("ended", Program(json.dumps({**good, "expiration_time": 1})), "mint-")
        add("missing", None, "mint-")
        add("slow", Program(hang=True), "mint-", RINGBEARER_TIMEOUT="2")
        return found

    def aws(self) -> list[Failure]:
        """Access keys of AWS that cannot be used."""
        aws = self.ada.cloud.codeartifact.accounts
        key = self.ada.cloud.codeartifact.user
        provider = self.google.providers.workload("aws", token_type=AWS4_REQUEST, issuer=key.account)
        region = {"AWS_REGION": "eu-central-1"}
        content = external_account(provider, aws_source())
        names = ("environment_id", "regional_cred_verification_url")
        without_region = {name: value for name, value in aws_source().items() if name in names}
        foreign = external_account(provider, aws_source("http://evil.example/latest"))
        other = external_account(provider, {**aws_source(), "environment_id": "aws2"})
        ended = aws.session_of_user(key, -60)
        return [
            Failure("another subject", {**self._use(content), **key.variables, **region}, ("attribute condition",)),
            Failure("ended keys", {**self._use(content), **ended.variables, **region}, ("ExpiredToken",)),
            Failure(
                "no region", {**self._use(external_account(provider, without_region)), **key.variables}, ("AWS_REGION",)
            ),
            Failure("half a key", {**self._use(content), **region, "AWS_ACCESS_KEY_ID": key.id}, ("AWS_SECRET",)),
            Failure("a foreign address", {**self._use(foreign), **region}, (APPLICATION_CREDENTIALS,)),
            Failure("another environment", {**self._use(other), **key.variables, **region}, ("environment_id",)),
        ]

    def impersonation(self) -> list[Failure]:
        """Service accounts that may not be impersonated."""
        google = self.google
        strange, other, third = (google.accounts.service_account(name) for name in ("strange", "other", "third"))
        gone = type(strange)("gone@contoso-tools.iam.gserviceaccount.com")
        provider = google.providers.workload("impersonating", subjects={"job"})
        token = file_source(self.files_of_variables.write(provider.subject_token("job"), "subject-of-impersonation"))
        creator, user = "roles/iam.serviceAccountTokenCreator", "roles/iam.workloadIdentityUser"
        foreign = {
            **impersonated(google.login.file, strange),
            "service_account_impersonation_url": "https://evil.example/",
        }
        lifetime = {"service_account_impersonation": {"token_lifetime_seconds": 7200}}
        google.accounts.service_account("long", provider.principal("job"))
        long = google.accounts.find_service_account("long@contoso-tools.iam.gserviceaccount.com")
        return [
            Failure("a person", self._use(impersonated(google.login.file, strange)), (creator, strange.email)),
            Failure("a robot", self._use(impersonated(google.key.file, other)), (creator, other.email)),
            Failure("a workload", self._use(external_account(provider, token, third)), (user, third.email)),
            Failure("gone", self._use(impersonated(google.login.file, gone)), (gone.email,)),
            Failure("a foreign address", self._use(foreign), ("service_account_impersonation_url",)),
            Failure(
                "too long", self._use(external_account(provider, token, long, **lifetime)), ("token_lifetime_seconds",)
            ),
        ]


@pytest.fixture
def tables(ada: GoogleUser, short_path: Path, fake_programs: FakePrograms) -> Tables:
    """All tables; no path is so long that it is cut."""
    return Tables(ada, short_path, fake_programs)


def ask(ada: GoogleUser, failures: list[Failure], **variables: str) -> list[Answer]:
    """One lookup for each; none is answered from the cache of another."""
    cases = [{DIRECTORY: None, **one.variables, UNREAD: f"number {n}"} for n, one in enumerate(failures)]
    return ada.ask_each(*cases, **variables)


#: The tables by their names.
SUBJECTS: dict[str, Callable[[Tables], list[Failure]]] = {
    "people": Tables.people,
    "files": Tables.files,
    "service accounts": Tables.service_accounts,
    "federation": Tables.federation,
    "programs of files": Tables.programs_of_files,
    "aws": Tables.aws,
    "impersonation": Tables.impersonation,
}


@pytest.mark.parametrize("subject", SUBJECTS)
def test_each_failure_is_one_short_warning_with_advice(ada: GoogleUser, tables: Tables, subject: str) -> None:
    failures = SUBJECTS[subject](tables)
    answers = ask(ada, failures)
    assert [one.name for one, answer in zip(failures, answers) if answer.result is not None] == []
    for failure, answer in zip(failures, answers):
        assert answer.error is None
        failure.check(answer.warning)
    assert answers[0].stderr == answers[0].stdout == ""


@pytest.mark.parametrize("subject", SUBJECTS)
def test_strict_mode_raises_each_failure(ada: GoogleUser, tables: Tables, subject: str) -> None:
    failures = SUBJECTS[subject](tables)
    answers = ask(ada, failures, **STRICT)
    for failure, answer in zip(failures, answers):
        assert answer.error is not None, failure.name
        assert {"RingbearerError", "KeyringError"} < set(answer.error.bases)
        assert HOST in answer.error.message and "\n" not in answer.error.message
        assert answer.warnings == []


def test_native_program_says_one_line_for_each_failure(ada: GoogleUser, tables: Tables, native: Client) -> None:
    keyring = NativeKeyring(ada.cloud, native, ada.home)
    for failure in [*tables.people(), *tables.service_accounts(), *tables.files()[:4], *tables.impersonation()[:3]]:
        ended = keyring("get", ada.url, "oauth2accesstoken", **failure.variables)
        assert_complaint(ended, f"no credential for {HOST}: ", *failure.words)
        assert len(ended.stderr.rstrip("\n")) <= LONGEST, ended.stderr


@pytest.mark.parametrize("hours", [3, -2])
def test_wrong_clock_is_named(ada: GoogleUser, hours: int) -> None:
    ada.google.clock.offset = hours * 3600
    answer = ada.ask(**ada.use(ada.google.key.file))
    assert answer.credential is None and "clock" in answer.warning and f"{abs(hours)} h" in answer.warning


# -- gcloud


def gcloud_failures(directory: Path) -> list[tuple[Program, tuple[str, ...]]]:
    """Runs of gcloud that print no token, and the words of their lines."""
    return [
        (gcloud.not_logged_in(), ("no active account", GCLOUD_LOGIN)),
        (gcloud.requires_reauthentication(), ("sign in again", GCLOUD_LOGIN)),
        (gcloud.has_revoked_token(), ("expired or revoked", GCLOUD_LOGIN)),
        (gcloud.with_junk("ya29.planted"), ("gcloud printed",)),
        (Program("ya29.planted\n"), ("gcloud printed",)),
        (Program(), ("gcloud printed nothing",)),
        (Program(gcloud.document("two words", 3599)), ("more than a token",)),
        (Program(gcloud.document("ya29.planted", -60)), ("ended",)),
        (Program(code=1), ("status 1",)),
        (Program(stderr="Traceback (most recent call last):\n  File planted\n", code=1), ("status 1",)),
        (Program(stderr="ERROR: gcloud crashed (AttributeError): 'x'\n", code=1), ("gcloud crashed",)),
        (Program(killed_by="KILL"), ("gcloud",)),
        (Program(endless=True, stdout="ya29.planted\n" * 8192), ("gcloud", "1024 KiB")),
    ]


def test_each_failure_of_gcloud_is_one_line(ada: GoogleUser, tmp_path: Path) -> None:
    cases, table = [], gcloud_failures(tmp_path)
    made = [FakePrograms(tmp_path / f"gcloud-{number}") for number in range(len(table))]
    for programs, (answer, _) in zip(made, table):
        programs.gcloud(answer)
        path = ada.cloud.environment(ada.home, [programs.directory])["PATH"]
        cases.append({"PATH": path})
    # Some have the same warning.
    answers = ada.ask_each(*cases, **STRICT)
    for programs in made:
        programs.close()
    for number, ((_, words), answer) in enumerate(zip(table, answers)):
        lacks = ("ya29.planted", "File planted", "application-default")
        Failure(f"number {number}", {}, ("gcloud", *words), lacks).check(answer.error.message)


def test_gcloud_that_may_not_impersonate_names_the_role(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    email = ada.google.publisher.email
    fake_programs.gcloud(gcloud.may_not_impersonate(email))
    answer = ada.ask(CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT=email)
    assert answer.credential is None
    assert email in answer.warning and "roles/iam.serviceAccountTokenCreator" in answer.warning


def test_impersonation_without_gcloud_is_one_warning(ada: GoogleUser) -> None:
    ada.files.write_application_default(ada.google.login.file)
    answer = ada.ask(CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT=ada.google.publisher.email)
    assert answer.credential is None and "gcloud" in answer.warning
    assert ada.cloud.log.requests() == []


@pytest.mark.parametrize("hang", [True, "child"])
def test_gcloud_that_hangs_is_ended_in_time(ada: GoogleUser, fake_programs: FakePrograms, hang: bool | str) -> None:
    fake_programs.gcloud(Program(hang=hang))
    answer = ada.ask(RINGBEARER_TIMEOUT="2")
    assert answer.credential is None and answer.seconds < 10
    assert "gcloud" in answer.warning
    assert fake_programs.running() == []


def test_gcloud_that_reads_stdin_does_not_wait(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    token = ada.google.tokens.issue("ada@contoso.example").text
    fake_programs.gcloud(*gcloud.logged_in(token, read_stdin=True))
    answer = ada.ask()
    assert answer.credential == ("oauth2accesstoken", token) and answer.seconds < 10
    (call,) = fake_programs.invocations()
    assert call.environment["CLOUDSDK_CORE_DISABLE_PROMPTS"] == "1"


def test_broken_login_of_gcloud_is_left_to_gcloud(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    path = ada.files.write_login(ada.google.accounts.log_in("ada", GCLOUD))
    path.write_text("{")
    token = ada.google.tokens.issue("ada@contoso.example").text
    fake_programs.gcloud(*gcloud.logged_in(token))
    answer = ada.ask()
    assert answer.credential == ("oauth2accesstoken", token) and answer.warnings == []


# -- the metadata server


def test_metadata_server_that_fails_is_one_warning(ada: GoogleUser) -> None:
    google = ada.google
    google.metadata.account = google.robot
    table: list[tuple[str, Fault | None, tuple[str, ...]]] = [
        ("busy", metadata_fails(503), ("metadata",)),
        ("denied", metadata_fails(403), ("metadata", "403")),
        ("no JSON", faults.replaced(_body(b"planted")), ("metadata",)),
        ("no token", faults.replaced(_body(b"{}")), ("metadata",)),
        ("two words", faults.replaced(_body(b'{"access_token": "a b", "expires_in": 3599}')), ("metadata",)),
    ]
    for name, fault, words in table:
        rule = ada.cloud.faults.add(fault, METADATA, "*/token")
        answer = ada.ask(**google.metadata.variables)
        assert answer.credential is None, name
        Failure(name, {}, words, ("planted", "gcloud auth")).check(answer.warning)
        assert rule.met >= 1
        ada.cloud.faults.clear()


def _body(content: bytes):
    def change(answer):
        answer.body = content
        return answer

    return change


def test_server_that_is_none_of_google_is_one_warning_in_time(ada: GoogleUser) -> None:
    google = ada.google
    google.metadata.account = google.robot
    variables = google.metadata.variables
    google.metadata.has_flavor = False
    impostor = ada.ask(**variables)
    google.metadata.has_flavor, google.metadata.is_silent = True, True
    silent = ada.ask(**variables)
    google.metadata.is_silent = False
    ada.cloud.faults.add(metadata_redirects("https://evil.example/"), METADATA)
    portal = ada.ask(**variables)
    nowhere = ada.ask(
        **{**variables, **dict.fromkeys(google.metadata.names, ada.cloud.metadata.nowhere.split("//")[-1])}
    )
    for answer in (impostor, silent, portal, nowhere):
        assert answer.credential is None and "metadata" in answer.warning.lower()
        assert answer.seconds < 5
    assert "GCE_METADATA_HOST" in impostor.warning and "GCE_METADATA_HOST" in silent.warning
    assert google.tokens.issued == []


def test_machine_without_a_service_account_has_no_login(ada: GoogleUser) -> None:
    answer = ada.ask(**ada.google.metadata.variables)
    assert answer.credential is None and ADC_LOGIN in answer.warning
    assert "no service account" in answer.skipped["metadata"]


# -- services that answer with nonsense


def unusable(token: str) -> dict[str, Fault]:
    """Answers that are no tokens, by the name of the member with the token."""
    start = b'{"' + token.encode() + b'": '
    return {
        "a page": faults.html(200),
        "a page with 203": faults.html(203),
        "nothing": faults.status(200),
        "no content": faults.status(204),
        "a redirect": faults.status(302, {"Location": "https://evil.example/"}),
        "a redirect that keeps the method": faults.status(307, {"Location": f"https://{OAUTH}/token"}),
        "half a JSON text": faults.garbage_json(),
        "no object": faults.garbage_json(b"[]"),
        "no UTF-8": faults.garbage_json(start + b'"\xff"}'),
        "very deep": faults.garbage_json(start * 50_000),
        "two texts": faults.garbage_json(start + b'"a"} {}'),
        "no token": faults.garbage_json(b'{"expires_in": 3599}'),
        "null": faults.with_members(**{token: None}),
        "a number": faults.with_members(**{token: 7}),
        "empty": faults.with_members(**{token: ""}),
        "two words": faults.with_members(**{token: "a b"}),
        "a header more": faults.with_members(**{token: "a\r\nX-Planted: b"}),
        "not for a header": faults.with_members(**{token: "t\u00f6ken"}),
        "10 MB": faults.huge(),
        "endless": faults.huge(None),
        "huge headers": faults.huge_headers(),
        "teapot": faults.status(418),
    }


#: Faults of which each single one passes.
PASSING: dict[str, Fault] = {
    "reset": faults.reset(),
    "dropped": faults.drop(),
    "cut": faults.truncated(),
    "429": busy(429),
    "500": faults.status(500),
    "502": faults.html(502),
    "503": busy(503),
    "504": faults.status(504),
}


class Services:
    """The three services that issue tokens."""

    def __init__(self, ada: GoogleUser) -> None:
        provider = ada.google.providers.workload(subjects={"job"})
        subject = file_source(ada.files.write(provider.subject_token("job"), "subject"))
        ada.google.publisher.impersonators.add(ada.google.login.email)
        #: The variables of a login by each host, the member with the token in its answers, and its requests.
        self.logins: dict[str, tuple[dict[str, str], str]] = {
            OAUTH: (ada.use(ada.google.login.file, "person.json"), "access_token"),
            STS: (ada.use(external_account(provider, subject), "workload.json"), "access_token"),
            IAM: (ada.use(impersonated(ada.google.login.file, ada.google.publisher), "publisher.json"), "accessToken"),
        }


@pytest.mark.parametrize("host", [OAUTH, STS, IAM])
def test_unusable_answer_is_one_line_without_it(ada: GoogleUser, host: str) -> None:
    variables, member = Services(ada).logins[host]
    table = unusable(member)
    rules = [ada.cloud.faults.add(fault, host, times=1) for fault in table.values()]
    cases = [Failure(name, variables, (host,), ("planted", "X-Planted", "SAML", "<html")) for name in table]
    answers = ask(ada, cases, **STRICT)
    assert [one.name for one, answer in zip(cases, answers) if answer.result is not None] == []
    for failure, answer in zip(cases, answers):
        failure.check(answer.error.message)
        assert answer.seconds < 10, failure.name
    assert [rule.met for rule in rules] == [1] * len(rules)


@pytest.mark.parametrize("host", [OAUTH, STS, IAM])
def test_passing_fault_is_tried_again(ada: GoogleUser, host: str) -> None:
    variables, _ = Services(ada).logins[host]
    for name, fault in PASSING.items():
        ada.cloud.faults.add(fault, host, times=1)
        answer = ada.ask(**variables)
        assert answer.credential is not None and answer.warnings == [], name
    assert len(ada.cloud.log.requests(host)) == 2 * len(PASSING)


@pytest.mark.parametrize("host", [OAUTH, STS, IAM])
def test_fault_that_stays_is_one_warning(ada: GoogleUser, host: str) -> None:
    variables, _ = Services(ada).logins[host]
    for name, fault in PASSING.items():
        ada.cloud.faults.clear()
        ada.cloud.faults.add(fault, host)
        answer = ada.ask(**variables)
        assert answer.credential is None and answer.seconds < 20, name
        Failure(name, {}, (host,), ("gcloud auth",)).check(answer.warning)
    assert len(ada.cloud.log.requests(host)) <= 3 * len(PASSING)


@pytest.mark.parametrize("fault", ["silence", "drip", "untrusted"])
def test_service_out_of_reach_is_one_warning_in_time(ada: GoogleUser, fault: str) -> None:
    if fault == "untrusted":
        ada.cloud.distrust(OAUTH)
    else:
        ada.cloud.faults.add(faults.silence() if fault == "silence" else faults.drip(1), OAUTH)
    answer = ada.ask(RINGBEARER_TIMEOUT="2", **ada.use(ada.google.login.file))
    assert answer.credential is None and answer.seconds < 10
    Failure(fault, {}, (OAUTH,)).check(answer.warning)


def test_repeated_failure_warns_once(ada: GoogleUser) -> None:
    ada.google.login.failure = expired_or_revoked()
    asked = [LookUp(ada.url), LookUp(ada.url, "oauth2accesstoken", "get_password"), LookUp(HOST), LookUp(ada.url)]
    answers = ada.look_up.all(asked, **ada.use(ada.google.login.file))
    assert [len(answer.warnings) for answer in answers] == [1, 0, 0, 0]
    assert ada.hosts() == [OAUTH]

"""The sources of access tokens, in their order: the first that is configured decides, and a found login moves on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab.clients import Client
from lab.fake_programs import FakePrograms
from lab.gcloud import logged_in, not_logged_in
from lab.look_up import LookUp
from lab.registries.google.accounts import GCLOUD, Login
from lab.registries.google.files import GoogleFiles
from lab.registries.google.metadata import metadata_fails
from lab.registries.google.refusals import expired_or_revoked
from lab.registries.google.site import HOST
from support.google_user import APPLICATION_CREDENTIALS, METADATA, OAUTH, STRICT, UNREAD, GoogleUser
from support.native_keyring import NativeKeyring, assert_complaint

TOKEN, TOKEN_FILE = "CLOUDSDK_AUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"
OVERRIDE = "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE"
DIRECTORY = "CLOUDSDK_CONFIG"
SERVER = "metadata server"


class Sources:
    """Every source, each for an account of its own; the order is that of the sources."""

    def __init__(self, ada: GoogleUser, directory: Path, programs: FakePrograms) -> None:
        google = ada.google
        self.ada = ada
        self.programs = programs
        accounts = google.accounts
        self.key = google.key
        self.override = accounts.log_in("override")
        self.application_default = accounts.log_in("default")
        self.gcloud = accounts.log_in("gcloud", GCLOUD)
        self.logins = [self.application_default, self.gcloud]
        google.metadata.account = google.publisher
        everything, own, nothing = (GoogleFiles(directory / name) for name in ("everything", "own", "nothing"))
        nothing.directory.mkdir(parents=True)
        only_default = GoogleFiles(directory / "only-default")
        for files in (everything, only_default):
            files.write_application_default(self.application_default.file)
        for files in (everything, own):
            files.write_login(self.gcloud)
        self.stub = google.tokens.issue("stub@contoso.example").text
        programs.gcloud(*logged_in(self.stub))
        plain = ada.cloud.environment(ada.home)["PATH"]
        with_gcloud = ada.cloud.environment(ada.home, [programs.directory])["PATH"]
        token_file = ada.files.write(google.tokens.issue("file@contoso.example").text + "\n", "token")
        #: Source, the variables that turn it on alone, and its account.
        self.table: list[tuple[str, dict[str, str | None], str]] = [
            ("variable", {TOKEN: google.tokens.issue("variable@contoso.example").text}, "variable@contoso.example"),
            ("file", {TOKEN_FILE: str(token_file)}, "file@contoso.example"),
            ("application credentials", ada.use(self.key.file, "key.json"), self.key.email),
            ("override", {OVERRIDE: str(ada.files.write(self.override.file, "override.json"))}, self.override.email),
            (
                "application-default login",
                {DIRECTORY: str(only_default.directory)},
                self.application_default.email,
            ),
            ("login of gcloud", {DIRECTORY: str(own.directory)}, self.gcloud.email),
            ("run of gcloud", {"PATH": with_gcloud}, "stub@contoso.example"),
            (SERVER, google.metadata.variables, google.publisher.email),
        ]
        self._everything = {DIRECTORY: str(everything.directory)}
        self._usual: dict[str, str | None] = {DIRECTORY: str(nothing.directory), "PATH": plain}
        self.accounts = [account for _, _, account in self.table]
        self.names = [name for name, _, _ in self.table]

    def alone(self, name: str) -> dict[str, str | None]:
        """The variables of one source."""
        return {**self._usual, **self.table[self.names.index(name)][1]}

    def from_one_on(self, name: str) -> dict[str, str | None]:
        """The variables of one source and of all after it."""
        case = {**self._usual}
        first = self.names.index(name)
        for _, variables, _ in reversed(self.table[first:]):
            case.update(variables)
        # The login of gcloud stays beside the application-default one.
        return {**case, **(self._everything if first <= self.names.index("application-default login") else {})}

    def ask(self, *cases: dict[str, str | None], **variables: str):
        """One lookup for each case; none is answered from the cache of another."""
        return self.ada.ask_each(*({**case, UNREAD: f"number {n}"} for n, case in enumerate(cases)), **variables)


@pytest.fixture
def sources(ada: GoogleUser, tmp_path: Path, fake_programs: FakePrograms) -> Sources:
    """All sources."""
    return Sources(ada, tmp_path / "configurations", fake_programs)


def test_each_source_serves_alone(ada: GoogleUser, sources: Sources) -> None:
    answers = sources.ask(*(sources.alone(name) for name in sources.names))
    assert ada.accounts(answers) == sources.accounts
    assert [answer.warnings for answer in answers] == [[]] * len(answers)


def test_first_configured_source_serves(ada: GoogleUser, sources: Sources) -> None:
    answers = sources.ask(*(sources.from_one_on(name) for name in sources.names))
    assert ada.accounts(answers) == sources.accounts
    assert [answer.warnings for answer in answers] == [[]] * len(answers)
    # Nothing is asked or run before its turn.
    assert set(ada.hosts()) == {OAUTH, METADATA}
    assert len(ada.cloud.log.requests(OAUTH)) == len([sources.key, sources.override, *sources.logins])
    assert len(sources.programs.invocations("gcloud")) == 1


def test_ready_token_is_used_without_a_request(ada: GoogleUser, sources: Sources) -> None:
    answers = sources.ask(sources.alone("variable"), sources.alone("file"), {TOKEN: "not-even-of-google"})
    assert ada.accounts(answers) == ["variable@contoso.example", "file@contoso.example", "not-even-of-google"]
    assert ada.cloud.log.requests() == ada.cloud.log.connections() == []


def test_explicit_source_that_fails_stops_with_its_error(ada: GoogleUser, sources: Sources, tmp_path: Path) -> None:
    sources.key.is_deleted = True
    sources.override.failure = expired_or_revoked()
    broken: dict[str, tuple[dict[str, str], str]] = {
        "variable": ({TOKEN: "two words"}, TOKEN),
        "file": ({TOKEN_FILE: str(tmp_path / "missing")}, TOKEN_FILE),
        "application credentials": ({}, APPLICATION_CREDENTIALS),
        "override": ({}, OVERRIDE),
    }
    cases = [{**sources.from_one_on(name), **changes} for name, (changes, _) in broken.items()]
    cases.append({**sources.from_one_on("override"), OVERRIDE: str(tmp_path / "missing")})
    cases.append({**sources.from_one_on("application credentials"), APPLICATION_CREDENTIALS: str(tmp_path / "missing")})
    variables = [variable for _, variable in broken.values()] + [OVERRIDE, APPLICATION_CREDENTIALS]
    answers = sources.ask(*cases)
    assert ada.accounts(answers) == [None] * len(cases)
    for variable, answer in zip(variables, answers):
        assert f"no credential for {HOST}: " in answer.warning and re.search(rf"{variable}\b", answer.warning)
    assert ada.hosts() == [OAUTH] * 2
    assert sources.programs.invocations() == []


def test_explicit_source_that_fails_raises_its_error_if_strict(ada: GoogleUser, sources: Sources) -> None:
    sources.key.is_deleted = True
    sources.override.failure = expired_or_revoked()
    cases = [{**sources.from_one_on("variable"), TOKEN: "two words"}]
    cases += [sources.from_one_on(name) for name in ("application credentials", "override")]
    for answer in sources.ask(*cases, **STRICT):
        assert {"RingbearerError", "KeyringError"} < set(answer.error.bases)
        assert HOST in answer.error.message and answer.warnings == []
    assert ada.hosts() == [OAUTH] * 2


def test_found_login_that_fails_moves_on_with_one_warning(ada: GoogleUser, sources: Sources) -> None:
    for login in sources.logins:
        login.failure = expired_or_revoked()
    answers = sources.ask(sources.from_one_on("application-default login"), sources.from_one_on("login of gcloud"))
    assert ada.accounts(answers) == [ada.google.publisher.email] * 2
    for answer, name, login in zip(answers, ("application_default", "gcloud"), ("application-default login", "login")):
        assert f"{name} failed" in answer.warning and "metadata served instead" in answer.warning
        assert f"`gcloud auth {login}`" in answer.warning
    # A refused login is that of the program too.
    assert sources.programs.invocations() == []


def test_gcloud_serves_if_the_application_default_login_fails(ada: GoogleUser, sources: Sources) -> None:
    sources.application_default.failure = expired_or_revoked()
    case = sources.from_one_on("application-default login")
    first, second = ada.look_up.all([LookUp(ada.url, environment=case), LookUp(HOST)])
    assert ada.accounts([first, second]) == [sources.gcloud.email] * 2
    assert "application_default failed" in first.warning and "gcloud served instead" in first.warning
    assert "`gcloud auth application-default login`" in first.warning
    assert second.warnings == []


def test_run_of_gcloud_that_fails_moves_on_with_one_warning(ada: GoogleUser, sources: Sources) -> None:
    sources.programs.gcloud(not_logged_in())
    (answer,) = sources.ask(sources.from_one_on("run of gcloud"))
    assert ada.account(answer) == ada.google.publisher.email
    assert "gcloud" in answer.warning and "metadata served instead" in answer.warning
    assert "`gcloud auth login`" in answer.warning


def test_broken_file_of_a_found_login_moves_on(ada: GoogleUser, sources: Sources) -> None:
    case = sources.from_one_on("application-default login")
    path = Path(case[DIRECTORY]) / "application_default_credentials.json"
    path.write_text('{"type": "authorized_user"')
    (answer,) = sources.ask(case)
    assert ada.account(answer) == sources.gcloud.email
    assert "application_default failed" in answer.warning and "gcloud served instead" in answer.warning


def test_last_source_that_fails_is_one_warning(ada: GoogleUser, sources: Sources) -> None:
    sources.application_default.failure = expired_or_revoked()
    sources.programs.gcloud(not_logged_in())
    ada.cloud.faults.add(metadata_fails(), METADATA)
    answers = sources.ask(*(sources.alone(name) for name in ("application-default login", "run of gcloud", SERVER)))
    assert ada.accounts(answers) == [None] * 3
    for answer, words in zip(answers, ("gcloud auth application-default login", "gcloud auth login", "metadata")):
        assert f"no credential for {HOST}: " in answer.warning and words in answer.warning


def test_failures_of_all_found_logins_are_one_warning(ada: GoogleUser, sources: Sources) -> None:
    for login in sources.logins:
        login.failure = expired_or_revoked()
    ada.cloud.faults.add(metadata_fails(), METADATA)
    (answer,) = sources.ask(sources.from_one_on("application-default login"))
    assert answer.credential is None
    for name in ("application_default failed", "gcloud failed", "metadata failed"):
        assert name in answer.warning
    assert "`gcloud auth application-default login`" in answer.warning


def test_impersonation_passes_the_application_default_login_over(ada: GoogleUser, sources: Sources) -> None:
    case = {
        **sources.from_one_on("application-default login"),
        "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT": ada.google.publisher.email,
    }
    (answer,) = sources.ask(case)
    assert ada.account(answer) == "stub@contoso.example" and answer.warnings == []
    # It fails for the account that was asked for, and no other one answers.
    sources.programs.gcloud(not_logged_in())
    (answer,) = sources.ask(case)
    assert answer.credential is None and "gcloud" in answer.warning
    assert ada.cloud.log.requests() == []


def test_nothing_configured_is_one_warning(ada: GoogleUser, native: Client) -> None:
    blank = dict.fromkeys([TOKEN, TOKEN_FILE, APPLICATION_CREDENTIALS, OVERRIDE, DIRECTORY], "")
    cases = [{}, blank, {DIRECTORY: str(ada.home / "missing")}]
    first, *others = ada.ask_each(*cases)
    assert first.credential is None and HOST in first.warning
    assert "`gcloud auth application-default login`" in first.warning and APPLICATION_CREDENTIALS in first.warning
    assert [(answer.credential, answer.warnings) for answer in others] == [(None, [])] * len(others)
    assert first.stderr == first.stdout == ""
    for answer in ada.ask_each(*cases, **STRICT):
        assert {"RingbearerError", "KeyringError"} < set(answer.error.bases) and answer.warnings == []
    assert_complaint(NativeKeyring(ada.cloud, native, ada.home)("get", ada.url, "oauth2accesstoken"), HOST, "gcloud")
    assert ada.cloud.log.requests() == ada.cloud.log.connections() == []
    assert ada.cloud.log.connections(kind="plain") == []


def test_host_of_somebody_else_gets_no_warning(ada: GoogleUser) -> None:
    for answer in ada.look_up.all([LookUp("https://us-docker.pkg.dev/"), LookUp("https://index.example/simple/")]):
        assert answer.credential is None
        assert answer.messages("INFO", "WARNING", "ERROR") == []


def test_configuration_of_gcloud_without_a_login_is_one_warning(ada: GoogleUser) -> None:
    ada.files.write_configuration("default")
    ada.files.activate("default")
    answers = [ada.ask()]
    ada.files.write_configuration("default", core__account="ada@contoso.example")
    answers.append(ada.ask())
    for answer in answers:
        assert answer.credential is None and "`gcloud auth application-default login`" in answer.warning
    assert ada.cloud.log.requests() == []


def test_repaired_login_works_in_the_process_at_once(ada: GoogleUser) -> None:
    good = ada.google.login
    path = ada.files.write(good.file, "login.json")
    bad = Login(good.email, good.client, "1//0withdrawn", good.scopes).file
    text = path.read_text()
    broken = text.replace(good.refresh_token, bad["refresh_token"])
    variables = {APPLICATION_CREDENTIALS: str(path)}
    answers = ada.look_up.all([LookUp(ada.url, files={str(path): one}) for one in (broken, text)], **variables)
    assert ada.accounts(answers) == [None, good.email]
    assert "`gcloud auth application-default login`" in answers[0].warning

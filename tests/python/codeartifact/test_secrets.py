"""No secret access key, session token, login or registry token is shown, and each goes to its own host."""

from __future__ import annotations

import html
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from lab import faults, strace
from lab.clients import Client
from lab.fake_programs import Answer, FakePrograms
from lab.faults import Fault
from lab.look_up import LookUp
from lab.messages import Request, Response, json_response
from support.aws_user import API, OIDC, PORTAL, SIGN_IN, STRICT, STS, AwsUser
from support.menda_machines import assert_hidden
from support.shown_objects import show_objects

SETTINGS = [{}, {"RINGBEARER_DEBUG": "1"}, {"RINGBEARER_DEBUG": "1", **STRICT}]


class Logins:
    """A person with every kind of login, each with its variables."""

    def __init__(self, ada: AwsUser, programs: FakePrograms, directory: Path) -> None:
        aws = ada.aws
        self.ada = ada
        self.session = aws.identity_center.log_in(-60)
        ada.profile_with_sso(self.session)
        self.login = aws.sign_in.log_in(ada.key, -60)
        ada.files.write_login(self.login)
        self.printed = aws.accounts.session_of_user(ada.key, 3600)
        programs.program("print-keys", Answer(json.dumps(self.printed.process_output), stderr="noise"))
        reader = aws.identity_center.find_role("111122223333", "Reader")
        role = aws.accounts.role("publisher", reader, ada.key)
        role.trust_identity("https://gitlab.example", "job")
        self.proof = aws.identity_token("job", issuer="https://gitlab.example")
        self.request_token = ada.cloud.azure.github_actions.job().request_token
        ada.files.write_credentials({"base": ada.key})
        config = ada.files.directory / "config"
        config.write_text(
            config.read_text() + f"\n[profile login]\nlogin_session = {self.login.arn}\n"
            f"\n[profile process]\ncredential_process = print-keys --secret planted-argument\n"
            f"\n[profile role]\nrole_arn = {role.arn}\nsource_profile = corp\nexternal_id = planted-id\n"
            f"\n[profile static]\nrole_arn = {role.arn}\nsource_profile = base\n"
        )
        aws.container.key = aws.accounts.session_of_role(role, "task", 3600)
        aws.container.authorization = "planted-" + "x" * 40
        self.cases = [{"AWS_PROFILE": name} for name in ("corp", "login", "process", "role", "static")]
        self.cases += [ada.key.variables, self.printed.variables, aws.container.variables]
        self.cases += [{"RINGBEARER_AWS_OIDC_TOKEN": self.proof, "AWS_ROLE_ARN": role.arn}]
        self.cases += [{"CODEARTIFACT_AUTH_TOKEN": "planted-ready-token"}]

    def secrets(self) -> list[str]:
        """All that must not be shown."""
        aws = self.ada.aws
        found = [*aws.accounts.secrets, *aws.authorization_tokens.issued, *self.session.secrets, self.proof]
        found += [self.login.refresh_token, *self.login.replaced, self.login.pem.splitlines()[1]]
        return [*found, aws.container.authorization, "planted-ready-token", "planted-argument"]


@pytest.fixture
def logins(ada: AwsUser, fake_programs: FakePrograms, tmp_path: Path) -> Logins:
    """All logins."""
    return Logins(ada, fake_programs, tmp_path)


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_secret_is_shown_when_lookups_succeed(logins: Logins, settings: dict[str, str]) -> None:
    answers = logins.ada.ask_each(*logins.cases, **settings)
    assert None not in [answer.credential for answer in answers]
    assert_hidden(logins.secrets(), *(answer.text for answer in answers))


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_secret_is_shown_when_services_refuse(logins: Logins, settings: dict[str, str]) -> None:
    for host in (API, PORTAL, "container"):
        logins.ada.cloud.faults.add(faults.status(403, body=b'{"message": "no"}'), host)
    answers = logins.ada.ask_each(*logins.cases[:-1], **settings)
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


def echo(spell: Callable[[str], str]) -> Fault:
    """A refusal that repeats every secret of the request."""

    def respond(request: Request, answer: Callable[[Request], Response]) -> Response:
        headers = ("x-amz-security-token", "x-amz-sso_bearer_token", "Authorization", "DPoP")
        given = [request.header(name) for name in headers]
        is_json = "json" in (request.header("Content-Type") or "")
        given += (request.json() if is_json else request.form).values()
        text = " ".join(spell(one) for one in given if one)
        body = {"message": text, "error": "invalid_grant", "error_description": text}
        return json_response(body, 403, [("x-amzn-ErrorType", "AccessDeniedException")])

    return respond


@pytest.mark.parametrize("host", [API, STS, PORTAL, OIDC, SIGN_IN, "container"])
def test_secret_that_a_service_repeats_is_not_shown(logins: Logins, host: str) -> None:
    ada = logins.ada
    profiles = {API: "static", PORTAL: "corp", OIDC: "corp", SIGN_IN: "login"}
    variables = {"AWS_PROFILE": profiles.get(host), **(ada.aws.container.variables if host == "container" else {})}
    if host == STS:
        variables = logins.cases[-2]
    hidden = logins.secrets()
    if host == PORTAL:
        session = ada.aws.identity_center.log_in()
        ada.files.write_session(session, "work")
        hidden += session.secrets
    for spell in SPELLINGS.values():
        ada.cloud.faults.add(echo(spell), host, times=1)
    answers = ada.ask_each(*({} for _ in SPELLINGS), RINGBEARER_DEBUG="1", **variables)
    assert [answer.result for answer in answers] == [None] * len(answers)
    hidden += ada.aws.accounts.secrets
    assert_hidden(hidden, *(answer.text for answer in answers))
    assert ada.cloud.faults.unmet == []


def test_secret_that_was_cut_by_the_service_is_not_shown(ada: AwsUser) -> None:
    session = ada.aws.accounts.session_of_user(ada.key, 3600)
    message = f"token {session.session_token[:30]} of {session.id}, secret {session.secret[:20]}"
    body = json.dumps({"message": message}).encode()
    ada.cloud.faults.add(faults.status(403, {"x-amzn-ErrorType": "AccessDeniedException"}, body), API)
    answer = ada.ask(**session.variables)
    assert_hidden([session.session_token[:30], session.secret[:20]], answer.text)


def test_each_secret_goes_to_its_own_hosts(logins: Logins) -> None:
    ada = logins.ada
    answers = ada.ask_each(*logins.cases)
    assert None not in [answer.credential for answer in answers]
    log = ada.cloud.log
    assert log.hosts_that_saw(ada.key.secret) == []
    for secret in (logins.session.access_token, logins.session.refresh_token, logins.session.client_secret):
        assert set(log.hosts_that_saw(secret)) <= {PORTAL, OIDC}
    for secret in logins.login.replaced:
        assert log.hosts_that_saw(secret) == [SIGN_IN]
    assert log.hosts_that_saw(logins.proof) == [STS]
    assert log.hosts_that_saw(ada.aws.container.authorization) == ["container"]
    for token in ada.aws.authorization_tokens.issued:
        assert log.hosts_that_saw(token) == []
    for role in ("publisher", "Reader"):
        for key in ada.aws.accounts.find_role(f"arn:aws:iam::111122223333:role/{role}").sessions:
            assert log.hosts_that_saw(key.secret) == [] and set(log.hosts_that_saw(key.session_token)) <= {STS, API}


def test_misplaced_secret_is_not_shown(ada: AwsUser) -> None:
    secret = "planted/" + ada.key.secret
    cases = [
        {"AWS_ACCESS_KEY_ID": secret, "AWS_SECRET_ACCESS_KEY": ada.key.id},
        {"AWS_SECRET_ACCESS_KEY": secret},
        {"AWS_ROLE_ARN": secret, "RINGBEARER_AWS_OIDC_TOKEN": "a.b.c"},
        {"CODEARTIFACT_AUTH_TOKEN": secret + " x"},
        {"AWS_ENDPOINT_URL": f"https://user:{quote(secret, safe='')}@{API}", **ada.key.variables},
        {"RINGBEARER_CODEARTIFACT_DURATION": secret},
        {"AWS_CREDENTIAL_EXPIRATION": secret},
    ]
    answers = ada.look_up.each(*cases, service=ada.url, RINGBEARER_DEBUG="1")
    assert_hidden([secret, ada.key.secret], *(answer.text for answer in answers))
    assert ada.cloud.log.requests() == []


#: Files with a mistake that turns a line into a continuation, or into nothing.
SLIPS = [
    "[default]\naws_access_key_id = ID\n  aws_secret_access_key = SECRET\n",
    "  [default]\n  aws_access_key_id = ID\n  aws_secret_access_key = SECRET\n",
    "[default]\naws_access_key_id = ID aws_secret_access_key = SECRET\n",
    "[default]\naws_access_key_id = SECRET\naws_secret_access_key = ID\n",
    "[default\naws_access_key_id = ID\naws_secret_access_key = SECRET\n",
    "[default]\nrole_arn = SECRET\nsource_profile = default\n",
    "[default]\ncredential_process = no-such-program --key SECRET\n",
    "[default]\nlogin_session = SECRET\n",
    "[default]\naws_access_key_id = ID\naws_secret_access_key SECRET\n",
]


def test_slip_in_a_file_shows_no_secret(ada: AwsUser) -> None:
    secret = "planted" + ada.key.wrong_secret()
    ada.key.wrong_secrets.append(secret)
    path = ada.files.write_config({})
    texts = [text.replace("ID", ada.key.id).replace("SECRET", secret) for text in SLIPS]
    for settings in SETTINGS[1:]:
        answers = ada.ask_with_files(*({str(path): text} for text in texts), **settings)
        assert_hidden([secret], *(answer.text for answer in answers))
        assert [answer.result for answer in answers if answer.result] == []


@pytest.mark.skipif(bool(strace.MISSING), reason=str(strace.MISSING))
def test_no_program_gets_a_secret_as_an_argument(logins: Logins, native: Client, tmp_path: Path) -> None:
    ada = logins.ada
    for number, case in enumerate(logins.cases):
        log = tmp_path / f"log-{number}"
        command = [*strace.tracing(log), "-s", "65536", "-e", "trace=execve", native.program("keyring"), "get", ada.url]
        environment = ada.cloud.environment(ada.home, ada.look_up.path, **case)
        subprocess.run([*command, "aws"], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=True)
        # The argument in the configuration is the user's own.
        assert_hidden([one for one in logins.secrets() if one != "planted-argument"], log.read_text())
        assert ada.url in log.read_text()


@pytest.mark.parametrize("refused", [False, True])
def test_no_secret_is_in_a_repr_attribute_or_traceback(logins: Logins, client: Client, refused: bool) -> None:
    ada = logins.ada
    if refused:
        ada.cloud.faults.add(echo(str), API)
    environment = ada.cloud.environment(ada.home, AWS_PROFILE="role", RINGBEARER_DEBUG="1", **STRICT)
    ended = show_objects(client, environment, "CodeArtifactKeyring", ada.url)
    assert ended.stdout.count("found True") == (not refused)
    assert_hidden(logins.secrets(), ended.output)


def test_url_with_a_password_is_not_shown(ada: AwsUser) -> None:
    url = ada.url.replace("https://", "https://aws:planted-password@") + "?x=planted-password#planted-password"
    (answer,) = ada.look_up.all([LookUp(url)], RINGBEARER_DEBUG="1", **ada.key.variables)
    assert ada.caller(answer) == ada.key.caller
    assert "planted-password" not in answer.text

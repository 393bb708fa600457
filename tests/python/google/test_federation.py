"""Workload and workforce identity federation: ``external_account`` with each kind of source."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from lab.clients import Client
from lab.fake_programs import Answer as Program
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp
from lab.registries.codeartifact.accounts import ACCOUNT
from lab.registries.google.accounts import Client as OAuthClient
from lab.registries.google.federation import AWS4_REQUEST, ID_TOKEN, JWT, SAML2, Provider
from lab.registries.google.files import (
    aws_source,
    executable_failure,
    executable_output,
    executable_source,
    external_account,
    file_source,
    url_source,
)
from lab.registries.google.subject_tokens import HOST
from support.google_auth import GoogleAuth
from support.google_user import APPLICATION_CREDENTIALS, IAM, STRICT, STS, GoogleUser

SUBJECT = "project:ring"
ALLOWED = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}


@pytest.fixture
def ada(ada: GoogleUser, short_path: Path) -> GoogleUser:
    """Someone without a login, whose files have paths that a warning does not cut."""
    ada.files.home = short_path
    return ada


@pytest.fixture(params=[False, True], ids=["direct", "impersonating"])
def is_impersonating(request: pytest.FixtureRequest) -> bool:
    """Whether the credential file names a service account."""
    return request.param


class Federation:
    """A provider that trusts one subject, which may read, or impersonates `publisher`."""

    def __init__(self, ada: GoogleUser, is_impersonating: bool = False, subject: str = SUBJECT, **rules) -> None:
        self.ada = ada
        self.subject = subject
        self.provider: Provider = ada.google.providers.workload(subjects={subject}, **rules)
        self.target = ada.google.publisher if is_impersonating else None
        self.principal = self.provider.principal(subject)
        if self.target is not None:
            self.target.impersonators.add(self.principal)
            self.principal = self.target.email
        #: The hosts that are asked after the source.
        self.hosts = [STS, IAM] if is_impersonating else [STS]

    def token(self, **claims) -> str:
        """A new subject token."""
        return self.provider.subject_token(self.subject, **claims)

    def content(self, source: dict[str, object], token_type: str | None = None, **more) -> dict[str, object]:
        """The credential file."""
        return external_account(self.provider, source, self.target, token_type, **more)

    def assert_served(self, content: dict[str, object], *hosts: str, **variables: str | None) -> None:
        """The file gives a token of the right principal, and these hosts are asked before Google's."""
        self.ada.cloud.log.clear()
        answer = self.ada.ask(**self.ada.use(content), RINGBEARER_CACHE="off", **variables)
        assert self.ada.account(answer) == self.principal and answer.warnings == []
        assert self.ada.hosts() == [*hosts, *self.hosts]

    def assert_refused(self, words: str, content: dict[str, object], **variables: str | None) -> str:
        """The file gives one warning with these words and advice. Returns it."""
        answer = self.ada.ask(**self.ada.use(content), RINGBEARER_CACHE="off", **variables)
        assert answer.credential is None
        assert words in answer.warning and "; " in answer.warning, answer.warning
        return answer.warning


# Files.


@pytest.mark.parametrize("field", [None, "token"])
def test_token_in_a_file_is_exchanged(ada: GoogleUser, is_impersonating: bool, field: str | None) -> None:
    federation = Federation(ada, is_impersonating)
    token = federation.token()
    path = ada.files.write(json.dumps({"other": 1, "token": token}) if field else token + "\n", "token")
    for token_type in (JWT, ID_TOKEN):
        federation.assert_served(federation.content(file_source(path, field), token_type))
    assert ada.cloud.log.hosts_that_saw(token) == [STS]


def test_gitlab_job_gets_a_token(ada: GoogleUser, native: Client, is_impersonating: bool) -> None:
    subject = "project_path:contoso/tools:ref_type:branch:ref:main"
    federation = Federation(ada, is_impersonating, subject, issuer="https://gitlab.com")
    # What the job's script writes from the token in `id_tokens`, which has no line end.
    path = ada.home / "builds" / ".ci_job_jwt_file"
    path.parent.mkdir()
    path.write_text(federation.token(project_path="contoso/tools"), encoding="utf-8")
    content = federation.content(file_source(path))
    federation.assert_served(content, CI="true", GITLAB_CI="true")
    environment = ada.cloud.environment(ada.home, [native.bin], GITLAB_CI="true", **ada.use(content))
    ended = native.run(["keyring", "get", ada.url, "oauth2accesstoken"], environment).check()
    assert ada.google.tokens.principal(ended.stdout.strip()) == federation.principal and ended.stderr == ""


def test_token_in_a_file_is_read_anew(ada: GoogleUser) -> None:
    federation = Federation(ada)
    path = str(ada.files.write("", "token"))
    variables = ada.use(federation.content(file_source(path)))
    # A failure is remembered for 3 s.
    ada.files.write(federation.token(lifetime=-5), "token")
    look_ups = [LookUp(ada.url), LookUp(ada.url, files={path: federation.token()}, pause=3.1)]
    assert ada.accounts(ada.look_up.all(look_ups, **variables)) == [None, federation.principal]


#: The content of the file, the field that has the token, and words of the warning.
UNUSABLE_FILES = {
    "missing": (None, None, "no such file"),
    "empty": ("", None, "has "),
    "several lines": ("a\nb", None, "more than a token"),
    "not JSON": ("token", "token", "no JSON object"),
    "another field": ('{"value": "x"}', "token", "subject_token_field_name"),
    "not a text": ('{"token": 5}', "token", "subject_token_field_name"),
}


@pytest.mark.parametrize("case", UNUSABLE_FILES)
def test_unusable_file_with_a_token_is_one_warning(ada: GoogleUser, case: str) -> None:
    text, field, words = UNUSABLE_FILES[case]
    path = ada.files.home / "token" if text is None else ada.files.write(text, "token")
    federation = Federation(ada)
    assert str(path) in federation.assert_refused(words, federation.content(file_source(path, field)))
    assert ada.cloud.log.requests() == []


# Services.


@pytest.mark.parametrize("field", [None, "token"])
def test_token_of_a_service_is_exchanged(ada: GoogleUser, is_impersonating: bool, field: str | None) -> None:
    federation = Federation(ada, is_impersonating)
    service = ada.google.subject_tokens
    service.token, service.field = federation.token(), field
    federation.assert_served(federation.content(url_source(service.url, service.headers, field)), HOST)
    assert ada.cloud.log.hosts_that_saw(service.bearer) == [HOST]
    assert ada.cloud.log.hosts_that_saw(service.token) == [STS]


@pytest.mark.parametrize("program", ["wheel", "native"])
def test_file_of_the_action_needs_nothing_else(
    ada: GoogleUser, native: Client, tmp_path: Path, is_impersonating: bool, program: str
) -> None:
    _, provider, variables = ada.start_job(is_impersonating)
    empty = tmp_path / "empty"
    empty.mkdir()
    if program == "native":
        # No home directory, and no other program.
        environment = {**ada.cloud.environment(ada.home, **variables), "PATH": str(empty)}
        del environment["HOME"]
        words = [native.program("keyring"), "get", ada.url, "oauth2accesstoken"]
        ended = native.run(words, environment, directory=empty).check()
        token, stderr = ended.stdout.strip(), ended.stderr
    else:
        answer = ada.ask(**variables, PATH=str(empty))
        (_, token), stderr = answer.credential or ("", ""), "".join(answer.warnings)
    principal = ada.google.tokens.principal(token)
    assert stderr == "" and principal
    assert principal == ada.google.publisher.email if is_impersonating else provider.name.split("/")[1] in principal
    hosts = ada.hosts()
    assert hosts[0].endswith(".actions.githubusercontent.com"), hosts
    assert hosts[1:] == ([STS, IAM] if is_impersonating else [STS])


def test_file_of_the_action_is_read_by_either_variable(ada: GoogleUser) -> None:
    _, _, variables = ada.start_job(True)
    names = ("GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE")
    answers = ada.ask_each(*({name: variables[name]} for name in names))
    assert ada.accounts(answers) == [ada.google.publisher.email] * 2


def test_request_token_of_a_job_stays_secret(ada: GoogleUser) -> None:
    job, _, variables = ada.start_job()
    good = ada.ask(RINGBEARER_DEBUG="1", **variables)
    assert ada.account(good)
    [host] = ada.cloud.log.hosts_that_saw(job.request_token)
    assert host.endswith(".actions.githubusercontent.com")
    path = Path(variables[APPLICATION_CREDENTIALS])
    path.write_text(path.read_text().replace(job.request_token, "another-token-of-a-job"))
    answer = ada.ask(**variables)
    assert "the request token is not valid" in answer.warning and "; " in answer.warning, answer.warning
    for text in (good.text, answer.text):
        assert job.request_token not in text and "another-token-of-a-job" not in text


# Programs.


@pytest.mark.skipif(os.name == "nt", reason="the program is a script")
@pytest.mark.parametrize("kind", [JWT, ID_TOKEN, SAML2])
def test_token_that_a_program_prints_is_exchanged(
    ada: GoogleUser, fake_programs: FakePrograms, is_impersonating: bool, kind: str
) -> None:
    federation = Federation(ada, is_impersonating, **({"token_type": SAML2} if kind == SAML2 else {}))
    token = federation.provider.saml_response(SUBJECT) if kind == SAML2 else federation.token()
    source = ada.subject_program(executable_output(token, kind, time.time() + 300), stderr="hello", read_stdin=True)
    content = federation.content(source, kind)
    content["credential_source"]["executable"]["command"] += " --for 'a b' $HOME"
    federation.assert_served(content, **ALLOWED)
    [called] = fake_programs.invocations()
    # No shell reads the line.
    assert called.arguments == ["--for", "a b", "$HOME"]
    prefix = "GOOGLE_EXTERNAL_ACCOUNT_"
    told = {name[len(prefix) :]: value for name, value in called.environment.items() if name.startswith(prefix)}
    assert (told["AUDIENCE"], told["TOKEN_TYPE"]) == (federation.provider.audience, kind)
    assert (told["INTERACTIVE"], told["REVOKE"]) == ("0", "0")
    assert told.get("IMPERSONATED_EMAIL") == (federation.target and federation.target.email)
    assert "OUTPUT_FILE" not in told


@pytest.mark.parametrize("value", [None, "", "0", "true", "yes"])
def test_program_is_not_run_unless_it_is_allowed(
    ada: GoogleUser, fake_programs: FakePrograms, value: str | None
) -> None:
    federation = Federation(ada)
    content = federation.content(ada.subject_program(executable_output(federation.token(), JWT)))
    name = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"
    assert name in federation.assert_refused("names a program to run", content, **{name: value})
    assert fake_programs.invocations() == [] and ada.cloud.log.requests() == []


#: What the program does, and words of the warning.
BAD_PROGRAMS = {
    "says why": (Program(json.dumps(executable_failure())), "Caller not authorized. (401)"),
    "fails": (Program(stderr="log in to the vault first\n", code=3), "log in to the vault first"),
    "is killed": (Program(killed_by="KILL"), "subject-token"),
    "prints nothing": (Program(), "printed no JSON object"),
    "prints a text": (Program("token"), "printed no JSON object"),
    "another version": (Program('{"version": 2, "success": true}'), "a version other than 1"),
    "no success": (Program('{"version": 1}'), "no success"),
    "another type": (Program('{"version": 1, "success": true, "token_type": "x"}'), "token_type"),
    "no token": (Program(json.dumps({**executable_output("x", JWT), "id_token": None})), "no token"),
    "ended": (Program(json.dumps(executable_output("x", JWT, 1_700_000_000))), "has ended"),
    "never ends": (Program(hang=True), "subject-token"),
    "endless": (Program("x" * 1000, endless=True), "subject-token"),
}


@pytest.mark.skipif(os.name == "nt", reason="the program is a script")
@pytest.mark.parametrize("case", BAD_PROGRAMS)
def test_program_that_prints_no_token_is_one_warning(ada: GoogleUser, fake_programs: FakePrograms, case: str) -> None:
    behaviour, words = BAD_PROGRAMS[case]
    federation = Federation(ada)
    content = federation.content(executable_source(fake_programs.program("subject-token", behaviour)))
    answer = ada.ask(**ada.use(content), **ALLOWED)
    assert answer.credential is None and words in answer.warning, answer.warning
    # The limit in the file is 5 s.
    assert answer.seconds < 15 and fake_programs.running() == []
    assert ada.cloud.log.requests() == []


def test_missing_program_is_one_warning(ada: GoogleUser) -> None:
    federation = Federation(ada)
    federation.assert_refused("no-such-program", federation.content(executable_source("no-such-program")), **ALLOWED)
    assert ada.cloud.log.requests() == []


@pytest.mark.skipif(os.name == "nt", reason="the program is a script")
def test_output_file_is_used_while_it_is_good(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    federation = Federation(ada)
    program = fake_programs.program("subject-token", Program(json.dumps(executable_output(federation.token(), JWT))))

    def ask_with(kept: dict[str, object] | str) -> int:
        """One lookup with that file. Returns how often the program was run by now."""
        path = ada.files.write(kept, "kept.json")
        federation.assert_served(federation.content(executable_source(program, output_file=path)), **ALLOWED)
        [*_, last] = [None, *fake_programs.invocations()]
        assert last is None or last.environment["GOOGLE_EXTERNAL_ACCOUNT_OUTPUT_FILE"] == str(path)
        return len(fake_programs.invocations())

    assert ask_with(executable_output(federation.token(), JWT, time.time() + 300)) == 0
    runs = [
        ask_with(executable_output("x", JWT, time.time() - 5)),
        ask_with(executable_output("x", JWT)),
        ask_with(executable_failure()),
        ask_with("no JSON"),
    ]
    assert runs == [1, 2, 3, 4]


@pytest.mark.skipif(os.name == "nt", reason="the program is a script")
def test_output_file_that_others_may_write_is_refused(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    federation = Federation(ada)
    program = fake_programs.program("subject-token", Program(json.dumps(executable_output(federation.token(), JWT))))
    path = ada.files.write(executable_output(federation.token(), JWT, time.time() + 300), "kept.json")
    os.chmod(path, 0o666)
    warning = federation.assert_refused(
        "chmod", federation.content(executable_source(program, output_file=path)), **ALLOWED
    )
    assert "kept.json" in warning and fake_programs.invocations() == []
    assert ada.cloud.log.requests() == []


# AWS.


def aws_federation(ada: GoogleUser, is_impersonating: bool, key) -> Federation:
    """A provider that trusts the owner of an access key of AWS."""
    return Federation(ada, is_impersonating, key.caller, token_type=AWS4_REQUEST, issuer=ACCOUNT)


@pytest.mark.parametrize("region", ["AWS_REGION", "AWS_DEFAULT_REGION"])
@pytest.mark.parametrize("has_session", [False, True], ids=["user", "session"])
def test_key_of_aws_is_exchanged(ada: GoogleUser, is_impersonating: bool, has_session: bool, region: str) -> None:
    aws = ada.cloud.codeartifact
    key = aws.accounts.session_of_role(aws.accounts.role("task"), "ada", 3600) if has_session else aws.user
    federation = aws_federation(ada, is_impersonating, key)
    federation.assert_served(federation.content(aws_source()), **{region: "eu-central-1"}, **key.variables)
    # The signed request goes to Google, which sends it to AWS.
    assert ada.cloud.log.hosts_that_saw(key.id) == [STS]
    assert ada.cloud.log.hosts_that_saw(key.secret) == []


@pytest.mark.parametrize("has_region", [False, True])
def test_role_of_a_machine_of_aws_is_exchanged(ada: GoogleUser, is_impersonating: bool, has_region: bool) -> None:
    aws = ada.cloud.codeartifact
    aws.ec2.key = aws.accounts.session_of_role(aws.accounts.role("builders"), "i-0123456789abcdef0", 3600)
    federation = aws_federation(ada, is_impersonating, aws.ec2.key)
    ada.cloud.log.clear()
    region = {"AWS_REGION": "eu-central-1"} if has_region else {}
    content = federation.content(aws_source())
    answer = ada.ask(**ada.use(content), **aws.ec2.variables, **region)
    assert ada.account(answer) == federation.principal and answer.warnings == []
    assert list(dict.fromkeys(ada.hosts())) == ["ec2", *federation.hosts]
    paths = [request.path for request in ada.cloud.log.requests("ec2")]
    assert any(path.endswith("/availability-zone") for path in paths) != has_region
    # Never through the proxy.
    assert "ec2" not in [request.host for request in ada.cloud.log.requests(method="CONNECT")]


def test_wrong_key_of_aws_is_one_warning(ada: GoogleUser) -> None:
    key = ada.cloud.codeartifact.user
    federation = aws_federation(ada, False, key)
    content = federation.content(aws_source())
    half = {"AWS_ACCESS_KEY_ID": key.id, "AWS_REGION": "eu-central-1"}
    assert "AWS_SECRET_ACCESS_KEY" in federation.assert_refused("AWS_ACCESS_KEY_ID", content, **half)
    federation.assert_refused("AWS_REGION", content, **key.variables, AWS_REGION="not a region")
    assert ada.cloud.log.requests() == []
    unknown = {**key.variables, "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_REGION": "eu-central-1"}
    federation.assert_refused("InvalidClientTokenId", content, **unknown)


def test_machine_without_aws_is_one_quick_warning(ada: GoogleUser) -> None:
    federation = aws_federation(ada, False, ada.cloud.codeartifact.user)
    answer = ada.ask(**ada.use(federation.content(aws_source())), AWS_REGION="eu-central-1")
    assert answer.credential is None and "AWS" in answer.warning and answer.seconds < 10, answer.warning
    assert STS not in ada.hosts()


# People.


@pytest.mark.parametrize("has_client", [False, True])
def test_person_of_a_workforce_gets_a_token(ada: GoogleUser, has_client: bool) -> None:
    client = OAuthClient("workforce", "the-secret+of/the=client") if has_client else None
    rules = {"subjects": {"ada@contoso.example"}, "audiences": {"contoso"}, "client": client}
    provider = ada.google.providers.workforce(**rules)
    path = ada.files.write(provider.subject_token("ada@contoso.example"), "token")
    content = external_account(provider, file_source(path), workforce_pool_user_project="123456789012")
    answer = ada.ask(**ada.use(content))
    assert ada.account(answer) == provider.principal("ada@contoso.example") and answer.warnings == []
    # A client takes the place of the project.
    assert ada.google.sts.user_projects == ([] if has_client else ["123456789012"])


def test_wrong_client_of_a_workforce_is_one_warning(ada: GoogleUser) -> None:
    rules = {"subjects": {"ada@contoso.example"}, "audiences": {"contoso"}, "client": OAuthClient("workforce", "right")}
    provider = ada.google.providers.workforce(**rules)
    path = ada.files.write(provider.subject_token("ada@contoso.example"), "token")
    content = external_account(provider, file_source(path), client_secret="wrong-secret-of-a-client")
    answer = ada.ask(**ada.use(content))
    assert "client_id" in answer.warning and "wrong-secret-of-a-client" not in answer.text, answer.warning


# Refusals.


def test_refusal_of_the_exchange_says_what_to_correct(ada: GoogleUser) -> None:
    federation = Federation(ada, issuer="https://ci.example")
    provider = federation.provider
    tokens = {
        "renew the identity token": federation.token(lifetime=-5),
        f"https:{provider.audience}": federation.token(audience="https://other.example"),
        "attribute condition of provider github": provider.subject_token("project:other"),
        "check the issuer of provider github": federation.token(iss="https://other.example"),
    }
    for words, token in tokens.items():
        path = ada.files.write(token, "token")
        assert token not in federation.assert_refused(words, federation.content(file_source(path)))
    assert ada.hosts() == [STS] * 4


def test_disabled_provider_and_closed_account_are_one_warning(ada: GoogleUser) -> None:
    federation = Federation(ada, True)
    content = federation.content(file_source(ada.files.write(federation.token(), "token")))
    ada.google.publisher.impersonators.clear()
    warning = federation.assert_refused("roles/iam.workloadIdentityUser", content)
    assert ada.google.publisher.email in warning
    federation.provider.is_disabled = True
    federation.assert_refused("does not exist, or is disabled", content)
    assert ada.hosts() == [STS, IAM, STS]


def test_lifetime_in_the_file_is_asked_for(ada: GoogleUser) -> None:
    federation = Federation(ada, True)
    source = file_source(ada.files.write(federation.token(), "token"))
    content = federation.content(source, service_account_impersonation={"token_lifetime_seconds": 900})
    federation.assert_served(content)
    [request] = ada.cloud.log.requests(IAM)
    assert request.json()["lifetime"] == "900s"
    content["service_account_impersonation"] = {"token_lifetime_seconds": 7200}
    federation.assert_refused("token_lifetime_seconds", content)
    content["service_account_impersonation"] = {"token_lifetime_seconds": 60}
    federation.assert_refused("token_lifetime_seconds", content)


def test_expiry_with_a_fraction_is_read(ada: GoogleUser) -> None:
    ada.google.impersonation.moment = "{}.123456789Z"
    federation = Federation(ada, True)
    federation.assert_served(federation.content(file_source(ada.files.write(federation.token(), "token"))))


# Files that somebody else may have written.


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_credential_file_that_others_may_write_is_refused(ada: GoogleUser) -> None:
    federation = Federation(ada)
    variables = ada.use(federation.content(file_source(ada.files.write(federation.token(), "token"))))
    os.chmod(variables[APPLICATION_CREDENTIALS], 0o666)
    answer = ada.ask(**variables)
    assert answer.credential is None and "chmod" in answer.warning, answer.warning
    os.chmod(variables[APPLICATION_CREDENTIALS], 0o600)
    os.chmod(ada.files.home / "credentials", 0o700)
    assert ada.account(ada.ask(**variables)) == federation.principal


NOT_OF_STS = [
    "https://sts.googleapis.com.evil.example/v1/token",
    "https://sts.evilgoogleapis.com/v1/token",
    "https://evil.example/sts.googleapis.com/v1/token",
    "https://sts.googleapis.com@evil.example/v1/token",
    "https://oauth2.googleapis.com/token",
    "https://sts.googleapis.com:8443/v1/token",
    "http://sts.googleapis.com/v1/token",
    "http://127.0.0.1:8080/v1/token",
]
NOT_OF_IAM = [
    "https://iamcredentials.googleapis.com.evil.example/v1/projects/-/serviceAccounts/a@b.example:generateAccessToken",
    "https://iamcredentials.evilgoogleapis.com/v1/projects/-/serviceAccounts/a@b.example:generateAccessToken",
    "http://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.example:generateAccessToken",
    "https://sts.googleapis.com/v1/projects/-/serviceAccounts/a@b.example:generateAccessToken",
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b.example:signJwt",
]
_ELSEWHERE = "http://evil.example/latest"
#: Sources that name an address where no token may be asked for.
NOT_OF_A_SOURCE: dict[str, dict[str, object]] = {
    "plain http": url_source("http://identity.contoso.example/token"),
    "a file": url_source("file:///etc/passwd"),
    "user information": url_source("https://ada:secret@identity.contoso.example/token"),
    "a header of the connection": url_source("https://identity.contoso.example/token", {"Host": "evil.example"}),
    "two lines": url_source("https://identity.contoso.example/token", {"X-A": "b\r\nX-C: d"}),
    "keys of AWS": {**aws_source(), "url": f"{_ELSEWHERE}/meta-data/iam/security-credentials"},
    "region of AWS": {**aws_source(), "region_url": f"{_ELSEWHERE}/meta-data/placement/availability-zone"},
    "session of AWS": {**aws_source(), "imdsv2_session_token_url": f"{_ELSEWHERE}/api/token"},
    "loopback": {**aws_source(), "url": "http://127.0.0.1:8080/latest/meta-data/iam/security-credentials"},
    "STS of AWS": {**aws_source(), "regional_cred_verification_url": "https://sts.{region}.evil.example?Action=x"},
    "version of AWS": {**aws_source(), "environment_id": "aws2"},
    "relative file": file_source("token"),
    "several": {**file_source("/token"), **url_source("https://identity.contoso.example/token")},
    "none": {},
    "X.509": {"certificate": {"use_default_certificate_config": True}},
}


def test_foreign_address_in_a_file_is_refused_without_a_request(ada: GoogleUser) -> None:
    federation = Federation(ada, True)
    good = federation.content(file_source(ada.files.write(federation.token(), "token")))
    contents = {f"token_url {url}": {**good, "token_url": url} for url in NOT_OF_STS}
    contents.update({f"iam {url}": {**good, "service_account_impersonation_url": url} for url in NOT_OF_IAM})
    contents.update({name: {**good, "credential_source": source} for name, source in NOT_OF_A_SOURCE.items()})
    path = str(ada.files.write("", "credentials.json"))
    key = ada.cloud.codeartifact.user
    variables = {**key.variables, "AWS_REGION": "eu-central-1", APPLICATION_CREDENTIALS: path}
    answers = ada.ask_with_files(*({path: json.dumps(one)} for one in contents.values()), **variables, **STRICT)
    for name, answer in zip(contents, answers):
        assert answer.error and path in answer.error.message and "; " in answer.error.message, (name, answer)
    assert ada.cloud.log.requests() == ada.cloud.log.requests(method="CONNECT") == []


@pytest.mark.parametrize("host", ["sts.us-east1.rep.googleapis.com", "sts.googleapis.com"])
def test_regional_host_of_google_is_asked(ada: GoogleUser, host: str) -> None:
    federation = Federation(ada)
    source = file_source(ada.files.write(federation.token(), "token"))
    answer = ada.ask(**ada.use(federation.content(source, token_url=f"https://{host}/v1/token")))
    assert ada.account(answer) == federation.principal and ada.hosts() == [host]


# Files of Google's own library.


def test_file_that_google_auth_writes_is_read(ada: GoogleUser, google_auth: Client, is_impersonating: bool) -> None:
    federation = Federation(ada, is_impersonating)
    library = GoogleAuth(ada.cloud, google_auth, ada.home)
    service = ada.google.subject_tokens
    service.token, service.field = federation.token(), "value"
    sources = {
        "file": file_source(ada.files.write(federation.token(), "token")),
        "service": url_source(service.url, service.headers, "value"),
        "program": ada.subject_program(executable_output(federation.token(), JWT, time.time() + 300)),
    }
    for name, source in sources.items():
        written = library.written(federation.content(source))
        assert library.principal(written, **ALLOWED) == federation.principal
        federation.assert_served(written, *([HOST] if name == "service" else []), **ALLOWED)


def test_file_for_aws_that_google_auth_writes_is_read(ada: GoogleUser, google_auth: Client) -> None:
    key = ada.cloud.codeartifact.user
    federation = aws_federation(ada, False, key)
    written = GoogleAuth(ada.cloud, google_auth, ada.home).written(federation.content(aws_source()))
    federation.assert_served(written, AWS_REGION="eu-central-1", **key.variables)

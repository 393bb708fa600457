"""The practice cloud answers AWS's own client, boto3, and keyrings.codeartifact: so it is like AWS."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.registries.codeartifact.files import AwsFiles
from lab.registries.codeartifact.identity_center import START_URL
from lab.registries.codeartifact.metadata import pod_identity_token
from lab.registries.codeartifact.refusals import throttled, throttled_by_sts

REGION = "eu-central-1"
API = f"codeartifact.{REGION}.amazonaws.com"
STS = f"sts.{REGION}.amazonaws.com"

#: Prints the caller and the token, or the name of the error.
PROGRAM = """
import json, sys
import boto3, botocore.exceptions
try:
    session = boto3.Session(region_name=sys.argv[1])
    token = session.client("codeartifact").get_authorization_token(
        domain="practice", domainOwner="111122223333", durationSeconds=int(sys.argv[2])
    )
    caller = session.client("sts").get_caller_identity()["Arn"]
    print(json.dumps([caller, token["authorizationToken"], token["expiration"].timestamp()]))
except botocore.exceptions.ClientError as error:
    print(json.dumps([error.response["Error"]["Code"], error.response["Error"]["Message"]]))
except botocore.exceptions.BotoCoreError as error:
    print(json.dumps([type(error).__name__, str(error)]))
"""


class Person:
    """A person who uses boto3."""

    def __init__(self, cloud: PracticeCloud, client: Client, home: Path) -> None:
        self.cloud = cloud
        self.aws = cloud.codeartifact
        self.files = AwsFiles(home)
        self._client = client
        self._home = home

    def environment(self, **variables: str | None) -> dict[str, str]:
        """Variables that lead boto3 to the practice cloud."""
        return self.cloud.environment(self._home, [self._client.bin], AWS_CA_BUNDLE=self.cloud.ca_file, **variables)

    def ask(self, duration: int = 3600, **variables: str | None) -> list:
        """The caller and the token, or the error."""
        ended = self._client.run(["python", "-c", PROGRAM, REGION, duration], self.environment(**variables)).check()
        assert self.cloud.log.refused() == []
        return json.loads(ended.stdout)

    def assert_caller(self, caller: str, **variables: str | None) -> None:
        """The token is that of a caller, and nothing was wrong with the requests."""
        answer = self.ask(**variables)
        assert answer[0] == caller, answer
        assert answer[1] == self.aws.authorization_tokens.issued[-1]
        assert self.aws.mistakes == []

    def keyring(self, url: str, **variables: str | None) -> str:
        """The output of keyring, with keyrings.codeartifact."""
        words = ["keyring", "--mode", "creds", "get", url]
        return self._client.run(words, self.environment(**variables)).check().stdout


@pytest.fixture
def person(cloud: PracticeCloud, boto3: Client, home: Path) -> Person:
    """Someone without a login."""
    return Person(cloud, boto3, home)


def test_static_keys_in_the_environment_get_a_token(person: Person) -> None:
    person.assert_caller(person.aws.user.caller, **person.aws.user.variables)


def test_static_keys_in_a_file_get_a_token(person: Person) -> None:
    person.files.write_credentials({"default": person.aws.user})
    person.assert_caller(person.aws.user.caller)


@pytest.mark.parametrize("name", ["AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"])
def test_other_endpoints_give_a_token(person: Person, name: str) -> None:
    person.assert_caller(person.aws.user.caller, **person.aws.user.variables, **{name: "true"})
    assert person.cloud.log.requests(API) == []


def test_all_services_are_at_one_loopback_address(person: Person) -> None:
    cloud = person.cloud
    with person.aws.on_loopback(cloud.log, cloud.faults) as url:
        person.assert_caller(person.aws.user.caller, AWS_ENDPOINT_URL=url, **person.aws.user.variables)
    assert {request.host for request in cloud.log.requests()} == {"loopback"}


def test_chain_of_roles_gets_a_token(person: Person) -> None:
    aws = person.aws
    first = aws.accounts.role("first", aws.user)
    last = aws.accounts.role("last", first, external_id="contoso/1=2")
    person.files.write_credentials({"base": aws.user})
    middle = {"role_arn": first.arn, "source_profile": "base"}
    outer = {"role_arn": last.arn, "source_profile": "middle", "external_id": "contoso/1=2", "role_session_name": "ada"}
    person.files.write_config({"profile middle": middle, "profile outer": outer})
    caller = "arn:aws:sts::111122223333:assumed-role/last/ada"
    person.assert_caller(caller, AWS_PROFILE="outer")
    # Without the external id the role is not given.
    del outer["external_id"]
    person.files.write_config({"profile middle": middle, "profile outer": outer})
    assert person.ask(AWS_PROFILE="outer")[0] == "AccessDenied"
    assert aws.mistakes == []


def test_session_of_a_chained_role_is_one_hour_at_most(person: Person) -> None:
    aws = person.aws
    first = aws.accounts.role("first", aws.user)
    last = aws.accounts.role("last", first, maximum_duration=7200)
    person.files.write_credentials({"base": aws.user})
    outer = {"role_arn": last.arn, "source_profile": "middle", "duration_seconds": 7200}
    middle = {"role_arn": first.arn, "source_profile": "base"}
    person.files.write_config({"profile middle": middle, "profile outer": outer})
    code, message = person.ask(AWS_PROFILE="outer")
    assert code == "ValidationError" and "role chaining" in message


def test_web_identity_gets_a_token(person: Person, tmp_path: Path) -> None:
    aws = person.aws
    role = aws.accounts.role("pods")
    file = tmp_path / "token"
    subject, audience = "system:serviceaccount:default:builder", "sts.amazonaws.com"
    variables = {
        "AWS_ROLE_ARN": role.arn,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(file),
        "AWS_ROLE_SESSION_NAME": "pod",
    }
    file.write_text(aws.identity_token(subject, audience))
    assert person.ask(**variables)[0] == "InvalidIdentityToken"
    role.trust_identity("https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF", subject)
    person.assert_caller("arn:aws:sts::111122223333:assumed-role/pods/pod", **variables)
    refused = {
        "AccessDenied": aws.identity_token("system:serviceaccount:default:other"),
        "InvalidIdentityToken": aws.identity_token(audience="other"),
        "ExpiredTokenException": aws.identity_token(lifetime=-1),
    }
    for code, token in refused.items():
        file.write_text(token)
        assert person.ask(**variables)[0] == code
    assert aws.mistakes == []


def sso(person: Person, **more: object) -> None:
    """A profile of the portal."""
    profile = {"sso_account_id": "111122223333", "sso_role_name": "Reader", **more}
    session = {"sso_start_url": START_URL, "sso_region": REGION, "sso_registration_scopes": "sso:account:access"}
    if "sso_session" in more:
        person.files.write_config({"default": profile, "sso-session corp": session})
    else:
        person.files.write_config({"default": {**profile, **session}})


def test_session_of_the_portal_gets_a_token_and_is_refreshed(person: Person, home: Path) -> None:
    aws = person.aws
    aws.identity_center.assign("Reader")
    caller = "arn:aws:sts::111122223333:assumed-role/Reader/ada"
    sso(person, sso_session="corp")
    session = aws.identity_center.log_in(3600)
    person.files.write_session(session, "corp")
    person.assert_caller(caller)
    assert session.replaced == []
    aws.identity_center.sessions.clear()
    session = aws.identity_center.log_in(-60)
    path = person.files.write_session(session, "corp")
    old = session.refresh_token
    person.assert_caller(caller)
    kept = json.loads(path.read_text())
    assert (kept["accessToken"], kept["refreshToken"]) == (session.access_token, session.refresh_token)
    assert session.refresh_token != old
    session.has_ended = True
    assert person.ask()[0] == "UnauthorizedSSOTokenError"
    assert aws.mistakes == []


def test_portal_without_a_session_gets_a_token(person: Person) -> None:
    aws = person.aws
    sso(person)
    session = aws.identity_center.log_in()
    person.files.write_session(session)
    assert person.ask()[0] == "ForbiddenException"
    aws.identity_center.assign("Reader")
    person.assert_caller("arn:aws:sts::111122223333:assumed-role/Reader/ada")


def test_login_session_is_refreshed_with_a_proof(person: Person) -> None:
    aws = person.aws
    login = aws.sign_in.log_in(aws.user, -60)
    path = person.files.write_login(login)
    person.files.write_config({"default": {"login_session": login.arn}})
    person.assert_caller(aws.user.caller)
    assert json.loads(path.read_text())["refreshToken"] == login.refresh_token != login.replaced[0]
    login.key.expires = 0
    kept = json.loads(path.read_text())
    kept["accessToken"]["expiresAt"] = "2020-01-01T00:00:00Z"
    path.write_text(json.dumps({**kept, "refreshToken": login.replaced[0]}))
    assert person.ask()[0] == "LoginRefreshRequired"
    assert aws.mistakes == ["signin: an old refresh token"]


def test_credential_process_gets_a_token(person: Person, tmp_path: Path) -> None:
    session = person.aws.accounts.session_of_user(person.aws.user, 3600)
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(session.process_output))
    program = f"import sys; print(open({str(file)!r}).read())"
    words = [sys.executable, "-c", program]
    person.files.write_config({"default": {"credential_process": shlex.join(words)}})
    person.assert_caller(session.caller)


def test_container_gets_a_token(person: Person, tmp_path: Path) -> None:
    aws = person.aws
    role = aws.accounts.role("task")
    aws.container.key = aws.accounts.session_of_role(role, "task", 3600)
    person.assert_caller(aws.container.key.caller, **aws.container.variables)
    aws.container.authorization = pod_identity_token()
    file = tmp_path / "token"
    file.write_text(aws.container.authorization)
    variables = {**aws.container.variables, "AWS_CONTAINER_AUTHORIZATION_TOKEN": None}
    person.assert_caller(aws.container.key.caller, AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(file), **variables)


def test_machine_with_a_role_gets_a_token(person: Person) -> None:
    aws = person.aws
    role = aws.accounts.role("builders")
    aws.ec2.key = aws.accounts.session_of_role(role, "i-0123456789abcdef0", 3600)
    person.assert_caller(aws.ec2.key.caller, **aws.ec2.variables)
    methods = [request.method for request in person.cloud.log.requests("ec2")]
    assert methods == ["PUT", "GET", "GET"]


def test_machine_that_gives_no_key_has_no_login(person: Person) -> None:
    aws = person.aws
    assert person.ask(**aws.ec2.variables)[0] == "NoCredentialsError"
    aws.ec2.key = aws.accounts.session_of_role(aws.accounts.role("builders"), "i-0", 3600)
    aws.ec2.failure = ("AssumeRoleUnauthorizedAccess", "EC2 cannot assume the role builders.")
    assert person.ask(**aws.ec2.variables)[0] == "NoCredentialsError"
    aws.ec2.is_beyond_hop_limit = True
    variables = {**aws.ec2.variables, "AWS_EC2_METADATA_V1_DISABLED": "true"}
    assert person.ask(**variables)[0] in ("NoCredentialsError", "MetadataRetrievalError")
    assert aws.mistakes == []


def test_services_that_are_busy_are_asked_again(person: Person) -> None:
    cloud = person.cloud
    rules = [cloud.faults.add(throttled(), host=API, times=1)]
    rules.append(cloud.faults.add(throttled_by_sts(), host=STS, times=1))
    person.assert_caller(person.aws.user.caller, **person.aws.user.variables)
    assert [rule.met for rule in rules] == [1, 1]
    cloud.faults.add(throttled(), host=API)
    assert person.ask(**person.aws.user.variables) == ["ThrottlingException", "Rate exceeded"]


@pytest.mark.parametrize("seconds", [0, 900, 43200])
def test_duration_is_that_of_the_request(person: Person, seconds: int) -> None:
    session = person.aws.accounts.session_of_user(person.aws.user, 1800)
    answer = person.ask(seconds, **session.variables)
    assert abs(answer[2] - session.expires - (seconds - 1800 if seconds else 0)) < 10


def test_keyrings_codeartifact_gets_a_token(person: Person, home: Path) -> None:
    aws = person.aws
    output = person.keyring(aws.repository.url, **aws.user.variables)
    assert output.split() == ["aws", aws.authorization_tokens.issued[-1]]
    role = aws.accounts.role("reader", aws.user)
    person.files.write_credentials({"base": aws.user})
    person.files.write_config({"profile corp": {"role_arn": role.arn, "source_profile": "base"}})
    output = person.keyring(aws.repository.url, AWS_PROFILE="corp")
    assert output.split() == ["aws", aws.authorization_tokens.issued[-1]]
    assert len(role.sessions) == 1 and aws.mistakes == []


def test_keyrings_codeartifact_does_not_know_the_new_hosts(person: Person) -> None:
    aws = person.aws
    for url in (aws.repository.dual_stack_url, aws.repository.vpc_url):
        ended = person._client.run(["keyring", "--mode", "creds", "get", url], person.environment(**aws.user.variables))
        assert ended.code == 1 and aws.authorization_tokens.issued == []


def test_no_environment_asks_the_metadata_service_of_the_machine(cloud: PracticeCloud, home: Path) -> None:
    assert cloud.environment(home)["AWS_EC2_METADATA_DISABLED"] == "true"
    assert "AWS_EC2_METADATA_DISABLED" not in cloud.environment(home, **cloud.codeartifact.ec2.variables)
    for variables in (
        {"AWS_EC2_METADATA_DISABLED": None},
        {"AWS_EC2_METADATA_DISABLED": "false"},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://169.254.169.254"},
        {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1.evil.example"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials"},
        {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials"},
    ):
        with pytest.raises(ValueError, match="metadata"):
            cloud.environment(home, **variables)

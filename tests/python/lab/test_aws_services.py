"""The practice cloud: what STS, sign-in and the services on machines of AWS refuse."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lab.cloud import PracticeCloud
from lab.registries.azure.oidc import GITHUB_ISSUER
from lab.registries.codeartifact.files import AwsFiles
from lab.registries.codeartifact.identity_center import START_URL
from lab.registries.codeartifact.sign_in import Login
from lab.tokens import encode_json, encode_segment
from support.browser import Browser

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "vectors" / "aws-sigv4.json").read_text())
SIGN_IN = "https://eu-central-1.signin.aws.amazon.com/v1/token"
STS = "https://sts.eu-central-1.amazonaws.com/"


def proof(login: Login, **changes: object) -> str:
    """A proof of possession of a login's private key."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": login.web_key}
    payload = {"htm": "POST", "htu": SIGN_IN, "iat": int(time.time()), "jti": str(uuid.uuid4()), **changes}
    signed = encode_json(header) + "." + encode_json(payload)
    pair = decode_dss_signature(login.private_key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    return signed + "." + encode_segment(b"".join(number.to_bytes(32, "big") for number in pair))


def refresh(browser: Browser, login: Login, dpop: str, token: str | None = None) -> tuple[int, dict]:
    """Refresh a login."""
    fields = {"clientId": login.client_id, "grantType": "refresh_token", "refreshToken": token or login.refresh_token}
    headers = {"Content-Type": "application/json", "DPoP": dpop}
    return browser.json(SIGN_IN, data=json.dumps(fields).encode(), headers=headers)


def test_refresh_replaces_key_and_refresh_token(cloud: PracticeCloud, browser: Browser) -> None:
    aws = cloud.codeartifact
    login = aws.sign_in.log_in(aws.user)
    old = login.refresh_token
    status, answer = refresh(browser, login, proof(login))
    assert (status, answer["refreshToken"], answer["expiresIn"]) == (200, login.refresh_token, 900)
    assert aws.accounts.find(answer["accessToken"]["accessKeyId"]) is login.key
    assert aws.mistakes == []
    status, answer = refresh(browser, login, proof(login), old)
    assert (status, answer["error"]) == (401, "TOKEN_EXPIRED")
    assert aws.mistakes == ["signin: an old refresh token"]


@pytest.mark.parametrize(
    "change",
    [
        lambda login: proof(login, htm="GET"),
        lambda login: proof(login, htu=SIGN_IN.replace("eu-central-1", "us-east-1")),
        lambda login: proof(login, iat=int(time.time()) - 400),
        lambda login: proof(login, iat=time.time()),
        lambda login: proof(login, jti=""),
        lambda login: proof(login)[:-4] + "AAAA",
        lambda login: "",
    ],
    ids=["method", "address", "old", "fraction", "number", "signature", "none"],
)
def test_wrong_proof_is_refused(cloud: PracticeCloud, browser: Browser, change: Callable[[Login], str]) -> None:
    aws = cloud.codeartifact
    login = aws.sign_in.log_in(aws.user)
    status, answer = refresh(browser, login, change(login))
    assert (status, answer["error"]) == (401, "INVALID_REQUEST")
    assert len(aws.mistakes) == 1 and login.replaced == []


def test_proof_is_accepted_once(cloud: PracticeCloud, browser: Browser) -> None:
    login = cloud.codeartifact.sign_in.log_in(cloud.codeartifact.user)
    once = proof(login)
    assert [refresh(browser, login, once)[0] for _ in range(2)] == [200, 401]


@pytest.mark.parametrize("reason", ["TOKEN_EXPIRED", "USER_CREDENTIALS_CHANGED", "INSUFFICIENT_PERMISSIONS"])
def test_login_that_has_ended_is_no_mistake_of_the_client(cloud: PracticeCloud, browser: Browser, reason: str) -> None:
    login = cloud.codeartifact.sign_in.log_in(cloud.codeartifact.user)
    login.refuse = reason
    assert refresh(browser, login, proof(login))[1]["error"] == reason
    assert cloud.codeartifact.mistakes == []


def test_files_have_the_names_of_the_aws_cli(cloud: PracticeCloud, tmp_path: Path) -> None:
    aws = cloud.codeartifact
    files = AwsFiles(tmp_path)
    session = aws.identity_center.log_in()
    role = "arn:aws:iam::111122223333:role/Reader"
    login = aws.sign_in.log_in(aws.accounts.user("reader"))
    written = [
        files.write_session(session, "corp"),
        files.write_session(session),
        files.write_login(login),
        files.write_role_session(aws.accounts.session_of_user(aws.user, 60), RoleArn=role),
        files.write_role_session(
            aws.accounts.session_of_user(aws.user, 60), RoleArn=role, SerialNumber="arn:aws:iam::111122223333:mfa/me"
        ),
    ]
    known = {vector["file"] for vector in VECTORS["cache_file_names"]}
    assert START_URL in str(VECTORS["cache_file_names"])
    assert {path.relative_to(tmp_path).as_posix() for path in written} <= known
    assert len({*written}) == 5
    key = load_pem_private_key(json.loads(written[2].read_text())["dpopKey"].encode(), None)
    assert key.public_key() == login.private_key.public_key()
    assert login.pem.startswith("-----BEGIN EC PRIVATE KEY-----\n")


def assume(browser: Browser, **fields: str) -> tuple[int, str]:
    """The status and the body of AssumeRoleWithWebIdentity."""
    form = {"Action": "AssumeRoleWithWebIdentity", "Version": "2011-06-15", "RoleSessionName": "job", **fields}
    answer = browser.open(STS, data=form)
    return answer.status, answer.read().decode()


def test_job_of_github_assumes_a_role_that_trusts_it(cloud: PracticeCloud, browser: Browser) -> None:
    aws = cloud.codeartifact
    job = cloud.azure.github_actions.job()
    role = aws.accounts.role("publisher")
    role.trust_identity(GITHUB_ISSUER, job.subject)
    bearer = {"Authorization": f"Bearer {job.request_token}"}
    token = browser.json(job.url + "&audience=sts.amazonaws.com", headers=bearer)[1]["value"]
    status, body = assume(browser, RoleArn=role.arn, WebIdentityToken=token)
    assert status == 200 and f"<AccessKeyId>{role.sessions[0].id}</AccessKeyId>" in body
    other = browser.json(job.url + "&audience=other", headers=bearer)[1]["value"]
    assert "<Code>InvalidIdentityToken</Code>" in assume(browser, RoleArn=role.arn, WebIdentityToken=other)[1]
    assert aws.mistakes == []


@pytest.mark.parametrize(
    "change",
    [{"RoleArn": "publisher"}, {"RoleSessionName": "a b"}, {"DurationSeconds": "60"}, {"Other": "1"}, {"Version": "1"}],
    ids=lambda change: next(iter(change)),
)
def test_wrong_form_is_a_mistake(cloud: PracticeCloud, browser: Browser, change: dict[str, str]) -> None:
    aws = cloud.codeartifact
    role = aws.accounts.role("publisher")
    token = aws.identity_token()
    role.trust_identity("https://oidc.eks.eu-central-1.amazonaws.com/id/0123456789ABCDEF0123456789ABCDEF", "s")
    status, body = assume(browser, **{"RoleArn": role.arn, "WebIdentityToken": token, **change})
    assert status in (400, 403) and "<ErrorResponse" in body
    assert len(aws.mistakes) == 1 or "AccessDenied" in body


def test_machine_gives_keys_to_those_with_a_token(cloud: PracticeCloud, browser: Browser) -> None:
    aws = cloud.codeartifact
    roles = aws.ec2.url + "/latest/meta-data/iam/security-credentials/"
    url = aws.ec2.url + "/latest/api/token"
    assert browser.open(roles).status == 401
    assert aws.mistakes == ["ec2: no token"]
    lifetime = {"x-aws-ec2-metadata-token-ttl-seconds": "21600"}
    token = browser.open(url, headers=lifetime, method="PUT").read().decode()
    headers = {"x-aws-ec2-metadata-token": token}
    assert browser.open(roles, headers=headers).status == 404
    aws.ec2.key = aws.accounts.session_of_role(aws.accounts.role("builders"), "i-0", 3600)
    assert browser.open(roles, headers=headers).read() == b"builders"
    assert browser.json(roles + "builders", headers=headers)[1]["AccessKeyId"] == aws.ec2.key.id
    assert browser.open(url, headers={**lifetime, "X-Forwarded-For": "127.0.0.1"}, method="PUT").status == 403
    aws.ec2.is_beyond_hop_limit = True
    with pytest.raises(OSError):
        browser.open(url, headers=lifetime, method="PUT", timeout=0.5)


def test_container_gives_keys_to_those_with_the_header(cloud: PracticeCloud, browser: Browser) -> None:
    container = cloud.codeartifact.container
    container.authorization = "the token"
    url = container.variables["AWS_CONTAINER_CREDENTIALS_FULL_URI"]
    assert browser.json(url)[0] == 401
    assert browser.json(url, headers={"Authorization": "the token"})[0] == 404
    container.key = cloud.codeartifact.accounts.session_of_user(cloud.codeartifact.user, 3600)
    found = browser.json(url, headers={"Authorization": "the token"})[1]
    assert (found["AccessKeyId"], found["Token"]) == (container.key.id, container.key.session_token)

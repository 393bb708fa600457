"""The practice cloud: signatures of requests to AWS, against recorded ones, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lab.cloud import PracticeCloud
from lab.registries.codeartifact import signatures
from lab.registries.codeartifact.accounts import GET_TOKEN, AccessKey
from lab.registries.codeartifact.endpoints import endpoint_of
from support.browser import Browser, basic

VECTORS = json.loads((Path(__file__).resolve().parents[2] / "vectors" / "aws-sigv4.json").read_text())
HOST = "codeartifact.eu-central-1.amazonaws.com"
QUERY = "domain=practice&domain-owner=111122223333&duration=3600"
EMPTY: dict[str, str] = {}


@pytest.mark.parametrize("vector", VECTORS["signed"], ids=lambda vector: vector["name"])
def test_signature_is_that_of_the_vector(vector: dict) -> None:
    given, expected = vector["input"], vector["expected"]
    signature = signatures.read(expected["authorization"])
    url = urlsplit(given["url"])
    headers = {"Host": url.netloc, **given["headers"], **expected["headers_added"]}
    target = f"{url.path}?{url.query}" if url.query else url.path
    canonical = signatures.canonical_request(
        given["method"], target, list(headers.items()), signature.headers, given["body"].encode()
    )
    assert canonical == expected["canonical_request"]
    moment = expected["headers_added"]["X-Amz-Date"]
    assert signatures.string_to_sign(moment, signature.scope, canonical) == expected["string_to_sign"]
    key = signatures.signing_key(given["secret_access_key"], signature.date, given["region"], given["service"])
    assert key.hex() == expected["signing_key_hex"]
    assert signatures.compute(signature, given["secret_access_key"], moment, canonical) == signature.digits


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("codeartifact.eu-central-1.amazonaws.com", ("codeartifact", "eu-central-1", "aws")),
        ("codeartifact-fips.us-east-1.api.aws", ("codeartifact", "us-east-1", "aws")),
        ("codeartifact.cn-north-1.amazonaws.com.cn", ("codeartifact", "cn-north-1", "aws-cn")),
        ("sts.amazonaws.com", ("sts", "us-east-1", "aws")),
        ("sts-fips.us-gov-west-1.api.aws", ("sts", "us-gov-west-1", "aws-us-gov")),
        ("portal.sso.eusc-de-east-1.amazonaws.eu", ("sso", "eusc-de-east-1", "aws-eusc")),
        ("us-east-1.signin.aws.amazon.com", ("signin", "us-east-1", "aws")),
        ("signin.us-east-1.api.aws", ("signin", "us-east-1", "aws")),
        ("codeartifact.cn-north-1.amazonaws.com", None),
        ("codeartifact.us-east-1.amazonaws.com.cn", None),
        ("sts-fips.us-gov-west-1.amazonaws.com", None),
        ("signin.us-east-1.amazonaws.com", None),
        ("cn-north-1.signin.aws.amazon.com", None),
        ("codeartifact.us-east-1.amazonaws.com.evil.example", None),
    ],
)
def test_endpoint_is_that_of_the_host(host: str, found: tuple[str, str, str] | None) -> None:
    endpoint = endpoint_of(host)
    assert found == (endpoint and (endpoint.service, endpoint.region, endpoint.partition.name))


def headers_of(
    key: AccessKey,
    host: str = HOST,
    query: str = QUERY,
    scope: str = "eu-central-1/codeartifact",
    offset: float = 0,
    secret: str | None = None,
    unsigned: dict[str, str] = EMPTY,
    body: bytes = b"",
) -> dict[str, str]:
    """The headers of a signed request for a token."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() + offset))
    headers = {"Host": host, "X-Amz-Date": moment}
    if key.session_token:
        headers["X-Amz-Security-Token"] = key.session_token
    names = tuple(sorted(name.lower() for name in headers))
    signature = signatures.Signature(key.id, moment[:8], *scope.split("/"), names, "")
    canonical = signatures.canonical_request(
        "POST", f"/v1/authorization-token?{query}", list(headers.items()), names, body
    )
    digits = signatures.compute(signature, secret or key.secret, moment, canonical)
    credential = f"Credential={key.id}/{signature.scope}, SignedHeaders={';'.join(names)}, Signature={digits}"
    return {**headers, **unsigned, "Authorization": f"{signatures.ALGORITHM} {credential}"}


def ask(browser: Browser, headers: dict[str, str], query: str = QUERY, host: str = HOST, method: str = "POST"):
    """The status, the name of the error or None, and the body of an answer."""
    answer = browser.open(f"https://{host}/v1/authorization-token?{query}", headers=headers, method=method)
    body = json.loads(answer.read())
    kind = answer.headers.get("x-amzn-ErrorType")
    assert answer.headers["x-amzn-RequestId"] and answer.headers["Date"]
    return answer.status, kind and kind.partition(":")[0], body


def test_token_of_a_signed_request_opens_the_repository(cloud: PracticeCloud, browser: Browser) -> None:
    aws = cloud.codeartifact
    status, _, body = ask(browser, headers_of(aws.user))
    token = body["authorizationToken"]
    assert status == 200 and token.startswith("eyJ") and len(token) == 2500
    assert abs(body["expiration"] - time.time() - 3600) < 10
    for url in (aws.repository.url, aws.repository.dual_stack_url, aws.repository.vpc_url):
        login = basic(token, "aws")
        assert browser.open(url + "greetings/", headers=login).status == 200
        assert browser.open(url + "greetings/").status == 401
        # The list of all projects is no page of the service.
        assert browser.open(url, headers=login).status == 404
        assert browser.open(url, headers=basic("eyJ", "aws")).status == 401
    assert aws.mistakes == []


@pytest.mark.parametrize(
    ("change", "status", "name", "is_mistake"),
    [
        (lambda key: {"query": QUERY.replace("3600", "60")}, 400, "ValidationException", True),
        (lambda key: {"query": QUERY + "&duration=900"}, 400, "ValidationException", True),
        (lambda key: {"query": QUERY.replace("1111", "111")}, 400, "ValidationException", True),
        (lambda key: {"query": QUERY.replace("practice", "other")}, 404, "ResourceNotFoundException", False),
        (lambda key: {"scope": "us-east-1/codeartifact"}, 403, "InvalidSignatureException", True),
        (lambda key: {"scope": "eu-central-1/sts"}, 403, "InvalidSignatureException", True),
        (lambda key: {"offset": -301}, 403, "InvalidSignatureException", True),
        (lambda key: {"offset": 302}, 403, "InvalidSignatureException", True),
        (lambda key: {"secret": "another"}, 403, "InvalidSignatureException", True),
        (lambda key: {"secret": key.wrong_secret()}, 403, "InvalidSignatureException", False),
        (lambda key: {"unsigned": {"X-Amz-Other": "1"}}, 403, "InvalidSignatureException", True),
        (lambda key: {"unsigned": {"X-Amz-Security-Token": "1"}}, 403, "InvalidSignatureException", True),
        (lambda key: {"body": b"{}"}, 403, "InvalidSignatureException", True),
    ],
)
def test_wrong_request_is_refused(
    cloud: PracticeCloud, browser: Browser, change: Callable, status: int, name: str, is_mistake: bool
) -> None:
    aws = cloud.codeartifact
    changed = change(aws.user)
    answer = ask(browser, headers_of(aws.user, **changed), changed.get("query", QUERY))
    assert answer[:2] == (status, name)
    assert len(aws.mistakes) == is_mistake
    assert aws.user.secret not in str(aws.mistakes)


def test_signature_needs_the_present_session(cloud: PracticeCloud, browser: Browser) -> None:
    aws = cloud.codeartifact
    session = aws.accounts.session_of_user(aws.user, 3600)
    assert ask(browser, headers_of(session))[0] == 200
    session.expires = time.time() - 1
    assert ask(browser, headers_of(session))[:2] == (403, "ExpiredTokenException")
    session.session_token = None
    headers = headers_of(session)
    session.session_token = "another"
    assert ask(browser, headers)[:2] == (403, "UnrecognizedClientException")
    aws.user.is_active = False
    assert ask(browser, headers_of(aws.user))[:2] == (403, "UnrecognizedClientException")
    assert aws.mistakes == []


def test_clock_of_the_cloud_decides(cloud: PracticeCloud, browser: Browser) -> None:
    aws = cloud.codeartifact
    aws.clock.offset = 7200
    assert ask(browser, headers_of(aws.user))[:2] == (403, "InvalidSignatureException")
    assert ask(browser, headers_of(aws.user, offset=7200))[0] == 200
    assert aws.mistakes == []


def test_missing_permission_is_named(cloud: PracticeCloud, browser: Browser) -> None:
    aws = cloud.codeartifact
    aws.user.denied.add(GET_TOKEN)
    status, name, body = ask(browser, headers_of(aws.user))
    assert (status, name) == (403, "AccessDeniedException")
    assert GET_TOKEN in body["message"] and aws.user.caller in body["message"]

"""The practice cloud: what Google's services refuse, and what they call a mistake of the client."""

from __future__ import annotations

import calendar
import json
import time
from email.utils import parsedate
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from lab import tokens
from lab.cloud import PracticeCloud
from lab.registries.codeartifact import signatures
from lab.registries.codeartifact.accounts import ACCOUNT, AccessKey
from lab.registries.google.access_tokens import CLOUD_PLATFORM, EMAIL, IAM, READ_ONLY
from lab.registries.google.accounts import TOKEN_URL, ServiceAccountKey
from lab.registries.google.aws_requests import TARGET
from lab.registries.google.federation import AWS4_REQUEST, ID_TOKEN, JWT, SAML2, Provider
from lab.registries.google.oauth import JWT_BEARER
from lab.registries.google.refusals import SHORT_LIVED, busy
from lab.registries.google.sts import ACCESS_TOKEN, EXCHANGE
from lab.registries.google.sts import TOKEN_URL as STS_URL
from lab.tokens import encode_json, encode_segment
from support.browser import Browser

TOKEN_INFO = "https://oauth2.googleapis.com/tokeninfo"
SUBJECT = "project:ring"
AWS_URL = "https://sts.eu-central-1.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15"


def assertion(key: ServiceAccountKey, header: dict | None = None, signer: ServiceAccountKey | None = None, **changes):
    """The assertion of a key, with changed members of the header and claims; None removes a member."""
    now = int(time.time())
    claims = {"iss": key.email, "scope": CLOUD_PLATFORM, "aud": TOKEN_URL, "iat": now, "exp": now + 3600}
    head = {"alg": "RS256", "typ": "JWT", "kid": key.id}
    parts = [{**head, **(header or {})}, {**claims, **changes}]
    signed = ".".join(encode_json({name: value for name, value in part.items() if value is not None}) for part in parts)
    private = load_pem_private_key((signer or key).private_key.encode(), None)
    return signed + "." + encode_segment(private.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))


def assert_(browser: Browser, text: str) -> tuple[int, dict]:
    """Exchange an assertion."""
    return browser.json(TOKEN_URL, data={"grant_type": JWT_BEARER, "assertion": text})


def refresh(browser: Browser, cloud: PracticeCloud, **more: str) -> tuple[int, dict]:
    """Refresh ada's login."""
    file = cloud.google.login.file
    names = ("client_id", "client_secret", "refresh_token")
    return browser.json(TOKEN_URL, data={"grant_type": "refresh_token", **{name: file[name] for name in names}, **more})


def test_assertion_gets_a_token_of_its_account(cloud: PracticeCloud, browser: Browser) -> None:
    google = cloud.google
    status, answer = assert_(browser, assertion(google.key, scope=READ_ONLY))
    assert (status, answer["expires_in"], answer["token_type"]) == (200, 3599, "Bearer")
    found = google.tokens.find(answer["access_token"])
    assert (found.principal, found.scopes) == (google.robot.email, (READ_ONLY,))
    assert google.mistakes == []


def test_wrong_assertion_is_refused(cloud: PracticeCloud, browser: Browser) -> None:
    google, key = cloud.google, cloud.google.key
    other = google.accounts.key(google.publisher)
    now = int(time.time())
    good = assertion(key)
    cases = [
        ("a wrong signature", "Invalid JWT Signature.", assertion(key, signer=other)),
        ("a wrong signature", "Invalid JWT Signature.", f"{good.rpartition('.')[0]}.AAAA"),
        ("an unknown key id", "Invalid JWT Signature.", assertion(key, {"kid": other.id})),
        ("an unknown key id", "Invalid JWT Signature.", assertion(key, {"kid": None})),
        ("the header is", "Invalid JWT Signature.", assertion(key, {"alg": "none"})),
        ("the audience is", "Failed audience check", assertion(key, aud="https://oauth2.googleapis.com/")),
        ("the times are", SHORT_LIVED, assertion(key, iat=now - 7200, exp=now - 3600)),
        ("the times are", SHORT_LIVED, assertion(key, iat=now, exp=now + 3601)),
        ("the times are", SHORT_LIVED, assertion(key, iat=now + 600, exp=now + 700)),
        ("a time that is no integer", SHORT_LIVED, assertion(key, iat=now + 0.5)),
        ("the claims are", "Bad Request", assertion(key, sub="ada@contoso.example")),
        ("the claims are", "Bad Request", assertion(key, scope=None)),
        ("the scope is", "Invalid OAuth scope", assertion(key, scope="")),
        ("the assertion is no JWT", "malformed", "not.a-token"),
        ("the assertion is no JWT", "malformed", good + "="),
    ]
    for mistake, message, text in cases:
        status, answer = assert_(browser, text)
        assert status == 400 and message in answer["error_description"], (mistake, answer)
        assert len(google.mistakes) == 1 and mistake in google.mistakes.pop()
    assert google.tokens.issued == []


def test_login_of_a_person_is_refreshed(cloud: PracticeCloud, browser: Browser) -> None:
    google = cloud.google
    status, answer = refresh(browser, cloud)
    assert (status, answer["expires_in"], answer["token_type"]) == (200, 3599, "Bearer")
    assert tokens.verify(answer["id_token"])["email"] == "ada@contoso.example"
    assert google.tokens.find(answer["access_token"]).scopes == google.login.scopes
    answer = refresh(browser, cloud, scope=READ_ONLY)[1]
    assert answer["error"] == "invalid_scope"
    answer = refresh(browser, cloud, scope=f"{CLOUD_PLATFORM} {EMAIL}")[1]
    assert answer["scope"] == f"{CLOUD_PLATFORM} {EMAIL}" and "id_token" not in answer
    assert google.mistakes == []


def test_requests_for_tokens_in_a_wrong_form_are_mistakes(cloud: PracticeCloud, browser: Browser) -> None:
    google = cloud.google
    cases = [
        ("the method of /token is GET", {"url": TOKEN_URL}),
        ("/token has a query", {"url": TOKEN_URL + "?grant_type=refresh_token", "data": {"a": "b"}}),
        ("no such path", {"url": TOKEN_URL + "/", "data": {"a": "b"}}),
        ("the grant type is", {"url": TOKEN_URL, "data": {"grant_type": "password"}}),
        ("refresh_token", {"url": TOKEN_URL, "data": {"grant_type": "refresh_token", "refresh_token": ""}}),
        ("fields: assertion", {"url": TOKEN_URL, "data": {"grant_type": JWT_BEARER}}),
        ("Authorization", {"url": TOKEN_URL, "data": {"a": "b"}, "headers": {"Authorization": "Bearer ya29.a"}}),
        ("a token in a query", {"url": TOKEN_INFO + "?access_token=ya29.a"}),
        ("the method of /tokeninfo is GET", {"url": TOKEN_INFO}),
    ]
    for mistake, request in cases:
        assert browser.open(**request).status >= 400
        assert len(google.mistakes) == 1 and mistake in google.mistakes.pop(), mistake
    json_body = {"data": json.dumps({"grant_type": "refresh_token"}).encode()}
    browser.open(TOKEN_URL, headers={"Content-Type": "application/json"}, **json_body)
    assert google.mistakes == ["oauth2: the grant type is None"]


def test_token_is_described(cloud: PracticeCloud, browser: Browser) -> None:
    google = cloud.google
    token = google.tokens.issue("ada@contoso.example", (CLOUD_PLATFORM, EMAIL), 100)
    status, answer = browser.json(TOKEN_INFO, data={"access_token": token.text})
    assert (status, answer["email"], answer["expires_in"]) == (200, "ada@contoso.example", "100")
    token.is_revoked = True
    assert browser.json(TOKEN_INFO, data={"access_token": token.text})[1]["error"] == "invalid_token"
    assert google.mistakes == []


def test_answers_have_the_time_of_google(cloud: PracticeCloud, browser: Browser) -> None:
    cloud.google.clock.offset = 7200
    answer = browser.open(TOKEN_URL, data={"grant_type": JWT_BEARER, "assertion": assertion(cloud.google.key)})
    assert json.loads(answer.read())["error_description"] == SHORT_LIVED
    assert abs(calendar.timegm(parsedate(answer.headers["Date"])) - time.time() - 7200) < 10
    assert cloud.google.mistakes == []


@pytest.mark.parametrize("status", [503, 429])
def test_busy_endpoint_answers_the_next_request(cloud: PracticeCloud, browser: Browser, status: int) -> None:
    cloud.faults.add(busy(status, 1), host="oauth2.googleapis.com", times=1)
    answer = browser.open(TOKEN_URL, data={"grant_type": JWT_BEARER, "assertion": assertion(cloud.google.key)})
    assert (answer.status, answer.headers["Retry-After"]) == (status, "1")
    assert refresh(browser, cloud)[0] == 200


def exchange(browser: Browser, provider: Provider, token: str, headers: dict | None = None, **changes: str | None):
    """Exchange a subject token; None removes a field."""
    form = {
        "grant_type": EXCHANGE,
        "audience": provider.audience,
        "scope": CLOUD_PLATFORM,
        "requested_token_type": ACCESS_TOKEN,
        "subject_token": token,
        "subject_token_type": provider.token_type,
        **changes,
    }
    fields = {name: value for name, value in form.items() if value is not None}
    return browser.json(STS_URL, data=fields, headers=headers)


def test_subject_token_that_is_not_trusted_is_refused(cloud: PracticeCloud, browser: Browser) -> None:
    google = cloud.google
    provider = google.providers.workload(subjects={SUBJECT})
    good = provider.subject_token(SUBJECT)
    status, answer = exchange(browser, provider, good)
    assert (status, answer["issued_token_type"], answer["expires_in"]) == (200, ACCESS_TOKEN, 3599)
    cases = [
        ("invalid_grant", "is stale to sign-in", provider.subject_token(SUBJECT, lifetime=-1)),
        ("invalid_grant", "The audience in ID Token [other]", provider.subject_token(SUBJECT, "other")),
        ("invalid_grant", "The issuer", provider.subject_token(SUBJECT, iss="https://evil.example")),
        ("unauthorized_client", "attribute condition", provider.subject_token("another")),
        ("invalid_grant", "issuer", good[:-8] + "AAAAAAAA"),
    ]
    for error, message, token in cases:
        status, answer = exchange(browser, provider, token)
        assert (status, answer["error"]) == (400, error) and message in answer["error_description"], answer
    provider.is_disabled = True
    assert exchange(browser, provider, good)[1]["error"] == "invalid_target"
    assert google.mistakes == []


def test_exchanges_in_a_wrong_form_are_mistakes(cloud: PracticeCloud, browser: Browser) -> None:
    google = cloud.google
    provider = google.providers.workload(subjects={SUBJECT})
    people = google.providers.workforce(subjects={SUBJECT})
    token = provider.subject_token(SUBJECT)
    options = quote('{"userProject":"1"}')
    cases = [
        ("the scope is", exchange(browser, provider, token, scope="cloud-platform")),
        ("fields: scope", exchange(browser, provider, token, scope=None)),
        ("fields: audience", exchange(browser, provider, token, audience="")),
        (JWT_BEARER, exchange(browser, provider, token, grant_type=JWT_BEARER)),
        (SAML2, exchange(browser, provider, token, subject_token_type=SAML2)),
        ("blanks", exchange(browser, provider, token + "\n")),
        ("the options are", exchange(browser, provider, token, options=options)),
        ("the options are", exchange(browser, people, token, options="userProject")),
        ("no userProject", exchange(browser, people, token)),
        ("a client that nobody needs", exchange(browser, provider, token, {"Authorization": "Bearer a"})),
    ]
    assert [status for _, (status, _) in cases] == [400] * 9 + [401]
    for (expected, _), mistake in zip(cases, google.mistakes):
        assert expected in mistake
    assert len(google.mistakes) == len(cases)


def test_identity_token_is_a_subject_token_too(cloud: PracticeCloud, browser: Browser) -> None:
    provider = cloud.google.providers.workload(subjects={SUBJECT})
    token = provider.subject_token(SUBJECT)
    assert [exchange(browser, provider, token, subject_token_type=kind)[0] for kind in (JWT, ID_TOKEN)] == [200, 200]


def aws_request(key: AccessKey, audience: str, signed: tuple[str, ...] = (TARGET,), age: float = 0, **changes: object):
    """The members of a subject token of AWS, not yet encoded."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(time.time() - age))
    headers = [("host", "sts.eu-central-1.amazonaws.com"), ("x-amz-date", moment), (TARGET, audience)]
    if key.session_token:
        headers.append(("x-amz-security-token", key.session_token))
    names = tuple(sorted({name for name, _ in headers if name != TARGET} | set(signed)))
    target = "/?" + AWS_URL.partition("?")[2]
    canonical = signatures.canonical_request("POST", target, headers, names, b"")
    unsigned = signatures.Signature(key.id, moment[:8], "eu-central-1", "sts", names, "")
    digits = signatures.compute(unsigned, key.secret, moment, canonical)
    value = f"{signatures.ALGORITHM} Credential={key.id}/{unsigned.scope}, SignedHeaders={';'.join(names)}, "
    pairs = [*headers, ("Authorization", f"{value}Signature={digits}")]
    shown = [{"key": name, "value": text} for name, text in pairs]
    return {"headers": shown, "method": "POST", "url": AWS_URL, **changes}


def encoded(members: dict) -> str:
    """As subject tokens are sent."""
    return quote(json.dumps(members, separators=(",", ":"), sort_keys=True))


def changed(members: dict, name: str, value: str) -> dict:
    """With another value of a header."""
    return {
        **members,
        "headers": [{**one, **({"value": value} if one["key"] == name else {})} for one in members["headers"]],
    }


def test_signed_request_of_aws_is_verified(cloud: PracticeCloud, browser: Browser) -> None:
    google, aws = cloud.google, cloud.codeartifact
    session = aws.accounts.session_of_user(aws.user, 3600)
    rules = {"token_type": AWS4_REQUEST, "issuer": ACCOUNT, "subjects": {aws.user.caller}}
    provider = google.providers.workload("aws", **rules)
    for key in (aws.user, session):
        assert exchange(browser, provider, encoded(aws_request(key, provider.audience)))[0] == 200
    assert google.mistakes == []
    good = aws_request(aws.user, provider.audience)
    wrong = [
        ("must be signed", aws_request(aws.user, provider.audience, signed=())),
        ("x-goog-cloud-target-resource is", aws_request(aws.user, provider.audience + "2")),
        ("x-goog-cloud-target-resource is", changed(good, TARGET, "//iam.googleapis.com/other")),
        ("does not match the request", changed(good, "x-amz-date", time.strftime("%Y%m%dT000000Z", time.gmtime()))),
        ("the request is for", {**good, "url": "https://sts.evil.example?Action=GetCallerIdentity&Version=2011-06-15"}),
        ("the request is for", {**good, "url": AWS_URL.replace("GetCallerIdentity", "AssumeRole")}),
        (
            "the signature is for",
            {
                **changed(good, "host", "sts.us-east-1.amazonaws.com"),
                "url": AWS_URL.replace("eu-central-1", "us-east-1"),
            },
        ),
        ("the method is GET", {**good, "method": "GET"}),
        ("the members are", {**good, "body": ""}),
        ("is no request", {"url": AWS_URL}),
    ]
    for mistake, members in wrong:
        status, answer = exchange(browser, provider, encoded(members))
        assert (status, answer["error"]) == (400, "invalid_grant"), mistake
        assert len(google.mistakes) == 1 and mistake in google.mistakes.pop(), mistake


def test_key_that_aws_refuses_gives_no_token(cloud: PracticeCloud, browser: Browser) -> None:
    google, aws = cloud.google, cloud.codeartifact
    rules = {"token_type": AWS4_REQUEST, "issuer": ACCOUNT, "subjects": {aws.user.caller}}
    provider = google.providers.workload("aws", **rules)
    ended = aws.accounts.session_of_user(aws.user, -1)
    gone = AccessKey("AKIAGONE", "secret", aws.user.caller, aws.user.principal)
    elsewhere = aws.accounts.user("ada", "444455556666")
    cases = [
        ("ExpiredToken", aws_request(ended, provider.audience)),
        ("ExpiredToken", aws_request(aws.user, provider.audience, age=901)),
        ("InvalidClientTokenId", aws_request(gone, provider.audience)),
        ("The AWS account 444455556666", aws_request(elsewhere, provider.audience)),
    ]
    for message, members in cases:
        status, answer = exchange(browser, provider, encoded(members))
        assert status == 400 and message in answer["error_description"], answer
    assert google.mistakes == []


def impersonate(browser: Browser, url: str, bearer: str | None, **changes: object) -> tuple[int, dict]:
    """Ask for the token of a service account; None removes a member."""
    members = {"scope": [CLOUD_PLATFORM], "lifetime": "3600s", **changes}
    body = json.dumps({name: value for name, value in members.items() if value is not None}).encode()
    headers = {"Content-Type": "application/json"}
    if bearer is not None:
        headers["Authorization"] = f"Bearer {bearer}"
    return browser.json(url, data=body, headers=headers)


def test_service_account_is_for_those_who_may_impersonate_it(cloud: PracticeCloud, browser: Browser) -> None:
    google = cloud.google
    url = google.publisher.impersonation_url
    ada = google.tokens.issue("ada@contoso.example", (IAM,)).text
    status, answer = impersonate(browser, url, ada, lifetime="600s")
    assert status == 200 and abs(google.tokens.find(answer["accessToken"]).expires - time.time() - 600) < 10
    assert len(answer["expireTime"]) == len("2026-11-30T10:00:00Z")
    assert impersonate(browser, url.replace("@", "%40"), ada, delegates=[])[0] == 200
    last = google.accounts.service_account("last", google.publisher.email)
    chain = [f"projects/-/serviceAccounts/{google.publisher.email}"]
    assert impersonate(browser, last.impersonation_url, ada, delegates=chain)[0] == 200
    alice = google.tokens.issue("alice@contoso.example").text
    unknown = google.accounts.service_account("unknown").impersonation_url.replace("unknown@", "nobody@")
    refused = [
        (403, "PERMISSION_DENIED", impersonate(browser, url, alice)),
        (403, "PERMISSION_DENIED", impersonate(browser, last.impersonation_url, ada)),
        (401, "UNAUTHENTICATED", impersonate(browser, url, None)),
        (401, "UNAUTHENTICATED", impersonate(browser, url, "ya29.unknown")),
        (404, "NOT_FOUND", impersonate(browser, unknown, ada)),
        (400, "INVALID_ARGUMENT", impersonate(browser, url, ada, lifetime="7200s")),
    ]
    for status, name, (found, answer) in refused:
        error = answer["error"]
        assert (found, error["code"], error["status"]) == (status, status, name) and error["message"]
    assert google.mistakes == []


def test_impersonation_in_a_wrong_form_is_a_mistake(cloud: PracticeCloud, browser: Browser) -> None:
    google = cloud.google
    url = google.publisher.impersonation_url
    ada = google.tokens.issue("ada@contoso.example").text
    narrow = google.tokens.issue("ada@contoso.example", (READ_ONLY,)).text
    cases = [
        ("the scope is", impersonate(browser, url, ada, scope=CLOUD_PLATFORM)),
        ("the scope is", impersonate(browser, url, ada, scope=[])),
        ("the members are", impersonate(browser, url, ada, scope=None)),
        ("the members are", impersonate(browser, url, ada, audience="a")),
        ("the lifetime is", impersonate(browser, url, ada, lifetime="3600")),
        ("the delegates are", impersonate(browser, url, ada, delegates=[google.robot.email])),
        ("no such path", impersonate(browser, url.replace("generateAccessToken", "signJwt"), ada)),
        ("the scopes are", impersonate(browser, url, narrow)),
    ]
    assert [status for _, (status, _) in cases] == [400] * 6 + [404, 403]
    for (expected, _), mistake in zip(cases, google.mistakes):
        assert expected in mistake
    assert len(google.mistakes) == len(cases)

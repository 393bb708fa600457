"""The exchange of a job's identity token at issuer.enforce.dev: the request and its failures."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.faults import Fault
from lab.look_up import LookUp, Lookups
from lab.messages import Response, json_response
from lab.registries.chainguard import AUDIENCE
from support.chainguard_user import GITLAB, IDENTITY, INDEX, ISSUER, TOKEN_FILE, User, ask_each, passwords, reported


@pytest.fixture
def user(cloud: PracticeCloud, fake_programs: FakePrograms, tmp_path: Path) -> User:
    """A user with an identity token in a file, and an identity that trusts it."""
    return User(cloud, fake_programs, tmp_path)


def answering(**members: object) -> Fault:
    """The real answer of an exchange with changed members; None removes one."""

    def change(response: Response) -> Response:
        body = {**json.loads(response.body), **members}
        return json_response({name: value for name, value in body.items() if value is not None})

    return faults.replaced(change)


def body(content: bytes, code: int = 200) -> Fault:
    """A fault that answers with this instead."""
    return faults.status(code, {"Content-Type": "application/json"}, content)


# -- the request


def test_exchange_posts_a_form_with_the_proof_as_bearer(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    answer = look_up(INDEX, **user.with_sources("oidc"))
    assert answer.credential == user.issued() and answer.served == "oidc"
    (request,) = cloud.log.requests()
    assert (request.method, request.url) == ("POST", "https://issuer.enforce.dev/sts/exchange")
    assert request.header("Content-Type") == "application/x-www-form-urlencoded"
    assert request.form == {"aud": AUDIENCE, "identity": cloud.chainguard.identity}
    assert request.bearer == user.proof
    assert cloud.log.hosts_that_saw(user.proof) == [ISSUER]
    assert cloud.log.hosts_that_saw(user.issued()[1]) == []
    assert cloud.log.refused() == []


def test_an_identity_is_sent_as_it_is_written(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    names = ["a/b", "a b&aud=x", "%2F+%", "ü", "=;?#"]
    answers = ask_each(look_up, *({IDENTITY: name} for name in names), **{TOKEN_FILE: user.file("p", user.proof)})
    assert [request.form for request in cloud.log.requests()] == [{"aud": AUDIENCE, "identity": one} for one in names]
    assert all("(HTTP 403): the identity may not be assumed by this token" in reported(answer) for answer in answers)


def test_pip_installs_with_a_token_that_only_the_index_sees(
    cloud: PracticeCloud, client: Client, home: Path, user: User
) -> None:
    command = ["pip", "install", "--target", "packages", "--keyring-provider", "import", "--index-url", INDEX]
    client.run([*command, "greetings"], cloud.environment(home, **user.with_sources("oidc"))).check()
    assert {path.stem for path in (home / "packages").glob("*.py")} == {"greetings", "hello_private"}
    (token,) = cloud.chainguard.issued
    assert cloud.log.hosts_that_saw(token) == ["libraries.cgr.dev"]
    assert cloud.log.hosts_that_saw(user.proof) == [ISSUER]
    assert cloud.log.hosts_that_saw("refresh-") == []
    assert len(cloud.log.requests(ISSUER)) == 1


def test_token_file_is_read_for_each_exchange(
    cloud: PracticeCloud, look_up: Lookups, user: User, tmp_path: Path
) -> None:
    proofs = [cloud.chainguard.proof(*GITLAB) for _ in range(2)]
    path = str(tmp_path / "renewed")
    variables = {IDENTITY: cloud.chainguard.identity, TOKEN_FILE: path}
    look_ups = [
        LookUp(INDEX, files={path: f"\n {proof}\r\n"}, environment={"CHAINCTL_CONFIG": str(number)})
        for number, proof in enumerate(proofs)
    ]
    assert passwords(look_up.all(look_ups, **variables)) == cloud.chainguard.issued
    assert cloud.log.bearers() == [(ISSUER, proof) for proof in proofs]


# -- passing failures


@pytest.mark.parametrize("status", [502, 503])
def test_transient_failure_is_retried_and_the_third_reported(
    cloud: PracticeCloud, look_up: Lookups, user: User, status: int
) -> None:
    cloud.faults.add(faults.status(status, body=b'{"message": "planted"}'), times=5)
    first, second = ask_each(look_up, *[user.with_sources("oidc")] * 2)
    assert first.credential is None
    assert f"oidc failed ({ISSUER} exchanged no token (HTTP {status})" in first.warning
    assert "; try again later" in first.warning
    assert second.credential == user.issued()
    assert [request.status for request in cloud.log.requests()] == [status] * 5 + [200]


def test_dropped_connection_and_cut_response_are_retried(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    for fault in (faults.drop(), faults.reset(), faults.drop(), faults.truncated()):
        cloud.faults.add(fault, times=1)
    first, second = ask_each(look_up, *[user.with_sources("oidc")] * 2)
    assert first.credential is None and f"oidc failed (the connection to {ISSUER} broke" in first.warning
    assert second.credential == user.issued()
    assert cloud.log.hosts_that_saw(user.proof) == [ISSUER]


@pytest.mark.parametrize(
    "fault",
    [faults.silence(), faults.drip(), faults.status(503, {"Retry-After": "60"})],
    ids=["silent", "dripping", "asking for patience"],
)
def test_endless_response_of_the_issuer_is_abandoned(
    cloud: PracticeCloud, look_up: Lookups, user: User, fault: Fault
) -> None:
    cloud.faults.add(fault, host=ISSUER)
    answer = look_up(INDEX, RINGBEARER_TIMEOUT="1", **user.with_sources("oidc"))
    assert answer.credential is None and "oidc failed (" in answer.warning and ISSUER in answer.warning
    assert answer.seconds < 3.5


# -- who may not see the proof


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed_with_the_proof(cloud: PracticeCloud, look_up: Lookups, user: User, code: int) -> None:
    places = ["https://evil.example/sts/exchange", "https://other.enforce.dev/", "http://issuer.enforce.dev/", "/other"]
    for place in places:
        cloud.faults.add(faults.sign_in_redirect(place, code), host=ISSUER, times=1)
    answers = ask_each(look_up, *[user.with_sources("oidc")] * len(places))
    assert all(f"oidc failed ({ISSUER} exchanged no token (HTTP {code})" in reported(one) for one in answers)
    assert [request.url for request in cloud.log.requests()] == [f"https://{ISSUER}/sts/exchange"] * len(places)
    assert cloud.log.hosts_that_saw(user.proof) == [ISSUER]
    assert cloud.log.refused() == []


@pytest.mark.parametrize("wrong", ["distrust", "expire", "misname"])
def test_an_issuer_with_a_wrong_certificate_gets_no_proof(
    cloud: PracticeCloud, look_up: Lookups, user: User, wrong: str
) -> None:
    getattr(cloud, wrong)(ISSUER)
    answer = look_up(INDEX, **user.with_sources("oidc"))
    assert answer.credential is None
    problem = "has expired or is not yet valid" if wrong == "expire" else "is not trusted"
    assert f"oidc failed (the certificate of {ISSUER} {problem}" in answer.warning
    assert cloud.log.hosts_that_saw(user.proof) == []


# -- hostile answers

NO_TOKEN = f"{ISSUER} answered without a token"
NO_JSON = f"{ISSUER} sent something else instead of JSON (HTTP 200)"
OTHER_JSON = f"{ISSUER} sent JSON of an unexpected form (HTTP 200)"

HOSTILE: list[tuple[Fault, str]] = [
    (faults.html(), f"{ISSUER} sent a web page instead of JSON (HTTP 200)"),
    (faults.html(403), f"{ISSUER} exchanged no token (HTTP 403)"),
    (faults.huge(), f"{ISSUER} sent more than 1024 KiB"),
    (faults.huge(None), f"{ISSUER} sent more than 1024 KiB"),
    (faults.garbage_json(), NO_JSON),
    (body(b""), NO_JSON),
    (body(b"\xff\xfe\x00"), NO_JSON),
    (body(b"null"), OTHER_JSON),
    (body(b'"planted"'), OTHER_JSON),
    (body(b"[]"), OTHER_JSON),
    (body(b"[" * 100_000), NO_JSON),
    (body(b'{"token": 7}'), OTHER_JSON),
    (body(b'{"token": ["planted"]}'), OTHER_JSON),
    (body(b'{"token": "planted", "expiry": 7}'), OTHER_JSON),
    (body(b'{"token": "planted", "token": "planted"}'), OTHER_JSON),
    (body(b"{}"), NO_TOKEN),
    (body(b'{"token": null, "refreshToken": "planted"}'), NO_TOKEN),
    (body(b'{"token": ""}'), NO_TOKEN),
    (body(b'{"token": " \\n\\t "}'), NO_TOKEN),
    (body(b'{"token": "planted planted"}'), NO_TOKEN),
    (body(b'{"token": "planted\\nplanted"}'), NO_TOKEN),
    (body(b'{"token": "planted\\u0000"}'), NO_TOKEN),
    (body(b'{"token": "planted\\u2028x"}'), NO_TOKEN),
    (body(b'{"token": "planted", "expiry": "2001-01-01T00:00:00Z"}'), "its token has expired"),
    (body(b'{"token": "planted"}', 204), NO_JSON.replace("200", "204")),
    (body(b'{"message": 7}', 400), f"{ISSUER} exchanged no token (HTTP 400)"),
    (body(b'{"message": "a\\r\\nb\\u001b[31m\\u202e"}', 401), "(HTTP 401): a b [31m)"),
    (body(b'{"token": "planted"}', 404), f"{ISSUER} exchanged no token (HTTP 404)"),
]


def test_hostile_response_is_one_clear_line_and_no_password(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    for fault, _ in HOSTILE:
        cloud.faults.add(fault, host=ISSUER, times=1)
    answers = ask_each(look_up, *[user.with_sources("oidc")] * len(HOSTILE))
    assert [one.credential for one in answers] == [None] * len(HOSTILE)
    said = [reported(one) for one in answers]
    wrong = [(problem, one) for (_, problem), one in zip(HOSTILE, said) if problem not in one]
    assert wrong == []
    assert all(" oidc failed (" in one and len(one) < 1500 and one.isprintable() for one in said)
    assert all("planted" not in one.text and user.proof not in one.text for one in answers)
    assert max(one.seconds for one in answers) < 3
    assert len(cloud.log.requests()) == len(HOSTILE)


def test_response_that_is_a_list_is_rejected(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    cloud.faults.add(body(b'["planted", null]'), host=ISSUER)
    assert OTHER_JSON in reported(look_up(INDEX, **user.with_sources("oidc")))


def test_a_long_refusal_is_cut_and_a_proof_in_it_is_hidden(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    for said in ("no " * 5000, user.proof, f"x{user.proof}y", user.proof.replace(".", "%2E")):
        cloud.faults.add(body(json.dumps({"message": said}).encode(), 403), host=ISSUER, times=1)
    long, *hidden = ask_each(look_up, *[user.with_sources("oidc")] * 4)
    assert "no no no" in long.warning and len(long.warning) < 1500
    assert all("(hidden)" in reported(one) and user.proof not in one.text for one in hidden)
    assert all(user.proof.rpartition(".")[2] not in one.text for one in hidden)


def test_of_two_ends_the_earlier_counts(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    token = cloud.chainguard.token
    soon = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3))
    cloud.faults.add(answering(token=token(lifetime=3), expiry="2099-01-01T00:00:00Z"), times=1)
    cloud.faults.add(answering(token=token(), expiry=soon), times=1)
    turns = [("a", 0), ("b", 0), ("a", 3), ("b", 0)]
    look_ups = [LookUp(INDEX, environment={"CHAINCTL_CONFIG": name}, pause=pause) for name, pause in turns]
    found = passwords(look_up.all(look_ups, **user.with_sources("oidc")))
    assert len(set(found)) == 4
    assert found[2:] == cloud.chainguard.issued[2:]


def test_expired_token_of_the_exchange_is_not_used(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    cloud.chainguard.lifetime = -1
    cloud.faults.add(answering(expiry="2099-01-01T00:00:00Z"), times=1)
    cloud.faults.add(answering(expiry=None), times=1)
    answers = ask_each(look_up, *[user.with_sources("oidc")] * 3)
    assert ["oidc failed (its token has expired)" in reported(one) for one in answers] == [True] * 3

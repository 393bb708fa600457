"""Secrets are planted in every source of tokens for Chainguard Libraries, and searched for in every output."""

from __future__ import annotations

import base64
import json
import secrets
from pathlib import Path
from urllib.parse import quote

import pytest
from lab import faults, tokens
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.look_up import Answer as LookedUp
from lab.look_up import LookUp, Lookups
from lab.messages import Response, json_response
from lab.registries.azure.oidc import GITHUB_ISSUER
from support.chainguard_user import (
    AUTH_TOKEN,
    IDENTITY,
    INDEX,
    ISSUER,
    PARENT,
    PULL_IDENTITY,
    PULL_TOKEN,
    SOURCES,
    TOKEN_FILE,
    User,
    ask_each,
    files_below,
)

GITHUB = "pipelines.actions.githubusercontent.com"
SETTINGS = [{}, {"RINGBEARER_DEBUG": "1"}, {"RINGBEARER_DEBUG": "1", "RINGBEARER_STRICT": "1"}]

every_setting = pytest.mark.parametrize("settings", SETTINGS, ids=["plain", "debug", "debug, strict"])


@pytest.fixture
def user(cloud: PracticeCloud, fake_programs: FakePrograms, tmp_path: Path) -> User:
    """A user with a login for each source."""
    return User(cloud, fake_programs, tmp_path)


def planted() -> str:
    """A secret that is not a token."""
    return f"planted-{secrets.token_hex(16)}"


def planted_token(audience: object = "libraries.cgr.dev", **claims: object) -> str:
    """A secret that looks like a token."""
    return tokens.mint({"aud": audience, "sub": planted(), **claims})


def forms(secret: str) -> set[str]:
    """A secret in each encoding; of a token, its signature too."""
    found = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1]}
    for user in ("", "_token:"):
        found.add(base64.b64encode((user + secret).encode()).decode().rstrip("=")[:-1])
    return found | ({secret.rpartition(".")[2]} if secret.count(".") == 2 else set())


def assert_hidden(
    hidden: list[str], answers: list[LookedUp], look_up: Lookups, home: Path, *programs: FakePrograms
) -> None:
    places = {f"lookup {number}": answer.text for number, answer in enumerate(answers)}
    places["stdout"] = look_up.completed.raw_stdout.decode("utf-8", "replace")
    places["stderr"] = look_up.completed.stderr
    places["arguments"] = "\n".join(call.line for one in programs for call in one.invocations())
    places.update({path: content.decode("utf-8", "replace") for path, content in files_below(home).items()})
    found = [(name, form) for secret in hidden for form in forms(secret) for name in places if form in places[name]]
    assert found == []


def refresh_tokens(cloud: PracticeCloud) -> list[str]:
    """Makes every exchange issue a refresh token, and records them."""
    noted: list[str] = []

    def change(response: Response) -> Response:
        noted.append(planted())
        return json_response({**json.loads(response.body), "refreshToken": noted[-1]})

    cloud.faults.add(faults.replaced(change), host=ISSUER)
    return noted


@every_setting
def test_no_secret_is_shown_when_look_ups_succeed(
    cloud: PracticeCloud,
    look_up: Lookups,
    fake_programs: FakePrograms,
    home: Path,
    user: User,
    settings: dict[str, str],
) -> None:
    refreshing = refresh_tokens(cloud)
    proxy_password = planted()
    cloud.proxy.require("user", proxy_password)
    cases = [user.with_sources(source) for source in SOURCES]
    answers = ask_each(look_up, *cases, **settings)
    expected = {**user.credentials, "oidc": user.issued()}
    assert [answer.credential for answer in answers] == [expected[source] for source in SOURCES]
    assert len(refreshing) == 1
    if settings:
        assert f"POST https://{ISSUER}/sts/exchange answered 200" in answers[0].stderr
    hidden = [user.proof, proxy_password, *refreshing, *(answer.credential[1] for answer in answers)]
    assert answers[0].stdout == ""
    assert_hidden(hidden, answers, look_up, home, fake_programs)


@every_setting
def test_no_secret_of_a_job_on_github_or_of_a_url_is_shown(
    cloud: PracticeCloud, look_up: Lookups, home: Path, settings: dict[str, str]
) -> None:
    refreshing = refresh_tokens(cloud)
    job = cloud.azure.github_actions.job()
    cloud.chainguard.trust(GITHUB_ISSUER, job.subject)
    in_url, in_query, in_service = planted(), planted(), planted()
    url = job.url.replace("://", f"://user:{in_url}@") + "&x=" + in_query
    variables = {IDENTITY: cloud.chainguard.identity, **job.variables}
    service = INDEX.replace("://", f"://user:{in_service}@") + f"?{in_service}#{in_service}"
    look_ups = [
        LookUp(service),
        LookUp(service, environment={"ACTIONS_ID_TOKEN_REQUEST_URL": url}),
        LookUp(service, environment={"ACTIONS_ID_TOKEN_REQUEST_TOKEN": in_service}),
        LookUp(service, environment={"ACTIONS_ID_TOKEN_REQUEST_URL": in_service}),
    ]
    answers = look_up.all(look_ups, **settings, **variables)
    assert answers[0].credential == ("_token", cloud.chainguard.issued[0])
    proofs = [request.bearer for request in cloud.log.requests(ISSUER)]
    hidden = [job.request_token, in_url, in_query, in_service, *proofs, *refreshing, *cloud.chainguard.issued]
    assert_hidden(hidden, answers, look_up, home)


@every_setting
def test_no_secret_is_shown_when_look_ups_fail(
    cloud: PracticeCloud,
    look_up: Lookups,
    fake_programs: FakePrograms,
    home: Path,
    user: User,
    settings: dict[str, str],
) -> None:
    hidden = [user.proof]

    def secret(value: str | None = None) -> str:
        hidden.append(value or planted())
        return hidden[-1]

    both = f"{secret()}\n{secret(planted_token())}\n"
    fake_programs.chainctl(
        Answer(f"Username: {secret()}\nPassword: {secret()} {secret()}\n", secret(), when=("pull-token",)),
        Answer(both, secret(), when=("auth token",)),
    )
    cloud.chainguard.write_cache(home.parent / "broken", f"{secret()} {secret(planted_token())}")
    cloud.chainguard.write_cache(home.parent / "others", secret(planted_token("other")))
    oidc = user.with_sources("oidc")
    cases = [
        {PULL_IDENTITY: "i"},
        {PULL_TOKEN: secret()},
        {PULL_IDENTITY: "i", PULL_TOKEN: f"{secret()} {secret()}"},
        {PULL_IDENTITY: "i", PULL_TOKEN: secret(planted_token(exp=1))},
        {AUTH_TOKEN: secret()},
        {AUTH_TOKEN: secret(planted_token("other"))},
        {AUTH_TOKEN: secret(planted_token(exp=1))},
        {AUTH_TOKEN: f"{secret(planted_token())}\n{secret()}"},
        cloud.chainguard.cache_of(home.parent / "broken"),
        cloud.chainguard.cache_of(home.parent / "others"),
        {PARENT: "contoso"},
        {IDENTITY: "i", TOKEN_FILE: secret(planted_token())},
        {IDENTITY: "i", TOKEN_FILE: "/" + secret(planted_token())},
        {IDENTITY: "i", TOKEN_FILE: user.file("two", f"{secret()}\n{secret()}")},
    ]
    echoed = {"message": f"no: {user.proof}", "token": secret(), "error": secret()}
    answered = [
        (400, json.dumps(echoed)),
        (401, json.dumps({**echoed, "message": quote(user.proof, safe="").replace(".", "%2e")})),
        (501, secret()),
        (302, secret()),
        (200, json.dumps({"token": f"{secret()} {secret()}", "refreshToken": secret()})),
        (200, json.dumps({"token": secret(planted_token()), "expiry": "2001-01-01T00:00:00Z"})),
        (200, json.dumps({"token": [secret()], "refreshToken": secret()})),
        (200, "<html>" + secret()),
        (200, secret() + "{"),
    ]
    for code, text in answered:
        location = "https://evil.example/?x=" + secret()
        fault = faults.status(code, {"Content-Type": "application/json", "Location": location}, text.encode())
        cloud.faults.add(fault, host=ISSUER, times=1)
    answers = ask_each(look_up, *cases, *[oidc] * len(answered), **settings)
    assert [answer.result for answer in answers] == [None] * len(answers)
    assert [answer.error is not None for answer in answers] == ["RINGBEARER_STRICT" in settings] * len(answers)
    assert len(cloud.log.requests(ISSUER)) == len(answered)
    assert_hidden(hidden, answers, look_up, home, fake_programs)


PROGRAM = """
import gc, keyring, pickle, sys, traceback
from ringbearer import _core, backends, errors
backend = backends.ChainguardLibrariesKeyring()
assert backend.get_credential(sys.argv[1], None).password
for one in (backend, backends, _core, errors):
    print(repr(one), str(one), vars(one))
for one in gc.get_objects():
    if type(one).__module__.partition(".")[0] == "ringbearer":
        print(repr(one), getattr(one, "__dict__", None))
print(pickle.dumps(backend))
"""


def test_secrets_are_in_no_repr_and_no_attribute(cloud: PracticeCloud, client: Client, home: Path, user: User) -> None:
    service = INDEX.replace("://", f"://user:{planted()}@")
    ended = client.run(["python", "-c", PROGRAM, service], cloud.environment(home, **user.with_sources("oidc"))).check()
    assert "ChainguardLibrariesKeyring" in ended.stdout
    hidden = {form for secret in (user.proof, cloud.chainguard.issued[0]) for form in forms(secret)}
    assert [form for form in {*hidden, "planted"} if form in ended.output] == []


def test_nothing_is_written_to_home_or_the_chainctl_cache(
    cloud: PracticeCloud, look_up: Lookups, home: Path, tmp_path: Path, user: User
) -> None:
    cloud.environment(home)
    before = files_below(home), files_below(tmp_path / "cached")
    answers = ask_each(look_up, *map(user.with_sources, SOURCES), RINGBEARER_DEBUG="1")
    assert [answer.credential is not None for answer in answers] == [True] * len(SOURCES)
    assert (files_below(home), files_below(tmp_path / "cached")) == before

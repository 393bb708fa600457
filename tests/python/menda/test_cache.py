"""The requests of a lookup at Menda, and the cache of its tokens."""

from __future__ import annotations

import datetime
import json
import time
from collections.abc import Callable
from pathlib import Path

from lab import faults, tokens
from lab.cloud import PracticeCloud
from lab.look_up import Answer, LookUp, Lookups
from lab.messages import Response, json_response
from lab.registries.menda import EXCHANGE, HOST, REGISTRY_HOST, SIGN_IN
from support.menda_machines import API, COLD, INDEX, WITH_LOGIN, Machines, bearer, bearers, paths, profile, served

OTHER_REGISTRY = REGISTRY_HOST.replace("menda-private", "menda-public").replace("eu-west-1", "us-east-1")


def passwords(answers: list[Answer]) -> list[str]:
    return [answer.credential[1] for answer in answers]


def with_cookie(response: Response) -> Response:
    """The same answer with a cookie."""
    return Response(response.status, [*response.headers, ("Set-Cookie", "visitor=1; Path=/")], response.body)


def test_cold_look_up_is_two_posts_and_a_warm_one_nothing(cloud: PracticeCloud, look_up: Lookups) -> None:
    menda = cloud.menda
    cloud.faults.add(faults.replaced(with_cookie), API)
    first, *others = look_up.all([LookUp(INDEX)] * 4, **menda.variables)
    sign_in, exchange = cloud.log.requests()
    assert [other.credential for other in others] == [first.credential] * 3
    assert [(one.method, one.scheme, one.host, one.port) for one in (sign_in, exchange)] == [
        ("POST", "https", API, 443)
    ] * 2
    assert (sign_in.path, exchange.target) == (SIGN_IN, EXCHANGE)
    assert list(sign_in.parameters.items()) == [
        ("grant_type", "client_credentials"),
        ("client_id", menda.client_id),
        ("client_secret", menda.client_secret),
    ]
    assert (sign_in.body, exchange.body) == (b"", b"")
    assert bearer(exchange) == menda.access_tokens[-1]
    assert exchange.header("Content-Type") == "application/json"
    for one in (sign_in, exchange):
        assert one.header("Authorization") is None and one.header("Cookie") is None
        assert one.header("Content-Length") == "0" and one.header("Transfer-Encoding") is None
    assert sign_in.header("authorizationToken") is None
    assert len({one.connection for one in (sign_in, exchange)}) == 1
    assert [one.host for one in cloud.log.connections()] == [API]
    assert cloud.log.refused() == []


def given(**members: object) -> faults.Fault:
    """The real answer of an exchange with more members; callables are evaluated for each answer."""

    def change(response: Response) -> Response:
        found = {name: value() if callable(value) else value for name, value in members.items()}
        return json_response({**json.loads(response.body), **found})

    return faults.replaced(change)


def stamp(seconds: float) -> Callable[[], str]:
    """A moment this far ahead, in RFC 3339 format."""
    utc = datetime.timezone.utc
    return lambda: datetime.datetime.fromtimestamp(time.time() + seconds, utc).isoformat().replace("+00:00", "Z")


def moment(seconds: float) -> Callable[[], float]:
    """The same as a number."""
    return lambda: time.time() + seconds


def jwt(lifetime: float) -> Callable[[], str]:
    """A token with an expiry claim."""
    return lambda: tokens.mint({"sub": "aws"}, lifetime)


def test_registry_token_is_cached_until_expiry_or_a_default(cloud: PracticeCloud, look_up: Lookups) -> None:
    kept = [
        given(),
        given(expires_in=3600),
        given(expires_in="3600"),
        given(expires_in=None, expiration=None),
        given(expiration=moment(3600)),
        given(expiration=stamp(3600)),
        given(token=jwt(3600)),
        # An invalid value counts as absent.
        given(expires_in="soon"),
        given(expires_in=-1),
        given(expires_in=[1]),
        given(expires_in={"seconds": 1}),
        given(expires_in=True),
        given(expires_in=1e300),
        given(expires_in=10**30),
        given(expiration="tomorrow"),
        given(expiration=-1),
        given(expiration=1e300),
        given(expiration="0001-01-01T00:00:00Z"),
        given(token="a.b.c"),
        given(token=lambda: jwt(3600)() + ".d"),
    ]
    short = [
        given(expires_in=1),
        given(expires_in="1.0"),
        given(expiration=moment(1)),
        given(expiration=stamp(1)),
        given(expires_at=stamp(1)),
        given(token=jwt(1)),
        given(expires_in=1, token=jwt(3600)),
        given(expires_in=3600, token=jwt(1)),
        given(expires_in=0),
        given(expiration=moment(-100)),
        given(token=jwt(-100)),
    ]
    machines = Machines(cloud, look_up)
    for fault in [*kept, *short]:
        machines.add(exchange=fault)
    first, *rest = machines.look_ups
    later = LookUp(first.service, environment=first.environment, pause=1.2)
    answers = look_up.all([*machines.look_ups, later, *rest])
    assert served(answers) == [True] * len(answers)
    minted = [len(found) // 2 for found in machines.paths()]
    assert minted == [1] * len(kept) + [2] * len(short)


def test_every_address_of_every_registry_shares_one_token(cloud: PracticeCloud, look_up: Lookups) -> None:
    addresses = [INDEX, f"https://{OTHER_REGISTRY}/pypi/other/simple/", OTHER_REGISTRY, INDEX + "greetings/"]
    addresses += [INDEX.replace("plugins/simple/", "plugins/"), INDEX.replace("https://", "https://aws@")]
    answers = look_up.all([LookUp(address) for address in addresses], **cloud.menda.variables)
    assert set(passwords(answers)) == set(cloud.menda.registry_tokens)
    assert paths(cloud) == COLD


def test_eight_threads_cause_one_sign_in_and_one_exchange(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.faults.latency = 0.2
    (answer,) = look_up.all([LookUp(INDEX, threads=8)], **cloud.menda.variables)
    assert {one.credential for one in [answer, *answer.others]} == {("aws", cloud.menda.registry_tokens[0])}
    assert len(answer.others) == 7
    assert paths(cloud) == COLD


def test_eight_threads_share_one_failure_and_one_warning(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.faults.latency = 0.2
    (answer,) = look_up.all(
        [LookUp(INDEX, threads=8)], **{**cloud.menda.variables, "MENDA_CLIENT_SECRET": "not-the-one"}
    )
    assert [one.credential for one in [answer, *answer.others]] == [None] * 8
    assert "oauth2/token" in answer.warning and "HTTP 401" in answer.warning
    assert paths(cloud) == [SIGN_IN]


def test_changed_variable_is_another_identity_with_its_own_cache(
    cloud: PracticeCloud, look_up: Lookups, home: Path, tmp_path: Path
) -> None:
    menda = cloud.menda
    menda.write_profile(home, profile() + profile(name="ci"))
    other_home = tmp_path / "other"
    menda.write_profile(other_home, profile())
    named = menda.write_profile(home, profile(), "named")
    for place, names in ((home, ("default", "ci")), (other_home, ("default",))):
        logins = {name: menda.log_in() for name in names}
        menda.write_cache(place, "".join(f"[{name}]\nid_token={login}\n" for name, login in logins.items()))
    elsewhere = {"MENDA_HOST": HOST + "/elsewhere"}
    cases: list[dict[str, str]] = [
        {},
        {"MENDA_PROFILE_ID": "ci"},
        {"MENDA_CONFIG_FILE": named},
        {"HOME": str(other_home), "USERPROFILE": str(other_home)},
        menda.variables,
        menda.machine("robot-2", "mellon"),
        {**menda.variables, **elsewhere},
    ]
    names = {name for case in cases for name in case}
    usual = cloud.environment(home)
    look_ups = [LookUp(INDEX, environment={name: case.get(name, usual.get(name)) for name in names}) for case in cases]
    answers = look_up.all([*look_ups, *reversed(look_ups)])
    assert served(answers) == [True] * 14
    first, again = passwords(answers[:7]), passwords(answers[7:])
    assert len(set(first)) == 7 and again == first[::-1]
    assert len(menda.registry_tokens) == 7


def test_changed_secret_does_not_get_the_cached_token(cloud: PracticeCloud, look_up: Lookups) -> None:
    wrong = {**cloud.menda.variables, "MENDA_CLIENT_SECRET": "not-the-one"}
    answers = look_up.all([LookUp(INDEX, environment=one) for one in (cloud.menda.variables, wrong)])
    assert served(answers) == [True, False]
    assert paths(cloud) == [*COLD, SIGN_IN]


def test_a_file_that_is_rewritten_is_another_identity_at_once(
    cloud: PracticeCloud, look_up: Lookups, home: Path
) -> None:
    menda = cloud.menda
    path = menda.write_profile(home, profile())
    cache = menda.write_login(home, menda.log_in())
    machine = {"auth_type": "m2m", "client_id": "robot-2", "client_secret": "mellon"}
    menda.machine("robot-2", "mellon")
    ada, bob = menda.log_in(), menda.log_in()
    login = "[default]\nid_token = {}\n"
    look_ups = [
        LookUp(INDEX),
        LookUp(INDEX, files={cache: login.format(ada)}),
        LookUp(INDEX, files={cache: login.format(bob)}),
        LookUp(INDEX, files={path: profile(HOST + "/elsewhere")}),
        LookUp(INDEX, files={path: profile(**machine)}),
        LookUp(INDEX, files={path: profile(**{**machine, "client_secret": "not-the-one"})}),
        LookUp(INDEX, files={path: profile(), cache: "[default]\nid_token = \n"}),
    ]
    # The cached login also serves a machine, unless its section has another name.
    look_ups[4].files[cache] = login.format(bob).replace("default", "another")
    answers = look_up.all(look_ups)
    assert served(answers) == [True] * 5 + [False] * 2
    assert len(set(passwords(answers[:5]))) == 5
    assert bearers(cloud)[1:3] == [ada, bob]
    assert "HTTP 401" in answers[5].warning and "`menda auth login`" in answers[6].warning


def test_repaired_login_works_in_the_process_at_once(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    menda = cloud.menda
    cache = menda.write_login(home, "withdrawn")
    path = menda.write_profile(home, "[other]\n")
    look_ups = [
        LookUp(INDEX),
        LookUp(INDEX, files={path: profile()}),
        LookUp(INDEX, files={cache: f"[default]\nid_token = {menda.log_in()}\n"}),
    ]
    answers = look_up.all(look_ups)
    assert served(answers) == [False, False, True]
    assert paths(cloud) == WITH_LOGIN * 2


def test_answer_is_the_same_for_any_age_of_the_cached_token(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    menda = cloud.menda
    cache = menda.write_login(home, menda.log_in(), menda.client_id)
    rewritten = f"[{menda.client_id}]\nid_token = {menda.log_in()}\n"
    first, second = look_up.all([LookUp(INDEX), LookUp(INDEX, files={cache: rewritten})], **menda.variables)
    assert first.credential == second.credential
    assert paths(cloud) == WITH_LOGIN

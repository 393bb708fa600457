"""The cache of tokens for Chainguard Libraries: one token serves every URL until it expires."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import faults
from lab.chainctl import logged_in, makes_pull_tokens, not_logged_in
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp, Lookups
from support.chainguard_user import (
    AUTH_TOKEN,
    INDEX,
    ISSUER,
    PULL_IDENTITY,
    PULL_TOKEN,
    SOURCES,
    User,
    passwords,
)

SERVICES = [
    INDEX,
    *(f"{INDEX}{package}/" for package in ("hello-private", "greetings", "one", "two", "three")),
    "https://libraries.cgr.dev/python/files/greetings-2.0-py3-none-any.whl",
    "https://libraries.cgr.dev/python-remediated/simple/",
    "https://_token@libraries.cgr.dev/cu128/simple/",
    "libraries.cgr.dev",
    "https://other.cgr.dev/",
    "a.b.cgr.dev",
]


@pytest.fixture
def user(cloud: PracticeCloud, fake_programs: FakePrograms, tmp_path: Path) -> User:
    """A user with a login for each source."""
    return User(cloud, fake_programs, tmp_path)


def script(directory: Path, *answers: object) -> str:
    """The script of a chainctl with these answers, to replace another one."""
    made = FakePrograms(directory)
    return Path(made.chainctl(*answers)).read_text()


# -- one for all


def test_one_chainctl_run_serves_every_url_host_and_thread(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    answer = logged_in(cloud.chainguard.token())
    answer.delay = 0.2
    fake_programs.chainctl(answer)
    answers = look_up.all([LookUp(service, threads=8) for service in SERVICES])
    everybody = [one for answer in answers for one in [answer, *answer.others]]
    assert len(everybody) == 8 * len(SERVICES)
    assert len(set(passwords(everybody))) == 1
    assert len(fake_programs.invocations()) == 1
    assert cloud.log.connections() == []
    # Nothing is read any more, not even the cache file.
    assert [answer.asked for answer in answers[1:]] == [[]] * (len(SERVICES) - 1)


def test_one_exchange_serves_every_address_host_and_thread(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    cloud.faults.latency = 0.2
    answers = look_up.all([LookUp(service, threads=8) for service in SERVICES], **user.with_sources("oidc"))
    everybody = [one for answer in answers for one in [answer, *answer.others]]
    assert set(passwords(everybody)) == set(cloud.chainguard.issued) and len(cloud.chainguard.issued) == 1
    assert len(cloud.log.requests()) == len(cloud.log.connections()) == 1


def test_eight_threads_share_one_failure_and_one_warning(look_up: Lookups, fake_programs: FakePrograms) -> None:
    answer = not_logged_in()
    answer.delay = 0.2
    fake_programs.chainctl(answer)
    first, again = look_up.all([LookUp(INDEX, threads=8), LookUp(INDEX + "greetings/", threads=8)])
    assert {one.credential for one in [first, *first.others, again, *again.others]} == {None}
    assert "chainctl ended with status 1" in first.warning
    assert again.warnings == []
    assert len(fake_programs.invocations()) == 1


# -- until its end


def test_chainctl_token_is_renewed_five_minutes_before_expiry(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, tmp_path: Path
) -> None:
    first, second = cloud.chainguard.token(lifetime=300 + 4), cloud.chainguard.token()
    path = fake_programs.chainctl(logged_in(first))
    renewed = LookUp(INDEX, files={path: script(tmp_path / "later", logged_in(second))}, pause=4)
    answers = look_up.all([LookUp(INDEX), LookUp("libraries.cgr.dev"), renewed, LookUp(INDEX)])
    assert passwords(answers) == [first, first, second, second]
    assert [answer.asked != [] for answer in answers] == [True, False, True, False]


def test_exchanged_token_is_renewed_before_expiry(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    cloud.chainguard.lifetime = 300 + 2
    look_ups = [LookUp(INDEX), LookUp("libraries.cgr.dev"), LookUp(INDEX, pause=2)]
    found = passwords(look_up.all(look_ups, **user.with_sources("oidc")))
    assert found[0] == found[1] != found[2]
    assert [found[0], found[2]] == cloud.chainguard.issued


def test_a_token_that_does_not_say_when_it_ends_is_remembered(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    token = cloud.chainguard.token(exp=None)
    fake_programs.chainctl(logged_in(token))
    assert passwords(look_up.all([LookUp(INDEX), LookUp(INDEX, pause=0.5), LookUp("libraries.cgr.dev")])) == [token] * 3
    assert len(fake_programs.invocations()) == 1


def test_an_end_beyond_all_calendars_does_no_harm(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    ends: list[object] = [2**63 - 1, 2**63, 2**64, 1e300, 2**62, "soon", True, [], {}, -1]
    tokens = [cloud.chainguard.token(exp=end) for end in ends]
    environments = [{AUTH_TOKEN: token} for token in tokens]
    assert passwords(look_up.all([LookUp(INDEX, environment=one) for one in environments])) == tokens


def test_expired_token_of_a_found_source_moves_on_to_the_next(
    cloud: PracticeCloud, look_up: Lookups, user: User, fake_programs: FakePrograms, tmp_path: Path
) -> None:
    chainguard = cloud.chainguard
    expired = chainguard.token(lifetime=-1)
    chainguard.lifetime = -1
    chainguard.write_cache(tmp_path / "old", expired)
    fake_programs.chainctl(logged_in(expired), makes_pull_tokens(*user.credentials["new_pull_token"]))
    cached = chainguard.cache_of(tmp_path / "old")
    answer = look_up(INDEX, **cached, **user.with_sources("new_pull_token"))
    assert answer.asked == SOURCES
    assert answer.credential == user.credentials["new_pull_token"]
    assert "chainctl failed (chainctl printed a token that has expired)" in answer.warning
    explicit = [{PULL_IDENTITY: "i", PULL_TOKEN: expired}, {AUTH_TOKEN: expired}, user.with_sources("oidc")]
    for refused in look_up.each(*explicit, service=INDEX, **cached):
        assert refused.credential is None and "failed (its token has expired)" in refused.warning
    assert all(secret not in answer.text for secret in (expired, *chainguard.issued))


# -- identities


def test_another_identity_in_the_same_process_gets_another_token(
    cloud: PracticeCloud, look_up: Lookups, user: User, tmp_path: Path
) -> None:
    kept = cloud.chainguard.token(subject="kept")
    cloud.chainguard.write_cache(tmp_path / "another", kept)
    given = user.credentials
    cases: list[tuple[dict[str, str], tuple[str, str] | None]] = [
        ({PULL_IDENTITY: "first", PULL_TOKEN: "one"}, ("first", "one")),
        ({PULL_IDENTITY: "first", PULL_TOKEN: "two"}, ("first", "two")),
        ({PULL_IDENTITY: "second", PULL_TOKEN: "two"}, ("second", "two")),
        *((user.with_sources(source), given.get(source)) for source in SOURCES),
        (cloud.chainguard.cache_of(tmp_path / "another"), ("_token", kept)),
        ({"PATH": user.path()}, None),
        # Back to the earlier logins, which are still cached.
        *((user.with_sources(source), given.get(source)) for source in ("new_pull_token", "chainctl", "oidc")),
    ]
    answers = look_up.each(*(case for case, _ in cases), service=INDEX)
    assert [answer.credential for answer in answers[:6]] == [expected for _, expected in cases[:6]]
    assert answers[6].credential == answers[-1].credential == user.issued()
    assert [answer.credential for answer in answers[7:-1]] == [expected for _, expected in cases[7:-1]]
    assert [answer.asked for answer in answers[-3:]] == [[]] * 3
    assert len(cloud.chainguard.issued) == 1


def test_unrelated_variable_does_not_cause_another_run(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    fake_programs.chainctl(logged_in(cloud.chainguard.token()))
    changes = [{}, {"RINGBEARER_DEBUG": "1"}, {"AZURE_CLIENT_ID": "x"}, {"LANG": "C"}, {"NO_PROXY": "x", "TMPDIR": "/"}]
    answers = look_up.all([LookUp(INDEX, environment=change) for change in changes])
    assert len(set(passwords(answers))) == 1
    assert len(fake_programs.invocations()) == 1


# -- failures


def test_repaired_login_works_in_the_process_after_seconds(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, tmp_path: Path
) -> None:
    token = cloud.chainguard.token()
    path = fake_programs.chainctl(not_logged_in())
    mended = {path: script(tmp_path / "later", logged_in(token))}
    answers = look_up.all([LookUp(INDEX), LookUp(INDEX, files=mended), LookUp("libraries.cgr.dev", pause=3.1)])
    assert passwords(answers) == [None, None, token]
    assert [len(answer.warnings) for answer in answers] == [1, 0, 0]
    # The first two shared one failure.
    assert len(fake_programs.invocations()) == 1


def test_failed_exchange_is_shared_by_urls_and_retried_later(
    cloud: PracticeCloud, look_up: Lookups, user: User
) -> None:
    cloud.faults.add(faults.status(403), host=ISSUER, times=1)
    failed = [LookUp(service) for service in SERVICES[:9]]
    *answers, last = look_up.all([*failed, LookUp(INDEX, pause=3.1)], **user.with_sources("oidc"))
    assert {answer.credential for answer in answers} == {None}
    assert [len(answer.warnings) for answer in answers] == [1] + [0] * 8
    assert last.credential == user.issued()
    assert len(cloud.log.requests()) == 2

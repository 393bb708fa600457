"""Sources of tokens for Chainguard Libraries: configured, not configured, broken, and their order."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from lab.chainctl import logged_in
from lab.cloud import PracticeCloud
from lab.environment import home_variables
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp, Lookups
from lab.registries.chainguard import AUDIENCE, CONSOLE
from support.chainguard_user import (
    AUTH_TOKEN,
    CACHE,
    IDENTITY,
    INDEX,
    LOGIN,
    PARENT,
    PULL_IDENTITY,
    PULL_TOKEN,
    SOURCES,
    TOKEN_FILE,
    User,
    ask_each,
    passwords,
    reported,
)


@pytest.fixture
def user(cloud: PracticeCloud, fake_programs: FakePrograms, tmp_path: Path) -> User:
    """A user with a login for each source."""
    return User(cloud, fake_programs, tmp_path)


# -- the order


def test_sources_are_asked_in_order_until_one_serves(look_up: Lookups, user: User) -> None:
    answers = ask_each(look_up, *(user.with_sources(*SOURCES[first:]) for first in range(len(SOURCES))))
    assert [answer.served for answer in answers] == SOURCES
    assert [answer.asked for answer in answers] == [SOURCES[: count + 1] for count in range(len(SOURCES))]
    expected = {**user.credentials, "oidc": user.issued()}
    assert [answer.credential for answer in answers] == [expected[source] for source in SOURCES]
    # The last source follows a chainctl that is not logged in.
    assert [len(answer.warnings) for answer in answers] == [0] * 5 + [1]


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_serves_where_it_is_the_only_one(look_up: Lookups, user: User, source: str) -> None:
    answer = look_up(INDEX, **user.with_sources(source))
    assert answer.served == source
    assert answer.credential == (user.credentials.get(source) or user.issued())
    assert len(answer.warnings) == (1 if source == "new_pull_token" else 0)


def test_broken_explicit_source_stops_and_a_found_one_moves_on(
    cloud: PracticeCloud, look_up: Lookups, user: User, tmp_path: Path
) -> None:
    cloud.chainguard.write_cache(tmp_path / "broken", "x")
    explicit = {
        "pull_token": ({PULL_TOKEN: "x"}, PULL_TOKEN),
        "token_variable": ({AUTH_TOKEN: "x"}, AUTH_TOKEN),
        "oidc": ({IDENTITY: "somebody-else", TOKEN_FILE: user.settings["oidc"][TOKEN_FILE]}, TOKEN_FILE),
    }
    everything = user.with_sources("chainctl", "new_pull_token")
    answers = ask_each(look_up, *({**everything, **settings} for settings, _ in explicit.values()))
    for answer, (source, (_, variable)) in zip(answers, explicit.items()):
        assert answer.served is None and answer.asked[-1] == source
        assert f"{source} failed (" in answer.warning and f"unset {variable}" in answer.warning
    found = [
        {**user.with_sources("oidc"), **cloud.chainguard.cache_of(tmp_path / "broken")},
        user.with_sources("new_pull_token"),
    ]
    kept, last = ask_each(look_up, *found)
    assert (kept.served, kept.warnings) == ("oidc", [])
    assert last.served == "new_pull_token"
    assert "chainctl failed (chainctl ended with status 1), and new_pull_token served instead" in last.warning


# -- nothing set up


def test_unconfigured_warning_names_host_sources_and_next_step(
    cloud: PracticeCloud, look_up: Lookups, home: Path
) -> None:
    path = cloud.chainguard.write_cache(home, "")
    os.remove(path)
    first, again = look_up.all([LookUp(INDEX), LookUp("libraries.cgr.dev")])
    assert first.credential is again.credential is None
    assert first.warning.startswith("no credential for libraries.cgr.dev: chainctl failed (chainctl is not on PATH)")
    assert f"; install chainctl and run {LOGIN}, or in CI set " in first.warning
    assert first.warning.endswith("; 5 other sources are not set up: `ringbearer doctor URL`")
    assert first.skipped == {
        "pull_token": f"no {PULL_TOKEN}",
        "token_variable": f"no {AUTH_TOKEN}",
        "chainctl_cache": f"{path} is not there",
        "oidc": f"no {IDENTITY}",
        "new_pull_token": f"no {PARENT}",
    }
    assert "\n" not in first.warning
    assert again.warnings == []


def test_empty_or_blank_setting_counts_as_unset(look_up: Lookups) -> None:
    names = [PULL_IDENTITY, PULL_TOKEN, AUTH_TOKEN, IDENTITY, TOKEN_FILE, PARENT, CACHE]
    answers = ask_each(look_up, *(dict.fromkeys(names, value) for value in ("", " ", "\t\n")))
    assert [reported(answer).count(" failed (") for answer in answers] == [1] * 3
    assert all({"pull_token", "oidc"} <= answer.skipped.keys() for answer in answers)


# -- pull_token


def test_half_a_pull_token_reports_the_missing_variable(look_up: Lookups) -> None:
    cases = [{PULL_IDENTITY: "planted/name"}, {PULL_TOKEN: "planted"}]
    for answer, missing in zip(ask_each(look_up, *cases), (PULL_TOKEN, PULL_IDENTITY)):
        assert "pull_token failed (" in answer.warning and f"set {missing} too" in answer.warning
        assert "planted" not in answer.text


def test_pull_token_is_used_unchanged_except_for_blanks(look_up: Lookups, user: User) -> None:
    identity, token = user.credentials["pull_token"]
    padded, opaque = ask_each(
        look_up, {PULL_IDENTITY: f" {identity}\n", PULL_TOKEN: f"\t{token}\r\n"}, {PULL_IDENTITY: "i", PULL_TOKEN: "o"}
    )
    assert padded.credential == (identity, token)
    assert opaque.credential == ("i", "o")


def test_invalid_or_expired_pull_token_stops_the_search(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    identity, token = user.credentials["pull_token"]
    broken = [(identity, f"{token}\n{token}"), (identity, "a b"), (identity, "a\x1bb"), ("i\x1bd", token)]
    broken.append(cloud.chainguard.pull_token(lifetime=-1))
    cases = [{PULL_IDENTITY: name, PULL_TOKEN: password} for name, password in broken]
    answers = ask_each(look_up, *({**case, **user.with_sources("chainctl")} for case in cases))
    problems = [f"{PULL_TOKEN} holds more than a token"] * 2 + [f"{PULL_TOKEN} holds something that is not a token"]
    for answer, problem in zip(answers, [*problems, "its user name has several lines", "its token has expired"]):
        assert answer.asked == ["pull_token"]
        assert f"pull_token failed ({problem})" in reported(answer) and f"unset {PULL_TOKEN}" in reported(answer)


# -- token_variable


def test_chainctls_variable_is_taken_if_its_audience_fits(cloud: PracticeCloud, look_up: Lookups) -> None:
    audiences = [AUDIENCE, [AUDIENCE], [CONSOLE, AUDIENCE], f"https://{AUDIENCE}", f"https://{AUDIENCE}/"]
    tokens = [cloud.chainguard.token(audience) for audience in audiences]
    tokens.append(cloud.chainguard.token(exp=None))
    answers = ask_each(look_up, *({AUTH_TOKEN: f" {token}\n"} for token in tokens))
    assert passwords(answers) == tokens
    assert {answer.served for answer in answers} == {"token_variable"}


def test_chainctls_variable_for_anybody_else_is_passed_over(cloud: PracticeCloud, look_up: Lookups, user: User) -> None:
    audiences = [CONSOLE, [CONSOLE], [], None, 7, "cgr.dev", "xlibraries.cgr.dev", f"http://{AUDIENCE}", AUDIENCE + "."]
    cases = [{AUTH_TOKEN: cloud.chainguard.token(audience)} for audience in audiences]
    served = ask_each(look_up, *({**case, **user.with_sources("chainctl")} for case in cases))
    assert [answer.served for answer in served] == ["chainctl"] * len(cases)
    for answer in ask_each(look_up, *cases):
        assert answer.skipped["token_variable"] == f"{AUTH_TOKEN} is not for {AUDIENCE}"


def test_invalid_or_expired_token_variable_is_reported(cloud: PracticeCloud, look_up: Lookups) -> None:
    expired = cloud.chainguard.token(lifetime=-1)
    for value in ("planted", "planted.planted.planted", "e30.e30", "a b", "{}"):
        answer = look_up(INDEX, **{AUTH_TOKEN: value})
        problem = "holds more than a token" if " " in value else "does not hold a token"
        assert f"token_variable failed ({AUTH_TOKEN} {problem})" in answer.warning
        assert f"unset {AUTH_TOKEN}" in answer.warning and "planted" not in answer.text
    answer = look_up(INDEX, **{AUTH_TOKEN: expired})
    assert "token_variable failed (its token has expired)" in answer.warning
    assert expired not in answer.text


# -- chainctl_cache


@pytest.mark.skipif(sys.platform != "linux", reason="the cache directory depends on a variable only there")
def test_cached_token_is_found_in_home_and_in_xdg_cache_home(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, home: Path, tmp_path: Path
) -> None:
    below_home, elsewhere = (cloud.chainguard.token(subject=subject) for subject in ("home", "elsewhere"))
    fake_programs.chainctl(logged_in(cloud.chainguard.token()))
    cloud.chainguard.write_cache(home, below_home)
    cloud.chainguard.write_cache(tmp_path / "other", elsewhere + "\n")
    (tmp_path / "empty").mkdir()
    answers = ask_each(
        look_up,
        {},
        {CACHE: str(tmp_path / "other" / ".cache")},
        home_variables(tmp_path / "other"),
        # As in Go, a relative path is not a cache directory.
        {CACHE: ".cache"},
        {CACHE: ""},
        {CACHE: str(tmp_path / "empty")},
        home_variables(tmp_path),
    )
    assert passwords(answers)[:5] == [below_home, elsewhere, elsewhere, below_home, below_home]
    assert [answer.served for answer in answers] == ["chainctl_cache"] * 5 + ["chainctl"] * 2
    assert len(fake_programs.invocations()) == 2


def test_unusable_cached_token_leads_to_chainctl(
    cloud: PracticeCloud, look_up: Lookups, user: User, tmp_path: Path
) -> None:
    token = cloud.chainguard.token
    later = time.time() + 3600
    contents: list[tuple[str, str]] = [
        (token(lifetime=-3600), "has expired, or is about to"),
        (token(lifetime=240), "has expired, or is about to"),
        (token(exp=0), "has expired, or is about to"),
        (token(exp=None), "does not say when it expires"),
        (token(exp=str(int(later))), "does not say when it expires"),
        (token(exp=-later), "does not say when it expires"),
        (token(exp=1e300), "does not say when it expires"),
        (token(CONSOLE), "is for another audience"),
        (token([]), "is for another audience"),
        (token(None), "is for another audience"),
        ("", "holds no token"),
        ("\n", "holds no token"),
        ("planted", "holds no token"),
        (token() + "\n" + token(), "holds no token"),
        ("\0" * 100, "holds no token"),
        ("A" * 65537, "cannot be read"),
    ]
    cases = []
    for number, (content, _) in enumerate(contents):
        cloud.chainguard.write_cache(tmp_path / str(number), content)
        cases.append(cloud.chainguard.cache_of(tmp_path / str(number)))
    served = ask_each(look_up, *({**case, **user.with_sources("chainctl")} for case in cases))
    assert [answer.served for answer in served] == ["chainctl"] * len(cases)
    for answer, (_, why) in zip(ask_each(look_up, *cases), contents):
        assert answer.skipped["chainctl_cache"].endswith(f"oidc-token {why}")
        assert "chainctl_cache failed" not in answer.text and "planted" not in answer.text


@pytest.mark.skipif(os.name == "nt", reason="permissions differ on Windows, and it has no FIFOs")
def test_cached_token_that_is_not_a_file_does_not_block(
    cloud: PracticeCloud, look_up: Lookups, user: User, tmp_path: Path
) -> None:
    homes = [tmp_path / name for name in ("fifo", "directory", "loop", "link")]
    paths = [Path(cloud.chainguard.write_cache(home, "")) for home in homes]
    for path in paths:
        path.unlink()
    os.mkfifo(paths[0])
    paths[1].mkdir()
    paths[2].symlink_to(paths[2])
    # A symbolic link to the file is accepted.
    paths[3].symlink_to(user.file("kept", user.credentials["chainctl_cache"][1]))
    cases = [{**cloud.chainguard.cache_of(home), **user.with_sources("chainctl")} for home in homes]
    answers = ask_each(look_up, *cases)
    assert [answer.served for answer in answers] == ["chainctl"] * 3 + ["chainctl_cache"]
    assert max(answer.seconds for answer in answers) < 2

"""Pull tokens that chainctl creates: only if CHAINCTL_PARENT is set, since each one leaves an identity behind."""

from __future__ import annotations

import pytest
from lab.chainctl import logged_in, makes_pull_tokens, not_logged_in
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.look_up import LookUp, Lookups
from support.chainguard_user import INDEX, LOGIN, PARENT, reported

AUTH_TOKEN_ARGUMENTS = ["auth", "token", "--audience=libraries.cgr.dev"]
ARGUMENTS = ["auth", "pull-token", "--repository=python", "--parent=contoso", "--ttl=8h"]
OLDER_ARGUMENTS = ["auth", "pull-token", "--library-ecosystem=python", "--parent=contoso", "--ttl=8h"]


def arguments(fake_programs: FakePrograms) -> list[list[str]]:
    """The arguments of each run of chainctl."""
    return [call.arguments for call in fake_programs.invocations()]


def test_pull_token_is_created_with_a_parent_as_the_last_source(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    identity, token = cloud.chainguard.pull_token()
    fake_programs.chainctl(not_logged_in(), makes_pull_tokens(identity, token))
    without, served = look_up.all([LookUp(INDEX), LookUp(INDEX, environment={PARENT: " contoso "})])
    assert without.credential is None and without.skipped["new_pull_token"] == f"no {PARENT}"
    assert served.credential == (identity, token) and served.served == "new_pull_token"
    assert arguments(fake_programs) == [AUTH_TOKEN_ARGUMENTS, AUTH_TOKEN_ARGUMENTS, ARGUMENTS]


def test_pull_token_is_not_created_for_a_logged_in_user(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    token = cloud.chainguard.token()
    fake_programs.chainctl(logged_in(token), makes_pull_tokens(*cloud.chainguard.pull_token()))
    assert look_up(INDEX, **{PARENT: "contoso"}).credential == ("_token", token)
    assert arguments(fake_programs) == [AUTH_TOKEN_ARGUMENTS]


def test_older_chainctl_gets_its_own_options(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    identity, token = cloud.chainguard.pull_token()
    unknown = Answer(stderr="Error: unknown flag: --repository\n", code=1, when=("--repository",))
    fake_programs.chainctl(not_logged_in(), unknown, makes_pull_tokens(identity, token, "--library-ecosystem=python"))
    assert look_up(INDEX, **{PARENT: "contoso"}).credential == (identity, token)
    assert arguments(fake_programs) == [AUTH_TOKEN_ARGUMENTS, ARGUMENTS, OLDER_ARGUMENTS]


def test_one_pull_token_serves_every_address_and_eight_threads(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    made = makes_pull_tokens(*cloud.chainguard.pull_token())
    made.delay = 0.2
    fake_programs.chainctl(not_logged_in(), made)
    services = [INDEX, INDEX + "greetings/", "libraries.cgr.dev", "other.cgr.dev"]
    answers = look_up.all([LookUp(service, threads=8) for service in services], **{PARENT: "contoso"})
    found = {one.credential for answer in answers for one in [answer, *answer.others]}
    assert len(found) == 1 and None not in found
    assert arguments(fake_programs) == [AUTH_TOKEN_ARGUMENTS, ARGUMENTS]


def test_parent_without_chainctl_reports_missing_chainctl(look_up: Lookups) -> None:
    answer = look_up(INDEX, **{PARENT: "contoso"})
    assert "chainctl failed (chainctl is not on PATH)" in reported(answer)
    assert answer.skipped["new_pull_token"] == "no chainctl on PATH"


@pytest.mark.parametrize(
    "printed",
    [
        "",
        "planted",
        "Username: planted\n",
        "Password: TOKEN\n",
        "Username:\nPassword: TOKEN\n",
        "Username: planted\nPassword:\n",
        "Username: planted\nPassword: planted\n",
        "Username: planted\nPassword: TOKEN TOKEN\n",
        "Username: planted\nUsername: planted\nPassword: TOKEN\n",
        "Username: planted\nPassword: TOKEN\nPassword: TOKEN\n",
        "Username: planted\x1b[31m\nPassword: TOKEN\n",
        "Username: planted\nPassword: OLD\n",
        "export CHAINGUARD_PYTHON_TOKEN=TOKEN\n",
        b"Username: planted\nPassword: \xff\n",
    ],
    ids=range(14),
)
def test_incomplete_or_ambiguous_output_is_not_a_pull_token(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, printed: str | bytes
) -> None:
    tokens = {"TOKEN": cloud.chainguard.token(), "OLD": cloud.chainguard.token(lifetime=-1)}
    for name, token in tokens.items():
        printed = printed if isinstance(printed, bytes) else printed.replace(name, token)
    fake_programs.chainctl(not_logged_in(), Answer(printed, when=("pull-token",)))
    answer = look_up(INDEX, **{PARENT: "contoso"})
    assert "chainctl failed (chainctl ended with status 1); new_pull_token failed (" in reported(answer)
    assert LOGIN in answer.warning
    assert all(hidden not in answer.text for hidden in ("planted", *tokens.values()))


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (Answer("planted", "planted", code=3, when=("pull-token",)), "chainctl ended with status 3"),
        (Answer("A" * 65536, endless=True, when=("pull-token",)), "chainctl printed more than 1024 KiB"),
        (Answer(hang="child", when=("pull-token",)), "chainctl did not end in time"),
    ],
    ids=["status", "endless", "hanging"],
)
def test_failed_pull_token_is_reported_with_the_missing_login(
    look_up: Lookups, fake_programs: FakePrograms, answer: Answer, problem: str
) -> None:
    fake_programs.chainctl(not_logged_in(), answer)
    plain, strict = look_up.all(
        [LookUp(INDEX), LookUp(INDEX, environment={"RINGBEARER_STRICT": "1"})],
        RINGBEARER_TIMEOUT="1.5",
        **{PARENT: "contoso"},
    )
    assert f"new_pull_token failed ({problem})" in plain.warning and "chainctl failed (" in plain.warning
    assert strict.error.type == "ChainctlCommandError" and strict.error.message == plain.warning
    assert "planted" not in plain.text + strict.text
    assert fake_programs.running() == []

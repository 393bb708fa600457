"""`ringbearer login --device-code`: polls, the ways it ends, and what is never shown to the person."""

from __future__ import annotations

import sys

import pytest
from lab import faults
from lab.browser_program import BrowserProgram
from lab.clients import Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.directory import User
from support.running_login import LoginCommand

PAGE = "Open this page in any browser:\n\n  https://microsoft.com/devicelogin\n\nand enter the code:\n\n"
#: Seconds that a poll may be late on a busy machine.
LATE = 1.5


def sign_in(login: LoginCommand, *words: str, **variables: str) -> Completed:
    """Run it to its end."""
    with login.running("--device-code", *words, **variables) as running:
        return running.end()


def polls_after(login: LoginCommand, ada: User, *answers: str | int) -> list[float]:
    """The seconds between the polls of a sign-in that succeeds after these answers."""
    codes = login.cloud.entra.device_codes
    codes.script = list(answers)
    login.cloud.entra.device_user = ada
    ended = sign_in(login)
    assert ended.code == 0 and login.cloud.entra.mistakes == [], ended
    # Nothing of the errors on the way is shown.
    assert ended.stderr.endswith("The code expires in 15 minutes.\n"), ended
    times = codes.codes[-1].polls
    assert len(times) == len(answers) + 1
    return [after - before for before, after in zip(times, times[1:])]


@pytest.mark.parametrize(("answer", "expected"), [("slow_down", 6), ("drop", 2), (503, 2)])
def test_answer_of_a_poll_lengthens_the_pause(login: LoginCommand, ada: User, answer: str | int, expected: int) -> None:
    (pause,) = polls_after(login, ada, answer)
    assert expected <= pause + 0.1 < expected + LATE, pause


def test_interval_may_be_a_text(login: LoginCommand, cloud: PracticeCloud, ada: User) -> None:
    cloud.entra.device_codes.interval = "1"
    (pause,) = polls_after(login, ada, "authorization_pending")
    assert 1 <= pause + 0.1 < 1 + LATE, pause


@pytest.mark.parametrize(
    ("answer", "message", "advice"),
    [
        ("authorization_declined", "the sign-in was declined", ""),
        ("expired_token", "nobody signed in within 15 minutes", "`ringbearer login URL`"),
        ("bad_verification_code", "the device code was not recognized: ", "AADSTS70018"),
        # A policy declines in the words of a person.
        ("53003", "the sign-in was declined; a Conditional Access policy", "`ringbearer login URL --browser`"),
    ],
)
def test_refusal_ends_it(login: LoginCommand, cloud: PracticeCloud, answer: str, message: str, advice: str) -> None:
    cloud.entra.device_codes.script = [answer]
    assert_failure(sign_in(login), message, advice)
    assert login.redemptions == 1


def test_code_that_expires_ends_it(login: LoginCommand, cloud: PracticeCloud) -> None:
    cloud.entra.device_codes.expires_in = 2
    ended = sign_in(login)
    assert "The code expires in a minute." in ended.stderr, ended
    assert_failure(ended, "nobody signed in within 2 s", "`ringbearer login URL`")


def test_application_that_is_no_public_client_is_explained(login: LoginCommand, cloud: PracticeCloud) -> None:
    client = cloud.entra.add_client("1b9d4d5e-0c1c-4b2e-9f0a-6d2f5c8e7a10", allows_public_flows=False)
    ended = sign_in(login, RINGBEARER_AZURE_LOGIN_CLIENT_ID=client.client_id)
    assert_failure(ended, "login.microsoftonline.com answered with HTTP 4", "AADSTS7000218", "public client flows")


def test_unknown_application_names_the_variable(login: LoginCommand) -> None:
    ended = sign_in(login, RINGBEARER_AZURE_LOGIN_CLIENT_ID="00000000-1111-2222-3333-444444444444")
    assert_failure(ended, "login.microsoftonline.com answered", "AADSTS700016", "RINGBEARER_AZURE_LOGIN_CLIENT_ID")


def test_other_account_is_refused(login: LoginCommand, cloud: PracticeCloud, ada: User) -> None:
    cloud.entra.device_user = ada
    ended = sign_in(login, "--account", "alice@contoso.example")
    assert_failure(ended, "ada@contoso.example signed in, and not alice@contoso.example", "not kept")


@pytest.mark.parametrize(
    "page",
    [
        "http://microsoft.com/devicelogin",
        "https://microsoft.com.evil.example/devicelogin",
        "https://evil.example/devicelogin?microsoft.com",
        "https://microsoft.com@evil.example/devicelogin",
        "https://ada:secret@microsoft.com/devicelogin",
        "https://microsoft.com:8443/devicelogin",
        "javascript:alert(1)",
        "",
    ],
)
def test_foreign_page_is_never_shown(login: LoginCommand, cloud: PracticeCloud, page: str) -> None:
    cloud.entra.device_codes.verification_uri = page
    ended = sign_in(login)
    assert_failure(ended, "login.microsoftonline.com answered with a page that is not Microsoft's", "do not type")
    assert "evil" not in ended.stderr and "PRACTICE" not in ended.stderr, ended
    assert login.redemptions == 0


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ("ABCD-1234", "ABCD-1234"),
        ("ÄÖÜ-漢字", "ÄÖÜ-漢字"),
        ("AB\x1b[2J\rCD", "AB [2J CD"),
        ("AB\u202eCD", "AB CD"),
    ],
)
def test_code_is_shown_without_control_characters(
    login: LoginCommand, cloud: PracticeCloud, code: str, shown: str
) -> None:
    cloud.entra.device_codes.user_code = code
    with login.running("--device-code") as running:
        assert f"{PAGE}  {shown}\n\n" in running.read_until("enter the code:\n\n")


@pytest.mark.parametrize("code", ["", " \x00\n", "A" * 41])
def test_code_that_nobody_can_type_is_refused(login: LoginCommand, cloud: PracticeCloud, code: str) -> None:
    # An empty one would be replaced by the practice cloud's.
    cloud.entra.device_codes.user_code = code or " "
    assert_failure(sign_in(login), "login.microsoftonline.com answered with something that is not a code")


@pytest.mark.parametrize(
    ("fault", "known"),
    [
        (faults.garbage_json(), "login.microsoftonline.com"),
        (faults.html(), "login.microsoftonline.com"),
        (faults.status(404), "HTTP 404"),
        (faults.huge(), "login.microsoftonline.com"),
    ],
    ids=["garbage", "html", "404", "huge"],
)
def test_failing_endpoint_ends_it_at_once(
    login: LoginCommand, cloud: PracticeCloud, fault: faults.Fault, known: str
) -> None:
    cloud.faults.add(fault, host="login.microsoftonline.com", path="*/devicecode")
    ended = sign_in(login)
    assert_failure(ended, "", known)
    assert ended.duration < 3 and login.redemptions == 0


@pytest.mark.skipif(sys.platform != "linux", reason="a real browser would open")
@pytest.mark.parametrize(
    ("variables", "is_browser"),
    [
        ({}, False),
        ({"DISPLAY": ":99", "SSH_TTY": "/dev/pts/1"}, False),
        ({"DISPLAY": ":99", "GITHUB_ACTIONS": "true"}, False),
        ({"BROWSER": "/nonexistent/browser"}, False),
        # An editor sets it to a program that opens the page where the person sits.
        ({"BROWSER": "true", "SSH_TTY": "/dev/pts/1"}, True),
    ],
)
def test_browser_is_the_default_only_where_a_person_sees_it(
    login: LoginCommand, fake_programs: FakePrograms, variables: dict[str, str], is_browser: bool
) -> None:
    BrowserProgram(fake_programs.directory, name="xdg-open")
    with login.running(**variables) as running:
        shown = running.read_until("https://login" if is_browser else "enter the code:\n\n")
    assert (PAGE in shown) != is_browser, shown


def test_job_prints_the_code_and_how_long_it_waits(login: LoginCommand, cloud: PracticeCloud, ada: User) -> None:
    with login.running(CI="true", TF_BUILD="True") as running:
        code = cloud.entra.person.enters_next(ada)
        ended = running.end()
    shown = ended.stderr.partition("\n\n")[2]
    assert (ended.code, shown) == (0, f"{PAGE}  {code}\n\nThe code expires in 15 minutes.\n"), ended


def assert_failure(ended: Completed, message: str, *parts: str) -> None:
    """The last line on standard error says why."""
    last = ended.stderr.splitlines()[-1]
    assert (ended.code, ended.stdout) == (1, "") and last.startswith(f"ringbearer: {message}"), ended
    assert all(part in last for part in parts), ended

"""`ringbearer login` with a browser: how it is started, the pages that a person sees, and what the terminal says."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab.browser_program import BrowserProgram
from lab.chromium import Chromium
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.directory import User
from lab.sign_in_page import deliver, sign_in
from support.running_login import LoginCommand, port_of

if os.name == "nt":
    pytest.skip("the browser is a shell script", allow_module_level=True)

ORGANISATION = "contoso"
NOT_STARTED = "No browser could be started. Open this page in one on this machine:"
#: What a page of ours loads: nothing.
RESOURCES = "performance.getEntriesByType('resource').map(entry => entry.name).join()"


@pytest.fixture
def program(tmp_path: Path) -> BrowserProgram:
    """A browser for $BROWSER, which ends at once."""
    return BrowserProgram(tmp_path)


def test_chromium_ends_on_a_page_that_names_the_account(
    login: LoginCommand, cloud: PracticeCloud, chromium: Chromium, program: BrowserProgram, ada: User
) -> None:
    cloud.azure.tenant.requires_mfa = cloud.azure.tenant.requires_consent = True
    with login.running(BROWSER=program.path) as running:
        url = program.wait()
        chromium.open(url)
        chromium.fill("#username", ada.name)
        chromium.fill("#password", ada.password)
        chromium.click("#sign-in")
        chromium.fill("#code", ada.one_time_code)
        chromium.click("#verify")
        chromium.click("#accept")
        ended = running.end()
    assert chromium.wait_for_text("close this window").splitlines()[::2] == [
        "Signed in",
        f"ringbearer is signed in to {ORGANISATION} as ada@contoso.example.",
        "You can close this window.",
    ]
    # Neither address nor title holds the code.
    assert chromium.url == f"http://localhost:{port_of(url)}/"
    assert chromium.evaluate("document.title") == "Signed in - ringbearer"
    assert chromium.evaluate(RESOURCES) == "" and cloud.log.refused() == []
    assert (login.redemptions, cloud.entra.mistakes) == (1, [])
    page = f"A browser opens. If it does not, open this page:\n\n  {url}\n\n"
    assert (ended.code, ended.stderr) == (0, f"Sign in to {ORGANISATION} (Azure Artifacts)\n\n{page}")
    assert ended.stdout == f"signed in to {ORGANISATION} as ada@contoso.example\nnot kept: no lookup uses this login\n"


def test_page_and_terminal_say_that_the_person_declined(
    login: LoginCommand, chromium: Chromium, program: BrowserProgram
) -> None:
    with login.running(BROWSER=program.path) as running:
        chromium.open(program.wait())
        chromium.click("#cancel")
        ended = running.end()
    page = chromium.wait_for_text("The terminal shows the same.")
    message, advice = "the sign-in was declined", "run `ringbearer login URL` and accept"
    assert page.startswith("Sign-in failed\n") and f"could not sign in to {ORGANISATION}: {message}" in page, page
    assert advice.replace("`", "") in page, page
    last = ended.stderr.splitlines()[-1]
    assert (ended.code, ended.stdout) == (1, "") and last.startswith(f"ringbearer: {message}"), ended
    assert advice in last and len(last) <= 320, ended
    assert login.redemptions == 0


@contextmanager
def lasting_browser(directory: Path) -> Iterator[tuple[BrowserProgram, Path]]:
    """A browser that stays open, and the file of its process number."""
    number = directory / "number"
    yield BrowserProgram(directory, f'echo $$ > "{number}"; exec sleep 60'), number
    os.kill(int(number.read_text()), signal.SIGTERM)


def test_login_does_not_wait_for_the_browser_to_end(
    either: Client,
    cloud: PracticeCloud,
    home: Path,
    fake_programs: FakePrograms,
    tmp_path: Path,
    ada: User,
) -> None:
    login = LoginCommand(either, cloud, home, fake_programs)
    with lasting_browser(tmp_path) as (program, _), login.running(BROWSER=program.path) as running:
        assert deliver(sign_in(cloud, program.wait(), ada)).status == 200
        ended = running.end(5)
    assert ended.code == 0 and ended.duration < 3, ended


def test_ctrl_c_leaves_the_browser_open(login: LoginCommand, tmp_path: Path) -> None:
    with lasting_browser(tmp_path) as (program, number), login.running(BROWSER=program.path) as running:
        program.wait()
        os.killpg(running.process.pid, signal.SIGINT)
        assert running.end(5).code in (130, -signal.SIGINT)
        # Raises if the process has ended.
        os.kill(int(number.read_text()), 0)


def test_browser_that_does_not_start_is_followed_by_the_next(
    login: LoginCommand, cloud: PracticeCloud, tmp_path: Path, ada: User
) -> None:
    broken = tmp_path / "broken"
    broken.write_text("#!/nonexistent/interpreter\n")
    broken.chmod(0o755)
    good = BrowserProgram(tmp_path)
    others = [str(broken), str(tmp_path / "missing"), "missing", "./broken"]
    for count, browser in enumerate((good.path, f"{good.path} --new-window %s"), 1):
        with login.running(BROWSER=":".join([*others, browser])) as running:
            url = good.wait(count).removeprefix("--new-window ")
            assert deliver(sign_in(cloud, url, ada)).status == 200
            assert running.end().code == 0
    assert len(good.opened) == 2
    with login.running("--browser", BROWSER=str(broken)) as running:
        shown = running.read_until("ssh -L")
        url = re.search("^  (https://.*)$", shown, re.MULTILINE)[1]
        assert NOT_STARTED in shown
        assert deliver(sign_in(cloud, url, ada)).status == 200
        assert running.end().code == 0


@pytest.mark.skipif(sys.platform != "linux", reason="a real browser would open")
def test_remote_session_gets_page_and_port_forwarding(login: LoginCommand, cloud: PracticeCloud, ada: User) -> None:
    with login.running("--browser", SSH_CONNECTION="192.0.2.1 50000 192.0.2.2 22") as running:
        shown = running.read_until("ssh -L")
        url = re.search("^  (https://.*)$", shown, re.MULTILINE)[1]
        assert deliver(sign_in(cloud, url, ada)).status == 200
        ended = running.end()
    port = port_of(url)
    forward = f"If the browser is on another machine, first run there:\n\n  ssh -L {port}:localhost:{port} HOST\n\n"
    assert shown == f"Sign in to {ORGANISATION} (Azure Artifacts)\n\n{NOT_STARTED}\n\n  {url}\n\n{forward}"
    assert (ended.code, ended.stderr) == (0, "")

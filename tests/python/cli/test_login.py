"""`ringbearer login` at a terminal and for programs: what it shows, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.directory import User
from lab.sign_in_page import deliver, sign_in
from support.command_line import CommandLine

if os.name == "nt":
    pytest.skip("the terminal is POSIX's", allow_module_level=True)

from lab.terminal import Watching

LEFT = "left (Ctrl-C cancels)"
PAGE = "https://microsoft.com/devicelogin"


class Login(CommandLine):
    """`ringbearer login` for the feed, with a browser that cannot be started. The login is not kept."""

    def environment(self, *path: object, **variables: str | None) -> dict[str, str]:
        # Not the browser of the desktop, if there is one.
        browser = self.home / "browser"
        browser.write_text("#!/nowhere/interpreter\n")
        browser.chmod(0o755)
        return super().environment(*path, BROWSER=str(browser), RINGBEARER_LOGIN_STORE="off", **variables)

    def watched(self, *words: str) -> Watching:
        """It starts at a terminal."""
        command = [self.program.program("ringbearer"), "login", self.url, *words]
        return Watching(command, self.environment())

    def piped(self, *words: str):
        """It starts with pipes."""
        return self.program.start(["ringbearer", "login", self.url, *words], self.environment())


@pytest.fixture
def login(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> Login:
    """Either program."""
    return Login(either, cloud, home, fake_programs)


@pytest.fixture
def ada(cloud: PracticeCloud) -> User:
    """Somebody who may read the feed."""
    return cloud.entra.add_user("ada@contoso.example")


def test_terminal_shows_page_code_and_countdown(login: Login, cloud: PracticeCloud, ada: User) -> None:
    watched = login.watched("--device-code")
    code = cloud.entra.person.enters_next(ada)
    ended = watched.ended()
    assert ended.code == 0 and LEFT in ended.terminal, ended
    first, *more = ended.screen()
    assert first.startswith("Sign in to ") and first.endswith("contoso (Azure Artifacts)")
    assert more == ["Open this page in any browser:", f"  {PAGE}", "and enter the code:", f"  {code}"]
    assert ended.stdout.decode().splitlines()[0].endswith("contoso as ada@contoso.example")


def test_a_log_file_gets_plain_lines(login: Login, cloud: PracticeCloud, ada: User) -> None:
    process = login.piped("--device-code")
    code = cloud.entra.person.enters_next(ada)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 0 and not {b"\r", b"\x1b"} & {bytes([one]) for one in stderr}, stderr
    lines = [line.strip() for line in stderr.decode().splitlines() if line]
    expected = ["Open this page in any browser:", PAGE, "and enter the code:", code, "The code expires in 15 minutes."]
    assert lines[1:] == expected


@pytest.mark.parametrize("option", ["--device-code", "--browser"])
def test_ctrl_c_ends_it_at_once_without_a_trace(login: Login, option: str) -> None:
    watched = login.watched(option)
    watched.until(LEFT)
    began = time.monotonic()
    watched.process.send_signal(signal.SIGINT)
    ended = watched.ended()
    assert ended.code in (130, -signal.SIGINT) and time.monotonic() - began < 2, ended
    assert not any(LEFT in line for line in ended.screen()) and "Traceback" not in ended.terminal, ended


def test_browser_that_cannot_be_started_is_explained(login: Login) -> None:
    watched = login.watched("--browser")
    watched.until(LEFT)
    watched.process.send_signal(signal.SIGINT)
    shown = watched.ended().screen()
    url = next(line for line in shown if line.startswith("  https://login.microsoftonline.com/"))
    port = url.partition("localhost%3A")[2].partition("&")[0]
    assert f"  ssh -L {port}:localhost:{port} HOST" in shown


def test_json_has_an_event_for_each_step(login: Login, cloud: PracticeCloud, ada: User) -> None:
    process = login.piped("--json", "--browser")
    browser = json.loads(process.stdout.readline())
    assert (browser["event"], browser["opened"]) == ("browser", False)
    assert f"localhost%3A{browser['port']}&" in browser["url"]
    assert deliver(sign_in(cloud, browser["url"], ada)).status == 200
    stdout, stderr = process.communicate(timeout=20)
    signed_in = json.loads(stdout)
    assert (process.returncode, signed_in["event"], stderr) == (0, "signed-in", b"")
    assert (signed_in["account"], signed_in["organisations"]) == ("ada@contoso.example", ["contoso"])


def test_json_has_the_code_and_its_end(login: Login, cloud: PracticeCloud, ada: User) -> None:
    process = login.piped("--json", "--device-code")
    code = json.loads(process.stdout.readline())
    assert (code["event"], code["url"], code["expires_in"]) == ("code", PAGE, 900)
    cloud.entra.person.declines(code["code"])
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (1, b"") and b"declined" in stderr, stderr


def test_time_limit_ends_it(login: Login) -> None:
    ended = login("login", login.url, "--device-code", RINGBEARER_TIMEOUT="3")
    assert ended.code == 1 and ended.duration < 6, ended
    assert "RINGBEARER_TIMEOUT=SECONDS" in ended.stderr.splitlines()[-1], ended


def test_project_names_the_index_without_a_url(login: Login, tmp_path: Path) -> None:
    (tmp_path / "uv.toml").write_text(f'[[index]]\nname = "corp"\nurl = "{login.url}"\n')
    ended = login("login", "--device-code", RINGBEARER_TIMEOUT="2", directory=tmp_path)
    first = ended.stderr.splitlines()[0]
    assert first == f"ringbearer: signing in for {login.url} in {tmp_path / 'uv.toml'}", ended

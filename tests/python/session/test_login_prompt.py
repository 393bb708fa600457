"""RINGBEARER_LOGIN=prompt: a lookup signs in at the terminal, where nothing forbids it."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from support.native_keyring import NativeKeyring

if os.name == "nt":
    pytest.skip("the terminal is POSIX's", allow_module_level=True)

from lab.foreground import Ended, Foreground

#: The number of processes that ask at the same moment.
CROWD = 8

#: Runs `keyring` for each URL at once, in one process group, and prints their answers.
AT_ONCE = """
import json, subprocess, sys
ask = lambda url: subprocess.Popen(["keyring", "get", url, "x"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
asked = [ask(url) for url in sys.argv[1:]]
print(json.dumps([one.communicate()[0].decode().strip() for one in asked]))
"""

#: Runs a command in the background of the terminal.
IN_BACKGROUND = """
import os, subprocess, sys
sys.exit(subprocess.run(sys.argv[1:], stdin=subprocess.DEVNULL, preexec_fn=os.setpgrp).returncode)
"""


class Person:
    """Ada at her terminal; her pip.conf names the feed."""

    def __init__(self, cloud: PracticeCloud, keyring: NativeKeyring, home: Path) -> None:
        self.cloud, self._keyring = cloud, keyring
        self.user = cloud.entra.add_user("ada@contoso.example")
        self.url = cloud.azure.feed.url()
        self.settings = home / ".config" / "pip" / "pip.conf"
        self.settings.parent.mkdir(parents=True)
        self.settings.write_text(f"[global]\nindex-url = {self.url}\n")

    def environment(self, **variables: str | None) -> dict[str, str]:
        usual = {"RINGBEARER_LOGIN": "prompt", "RINGBEARER_LOGIN_STORE": "session"}
        # The lab's own, which keep pip from asking and from files.
        usual.update(PIP_NO_INPUT=None, PIP_CONFIG_FILE=None)
        return self._keyring.environment(**{**usual, **variables})

    def run(self, *command: object, directory: Path | None = None, **variables: str | None) -> Foreground:
        return Foreground(command, self.environment(**variables), directory)

    def get(self, *before: object, directory: Path | None = None, **variables: str | None) -> Foreground:
        """`keyring get`, which runs in the foreground. ``before`` is a command prefix."""
        command = [*before, self._keyring.native.program("keyring"), "get", self.url, "x"]
        return self.run(*command, directory=directory, **variables)

    def signs_in(self, count: int = 1) -> str:
        """She waits for this number of codes, enters the last one on her telephone, and returns it."""
        return self.cloud.entra.person.enters_next(self.user, count)

    @property
    def codes(self) -> list:
        """The device codes that were asked for."""
        return self.cloud.entra.device_codes.codes

    def assert_not_asked(self, ended: Ended) -> None:
        """The lookup failed as without the variable, and nothing was shown."""
        assert (ended.code, ended.stdout, ended.shown, self.codes) == (1, "", "", []), ended
        assert ended.stderr.count("\n") == 1 and ended.stderr.startswith("ringbearer: no credential for "), ended


@pytest.fixture
def ada(cloud: PracticeCloud, native: Client, home: Path) -> Person:
    """Without `az`."""
    kernel_keys.need_sharing()
    return Person(cloud, NativeKeyring(cloud, native, home), home)


def test_look_up_signs_in_at_the_terminal_only(ada: Person) -> None:
    asking = ada.get()
    code = ada.signs_in()
    ended = asking.ended()
    assert (ended.code, ended.stderr) == (0, ""), ended
    assert ended.stdout.strip() in ada.cloud.azure.session_tokens.issued
    lines = ended.shown.strip().split("\n")
    assert lines[0].startswith("ringbearer: pkgs.dev.azure.com/contoso needs a sign-in (tenant "), ended
    assert lines[1] == f"ringbearer: open https://microsoft.com/devicelogin and enter the code {code}"
    assert "ringbearer: waiting, 2 minutes left" in lines
    assert lines[-1] == "ringbearer: signed in as ada@contoso.example"


def test_later_look_ups_use_the_login_in_silence(ada: Person) -> None:
    asking = ada.get()
    ada.signs_in()
    token = asking.ended().stdout
    for variables in ({}, {"RINGBEARER_CACHE": "off"}):
        again = ada.get(**variables).ended()
        assert (again.code, again.shown, again.stderr) == (0, "", ""), again
        assert (again.stdout == token) == (not variables)
    assert len(ada.codes) == 1


@pytest.mark.parametrize(
    "variables",
    [
        {"RINGBEARER_LOGIN": None},
        {"RINGBEARER_LOGIN": "never"},
        {"CI": "true"},
        {"TF_BUILD": "True"},
        {"PIP_NO_INPUT": "1"},
        {"ARTIFACTS_KEYRING_NONINTERACTIVE_MODE": "true"},
    ],
    ids=lambda variables: next(iter(variables)) + "=" + str(next(iter(variables.values()))),
)
def test_variable_prevents_the_prompt(ada: Person, variables: dict[str, str | None]) -> None:
    ada.assert_not_asked(ada.get(**variables).ended())


def test_unknown_value_is_one_warning(ada: Person) -> None:
    ended = ada.get(RINGBEARER_LOGIN="always").ended()
    assert (ended.code, ended.shown, ada.codes) == (1, "", []), ended
    assert ended.stderr.count("RINGBEARER_LOGIN") == 1 and "prompt, never" in ended.stderr, ended


def test_nobody_is_asked_without_a_terminal(ada: Person, native: Client) -> None:
    process = native.start(["keyring", "get", ada.url, "x"], ada.environment())
    stdout, _ = process.communicate(timeout=30)
    assert (process.returncode, stdout, ada.codes) == (1, b"", [])


def test_nobody_is_asked_from_the_background(ada: Person, native: Client) -> None:
    command = [sys.executable, "-c", IN_BACKGROUND, native.program("keyring"), "get", ada.url, "x"]
    ada.assert_not_asked(ada.run(*command).ended())


def test_index_that_only_the_repository_names_asks_nobody(ada: Person, tmp_path: Path) -> None:
    ada.settings.unlink()
    shop = tmp_path / "shop"
    shop.mkdir()
    index = f'name = "contoso"\nurl = "{ada.url}"\n'
    (shop / "pyproject.toml").write_text(f"[[tool.uv.index]]\n{index}[[tool.poetry.source]]\n{index}")
    (shop / "pip.conf").write_text(f"[global]\nindex-url = {ada.url}\n")
    (shop / "uv.toml").write_text(f"[[index]]\n{index}")
    relative = {"PIP_CONFIG_FILE": "pip.conf", "UV_CONFIG_FILE": "uv.toml", "VIRTUAL_ENV": str(shop)}
    for variables in ({}, relative):
        ada.assert_not_asked(ada.get(directory=shop, **variables).ended())


def test_processes_at_once_ask_once(ada: Person) -> None:
    urls = [ada.cloud.azure.contoso.feed(f"feed-{number % 2}").url() for number in range(CROWD)]
    indexes = " ".join(sorted(set(urls)))
    crowd = ada.run(sys.executable, "-c", AT_ONCE, *urls, PIP_EXTRA_INDEX_URL=indexes)
    crowd.until("enter the code")
    ada.signs_in()
    ended = crowd.ended()
    assert len(ada.codes) == 1 and ended.shown.count("signed in as") == 1, ended
    assert all(json.loads(ended.stdout)), ended


def test_refusal_is_remembered_for_ten_minutes(ada: Person, home: Path) -> None:
    asking = ada.get()
    asking.until("enter the code")
    ada.cloud.entra.person.declines(ada.codes[0].user_code)
    refused = asking.ended()
    assert refused.code == 1 and "declined" in refused.stderr and "declined" in refused.shown, refused
    [record] = home.glob("**/login-refused")
    assert abs(int(record.read_text()) - time.time()) < 60
    again = ada.get(RINGBEARER_DEBUG="1").ended()
    assert (again.code, again.shown, len(ada.codes)) == (1, "", 1) and "ten minutes ago" in again.stderr, again
    record.write_text(str(int(time.time()) - 601))
    later = ada.get()
    ada.signs_in(2)
    assert later.ended().code == 0 and not record.exists()


@pytest.mark.parametrize("program", ["native", "Python"])
def test_ctrl_c_ends_the_prompt_at_once(ada: Person, client: Client, home: Path, program: str) -> None:
    python = [client.python, "-c", f"import keyring; keyring.get_password({ada.url!r}, 'x')"]
    asking = ada.get() if program == "native" else ada.run(*python)
    asking.until("enter the code")
    began = time.monotonic()
    asking.type(b"\x03")
    ended = asking.ended()
    assert time.monotonic() - began < 2, ended
    assert ended.code in (130, -signal.SIGINT, 1) and "signed in" not in ended.shown, ended
    assert list(home.glob("**/login-refused")), "the next lookup asks again"


def test_prompt_ends_with_the_limit_of_the_look_up(ada: Person) -> None:
    began = time.monotonic()
    ended = ada.get(RINGBEARER_TIMEOUT="4").ended()
    assert ended.code == 1 and 2 < time.monotonic() - began < 8, ended
    assert "enter the code" in ended.shown and "RINGBEARER_TIMEOUT" in ended.stderr, ended


@pytest.mark.parametrize("place", ["off", None])
def test_login_that_is_not_kept_serves_one_look_up(ada: Person, home: Path, tmp_path: Path, place: str | None) -> None:
    variables = {"RINGBEARER_LOGIN_STORE": place, "RINGBEARER_CACHE": "off"}
    # Otherwise the session would keep it.
    before = () if place else kernel_keys.withheld(tmp_path)
    for number in (1, 2):
        asking = ada.get(*before, **variables)
        ada.signs_in(number)
        ended = asking.ended()
        assert (ended.code, len(ada.codes)) == (0, number), ended
    secrets = [secret.encode() for secret in ada.cloud.entra.refresh_tokens]
    assert secrets and not any(
        secret in path.read_bytes() for path in home.glob("**/*") if path.is_file() for secret in secrets
    )


def test_login_that_is_not_kept_serves_its_python_process(ada: Person, client: Client) -> None:
    ask = f"keyring.get_password({ada.url!r}, 'x')"
    asking = ada.run(
        client.python, "-c", f"import keyring; assert {ask} == {ask} != None", RINGBEARER_LOGIN_STORE="off"
    )
    ada.signs_in()
    ended = asking.ended(30)
    assert (ended.code, len(ada.codes)) == (0, 1), ended


def test_pip_and_uv_install_after_a_prompt(ada: Person, client: Client, tool: Client, home: Path) -> None:
    target = home / "packages"
    install = ["pip", "install", "--target", target, "greetings"]
    asking = ada.run(client.python, "-m", *install)
    ada.signs_in()
    ended = asking.ended(60)
    assert ended.code == 0 and (target / "greetings.py").exists(), ended
    index = ada.url.replace("https://", "https://VssSessionToken@")
    uv = [tool.program("uv"), "pip", "install", "--target", home / "more", "--default-index", index, "greetings"]
    ended = ada.run(*uv, UV_KEYRING_PROVIDER="subprocess", UV_PYTHON=tool.python).ended(60)
    assert ended.code == 0 and len(ada.codes) == 1 and (home / "more" / "greetings.py").exists(), ended

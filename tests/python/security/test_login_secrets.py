"""Codes and tokens of a sign-in are searched for in every output, argument, environment and file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Callable

from lab import executions, faults, kernel_keys
from lab.browser_program import BrowserProgram
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.messages import Request, Response, json_response
from lab.registries.azure.directory import User
from lab.sign_in_page import FormPost, deliver, sign_in
from support.login_user import LoginUser

LOGIN, AUTHORITY = "login.microsoftonline.com", "vssps.dev.azure.com"


class Traced(LoginUser):
    """A user whose programs are traced with their arguments and environments. A session token on stdout is no leak."""

    def __init__(
        self, program: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms, directory: Path
    ) -> None:
        super().__init__(program, cloud, home, fake_programs)
        self.browser = BrowserProgram(directory)
        self.alice = cloud.entra.add_user("alice@contoso.example")
        self._directory = directory
        self._count = 0
        #: What the programs printed.
        self.printed: list[str] = []
        #: What they passed on to others.
        self.passed: list[str] = []
        self.variables["BROWSER"] = self.browser.path

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        self._count += 1
        log = self._directory / f"executions-{self._count}"
        program, *arguments = words
        tracer, *options = executions.watching(log, 100_000)
        command = [tracer, "--seccomp-bpf", "-v", *options, self.program.program(program), *arguments]
        return self.program.start(command, self.environment())

    def _end(self, process: subprocess.Popen[bytes]) -> Completed:
        stdout, stderr = (part.decode() for part in process.communicate(timeout=30))
        self.passed.append((self._directory / f"executions-{self._count}").read_text())
        self.printed.append(stderr)
        return Completed([], process.returncode, stdout, stderr, 0)

    def run(self, *words: str) -> Completed:
        """Run a program to its end."""
        ended = self._end(self._start(*words))
        self.printed.append(ended.stdout)
        return ended

    def ask(self) -> bool:
        """Whether a lookup is served."""
        return self._end(self._start("keyring", "get", self.url, "VssSessionToken")).code == 0

    def in_browser(self, deliver_all: Callable[[FormPost], object], *words: str, person: User | None = None) -> bool:
        """Whether a sign-in with a browser succeeds."""
        opened = len(self.browser.opened)
        process = self._start("ringbearer", "login", self.url, "--browser", *words)
        deliver_all(sign_in(self.cloud, self.browser.wait(opened + 1), person or self.ada))
        ended = self._end(process)
        self.printed.append(ended.stdout)
        return ended.code == 0

    def secrets(self) -> Iterator[str]:
        """Everything that is secret so far, and distinctive pieces of it."""
        sent = [request.form for request in self.log.requests(host=LOGIN)]
        verifiers = [form["code_verifier"] for form in sent if "code_verifier" in form]
        whole = [*self.cloud.entra.secrets, *verifiers, *self.cloud.azure.session_tokens.issued]
        assert verifiers and {"1.practice-refresh", "practice-device-co"} <= {secret[:18] for secret in whole}
        for secret in whole:
            yield from (secret, secret[-24:], secret[: max(len(secret) // 2, 36)])


def echo(request: Request, answer: object) -> Response:
    """A refusal that repeats the request."""
    form = request.body.decode() + str(request.bearer)
    text = f"AADSTS50076: {form} and {' '.join(request.form.values())}"
    error = {"error": "invalid_grant", "error_description": text, "error_codes": [50076], "message": text}
    return json_response(error, 400)


def test_no_secret_of_a_login_leaves_its_place(
    either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms, tmp_path: Path
) -> None:
    kernel_keys.need_sharing()
    user = Traced(either, cloud, home, fake_programs, tmp_path)
    user.variables.update(RINGBEARER_DEBUG="1", ARTIFACTS_KEYRING_NOFUSS_RETRIES="0", RINGBEARER_TIMEOUT="20")
    cloud.entra.device_user = user.ada
    # Sign-ins that succeed, with a request of another page in between, and lookups after them.
    assert user.in_browser(lambda post: [deliver(wrong_state(post)), deliver(post)])
    assert user.ask()
    device_code = ["ringbearer", "login", user.url, "--device-code"]
    assert json.loads(user.run(*device_code, "--json").stdout.splitlines()[-1])["event"] == "signed-in"
    user.log_in_with_az()
    for code in ("50076", "53003", "700016"):
        rule = cloud.entra.refuse(code, user=user.ada, grant="refresh_token")
        assert user.ask()
        cloud.entra.logins.refusals.remove(rule)
    fake_programs.remove("az")
    # Every service repeats what it was sent.
    for host, path in ((LOGIN, "*/token"), (AUTHORITY, "*")):
        rule = cloud.faults.add(echo, host=host, path=path)
        assert not user.ask()
        assert not user.in_browser(deliver)
        assert host == AUTHORITY or user.run(*device_code).code != 0
        cloud.faults.clear()
        assert rule.met
    for fault in (faults.garbage_json(b'{"refresh_token": 1}'), faults.html(200), faults.drop()):
        cloud.faults.add(fault, host=LOGIN, path="*/token")
        assert not user.ask()
        cloud.faults.clear()
    # Sign-ins that fail.
    assert not user.in_browser(deliver, "--account", user.alice.name)
    cloud.entra.refuse("65004", grant="authorize", times=1)
    assert not user.in_browser(deliver)
    cloud.azure.contoso.exchange.refuse = "VS403463"
    assert not user.ask()
    # The login ends.
    assert user.run("ringbearer", "login", "--list").code == 0
    assert user.run("ringbearer", "doctor", user.url, "--json").code != 0
    cloud.entra.revoke(user.ada)
    assert not user.ask() and not user.ask()
    assert user.run("ringbearer", "logout").code == 0
    printed, passed = "\n".join(user.printed), "\n".join(user.passed)
    assert "prompt=select_account" in passed and f'"HOME={home}"' in passed
    assert f"POST https://{LOGIN}/" in printed and f"POST https://{AUTHORITY}/" in printed
    for secret in user.secrets():
        assert secret not in printed, secret
        # The browser is opened before there is a code or a token.
        assert secret not in passed, secret
    user.assert_in_no_file()


def wrong_state(post: FormPost) -> FormPost:
    """The same from another page."""
    return FormPost(post.url, {**post.fields, "state": "another"})

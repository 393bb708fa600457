"""A person who signs in with `ringbearer login`, and the look-ups afterwards."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_profile, az_token
from lab.registries.azure.directory import User
from lab.sign_in_page import deliver, sign_in
from support.command_line import CommandLine

ADA = "ada@contoso.example"
#: The longest WARNING in characters: "ringbearer: ", 308 of the message, the end of the line.
MOST = 321


class LoginUser(CommandLine):
    """`ringbearer` and `keyring` of one user, whose look-ups use no cached token."""

    def __init__(self, program: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> None:
        super().__init__(program, cloud, home, fake_programs)
        #: Somebody who may read the feed.
        self.ada = cloud.entra.add_user(ADA)
        #: Variables of every program.
        self.variables: dict[str, str | None] = {"RINGBEARER_CACHE": "off"}
        #: A command prefix of every program.
        self.prefix: tuple[object, ...] = ()
        #: The file of logins.
        self.file = home / ".local" / "share" / "ringbearer" / "logins.json"

    def environment(self, *path: object, **variables: str | None) -> dict[str, str]:
        return super().environment(*path, **{**self.variables, **variables})

    def __call__(self, *words: object, before: tuple[object, ...] = (), **more: object) -> Completed:
        return super().__call__(*words, before=(*self.prefix, *before), **more)

    def begin(self, **variables: str | None) -> tuple[subprocess.Popen[bytes], str]:
        """`ringbearer login`, and the address for the browser."""
        words = [*self.prefix, self.program.program("ringbearer"), "login", self.url, "--json", "--browser"]
        process = self.program.start(words, self.environment(**variables))
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        return process, json.loads(line)["url"]

    def login(self, user: User | None = None, **variables: str | None) -> str:
        """Sign in by a browser. Returns where the login is kept."""
        process, url = self.begin(**variables)
        deliver(sign_in(self.cloud, url, user or self.ada))
        stdout, stderr = process.communicate(timeout=30)
        assert process.returncode == 0, stderr.decode()
        return json.loads(stdout)["kept_in"]

    def log_in_with_az(self) -> None:
        """The next source: `az`, where another user is logged in."""
        self.fake_programs.az(*az_token(self.cloud.azure.directory.user_token(self.cloud.azure.user)))
        az_profile(self.home, self.cloud.azure.user.name)

    def look_up(self, before: tuple[object, ...] = (), url: str | None = None, **variables: str | None) -> Completed:
        """`keyring get`."""
        words = [self.program.program("keyring"), "get", url or self.url, "VssSessionToken"]
        command = [*self.prefix, *before, *words]
        return self.program.run(command, self.environment(**variables), 30)

    def assert_served(self, **variables: str | None) -> None:
        """The login serves a look-up, without a word."""
        ended = self.look_up(**variables).check()
        assert (ended.stdout.strip(), ended.stderr) == (self.cloud.azure.session_tokens.issued[-1], ""), ended
        assert self.fake_programs.invocations("az") == []

    def assert_az_serves(self, *parts: str, **variables: str | None) -> None:
        """`az` serves a look-up, and one line says why the login does not."""
        ended = self.look_up(**variables).check()
        assert ended.stdout.strip() == self.cloud.azure.session_tokens.issued[-1], ended
        assert self.fake_programs.invocations("az"), ended
        assert ended.stderr.count("\n") == 1 and len(ended.stderr) <= MOST, ended
        for part in parts:
            assert part in ended.stderr, (part, ended)

    def assert_no_refresh(self) -> None:
        """No refresh token was sent."""
        assert not any(request.form.get("refresh_token") for request in self.log.requests())

    def assert_only_az_serves(self) -> None:
        """`az` serves a look-up as if nobody had ever signed in."""
        assert self.look_up().check().stderr == ""
        assert self.fake_programs.invocations("az")

    def listed(self) -> list[dict]:
        """`ringbearer login --list`."""
        return json.loads(self("login", "--list", "--json").check().stdout)

    def assert_in_no_file(self, *directories: Path) -> None:
        """No file of the user has a code or token of the sign-in."""
        secrets = [secret.encode() for secret in self.cloud.entra.secrets]
        assert secrets
        for directory in (self.home, *directories):
            for folder, _, names in os.walk(directory):
                for path in (Path(folder, name) for name in names):
                    if path.is_file():
                        content = path.read_bytes()
                        assert not any(secret in content for secret in secrets), path

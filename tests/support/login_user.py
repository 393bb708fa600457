"""A person who signs in with `ringbearer login`, and the lookups afterwards."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_profile, az_token
from lab.registries.azure.directory import Tenant, User
from lab.sign_in_page import deliver, sign_in
from support.command_line import CommandLine

ADA = "ada@contoso.example"
#: What every warning about a login advises.
AGAIN = "run `ringbearer login URL`"
#: The longest WARNING in characters: "ringbearer: ", 308 of the message, the end of the line.
MOST = 321


class LoginUser(CommandLine):
    """`ringbearer` and `keyring` of one user, whose lookups use no cached token."""

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

    def feed_of(self, name: str, tenant: Tenant | None) -> str:
        """The URL of a feed in a new organisation."""
        return self.cloud.azure.organisation(name, tenant).feed("tools").url()

    def begin(self, *words: str, **variables: str | None) -> tuple[subprocess.Popen[bytes], str]:
        """`ringbearer login`, and the address for the browser."""
        command = [self.program.program("ringbearer"), "login", self.url, "--json", "--browser", *words]
        process = self.program.start([*self.prefix, *command], self.environment(**variables))
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        return process, json.loads(line)["url"]

    def sign_in(self, user: User | None, *words: str, **variables: str | None) -> Completed:
        """The end of `ringbearer login` after a person has signed in with the browser."""
        process, url = self.begin(*words, **variables)
        deliver(sign_in(self.cloud, url, user or self.ada))
        stdout, stderr = (part.decode() for part in process.communicate(timeout=30))
        return Completed(["ringbearer", "login"], process.returncode, stdout, stderr, 0)

    def login(self, user: User | None = None, *words: str, **variables: str | None) -> str | None:
        """Sign in with the browser. Returns where the login is kept."""
        return json.loads(self.sign_in(user, *words, **variables).check().stdout)["kept_in"]

    def log_in_with_az(self, tenant: Tenant | None = None) -> None:
        """The next source: `az`, where another user is logged in."""
        other = self.cloud.azure.user
        self.fake_programs.az(*az_token(self.cloud.azure.directory.user_token(other, tenant)))
        az_profile(self.home, other.name)

    def look_up(self, url: str | None = None, before: tuple[object, ...] = (), **variables: str | None) -> Completed:
        """`keyring get`. ``before`` is a command prefix."""
        command = [self.program.program("keyring"), "get", url or self.url, "VssSessionToken"]
        return self.program.run([*self.prefix, *before, *command], self.environment(**variables), 30)

    def warning(self, **variables: str | None) -> str:
        """The only warning of a lookup that finds nothing."""
        ended = self.look_up(**variables)
        assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
        assert len(ended.stderr) <= MOST, ended
        return ended.stderr.strip()

    def refreshes(self) -> list[tuple[str, str]]:
        """Each refresh so far: tenant and refresh token."""
        sent = self.log.requests(method="POST", path="*/token")
        return [(one.segments[0], one.form["refresh_token"]) for one in sent if one.form.get("refresh_token")]

    def refreshed_as(self, **variables: str | None) -> str:
        """The account whose login serves a lookup."""
        sent = len(self.refreshes())
        assert self.look_up(**variables).check().stderr == ""
        assert len(self.refreshes()) == sent + 1
        return self.cloud.entra.logins.owner(self.refreshes()[-1][1]).name

    def assert_served(self, **variables: str | None) -> None:
        """The login serves a lookup, and nothing is printed on standard error."""
        ended = self.look_up(**variables).check()
        assert (ended.stdout.strip(), ended.stderr) == (self.cloud.azure.session_tokens.issued[-1], ""), ended
        assert self.fake_programs.invocations("az") == []

    def assert_az_serves(self, *parts: str, **variables: str | None) -> None:
        """`az` serves a lookup, and one line says why the login does not."""
        ended = self.look_up(**variables).check()
        assert ended.stdout.strip() == self.cloud.azure.session_tokens.issued[-1], ended
        assert self.fake_programs.invocations("az"), ended
        assert ended.stderr.count("\n") == 1 and len(ended.stderr) <= MOST, ended
        for part in parts:
            assert part in ended.stderr, (part, ended)

    def assert_no_refresh(self) -> None:
        """No refresh token was sent."""
        assert self.refreshes() == []

    def assert_only_az_serves(self) -> None:
        """`az` serves a lookup as if nobody had ever signed in."""
        assert self.look_up().check().stderr == ""
        assert self.fake_programs.invocations("az")

    def listed(self) -> list[dict]:
        """`ringbearer login --list`."""
        return json.loads(self("login", "--list", "--json").check().stdout)

    def assert_in_no_file(self) -> None:
        """No file of the user has a code or token of the sign-in."""
        secrets = [secret.encode() for secret in self.cloud.entra.secrets]
        assert secrets
        for path in (path for path in self.home.rglob("*") if path.is_file()):
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path

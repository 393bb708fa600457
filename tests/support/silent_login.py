"""A person who has signed in with `ringbearer login`: feeds of several tenants, and what Entra says against a login."""

from __future__ import annotations

import json
import subprocess

from lab.clients import Completed
from lab.fake_programs import az_profile, az_token
from lab.registries.azure.directory import Tenant, User
from lab.sign_in_page import deliver, sign_in
from support.login_user import MOST, LoginUser

#: What every warning about a login advises.
AGAIN = "run `ringbearer login URL`"


class SilentLogin(LoginUser):
    """`ringbearer` and `keyring` of one user, for several feeds and accounts."""

    def feed_of(self, name: str, tenant: Tenant | None) -> str:
        """The URL of a feed in a new organisation."""
        return self.cloud.azure.organisation(name, tenant).feed("tools").url()

    def refreshes(self) -> list[tuple[str, str]]:
        """Each refresh so far: tenant and refresh token."""
        sent = self.log.requests(method="POST", path="*/token")
        return [(one.segments[0], one.form["refresh_token"]) for one in sent if one.form.get("refresh_token")]

    def assert_no_refresh(self) -> None:
        """No refresh token was sent."""
        assert self.refreshes() == []

    def begin(self, *words: str, **variables: str | None) -> tuple[subprocess.Popen[bytes], str]:
        """`ringbearer login`, and the address for the browser."""
        command = ["ringbearer", "login", self.url, "--json", "--browser", *words]
        process = self.program.start(command, self.environment(**variables))
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        return process, json.loads(line)["url"]

    def sign_in(self, user: User | None, *words: str, **variables: str | None) -> Completed:
        """The end of `ringbearer login` after a person has signed in with the browser."""
        process, url = self.begin(*words, **variables)
        deliver(sign_in(self.cloud, url, user or self.ada))
        stdout, stderr = (part.decode() for part in process.communicate(timeout=30))
        return Completed(["ringbearer", "login"], process.returncode, stdout, stderr, 0)

    def login(self, user: User | None = None, *words: str, **variables: str | None) -> dict:
        """Sign in with the browser. Returns what was printed."""
        return json.loads(self.sign_in(user, *words, **variables).check().stdout)

    def log_in_with_az(self, tenant: Tenant | None = None) -> None:
        """The next source: `az`, where another user is logged in."""
        other = self.cloud.azure.user
        self.fake_programs.az(*az_token(self.cloud.azure.directory.user_token(other, tenant)))
        az_profile(self.home, other.name)

    def look_up(self, url: str | None = None, **variables: str | None) -> Completed:
        """`keyring get`."""
        command = ["keyring", "get", url or self.url, "VssSessionToken"]
        return self.program.run(command, self.environment(**variables), 30)

    def warning(self, **variables: str | None) -> str:
        """The only warning of a look-up that finds nothing."""
        ended = self.look_up(**variables)
        assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
        assert len(ended.stderr) <= MOST, ended
        return ended.stderr.strip()

    def refreshed_as(self, **variables: str | None) -> str:
        """The account whose login serves a look-up."""
        sent = len(self.refreshes())
        assert self.look_up(**variables).check().stderr == ""
        assert len(self.refreshes()) == sent + 1
        return self.cloud.entra.logins.owner(self.refreshes()[-1][1]).name

"""The three registries, described alike: where they are, who is logged in, and who may see what.

Nobody is logged in to a registry until `log_in`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from urllib.parse import quote, quote_plus

from lab import chainctl
from lab.azure.organisations import READ
from lab.clients import Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.menda import HOST as MENDA
from lab.menda import REGISTRY_HOST
from support.azure_user import AzureUser, sent_by_ringbearer, with_user_name


class Registry:
    """A private registry with the packages `greetings` and `hello-private`, which the first one requires."""

    name: str
    #: The host of its index, which alone may see the password.
    host: str
    #: The hosts that ringbearer itself sends requests to; of these the last may see the login.
    asked: tuple[str, ...] = ()
    #: The user name that ringbearer answers with, and that people write into the URL.
    user_name: str

    def __init__(self, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> None:
        self.cloud = cloud
        self.fake_programs = fake_programs
        self.home = home
        #: What somebody who is logged in has in the environment.
        self.variables: dict[str, str] = {}

    @property
    def index_url(self) -> str:
        """What tools are given."""
        raise NotImplementedError

    @property
    def url_with_user_name(self) -> str:
        """The same for tools that ask keyring only for a user whom they know."""
        return with_user_name(self.index_url, self.user_name)

    @property
    def url_for_keyring_command(self) -> str:
        """The same for the newest pip that runs on this Python: since 26.2 it needs no user name."""
        return self.index_url if sys.version_info >= (3, 10) else self.url_with_user_name

    @property
    def upload_url(self) -> str | None:
        """Where twine sends packages; None if the registry takes none."""
        return None

    def log_in(self) -> None:
        """Let somebody be logged in."""
        raise NotImplementedError

    def passwords(self) -> list[str]:
        """All that ringbearer could have answered with."""
        raise NotImplementedError

    def logins(self) -> list[str]:
        """What somebody is logged in with, in each form that it has on the wire."""
        return []

    def environment(self, *path: object, **variables: str | None) -> dict[str, str]:
        """The environment of the user's programs: ``path``, and then `az` and `chainctl` if they are there."""
        return environment_of(self, path=path, **variables)

    def assert_made(self, count: int, scope: str = READ) -> None:
        """So many passwords were made, each in a process of its own, and no secret went where it does not belong."""
        log = self.cloud.log
        self.assert_ways(count, scope)
        passwords = self.passwords()
        assert {user for _, user, password in log.basics() if password in passwords} <= {self.user_name}
        for password in passwords:
            assert log.hosts_that_saw(password) == [self.host] * bool(count), log
        for login in self.logins():
            assert set(log.hosts_that_saw(login)) <= set(self.asked[-1:]), log
        assert log.refused() == []

    def assert_ways(self, count: int, scope: str) -> None:
        """The requests and programs that it took."""
        raise NotImplementedError

    def assert_hidden(self, *ended: Completed) -> None:
        """No secret is in what programs printed, nor in a file that they left behind."""
        secrets = [secret.encode() for secret in self.passwords() + self.logins()]
        assert secrets
        printed = "".join(one.output for one in ended).encode()
        assert not any(secret in printed for secret in secrets)
        for directory, _, names in os.walk(self.home):
            for path in (os.path.join(directory, name) for name in names):
                if os.path.isfile(path) and not os.path.islink(path):
                    content = Path(path).read_bytes()
                    assert not any(secret in content for secret in secrets), path


class Azure(Registry):
    """A feed of Azure DevOps Artifacts, by the Azure CLI."""

    name = "azure"
    host = "pkgs.dev.azure.com"
    asked = ("pkgs.dev.azure.com", "vssps.dev.azure.com")
    user_name = "VssSessionToken"
    _person: AzureUser | None = None

    @property
    def index_url(self) -> str:
        return self.cloud.azure.feed.url()

    @property
    def upload_url(self) -> str:
        return self.cloud.azure.feed.upload_url()

    def log_in(self) -> None:
        self._person = AzureUser(self.cloud, self.fake_programs, self.home)

    def passwords(self) -> list[str]:
        return self.cloud.azure.session_tokens.issued

    def logins(self) -> list[str]:
        return [self._person.bearer] if self._person else []

    def assert_ways(self, count: int, scope: str) -> None:
        log = self.cloud.log
        assert [request.json()["scope"] for request in log.requests(self.asked[-1])] == [scope] * count, log
        assert len(self.fake_programs.invocations("az")) == count
        assert len(sent_to(self.cloud, *self.asked)) == 2 * count, log


class Chainguard(Registry):
    """Chainguard Libraries, by chainctl."""

    name = "chainguard"
    host = "libraries.cgr.dev"
    user_name = "_token"
    _token: str | None = None

    @property
    def index_url(self) -> str:
        return self.cloud.chainguard.python.url

    def log_in(self) -> None:
        self._token = self.cloud.chainguard.token()
        self.fake_programs.chainctl(chainctl.logged_in(self._token))
        self.cloud.chainguard.write_login(self.home)

    def passwords(self) -> list[str]:
        return [self._token] if self._token else []

    def assert_ways(self, count: int, scope: str) -> None:
        assert len(self.fake_programs.invocations("chainctl")) == count
        assert sent_to(self.cloud, self.host, "issuer.enforce.dev") == [], self.cloud.log


class Menda(Registry):
    """A registry of Menda cloud, for a machine."""

    name = "menda"
    host = REGISTRY_HOST
    asked = (MENDA.partition("//")[2],)
    user_name = "aws"

    @property
    def index_url(self) -> str:
        return self.cloud.menda.plugins.url

    @property
    def upload_url(self) -> str:
        return self.cloud.menda.upload_url

    def log_in(self) -> None:
        self.variables = self.cloud.menda.variables

    def passwords(self) -> list[str]:
        return self.cloud.menda.registry_tokens

    def logins(self) -> list[str]:
        secret = self.cloud.menda.client_secret
        return [secret, quote(secret, safe=""), quote_plus(secret), *self.cloud.menda.access_tokens]

    def assert_ways(self, count: int, scope: str) -> None:
        log = self.cloud.log
        assert [request.method for request in log.requests(*self.asked)] == ["POST"] * 2 * count, log
        assert len(log.connections(*self.asked)) == count, log
        assert sent_to(self.cloud, *self.asked, self.host) == log.requests(*self.asked), log


REGISTRIES: dict[str, type[Registry]] = {one.name: one for one in (Azure, Chainguard, Menda)}


def environment_of(*registries: Registry, path: tuple[object, ...] = (), **variables: str | None) -> dict[str, str]:
    """The environment of a user of several registries."""
    user = registries[0]
    for registry in registries:
        variables = {**registry.variables, **variables}
    return user.cloud.environment(user.home, path=[*path, user.fake_programs.directory], **variables)


def sent_to(cloud: PracticeCloud, *hosts: str) -> list:
    """The requests of ringbearer itself to some hosts."""
    return [request for request in sent_by_ringbearer(cloud) if request.host in hosts]

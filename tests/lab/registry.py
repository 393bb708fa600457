"""The interface of the modules in `lab.registries`: a registry of the practice cloud and a user of it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .clients import Completed
from .fake_programs import FakePrograms
from .messages import Request
from .packages import Package

if TYPE_CHECKING:
    from .cloud import PracticeCloud


class Site:
    """The servers of a registry. The practice cloud creates it as an attribute with the registry's name."""

    #: Host names of attackers, similar to those of the registry or containing them.
    lookalikes: tuple[str, ...] = ()

    def __init__(self, cloud: PracticeCloud) -> None:
        """Add every host of the registry to `cloud.sites`."""

    def environment(self, home: str) -> dict[str, str]:
        """Variables that keep child processes in the practice cloud."""
        return {}

    def loopback_variables(self) -> dict[str, str]:
        """Those that must lead to loopback: without them, a client asks the machine's own metadata service."""
        return {}

    def close(self) -> None:
        """Stop the servers beside the proxy."""


@dataclass(frozen=True)
class Failure:
    """A way in which a lookup fails."""

    #: Makes it fail, on a registry whose user is not signed in.
    cause: Callable[[Registry], None]
    #: Part of the warning.
    message: str


class Registry:
    """A registry with the packages `hello-private` and `greetings`, which requires the first, and a user of it.

    The user is not signed in before `log_in`. A subclass in a module of `lab.registries` is all that a new registry
    needs: the generic tests run for each of them.
    """

    #: The name of the module; set by `lab.registries`.
    name: str
    #: Its servers.
    site: type[Site]
    #: The Python class of its keyring backend, and the priority of that.
    backend: str
    priority: float
    #: The host of the index, the only one that may see the password.
    host: str
    #: Examples of hosts whose URLs the backend claims.
    claimed_hosts: tuple[str, ...]
    #: The hosts that ringbearer sends requests to. Only the last may see the login.
    api_hosts: tuple[str, ...] = ()
    #: The host that a warning names when the sign-in fails; `host` if None.
    blamed_host: str | None = None
    #: The user name that ringbearer answers with, and that users write into the URL.
    user_name: str
    #: Whether passwords go with any user name; otherwise with `user_name` alone.
    takes_any_user_name: bool = True
    #: Whether the bare host identifies the credential.
    answers_host_alone: bool = True
    #: The program that `log_in` makes print a token.
    program: str | None = None
    #: The variable in which `ringbearer exec` puts the token.
    exec_variable: str
    #: The packages that claim its URLs, by their names in `lab.clients.PEERS`, and the one that ringbearer replaces.
    rivals: frozenset[str] = frozenset()
    replaces: str | None = None
    #: The registry that claims its hosts too and is asked first: a user of both gets the other's password.
    yields_to: str | None = None
    #: Whether a GitHub workflow needs the permission ``id-token: write``.
    workflow_has_identity_token: bool = False
    #: The page with the recipe for GitHub Actions, its section, and the name of the index in it.
    workflow_recipe: tuple[str, str, str] | None = None
    #: Failures of lookups, by name. In the last one a login is configured.
    failures: dict[str, Failure]

    def __init__(self, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> None:
        self.cloud = cloud
        self.fake_programs = fake_programs
        self.home = home
        #: The variables of the user.
        self.variables: dict[str, str] = {}

    @property
    def index_url(self) -> str:
        """The URL of the index."""
        raise NotImplementedError

    @property
    def url_with_user_name(self) -> str:
        """The URL for tools that ask keyring only if they know a user name."""
        return self.index_url.replace("//", f"//{self.user_name}@", 1)

    @property
    def url_for_keyring_command(self) -> str:
        """The URL for the newest pip that runs on this Python: since 26.2 it needs no user name."""
        return self.index_url if sys.version_info >= (3, 10) else self.url_with_user_name

    @property
    def upload_url(self) -> str | None:
        """The URL for twine; None if the registry accepts no uploads."""
        return None

    def file_url(self, file_name: str) -> str:
        """The URL of a package's file."""
        raise NotImplementedError

    def add(self, package: Package) -> None:
        """Add a package to the index."""
        raise NotImplementedError

    def log_in(self) -> None:
        """Sign the user in, usually by a login program or by `variables`."""
        raise NotImplementedError

    def break_login(self) -> None:
        """Set up a login that the registry or the login program refuses."""
        raise NotImplementedError

    def login_by_variables(self) -> tuple[str, dict[str, str]]:
        """The user name of the credential, and variables that suffice for one in any process."""
        raise NotImplementedError

    def passwords(self) -> list[str]:
        """The possible passwords of the credential."""
        raise NotImplementedError

    def logins(self) -> list[str]:
        """The secrets of the login, in each form in which they are sent."""
        return []

    def workflow_settings(self, job) -> dict[str, str]:
        """Trust a job of GitHub Actions. Returns the repository's variables and secrets, as ``vars.NAME``."""
        raise NotImplementedError

    def environment(self, *path: object, **variables: str | None) -> dict[str, str]:
        """The environment of the user's programs; PATH has ``path`` and then the login programs."""
        return environment_of(self, path=path, **variables)

    def sent(self) -> list[Request]:
        """The requests of ringbearer itself to the hosts of the registry."""
        hosts = (*self.api_hosts, self.host)
        return [request for request in self.cloud.log.sent_by_ringbearer() if request.host in hosts]

    def assert_made(self, count: int, upload: bool = False) -> None:
        """Exactly ``count`` processes got a password, and no secret was sent to a wrong host."""
        log = self.cloud.log
        self.assert_ways(count, upload)
        passwords = self.passwords()
        assert {user for _, user, password in log.basics() if password in passwords} <= {self.user_name}
        for password in passwords:
            assert log.hosts_that_saw(password) == [self.host] * bool(count), log
        for login in self.logins():
            assert set(log.hosts_that_saw(login)) <= set(self.api_hosts[-1:]), log
        assert log.refused() == []

    def assert_ways(self, count: int, upload: bool = False) -> None:
        """Exactly the requests and programs of ``count`` lookups were made."""
        raise NotImplementedError

    def assert_hidden(self, *ended: Completed) -> None:
        """No secret is in the output of programs, nor in a file below the home directory."""
        secrets = [secret.encode() for secret in self.passwords() + self.logins()]
        assert secrets
        printed = "".join(one.output for one in ended).encode()
        assert not any(secret in printed for secret in secrets)
        for path in _files(self.home):
            content = path.read_bytes()
            assert not any(secret in content for secret in secrets), path


def environment_of(*registries: Registry, path: tuple[object, ...] = (), **variables: str | None) -> dict[str, str]:
    """The environment of a user of several registries."""
    user = registries[0]
    for registry in registries:
        variables = {**registry.variables, **variables}
    return user.cloud.environment(user.home, path=[*path, user.fake_programs.directory], **variables)


def _files(directory: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(directory):
        for path in (Path(folder, name) for name in names):
            if path.is_file() and not path.is_symlink():
                yield path

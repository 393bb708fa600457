"""A user who is logged in to Azure, and the expected requests of lookups."""

from __future__ import annotations

import sys

from lab import kernel_keys
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_profile, az_token

FORMS = ("dev.azure.com", "visualstudio.com")
AUTHORITY = "vssps.dev.azure.com"


class AzureUser:
    """The practice cloud's user, logged in with a fake Azure CLI."""

    def __init__(self, cloud: PracticeCloud, fake_programs: FakePrograms, home: object) -> None:
        self.cloud = cloud
        self.home = home
        self.bearer = cloud.azure.directory.user_token(cloud.azure.user)
        self._fake_programs = fake_programs
        fake_programs.az(*az_token(self.bearer))
        az_profile(home, cloud.azure.user.name)

    def environment(self, *path: object, **variables: str | None) -> dict[str, str]:
        """The environment of the user's programs: ``path`` and then `az`."""
        return self.cloud.environment(self.home, path=[*path, self._fake_programs.directory], **variables)

    def assert_look_ups(self, *scopes: str) -> None:
        """Exactly one lookup per scope was made, each in its own process.

        Each took one run of `az` and one exchange, and one GET of the feed unless the session knew the organisation,
        each on a connection of its own. The user's bearer went to the token authority only, the session tokens to the
        feeds only.
        """
        log, count = self.cloud.log, len(scopes)
        assert [request.json()["scope"] for request in log.requests(AUTHORITY)] == list(scopes), log
        assert len(self._fake_programs.invocations("az")) == count
        sent = self.cloud.log.sent_by_ringbearer()
        gets = sum(request.method == "GET" for request in sent)
        assert sorted(request.method for request in sent) == ["GET"] * gets + ["POST"] * count, log
        assert bool(count) <= gets <= count and (kernel_keys.can_share() or gets == count), log
        assert len({request.connection for request in sent}) == len(sent), log
        assert len(log.connections(AUTHORITY)) == count, log
        assert log.bearers() == [(AUTHORITY, self.bearer)] * count
        assert log.hosts_that_saw(self.bearer) == [AUTHORITY] * bool(count)
        assert_only_feeds_saw(self.cloud, *self.cloud.azure.session_tokens.issued)
        assert log.refused() == []


def assert_only_feeds_saw(cloud: PracticeCloud, *passwords: str) -> None:
    """No password went to a host that is not a feed's."""
    hosts = {host for password in passwords for host in cloud.log.hosts_that_saw(password)}
    assert all(host == "pkgs.dev.azure.com" or host.endswith(".pkgs.visualstudio.com") for host in hosts), hosts


def with_user_name(url: str, user: str = "VssSessionToken") -> str:
    """The URL as users of uv write it: with a user name, without a password."""
    return url.replace("//", f"//{user}@", 1)


def for_keyring_command(url: str) -> str:
    """The URL as pip needs it to ask the keyring command: before 26.2, the newest being for Python 3.9, with a name."""
    return url if sys.version_info >= (3, 10) else with_user_name(url)

"""The published peers and ringbearer, each installed beside keyring in an environment of its own, and their sizes."""

from __future__ import annotations

import glob
import importlib.metadata
import os
from dataclasses import dataclass

from lab.clients import KEYRING, Client, ClientEnvironments
from lab.versions import PEERS, PIP

#: Directory of the environments unless RINGBEARER_TEST_ENVIRONMENTS is set.
_ENVIRONMENTS = os.path.join("target", "test-environments")

#: Packages that ringbearer replaces, by their names in `PEERS`, and that work beside each other.
FOUR = ("nofuss", "chainguard", "menda", "ssh_agent")
#: All that it replaces. The exceptions of the last two end keyring's chain, so they are not beside the others.
REPLACED = (*FOUR, "codeartifact", "google")
#: For its size. It is never run: it needs a .NET program.
ARTIFACTS_KEYRING = "artifacts-keyring==1.0.0"


@dataclass
class Size:
    """What an installation adds."""

    distributions: int
    #: Of their files, without byte code.
    bytes: int

    @property
    def megabytes(self) -> float:
        """As package indexes count them."""
        return self.bytes / 1e6


class Environments:
    """Each has only keyring and one candidate, since a command scans all installed packages."""

    def __init__(self, wheel: str, cli_wheel: str) -> None:
        if "menda" not in PEERS:
            raise SystemExit("this benchmark needs Python 3.11: not all of the peers run on older ones")
        self.client_environments = ClientEnvironments(os.environ.get("RINGBEARER_TEST_ENVIRONMENTS") or _ENVIRONMENTS)
        self._wheel = os.path.abspath(wheel)
        self.tool = self.client_environments.tool()
        self.native = self.client_environments.native(os.path.abspath(cli_wheel))
        self.bare = self.client_environments._client("bench-plain", [KEYRING])
        self.ours = self.client_environments._client("bench-store", [KEYRING], self._wheel)
        self.peers = {
            name: self.client_environments._client(f"bench-{name.replace('_', '-')}", [KEYRING, PEERS[name]])
            for name in REPLACED
        }
        self.all_four = self.client_environments._client("bench-all-four", [KEYRING, *(PEERS[name] for name in FOUR)])

    def artifacts_keyring(self) -> Client | str:
        """The official package, or why it cannot be installed."""
        try:
            return self.client_environments._client("bench-artifacts-keyring", [KEYRING, ARTIFACTS_KEYRING])
        except RuntimeError as error:
            return f"cannot be installed here: {str(error).splitlines()[-1].strip()}"

    def with_pip(self) -> tuple[Client, Client]:
        """pip that imports keyring, with ringbearer and with artifacts-keyring-nofuss beside it."""
        return (
            self.client_environments._client("bench-pip", [KEYRING, PIP], self._wheel),
            self.client_environments._client("bench-pip-nofuss", [KEYRING, PIP, PEERS["nofuss"]]),
        )

    def added(self, client: Client) -> Size:
        """The packages beyond keyring and its dependencies."""
        known = _distributions(self.bare)
        added = [one for name, one in _distributions(client).items() if name not in known]
        return Size(len(added), sum(map(_size, added)))


def title(requirement: str) -> str:
    """The display name of a requirement."""
    return requirement.replace("==", " ")


def peer(name: str) -> str:
    """A peer's name and version."""
    return title(PEERS[name])


def _distributions(client: Client) -> dict[str, importlib.metadata.Distribution]:
    path = glob.glob(os.path.join(client.directory, "lib", "python*", "site-packages"))
    return {one.metadata["Name"].lower(): one for one in importlib.metadata.distributions(path=path)}


def _size(distribution: importlib.metadata.Distribution) -> int:
    # RECORD lists a program as ../../../bin/NAME.
    paths = [str(distribution.locate_file(one)) for one in distribution.files or []]
    return sum(os.path.getsize(path) for path in paths if os.path.exists(path) and not path.endswith(".pyc"))

"""The backends that keyring finds, and the one that it chooses."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import pytest
from lab.clients import Client
from lab.registries import REGISTRIES

#: The names of the index backends.
INDEX_BACKENDS = [registry.backend for registry in REGISTRIES.values()]
#: The backends of the wheel as `keyring --list-backends` shows them, but for the store.
OURS = sorted(
    [
        *(f"ringbearer.backends.{one.backend} (priority: {one.priority:g})" for one in REGISTRIES.values()),
        "ringbearer.backends.NoStoreKeyring (priority: 0.01)",
    ]
)
STORE = "ringbearer.backends.SSHAgentKeyring"
CHAINER = "keyring.backends.chainer.ChainerBackend (priority: 10)"

#: On other systems, keyring's own backends store nothing in the environment of a test.
where_keyring_has_no_store = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="the operating system's own store is always in keyring's chain"
)

_PROGRAM = """
import keyring
from keyring import cli
cli.main(["--list-backends"])
print(keyring.get_keyring())
"""


@dataclass
class Listing:
    """The output of one process."""

    #: The lines of `keyring --list-backends`, sorted, since keyring lists a set.
    lines: list[str]
    #: The backend that keyring chose, as such a line.
    chosen: str
    stderr: str

    @property
    def ours(self) -> list[str]:
        """The lines of the wheel's backends."""
        return [line for line in self.lines if line.startswith("ringbearer.")]


def listing(client: Client, environment: dict[str, str], *options: str) -> Listing:
    """The backends that keyring finds in an environment; the options are for Python."""
    ended = client.run(["python", *options, "-c", _PROGRAM], environment).check()
    *lines, chosen = ended.stdout.splitlines()
    return Listing(sorted(lines), chosen, ended.stderr)


def error_of(stderr: str) -> str:
    """The last line of standard error, where Python shows the exception."""
    return (stderr.splitlines() or [""])[-1]

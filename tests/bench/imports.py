"""The cost of an installed backend: for every program that imports keyring, and on the disk."""

from __future__ import annotations

import statistics
import tempfile
from dataclasses import dataclass

from lab.clients import Client

from .environments import ARTIFACTS_KEYRING, REPLACED, Environments, Size, peer, title
from .spawned import Command, in_turn

#: What every program does that uses keyring: find the backends.
_FIND_BACKENDS = "import keyring; keyring.get_keyring()"

BARE, OURS, ALL_FOUR, NATIVE = "keyring alone", "ringbearer", "four of them together", "ringbearer-cli, without Python"


@dataclass
class Presence:
    """The cost of an installed backend."""

    name: str
    #: What it adds to the environment, or why that is unknown.
    size: Size | str
    #: Milliseconds of a process that finds the backends, or why there are none.
    figures: list[float] | str
    #: The same figures with keyring alone, measured in turn.
    bare: list[float] | None = None
    #: Peak memory in MiB.
    mebibytes: float | None = None

    @property
    def median(self) -> float | None:
        """Median of the time."""
        return statistics.median(self.figures) if isinstance(self.figures, list) else None

    @property
    def beyond(self) -> float | None:
        """What it adds to keyring alone: the median over the runs."""
        if self.bare is None or not isinstance(self.figures, list):
            return None
        return statistics.median(one - bare for one, bare in zip(self.figures, self.bare))


def measure_presence(environments: Environments, runs: int, memory_runs: int) -> list[Presence]:
    """Each environment."""
    clients: dict[str, Client] = {BARE: environments.bare, OURS: environments.ours}
    clients.update((peer(name), environments.peers[name]) for name in REPLACED)
    clients[ALL_FOUR] = environments.all_four
    with tempfile.TemporaryDirectory() as home:
        variables = {"HOME": home, "PATH": "/nowhere"}
        words = {name: [client.python, "-c", _FIND_BACKENDS] for name, client in clients.items()}
        commands = {name: Command(words[name], variables) for name in clients}
        times = in_turn("import keyring", runs, {name: one.milliseconds for name, one in commands.items()})
        peaks = in_turn("import keyring, memory", memory_runs, {name: one.mebibytes for name, one in commands.items()})
    found = [
        Presence(name, environments.added(client), times[name], times[BARE], statistics.median(peaks[name]))
        for name, client in clients.items()
    ]
    native = Presence(NATIVE, environments.added(environments.native), "nothing to import")
    return [*found, native, _official(environments)]


def _official(environments: Environments) -> Presence:
    installed = environments.artifacts_keyring()
    size = installed if isinstance(installed, str) else environments.added(installed)
    return Presence(title(ARTIFACTS_KEYRING), size, "not run: a program for .NET")

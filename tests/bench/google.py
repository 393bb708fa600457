"""Google Artifact Registry beside keyrings.google-artifactregistry-auth, alone and with its targets; `bench.peers` has
the same figures. ``python -m bench.google --wheel PATH --cli-wheel PATH [--quick]``.
"""

from __future__ import annotations

import sys

from .alone import run
from .command import show_targets
from .comparison import NATIVE, WHEEL
from .environments import Environments
from .imports import OURS, measure_presence
from .look_ups import NEAR, measure_look_ups, measure_memory, measure_silence
from .peers import Runs
from .report import comparison_table, presence_table
from .round_trips import measure_round_trips

_NAME = "Google"
#: The round trips of each flow, unless a token is cached: connection, TLS and request; then a request to each further
#: service, whose connection is opened meanwhile.
_ROUND_TRIPS = {
    "a person": 3,
    "a service account": 3,
    "a token in a file": 4,
    "a job of GitHub": 5,
    "again": 0,
}
#: Round trips below this are noise.
_NOISE = 0.2
#: Milliseconds that a lookup may take where a metadata server is silent.
_SILENCE = 600
#: Milliseconds that the wheel may add to finding keyring's backends.
_IMPORT = 5


def measure(environments: Environments, runs: Runs) -> None:
    """Measure and show."""
    presence = measure_presence(environments, runs.imports, runs.memory)
    look_ups = measure_look_ups(environments, runs.near, runs.far, _NAME)
    silence = measure_silence(environments, runs.silence)
    over_network, round_trips = measure_round_trips(environments, runs.round_trips, _NAME)
    tables = [
        presence_table(presence),
        comparison_table("A lookup", [*look_ups, *silence]),
        comparison_table("A lookup, by the time of a round trip", over_network),
        comparison_table("What a lookup waits for", round_trips),
        comparison_table("Memory of a process that looks one up", measure_memory(environments, runs.memory, _NAME)),
    ]
    print("\n".join(table.text() for table in tables))
    cold = next(one for one in look_ups if one.name == f"{_NAME}, {NEAR} ms away: keyring get, cold")
    counted = {one.name: one for one in round_trips}
    ours = next(one for one in presence if one.name == OURS)
    show_targets(
        [
            ("keyring get, native: times faster", cold.ratio(NATIVE), "at least", 50),
            ("keyring get, wheel: times faster", cold.ratio(WHEEL), "at least", 4),
            ("a silent metadata server, native: ms", silence[0].median(NATIVE), "at most", _SILENCE),
            ("finding the backends, wheel: ms more", ours.beyond, "at most", _IMPORT),
            *(
                (f"round trips, {flow}", counted[f"{_NAME}, {flow}"].median(NATIVE), "at most", count + _NOISE)
                for flow, count in _ROUND_TRIPS.items()
            ),
        ]
    )


if __name__ == "__main__":
    sys.exit(run("google", __doc__, measure))

"""A cold ``keyring get`` over a network, by the time of a round trip, and how many of them it waits for.

A relay delays every chunk by half a round trip (see `lab.relay`). Chainguard's tokens come from chainctl, whose
network is its own.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable

from lab import kernel_keys
from lab.cloud import PracticeCloud

from .comparison import NATIVE, PEER, WHEEL, Comparison
from .environments import Environments, peer
from .look_ups import Desk
from .spawned import in_turn

#: Milliseconds of a round trip.
DISTANCES = (0, 20, 80, 200)
#: The distance that the chart shows.
CHARTED = 80


def measure_round_trips(
    environments: Environments, runs: int, only: str = ""
) -> tuple[list[Comparison], list[Comparison]]:
    """Times by distance, and the round trips that they amount to, of every flow whose name begins with `only`."""
    kernel_keys.new_session()
    times, counts = [], []
    with tempfile.TemporaryDirectory() as directory, PracticeCloud() as cloud:
        cloud.round_trip_ms = 0
        desk = Desk(environments, cloud, directory)
        for name, rival, sides in _flows(desk):
            if not name.startswith(only):
                continue
            by_distance = {}
            for distance in DISTANCES:
                cloud.round_trip_ms = distance
                title = f"{name}, {distance} ms"
                found = Comparison(title, rival, in_turn(title, runs, sides), is_charted=distance == CHARTED)
                by_distance[distance] = found
            times += by_distance.values()
            near, far = by_distance[DISTANCES[0]], by_distance[DISTANCES[-1]]
            counted = {side: [(far.median(side) - near.median(side)) / DISTANCES[-1]] for side in sides}
            counts.append(Comparison(name, rival, counted, "round trips"))
    return times, counts


def _flows(desk: Desk) -> list[tuple[str, str, dict[str, Callable[[], float]]]]:
    """Each flow with its peer and the commands of all sides."""
    made = desk.environments
    azure, _, menda, codeartifact, google = desk.registries
    numbers = itertools.count()

    def of_another_login(client) -> Callable[[], float]:
        # It has no token yet, and the session knows the organisation.
        return lambda: desk.get(azure, client, AZD_AUTH_CERT=str(next(numbers))).milliseconds()

    def cold(registry) -> dict[str, Callable[[], float]]:
        commands = desk.commands(registry, "off")
        return {side: commands[side].milliseconds for side in (NATIVE, WHEEL, PEER)}

    def again(registry) -> dict[str, Callable[[], float]]:
        # The uncounted runs fill the cache.
        ours = {side: desk.get(registry, client, RINGBEARER_CACHE="session").milliseconds for side, client in shared}
        return {**ours, PEER: cold(registry)[PEER]}

    shared = [(NATIVE, made.native), (WHEEL, made.ours)]
    known = {NATIVE: of_another_login(made.native), WHEEL: of_another_login(made.ours), PEER: cold(azure)[PEER]}
    return [
        ("Azure, a new organisation", peer(azure.rival), cold(azure)),
        ("Azure, a known organisation", peer(azure.rival), known),
        ("Menda", peer(menda.rival), cold(menda)),
        ("CodeArtifact, an access key", peer(codeartifact.rival), cold(codeartifact)),
        ("CodeArtifact, a role", peer(codeartifact.rival), cold(desk.with_role)),
        ("CodeArtifact, again", peer(codeartifact.rival), again(codeartifact)),
        ("Google, a person", peer(google.rival), cold(google)),
        ("Google, a service account", peer(google.rival), cold(desk.with_key)),
        ("Google, a token in a file", peer(google.rival), cold(desk.with_token_file)),
        ("Google, a job of GitHub", peer(google.rival), cold(desk.with_job)),
        ("Google, again", peer(google.rival), again(google)),
    ]

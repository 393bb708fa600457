"""The ssh-agent store beside ssh-agent-keyring: get and set over the number of records, and as a command."""

from __future__ import annotations

import os
import tempfile

from lab.ssh import Agent

from .comparison import NATIVE, PEER, WHEEL, Comparison
from .environments import Environments, peer
from .spawned import Command, in_turn
from .store import Side, make_sides, measure_calls

#: Factor on the usual number of calls, by number of records.
_TIMES = {1: 6, 100: 6, 10000: 2}


def measure_stores(environments: Environments, runs: int) -> list[Comparison]:
    """The same stores on both sides, and the same real ssh-agent."""
    rival = peer("ssh_agent")
    clients = [environments.ours, environments.peers["ssh_agent"]]
    place = os.path.dirname(environments.client_environments.directory)
    agent = Agent()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-peers-", dir=place) as directory:
            sides = make_sides(clients, directory, agent, _TIMES)
            rows = measure_calls(sides, {records: times * runs for records, times in _TIMES.items()})
            commands = _commands(environments, *sides)
            figures = in_turn("store: keyring get", runs, {side: one.milliseconds for side, one in commands.items()})
            peaks = in_turn("store: memory", 3, {side: one.mebibytes for side, one in commands.items()}, uncounted=1)
    finally:
        agent.close()
    found = []
    for row in rows:
        columns = zip((WHEEL, PEER), (list(column) for column in zip(*row.pairs)))
        # The store has its own chart.
        found.append(Comparison(f"store: {row.name}", rival, dict(columns), is_charted="10,000" in row.name))
    found.append(Comparison("store: keyring get, 1 record", rival, figures))
    return [*found, Comparison("store: keyring get, 1 record", rival, peaks, "MiB")]


def _commands(environments: Environments, ours: Side, theirs: Side) -> dict[str, Command]:
    def get(program: str, side: Side) -> Command:
        config = os.path.join(side.directory, "config")
        variables = {"SSH_AGENT_KEYRING_STORE_PATH": side.stores[1], "XDG_CONFIG_HOME": config}
        return Command([program, "get", "service", "user 0"], side.user.environment(**variables))

    return {
        NATIVE: get(environments.native.program("keyring"), ours),
        WHEEL: get(ours.user.client.program("keyring"), ours),
        PEER: get(theirs.user.client.program("keyring"), theirs),
    }

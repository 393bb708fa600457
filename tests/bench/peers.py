"""ringbearer side by side with the packages that it replaces.
``python -m bench.peers --wheel PATH --cli-wheel PATH [--chart PATH] [--table PATH] [--quick]``.

Each has its own environment and is run in turn with ringbearer, against the same practice cloud on
loopback: the native programs, keyring with ringbearer's wheel, keyring with the published package, and keyring with
four of those together. What is quoted are medians, and the medians of the ratios run by run.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import machine
from .chart import Bar, Group, Panel, draw
from .comparison import ALL_FOUR, NATIVE, OURS, PEER, WHEEL, Comparison
from .environments import Environments, Size
from .imports import ALL_FOUR as TOGETHER
from .imports import BARE, Presence, measure_presence
from .imports import NATIVE as NATIVE_ALONE
from .imports import OURS as RINGBEARER
from .installs import measure_installs
from .logins import measure_logins
from .look_ups import measure_look_ups, measure_memory, measure_silence
from .report import Table, ahead, comparison_table, presence_table
from .round_trips import CHARTED, measure_round_trips
from .stores import measure_stores

#: The bars of the chart by side.
_KINDS = {NATIVE: "ours", WHEEL: "also", PEER: "theirs", ALL_FOUR: "others"}


@dataclass
class Runs:
    """The number of counted runs."""

    imports: int = 21
    near: int = 15
    far: int = 7
    round_trips: int = 7
    logins: int = 7
    installs_near: int = 7
    installs_far: int = 5
    stores: int = 15
    memory: int = 5
    silence: int = 2


QUICK = Runs(3, 3, 2, 2, 2, 1, 1, 3, 1, 1)


@dataclass
class Findings:
    """All results."""

    presence: list[Presence]
    look_ups: list[Comparison]
    over_network: list[Comparison]
    round_trips: list[Comparison]
    logins: list[Comparison]
    installs: list[Comparison]
    stores: list[Comparison]
    memory: list[Comparison]

    @property
    def comparisons(self) -> list[Comparison]:
        """All results except import costs."""
        return [*self.look_ups, *self.over_network, *self.logins, *self.installs, *self.stores, *self.memory]

    def tables(self) -> list[Table]:
        """In the order of the README."""
        return [
            presence_table(self.presence),
            comparison_table("A lookup", self.look_ups),
            comparison_table("A cold lookup, by the time of a round trip", self.over_network),
            comparison_table("What a cold lookup waits for", self.round_trips),
            comparison_table("A cold lookup with a login", self.logins),
            comparison_table("An installation from three feeds of one organisation", self.installs),
            comparison_table("The store of secrets", self.stores),
            comparison_table("Memory of a process that looks one up", self.memory),
        ]


def measure(environments: Environments, runs: Runs) -> Findings:
    """Everything."""
    stores = measure_stores(environments, runs.stores)
    over_network, round_trips = measure_round_trips(environments, runs.round_trips)
    return Findings(
        measure_presence(environments, runs.imports, runs.memory),
        [*measure_look_ups(environments, runs.near, runs.far), *measure_silence(environments, runs.silence)],
        over_network,
        round_trips,
        measure_logins(environments, runs.logins),
        measure_installs(environments, runs.installs_near, runs.installs_far),
        [one for one in stores if one.unit == "ms"],
        [*measure_memory(environments, runs.memory), *(one for one in stores if one.unit != "ms")],
    )


def chart(findings: Findings, about: str) -> str:
    """The main figures, as SVG."""
    panels = [
        Panel("keyring get, each answer 0 or 100 ms later than it could be", "ms", _groups(findings.look_ups)),
        Panel(f"keyring get, cold, with round trips of {CHARTED} ms", "ms", _groups(findings.over_network)),
        Panel("a package from three feeds of one organisation", "ms", _groups(findings.installs)),
        Panel("the store of secrets", "ms", _groups(findings.stores)),
        Panel("memory of keyring get", "MiB", _groups(findings.memory), is_logarithmic=False),
        Panel("import keyring; keyring.get_keyring()", "ms", _imports(findings.presence), is_logarithmic=False),
        Panel("installed beside keyring", "MB", _sizes(findings.presence), is_logarithmic=False),
    ]
    legend = [(kind, side) for side, kind in _KINDS.items()]
    below = ["Medians, less is better. (n x): the peer takes n times as much.", about]
    return draw("ringbearer and the packages that it replaces", legend, panels, below)


def _groups(found: Sequence[Comparison]) -> list[Group]:
    groups = []
    for one in found:
        medians = {side: one.median(side) for side in _KINDS}
        bars = [
            Bar(_KINDS[side], value, _note(one.ratio(side) if side in OURS else None))
            for side, value in medians.items()
            if value is not None
        ]
        if one.is_charted:
            groups.append(Group(one.name, bars))
    return groups


def _note(ratio: float | None) -> str:
    return "" if ratio is None or ratio < 1.05 else f" ({ratio:.1f} x)"


def _imports(found: Sequence[Presence]) -> list[Group]:
    return [Group(one.name, [Bar(_kind(one), one.median)]) for one in found if one.median is not None]


def _sizes(found: Sequence[Presence]) -> list[Group]:
    known = [one for one in found if isinstance(one.size, Size) and one.size.bytes]
    return [Group(one.name, [Bar(_kind(one), one.size.megabytes)]) for one in known]


def _kind(one: Presence) -> str:
    return {RINGBEARER: "also", NATIVE_ALONE: "ours", BARE: "others", TOGETHER: "others"}.get(one.name, "theirs")


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="bench.peers", description=__doc__)
    parser.add_argument("--wheel", required=True, help="the built wheel of ringbearer")
    parser.add_argument("--cli-wheel", required=True, help="the built wheel of ringbearer-cli")
    parser.add_argument("--chart", help="where to draw the most telling figures, as SVG")
    parser.add_argument("--table", help="where to write the tables, as Markdown")
    parser.add_argument("--quick", action="store_true", help="a few runs of each, to try this program")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("this benchmark measures memory on Linux only")
    begin = time.monotonic()
    about = machine.describe()
    print(about)
    findings = measure(Environments(arguments.wheel, arguments.cli_wheel), QUICK if arguments.quick else Runs())
    tables = findings.tables()
    print("\n".join(table.text() for table in tables))
    behind = ahead(findings.presence, findings.comparisons)
    print("\nwhere a peer is ahead")
    print("\n".join(f"  {line}" for line in behind or ["nowhere"]))
    print(f"\nmeasured in {time.monotonic() - begin:.0f} s")
    if arguments.chart:
        _write(arguments.chart, chart(findings, about))
    if arguments.table:
        parts = [f"Measured on: {about}.", *(table.markdown() for table in tables)]
        parts.append("\n".join(["Where a peer is ahead:", "", *(f"- {line}" for line in behind or ["nowhere"])]))
        _write(arguments.table, "\n\n".join(parts) + "\n")
    return 0


def _write(path: str, text: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

"""The results as tables, on a terminal and in Markdown, with a list of the rows where a peer is ahead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .chart import figure
from .comparison import ALL_FOUR, EVEN, NATIVE, OURS, PEER, WHEEL, Comparison
from .environments import Size
from .imports import OURS as RINGBEARER
from .imports import Presence

#: Differences in import time below this are noise.
NOISE_IN_MS = 1.5


@dataclass
class Table:
    """Rows under headings; the first column is text, the others are figures."""

    title: str
    head: list[str]
    rows: list[list[str]]

    def text(self) -> str:
        """For a terminal."""
        widths = [max(len(row[place]) for row in [self.head, *self.rows]) for place in range(len(self.head))]

        def line(row: list[str]) -> str:
            first, *others = (cell.rjust(width) for cell, width in zip(row, widths))
            return "  ".join(["", first.strip().ljust(widths[0]), *others]).rstrip()

        return "\n".join([f"\n{self.title}", line(self.head), *map(line, self.rows)])

    def markdown(self) -> str:
        """For the README."""
        lines = [self.head, ["---", *["---:"] * (len(self.head) - 1)], *self.rows]
        return "\n".join([f"**{self.title}**", "", *("| " + " | ".join(line) + " |" for line in lines)])


def presence_table(found: Sequence[Presence]) -> Table:
    """Import costs."""
    head = ["installed beside keyring", "import, ms", "more than alone, ms", "memory, MiB", "distributions", "MB"]
    rows = []
    for one in found:
        beyond = "" if one.beyond is None or one is found[0] else f"{one.beyond:+.1f}"
        time = one.figures if isinstance(one.figures, str) else figure(one.median)
        size = [f"+{one.size.distributions}", f"{one.size.megabytes:.2f}"] if isinstance(one.size, Size) else []
        memory = "" if one.mebibytes is None else f"{one.mebibytes:.1f}"
        rows.append([one.name, time, beyond, memory, *(size or [str(one.size), ""])])
    return Table("What it costs to have it: import keyring; keyring.get_keyring()", head, rows)


def comparison_table(title: str, found: Sequence[Comparison]) -> Table:
    """Figures of each side, and how many times as much the peer takes."""
    sides = [side for side in (NATIVE, WHEEL, PEER, ALL_FOUR) if any(side in one.figures for one in found)]
    head = [
        f"{title}: {found[0].unit}",
        *(_side(side) for side in sides),
        "peer / native",
        "peer / wheel",
        "which peer",
    ]
    rows = []
    for one in found:
        cells = [_cell(one, side) for side in sides]
        ratios = [_ratio(one.ratio(side)) for side in OURS]
        rows.append([one.name, *cells, *ratios, one.peer])
    return Table(f"{title}: {found[0].unit}, medians of alternated runs, less is better", ["what", *head[1:]], rows)


def ahead(presence: Sequence[Presence], found: Sequence[Comparison]) -> list[str]:
    """The rows where a peer is ahead by more than noise."""
    lines = []
    ours = next(one for one in presence if one.name == RINGBEARER)
    for one in presence[2:]:
        if isinstance(one.size, Size) and isinstance(ours.size, Size) and one.size.bytes < ours.size.bytes:
            lines.append(f"{one.name} is smaller: {one.size.megabytes:.2f} MB, ringbearer {ours.size.megabytes:.2f} MB")
        if one.beyond is not None and one.beyond < ours.beyond - NOISE_IN_MS:
            lines.append(f"{one.name} adds {one.beyond:.1f} ms to an import, ringbearer {ours.beyond:.1f} ms")
        if one.mebibytes is not None and one.mebibytes < ours.mebibytes:
            lines.append(f"{one.name} is imported in {one.mebibytes:.1f} MiB, ringbearer in {ours.mebibytes:.1f} MiB")
    for one in found:
        for side, ratio in one.behind.items():
            lines.append(
                f"{one.name} ({one.unit}): {one.peer} takes {ratio:.2f} times what {side} takes "
                f"({one.spread(PEER)}, ours {one.spread(side)})"
            )
    return lines


def _side(side: str) -> str:
    return side.replace("ringbearer, ", "")


def _cell(one: Comparison, side: str) -> str:
    found = one.figures.get(side, "-")
    return found if isinstance(found, str) else figure(one.median(side))


def _ratio(ratio: float | None) -> str:
    if ratio is None:
        return ""
    if ratio < EVEN:
        return f"{ratio:.2f}, peer ahead"
    return f"{ratio:.2f}" if ratio < 1.1 else f"{ratio:.1f}"

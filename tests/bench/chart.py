"""Draws pairs of times as bars on a logarithmic scale, in SVG that can be read in light and in dark."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_LEFT, _WIDTH, _BAR, _ROW, _TOP = 170, 720, 10, 32, 46
#: The scale ends where there is room for a number behind the longest bar.
_RIGHT = _WIDTH - 75

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.ours { fill: #d9822b } .theirs { fill: #8590a2 } .scale { font-size: 10px }
line { stroke: #8590a2; stroke-opacity: .35 }
@media (prefers-color-scheme: dark) { text { fill: #d0d7de } }
"""


@dataclass
class Row:
    """Times in ms that belong together, measured in turn: ours and the other's."""

    name: str
    pairs: list[tuple[float, float]]

    @property
    def ours(self) -> float:
        """The median."""
        return statistics.median(ours for ours, _ in self.pairs)

    @property
    def theirs(self) -> float:
        """The median."""
        return statistics.median(theirs for _, theirs in self.pairs)

    @property
    def ratio(self) -> float:
        """How many times as long the other takes: the median over the pairs."""
        return statistics.median(theirs / ours for ours, theirs in self.pairs)


def chart(rows: Sequence[Row], names: tuple[str, str]) -> str:
    """The text of an SVG file."""
    values = [value for row in rows for value in (row.ours, row.theirs)]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    bottom = _TOP + _ROW * len(rows)

    def x(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (math.log10(value) - low) / (high - low)

    title = f"{names[0]} and {names[1]}: milliseconds, less is better"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {bottom + 24}" width="{_WIDTH}" role="img">',
        f"<title>{escape(title)}</title><style>{_STYLE}</style>",
    ]
    for place, (kind, name) in zip((_LEFT, _LEFT + 130), zip(("ours", "theirs"), names)):
        parts.append(f'<rect class="{kind}" x="{place}" y="10" width="{_BAR}" height="{_BAR}"/>')
        parts.append(f'<text x="{place + 15}" y="19">{escape(name)}</text>')
    for exponent in range(low, high + 1):
        place = x(10**exponent)
        parts.append(f'<line x1="{place:.1f}" x2="{place:.1f}" y1="{_TOP - 10}" y2="{bottom}"/>')
        label = f"{10**exponent:g} ms"
        parts.append(f'<text class="scale" x="{place:.1f}" y="{bottom + 14}" text-anchor="middle">{label}</text>')
    for number, row in enumerate(rows):
        top = _TOP + _ROW * number
        parts.append(f'<text x="{_LEFT - 8}" y="{top + 14}" text-anchor="end">{escape(row.name)}</text>')
        for offset, kind, value in ((0, "ours", row.ours), (_BAR + 1, "theirs", row.theirs)):
            length, y = x(value) - _LEFT, top + offset
            parts.append(f'<rect class="{kind}" x="{_LEFT}" y="{y}" width="{length:.1f}" height="{_BAR}"/>')
            label = f"{value:.{max(0, 2 - len(str(int(value))) + 1)}f}" if value < 100 else f"{value:.0f}"
            note = f" ({row.ratio:.1f} times faster)" if kind == "ours" and row.ratio > 1.05 else ""
            parts.append(f'<text class="scale" x="{x(value) + 4:.1f}" y="{y + 9}">{label}{note}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"

"""Draws figures as bars, in SVG that can be read in light and in dark."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_LEFT, _WIDTH, _BAR, _GAP, _TOP = 170, 720, 10, 10, 46
#: The scale leaves room for a number and its note after the longest bar.
_ROOM = 75
#: Width of a character at 12 px.
_LETTER = 6.4

_STYLE = """
text { font: 12px system-ui, sans-serif; fill: #24292f }
.ours { fill: #d9822b } .also { fill: #efb877 } .theirs { fill: #8590a2 } .others { fill: #c1c7d0 }
.scale { font-size: 10px } .title { font-weight: 600 }
line { stroke: #8590a2; stroke-opacity: .35 }
@media (prefers-color-scheme: dark) {
  text { fill: #d0d7de } .also { fill: #a8692a } .others { fill: #565e6b }
}
"""


@dataclass
class Row:
    """Times in ms, measured in turn: ringbearer's and the peer's."""

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
        """How many times as long the peer takes: the median over the pairs."""
        return statistics.median(theirs / ours for ours, theirs in self.pairs)


@dataclass
class Bar:
    """A figure and its kind, a class of the style."""

    kind: str
    value: float
    #: Behind the figure.
    note: str = ""


@dataclass
class Group:
    """A group of bars."""

    name: str
    bars: list[Bar]

    @property
    def height(self) -> int:
        """Height, with the space below."""
        return len(self.bars) * (_BAR + 1) + _GAP


@dataclass
class Panel:
    """Groups on one scale."""

    title: str
    unit: str
    groups: list[Group]
    is_logarithmic: bool = True

    def scale(self) -> tuple[float, float, list[float]]:
        """Start and end position, and the marks."""
        values = [bar.value for group in self.groups for bar in group.bars]
        if self.is_logarithmic:
            low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
            return low, high, [10.0**exponent for exponent in range(low, high + 1)]
        most = max(values)
        step = 10.0 ** math.floor(math.log10(most))
        step = next(one for one in (step / 5, step / 2, step, 2 * step) if most / one <= 7)
        return 0, most, [step * number for number in range(int(most / step) + 1)]

    def position(self, value: float) -> float:
        """The position of a figure."""
        return math.log10(value) if self.is_logarithmic else value


def draw(title: str, legend: Sequence[tuple[str, str]], panels: Sequence[Panel], below: Sequence[str] = ()) -> str:
    """The text of an SVG file. The legend names each kind; the notes below are small."""
    longest = max(len(group.name) for panel in panels for group in panel.groups)
    left = max(_LEFT, round(longest * _LETTER) + 16)
    parts, top, place = [], _TOP, 16
    for kind, name in legend:
        parts.append(f'<rect class="{kind}" x="{place}" y="10" width="{_BAR}" height="{_BAR}"/>')
        parts.append(f'<text x="{place + 15}" y="19">{escape(name)}</text>')
        place += 130 if len(name) < 15 else round(len(name) * _LETTER) + 40
    for panel in panels:
        if panel.title:
            parts.append(f'<text class="title" x="16" y="{top}">{escape(panel.title)}</text>')
            top += 24
        parts += _panel(panel, left, top)
        top += sum(group.height for group in panel.groups) + 44
    height = top - 20
    for line in below:
        height += 14
        parts.append(f'<text class="scale" x="16" y="{height}">{escape(line)}</text>')
    height += 8 if below else 0
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" role="img">'
    return "\n".join([begin, f"<title>{escape(title)}</title><style>{_STYLE}</style>", *parts, "</svg>"]) + "\n"


def chart(rows: Sequence[Row], names: tuple[str, str]) -> str:
    """Pairs of times, as an SVG file."""
    groups = []
    for row in rows:
        note = f" ({row.ratio:.1f} times faster)" if row.ratio > 1.05 else ""
        groups.append(Group(row.name, [Bar("ours", row.ours, note), Bar("theirs", row.theirs)]))
    title = f"{names[0]} and {names[1]}: milliseconds, less is better"
    return draw(title, list(zip(("ours", "theirs"), names)), [Panel("", "ms", groups)])


def figure(value: float) -> str:
    """About three significant digits."""
    digits = len(str(int(value))) if value >= 1 else 0
    return f"{value:.{3 - digits}f}" if value < 100 else f"{value:,.0f}"


def _panel(panel: Panel, left: int, top: int) -> list[str]:
    low, high, marks = panel.scale()
    bottom = top + sum(group.height for group in panel.groups)

    def x(value: float) -> float:
        return left + (_WIDTH - _ROOM - left) * (panel.position(value) - low) / (high - low)

    parts = []
    for mark in marks:
        parts.append(f'<line x1="{x(mark):.1f}" x2="{x(mark):.1f}" y1="{top - 10}" y2="{bottom}"/>')
        label = f"{mark:g} {panel.unit}"
        parts.append(f'<text class="scale" x="{x(mark):.1f}" y="{bottom + 14}" text-anchor="middle">{label}</text>')
    for group in panel.groups:
        middle = top + (group.height - _GAP) / 2 + 3
        parts.append(f'<text x="{left - 8}" y="{middle:.0f}" text-anchor="end">{escape(group.name)}</text>')
        for number, bar in enumerate(group.bars):
            y, length = top + number * (_BAR + 1), x(bar.value) - left
            parts.append(f'<rect class="{bar.kind}" x="{left}" y="{y}" width="{length:.1f}" height="{_BAR}"/>')
            label = f"{figure(bar.value)}{bar.note}"
            parts.append(f'<text class="scale" x="{x(bar.value) + 4:.1f}" y="{y + 9}">{escape(label)}</text>')
        top += group.height
    return parts

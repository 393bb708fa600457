"""Figures of each side, measured in turn."""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field

#: The sides, by column heading: program and backend.
NATIVE, WHEEL, PEER, ALL_FOUR = "ringbearer, native", "ringbearer, wheel", "the peer", "four peers together"
#: Those that are ringbearer's.
OURS = (NATIVE, WHEEL)
#: Ratios between this and 1 are noise.
EVEN = 0.97


@dataclass
class Comparison:
    """Figures; less is better."""

    name: str
    #: The peer.
    peer: str
    #: By side; a text says why there are no figures.
    figures: dict[str, list[float] | str]
    unit: str = "ms"
    #: Whether the chart shows it.
    is_charted: bool = field(default=True, repr=False)

    def median(self, side: str) -> float | None:
        """The median of a side, if it has figures."""
        figures = self.figures.get(side)
        return statistics.median(figures) if isinstance(figures, list) else None

    def ratio(self, ours: str, theirs: str = PEER) -> float | None:
        """How many times as much the peer takes: the median over the runs. None of nothing: no round trip at all."""
        mine, others = self.figures.get(ours), self.figures.get(theirs)
        if not isinstance(mine, list) or not isinstance(others, list) or min(mine) <= 0:
            return None
        return statistics.median(other / one for one, other in zip(mine, others))

    def spread(self, side: str) -> str:
        """Minimum and maximum."""
        figures = self.figures[side]
        return f"{min(figures):.1f} to {max(figures):.1f}" if isinstance(figures, list) else ""

    @property
    def behind(self) -> dict[str, float]:
        """The ratios, by side, where ringbearer clearly takes more than the peer."""
        ratios = {side: self.ratio(side) for side in OURS}
        return {side: ratio for side, ratio in ratios.items() if ratio is not None and ratio < EVEN}

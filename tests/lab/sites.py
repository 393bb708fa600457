"""The site of each host name."""

from __future__ import annotations

from fnmatch import fnmatchcase

from .faults import Answer


class Sites:
    """Host patterns and the sites behind them. The longest pattern that matches wins, exact names before patterns."""

    def __init__(self) -> None:
        self._sites: list[tuple[str, Answer]] = []

    def add(self, pattern: str, answer: Answer) -> None:
        """Let a site answer for a host name, with its port unless 443, or for all that match ``*.example``.
        The latest addition wins a tie.
        """
        self._sites.insert(0, (pattern.lower(), answer))
        self._sites.sort(key=lambda entry: ("*" in entry[0], -len(entry[0])))

    def find(self, host: str) -> Answer | None:
        """The site of a host; None if the practice cloud has none."""
        return next((answer for pattern, answer in self._sites if fnmatchcase(host, pattern)), None)

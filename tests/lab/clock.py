"""The time of practice services, and how they write it."""

from __future__ import annotations

import datetime
import time


class Clock:
    """The time of a cloud."""

    def __init__(self) -> None:
        #: Seconds by which it is ahead of this machine's.
        self.offset = 0.0

    def now(self) -> float:
        """Seconds since 1970."""
        return time.time() + self.offset


def iso_time(moment: float) -> str:
    """A time in the form of RFC 3339, to the second, in UTC."""
    return datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")

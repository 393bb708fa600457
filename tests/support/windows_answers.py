"""What the native programs print, on Windows as elsewhere."""

from __future__ import annotations

from lab.clients import Completed


def assert_complaint(ended: Completed, *parts: str, code: int = 1) -> None:
    """It failed with one line on standard error, of a length that a terminal shows, and nothing on standard output."""
    assert (ended.code, ended.stdout) == (code, ""), ended
    assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, ended
    # A path is shown as people write it.
    assert "\\\\" not in ended.stderr.replace("\\\\.\\pipe", ""), ended
    for part in parts:
        assert part in ended.stderr, ended


def assert_silent_miss(ended: Completed) -> None:
    """It found no password, and printed nothing."""
    assert (ended.code, ended.output) == (1, ""), ended

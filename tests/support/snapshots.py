"""Output of `ringbearer doctor` that tests compare with a file in `tests/python/doctor/snapshots`.

RINGBEARER_UPDATE_SNAPSHOTS=1 rewrites the files; review the difference before committing it.
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

DIRECTORY = Path(__file__).resolve().parents[1] / "python" / "doctor" / "snapshots"

UPDATE = os.environ.get("RINGBEARER_UPDATE_SNAPSHOTS", "") not in ("", "0")


def path_of(name: str) -> Path:
    """The path of a snapshot."""
    return DIRECTORY / f"{name}.txt"


def assert_snapshot(name: str, text: str, update: bool = UPDATE) -> None:
    """The text equals the snapshot of this name; a difference is shown line by line."""
    path = path_of(name)
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        return
    kept = path.read_text(encoding="utf-8") if path.exists() else ""
    if text != kept:
        lines = difflib.unified_diff(kept.splitlines(), text.splitlines(), str(path), "what it is now", lineterm="")
        pytest.fail("\n".join(["RINGBEARER_UPDATE_SNAPSHOTS=1 accepts this:", *lines]), pytrace=False)

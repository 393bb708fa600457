"""The snapshots: each belongs to a test, and none depends on the run or the machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from support.doctor import DETAIL, LINE
from support.snapshots import DIRECTORY, assert_snapshot, path_of

SNAPSHOTS = sorted(DIRECTORY.glob("*.txt"))


def test_every_snapshot_is_compared_by_a_test() -> None:
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    names = {path.stem for path in SNAPSHOTS}
    # Some names end with an HTTP status.
    answers = {f"feed-answers-{code}" for code in (302, 401, 402, 403, 404, 503)}
    written = set(re.findall(r'"([\w.-]+)"', tests)) | answers
    assert names - written == set()
    assert len(names) > 50


@pytest.mark.parametrize("path", SNAPSHOTS, ids=lambda path: path.stem)
def test_a_snapshot_holds_for_every_run_and_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    command, *lines, code = text.splitlines()
    assert command.startswith("$ ringbearer doctor") and re.fullmatch(r"exit code \d", code)
    assert re.findall(r"\d ms|pytest|environments/\S*-[0-9a-f]{12}|127\.0\.0\.1:\d|expires in \d|\x1b|eyJ", text) == []
    found = [line for line in lines if line.startswith("  ") and not line.startswith(" " * DETAIL)]
    assert all(LINE.match(line.replace("N ms", "1 ms")) for line in found)
    assert code == "exit code 0" or "there is a credential" not in text


def test_a_difference_fails_and_is_shown_line_by_line() -> None:
    kept = path_of("well").read_text(encoding="utf-8")
    assert_snapshot("well", kept, update=False)
    with pytest.raises(pytest.fail.Exception) as failure:
        assert_snapshot("well", kept.replace("exit code 0", "exit code 7"), update=False)
    assert "\n-exit code 0\n+exit code 7" in str(failure.value)
    assert "RINGBEARER_UPDATE_SNAPSHOTS=1" in str(failure.value)


def test_missing_snapshot_fails() -> None:
    with pytest.raises(pytest.fail.Exception):
        assert_snapshot("of-nobody", "text\n", update=False)
    assert not path_of("of-nobody").exists()

"""Unreadable files instead of the Menda CLI's: an immediate error, never a wait."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from support.menda_machines import COLD, INDEX, paths, profile, served

STRICT = {"RINGBEARER_STRICT": "1"}

#: Things other than a readable file.
ODD_FILES = ["directory", "fifo", "huge", "endless", "loop", "forbidden", "binary", "no text"]


def put(path: Path, kind: str) -> None:
    """Put it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "directory":
        path.mkdir()
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    elif kind == "loop":
        path.symlink_to(path)
    else:
        contents = {"huge": profile().encode() + b"#" * 50_000_000, "no text": b"\xff\xfe\xfd" * 1000}
        path.write_bytes(contents.get(kind, bytes(range(256)) * 500))
    if kind == "forbidden":
        path.chmod(0)


def without_rights() -> list[str]:
    """A command prefix that drops root's right to read every file."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv") or pytest.skip("root can read everything, and setpriv is not installed")
    return [setpriv, "--bounding-set=-all", "--inh-caps=-all"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_unreadable_configuration_file_is_one_warning_at_once(
    cloud: PracticeCloud, look_up: Lookups, home: Path, tmp_path: Path
) -> None:
    look_ups, wanted = [], []
    for kind in [*ODD_FILES, "nowhere"]:
        place = tmp_path / kind
        if kind != "nowhere":
            put(place / ".menda" / "mendacfg", kind)
            look_ups.append(LookUp(INDEX, environment={"HOME": str(place), "MENDA_CONFIG_FILE": None}))
            wanted.append(str(place / ".menda" / "mendacfg"))
        look_ups.append(LookUp(INDEX, environment={"MENDA_CONFIG_FILE": str(place / ".menda" / "mendacfg")}))
        wanted.append(str(place / ".menda" / "mendacfg"))
    look_ups.append(LookUp(INDEX, environment={"MENDA_CONFIG_FILE": "menda.cfg"}))
    wanted.append("MENDA_CONFIG_FILE does not hold the absolute path of a file")
    answers = look_up.all(look_ups, before=without_rights(), **STRICT)
    assert [answer.error and "MendaKeyRingError" in answer.error.bases for answer in answers] == [True] * len(answers)
    missed = [words for words, answer in zip(wanted, answers) if words not in answer.error.message]
    assert missed == []
    assert max(answer.seconds for answer in answers) < 1
    assert cloud.log.requests() == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such files")
def test_unreadable_token_file_is_skipped_without_delay(cloud: PracticeCloud, look_up: Lookups, tmp_path: Path) -> None:
    look_ups = []
    for kind in ODD_FILES:
        place = tmp_path / kind
        put(place / ".menda" / "tokens" / "cache" / ".token", kind)
        cloud.menda.write_profile(place, profile())
        # Beside the three variables, the profile is ignored; it is a part of the cache key all the same.
        machine = {**cloud.menda.variables, "MENDA_PROFILE_ID": kind}
        for variables in (dict.fromkeys(machine), machine):
            look_ups.append(LookUp(INDEX, environment={"HOME": str(place), **variables}))
    answers = look_up.all(look_ups, before=without_rights(), **STRICT)
    assert [one.error and one.error.type for one in answers[::2]] == ["NoCachedLoginError"] * len(ODD_FILES)
    assert served(answers[1::2]) == [True] * len(ODD_FILES)
    assert max(answer.seconds for answer in answers) < 1
    assert paths(cloud) == COLD * len(ODD_FILES)

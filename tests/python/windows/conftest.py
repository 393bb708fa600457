"""Fixtures: the native programs for Windows, under wine, and a user of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import wine as lab_wine
from lab.cloud import PracticeCloud
from lab.windows.user import WindowsUser
from lab.wine import Wine


@pytest.fixture(scope="session")
def windows_programs() -> Path:
    """The directory of `keyring.exe` and `ringbearer.exe`, which RINGBEARER_WINDOWS_PROGRAMS names."""
    made = Path(os.environ["RINGBEARER_WINDOWS_PROGRAMS"]).absolute()
    for name in ("keyring.exe", "ringbearer.exe"):
        if not (made / name).exists():
            pytest.fail(f"{name} is not in {made}; run `make windows-test`")
    return made


@pytest.fixture(scope="session")
def wine() -> Iterator[Wine]:
    """The Windows that all tests share."""
    with lab_wine.wine() as made:
        yield made


@pytest.fixture
def user(wine: Wine, windows_programs: Path, tmp_path: Path) -> WindowsUser:
    """A user with an empty home directory."""
    return WindowsUser(wine, windows_programs, tmp_path)


@pytest.fixture
def cloud_user(user: WindowsUser, cloud: PracticeCloud) -> WindowsUser:
    """The same user, whose programs reach the practice cloud."""
    user.cloud = cloud
    return user

"""A person of Google, whose client makes no mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.look_up import Lookups
from support.google_user import GoogleUser


@pytest.fixture(autouse=True)
def correct_requests(cloud: PracticeCloud) -> Iterator[None]:
    """Every request was as Google wants it, and no host of anybody else was asked."""
    yield
    assert cloud.google.mistakes == []
    assert cloud.codeartifact.mistakes == []
    assert cloud.log.refused() == []


@pytest.fixture
def ada(cloud: PracticeCloud, look_up: Lookups, home: Path, fake_programs: FakePrograms) -> GoogleUser:
    """Someone without a login."""
    return GoogleUser(cloud, look_up, home, fake_programs)

"""A person of AWS, whose client makes no mistakes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.look_up import Lookups
from support.aws_user import AwsUser


@pytest.fixture(autouse=True)
def correct_requests(cloud: PracticeCloud) -> Iterator[None]:
    """Every request was as AWS wants it, and no host of anybody else was asked."""
    yield
    assert cloud.codeartifact.mistakes == []
    assert cloud.log.refused() == []


@pytest.fixture
def ada(cloud: PracticeCloud, look_up: Lookups, home: Path) -> AwsUser:
    """Someone without a login."""
    return AwsUser(cloud, look_up, home)

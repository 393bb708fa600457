"""Fixtures of the sign-in."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.directory import User
from support.login_user import ADA
from support.running_login import LoginCommand


@pytest.fixture
def login(native: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> LoginCommand:
    """`ringbearer login` of the native program."""
    return LoginCommand(native, cloud, home, fake_programs)


@pytest.fixture
def ada(cloud: PracticeCloud) -> User:
    """Somebody who may read the feed."""
    return cloud.entra.add_user(ADA)

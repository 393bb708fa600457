"""Fixtures of the sign-in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import secret_service
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.azure.directory import User
from lab.secret_service import SecretService
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


@pytest.fixture(scope="session")
def unlocked_keyring() -> Iterator[SecretService]:
    """An unlocked keyring of a Linux desktop; it starts in a second, so all tests but those that lock it share it."""
    secret_service.need_programs()
    made = SecretService()
    yield made
    made.close()

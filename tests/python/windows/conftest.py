"""Fixtures: the native programs for Windows, under wine, and a user of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import wine as lab_wine
from lab.cloud import PracticeCloud
from lab.registries import REGISTRIES
from lab.registry import Registry
from lab.ssh import Agent, Key
from lab.windows.agent_pipe import AgentPipe
from lab.windows.fake_programs import WindowsPrograms
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
    """The wine prefix that all tests share."""
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


@pytest.fixture
def home(user: WindowsUser) -> Path:
    """The home directory of the user."""
    return user.home


@pytest.fixture
def fake_programs(user: WindowsUser, tmp_path: Path) -> Iterator[WindowsPrograms]:
    """Fake programs on the user's PATH, none at first."""
    made = WindowsPrograms(user.wine, tmp_path / "programs")
    user.path.append(Path(made.directory))
    yield made
    made.close()


@pytest.fixture
def signed_in(registry: Registry, cloud_user: WindowsUser) -> Registry:
    """Each registry in turn, with the user signed in."""
    path = cloud_user.wine.path
    variables = {
        name: path(Path(value)) if value.startswith("/") else value for name, value in registry.variables.items()
    }
    cloud_user.variables.update(variables)
    return registry


@pytest.fixture
def azure(cloud_user: WindowsUser, cloud: PracticeCloud, fake_programs: WindowsPrograms) -> Registry:
    """A feed whose user is logged in with `az.cmd`."""
    made = REGISTRIES["azure"](cloud, fake_programs, cloud_user.home)
    made.log_in()
    return made


@pytest.fixture(scope="session")
def shared_pipe(wine: Wine) -> Iterator[AgentPipe]:
    """An agent's pipe under a name of this process's own: all tests share one Windows."""
    made = AgentPipe(wine, f"\\\\.\\pipe\\agent-of-{os.getpid()}")
    yield made
    made.close()


@pytest.fixture
def pipe(shared_pipe: AgentPipe, agent: Agent, user: WindowsUser) -> Iterator[AgentPipe]:
    """The pipe of the test's agent, which SSH_AUTH_SOCK names."""
    shared_pipe.socket = agent.socket
    user.variables["SSH_AUTH_SOCK"] = shared_pipe.name
    yield shared_pipe
    shared_pipe.socket = None


@pytest.fixture
def store_user(user: WindowsUser, pipe: AgentPipe, agent: Agent, keys: dict[str, Key]) -> WindowsUser:
    """A user with an ed25519 key in the agent; the store does not exist yet."""
    agent.add(keys["ed25519"])
    return user

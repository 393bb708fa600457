"""`ringbearer exec` with pip and a ringbearer beside it, and with uv without any keyring."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.command_line import CommandLine
from support.uv_project import Project


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program."""
    return CommandLine(either, cloud, home, fake_programs)


@pytest.mark.parametrize("name", ["azure", "chainguard"])
def test_pip_with_ringbearer_beside_it_uses_the_token(
    ringbearer: CommandLine, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path, client: Client, name: str
) -> None:
    registry = REGISTRIES[name](cloud, fake_programs, home)
    registry.log_in()
    pip = [client.program("pip"), "install", "--target", home / "packages", "--keyring-provider", "import"]
    words = ["exec", registry.index_url, "--", *pip, "--index-url", registry.index_url, "greetings"]
    ended = ringbearer(*words, **registry.variables).check()
    assert (home / "packages" / "hello_private.py").exists()
    [password] = registry.passwords()
    assert {given for _, _, given in ringbearer.log.basics()} == {password}
    # One run of the program behind the login and one exchange, as for the token alone; the rest is for pip's lookup.
    assert len(fake_programs.invocations()) == 1
    assert len(ringbearer.log.requests(method="POST")) == (name == "azure")
    assert ringbearer.log.hosts_that_saw(password) == [registry.host]
    registry.assert_hidden(ended)


def test_uv_takes_the_password_from_the_variable_of_its_index(
    ringbearer: CommandLine, registry: Registry, tool: Client, tmp_path: Path
) -> None:
    project = Project(tmp_path / "shop", registry.index_url)
    variables = {
        **registry.variables,
        "UV_INDEX_CONTOSO_USERNAME": registry.user_name,
        "UV_KEYRING_PROVIDER": "disabled",
        "UV_PYTHON": tool.python,
    }
    words = ["exec", registry.index_url, "--variable", "UV_INDEX_CONTOSO_PASSWORD", "--", tool.program("uv"), "sync"]
    ended = ringbearer(*words, directory=project.directory, **variables).check()
    assert project.has_installed("greetings", "hello_private")
    registry.assert_made(1)
    registry.assert_hidden(ended)

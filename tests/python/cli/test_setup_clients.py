"""`ringbearer setup` with the real tools, which then install from the index."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.registry import Registry
from support.command_line import CommandLine

PROJECT = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.9"
dependencies = ["greetings"]
"""

TOX = """\
[tox]
requires = tox>=4
no_package = true
env_list = check

[testenv]
set_env = COLOUR = white
deps = greetings
commands = python -c "import os, greetings; print(os.environ['COLOUR'], greetings.greeting)"
"""


@pytest.fixture
def shop(home: Path) -> Path:
    """The directory of a project that requires a private package."""
    made = home / "shop"
    made.mkdir()
    (made / "pyproject.toml").write_text(PROJECT)
    return made


class User:
    """A user who is logged in to a registry, and the directories of both programs."""

    def __init__(self, program: Client, registry: Registry, shop: Path) -> None:
        self.registry = registry
        self.shop = shop
        self.ringbearer = CommandLine(program, registry.cloud, registry.home, registry.fake_programs)

    def set_up(self, tool: str, *options: str, **variables: str | None) -> Completed:
        """Write the settings."""
        words = ["setup", tool, self.registry.index_url, "--write", *options]
        ended = self.ringbearer(*words, directory=self.shop, **variables).check()
        self.ringbearer.assert_no_sign_in()
        return ended

    def assert_installed(self, below: Path, *ended: Completed, count: int = 1) -> None:
        """The packages are installed with ``count`` passwords, and no secret leaked."""
        [folder] = {path.parent for path in below.glob("**/greetings.py")}
        for name in ("greetings", "hello-private"):
            assert f"hello from {name} " in (folder / (name.replace("-", "_") + ".py")).read_text()
        self.registry.assert_made(count)
        self.registry.assert_hidden(*ended)


@pytest.fixture
def user(native: Client, registry: Registry, shop: Path) -> User:
    """A user of each registry."""
    return User(native, registry, shop)


def of(*names: str) -> pytest.MarkDecorator:
    """These registries only; `clients/test_matrix.py` tests each tool with each registry."""
    return pytest.mark.parametrize("registry", names, indirect=True)


def test_both_programs_write_the_same(user: User, client: Client, tmp_path: Path) -> None:
    for tool in ("uv", "pip", "poetry", "tox", "github-actions"):
        written = []
        for number, program in enumerate((user.ringbearer.program, client)):
            path = tmp_path / f"{tool}-{number}"
            path.write_text("")
            ringbearer = CommandLine(program, user.registry.cloud, user.registry.home, user.registry.fake_programs)
            ended = ringbearer("setup", tool, user.registry.index_url, "--name=corp", "--write", "--file", path).check()
            written.append((path.read_text(), ended.output.replace(str(path), "FILE")))
        assert written[0] == written[1]


def test_uv_installs(user: User, native: Client, tool: Client) -> None:
    user.set_up("uv")
    environment = user.registry.environment(native.bin, UV_PYTHON=tool.python)
    ended = tool.run(["uv", "sync"], environment, directory=user.shop).check()
    user.assert_installed(user.shop / ".venv", ended)


@of("azure")
def test_setup_of_uv_handles_an_index_without_a_user_name(user: User, native: Client, tool: Client) -> None:
    # A project whose URL has no user name, as registries show it: uv would not ask.
    text = f'{PROJECT}\n[[tool.uv.index]]\nname = "corp"\nurl = "{user.registry.index_url}"\n'
    (user.shop / "pyproject.toml").write_text(text)
    words = ["setup", "uv", user.registry.index_url, "--write"]
    done = user.ringbearer(*words, directory=user.shop)
    if done.code == 0:
        environment = user.registry.environment(native.bin, UV_PYTHON=tool.python)
        ended = tool.run(["uv", "sync"], environment, directory=user.shop).check()
        user.assert_installed(user.shop / ".venv", ended)
    else:
        assert "corp" in done.stderr and "user name" in done.stderr, done
        assert (user.shop / "pyproject.toml").read_text() == text


@of("azure", "chainguard")
@pytest.mark.skipif(sys.version_info < (3, 10), reason="pip before 26.2 asks for the user name only")
@pytest.mark.parametrize("named", [False, True], ids=["usual file", "named file"])
def test_pip_installs(user: User, native: Client, tool: Client, home: Path, named: bool) -> None:
    path = str(home / "pip.ini") if named else None
    user.set_up("pip", *(["--file", path] if path else []), PIP_CONFIG_FILE=None)
    environment = user.registry.environment(native.bin, PIP_CONFIG_FILE=path)
    ended = tool.run(["pip", "install", "--target", home / "packages", "greetings"], environment).check()
    user.assert_installed(home / "packages", ended)


@of("azure")
def test_pip_26_1_installs(user: User, native: Client, caller: Callable[[str], Client], home: Path) -> None:
    user.set_up("pip", PIP_CONFIG_FILE=None)
    environment = user.registry.environment(native.bin, PIP_CONFIG_FILE=None)
    words = ["pip", "install", "--target", home / "packages", "greetings"]
    user.assert_installed(home / "packages", caller("pip-26.1").run(words, environment).check())


@of("azure", "chainguard")
def test_poetry_installs(user: User, poetry: Client) -> None:
    (user.shop / "pyproject.toml").write_text(PROJECT + "\n[tool.poetry]\npackage-mode = false\n")
    user.set_up("poetry", "--name", "corp")
    environment = user.registry.environment(POETRY_VIRTUALENVS_IN_PROJECT="true", POETRY_NO_INTERACTION="1")
    checked = poetry.run(["poetry", "check"], environment, directory=user.shop).check()
    ended = poetry.run(["poetry", "install", "--no-root"], environment, directory=user.shop).check()
    user.assert_installed(user.shop / ".venv", checked, ended)


@of("azure", "menda")
def test_tox_installs(user: User, tox: Client) -> None:
    (user.shop / "tox.ini").write_text(TOX)
    user.set_up("tox")
    ended = tox.run(["tox"], user.registry.environment(), directory=user.shop).check()
    assert "white hello from greetings " in ended.stdout
    user.assert_installed(user.shop / ".tox", ended)

"""Each tool with each registry: it installs a private package, and no other host sees the password."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.packages import wheel as make_wheel
from lab.registry import Registry
from support.keyring_calls import PDM_PROJECT
from support.poetry_project import poetry_project
from support.private_packages import assert_kept

TOX = """\
[tox]
no_package = true
env_list = check

[testenv]
deps = greetings
set_env =
    PIP_INDEX_URL = {}
commands = python -c "import greetings, hello_private; print(greetings.greeting)"
"""


@pytest.fixture
def shop(home: Path) -> Path:
    """The directory of a project."""
    made = home / "shop"
    made.mkdir()
    return made


def assert_installed(directory: Path, *names: str) -> None:
    """Packages are installed with their content."""
    for name in names:
        assert f"hello from {name} " in (directory / (name.replace("-", "_") + ".py")).read_text()


def site_packages(project: Path) -> Path:
    """The site-packages directory of the project's environment."""
    [found] = {path.parent for path in (project / ".venv").glob("**/site-packages/greetings.py")}
    return found


def test_pip_installs_by_the_keyring_of_its_own_environment(registry: Registry, client: Client, home: Path) -> None:
    command = ["pip", "install", "--target", "packages", "--keyring-provider", "import"]
    ended = client.run([*command, "--index-url", registry.index_url, "greetings"], registry.environment()).check()
    assert_installed(home / "packages", "greetings", "hello-private")
    assert_kept(registry, 1, ended)


@pytest.mark.parametrize("pip", ["tool", "pip_26_1"], ids=["newest", "26.1"])
def test_pip_installs_by_the_keyring_command(
    registry: Registry, client: Client, home: Path, pip: str, request: pytest.FixtureRequest
) -> None:
    newest = pip == "tool"
    url = registry.url_for_keyring_command if newest else registry.url_with_user_name
    command = ["pip", "install", "--target", "packages", "--keyring-provider", "subprocess"]
    environment = registry.environment(client.bin)
    ended = request.getfixturevalue(pip).run([*command, "--index-url", url, "greetings"], environment).check()
    assert_installed(home / "packages", "greetings", "hello-private")
    assert_kept(registry, 1, ended)


def test_uv_installs(registry: Registry, client: Client, tool: Client, home: Path) -> None:
    environment = registry.environment(client.bin, UV_KEYRING_PROVIDER="subprocess", UV_PYTHON=tool.python)
    command = ["uv", "pip", "install", "--target", home / "packages"]
    command += ["--default-index", registry.url_with_user_name, "greetings"]
    ended = tool.run(command, environment).check()
    assert_installed(home / "packages", "greetings", "hello-private")
    assert_kept(registry, 1, ended)


@pytest.mark.parametrize("registry", ["azure", "codeartifact", "google", "menda"], indirect=True)
def test_twine_uploads_and_pip_installs_what_it_uploaded(registry: Registry, client: Client, home: Path) -> None:
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    upload = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
    upload += ["--repository-url", registry.upload_url, package.file_name]
    ended = client.run(upload, registry.environment()).check()
    assert_kept(registry, 1, ended, upload=True)
    command = ["pip", "install", "--target", "packages", "--keyring-provider", "import"]
    client.run([*command, "--index-url", registry.index_url, "fresh-bread"], registry.environment()).check()
    assert_installed(home / "packages", "fresh-bread")


def test_poetry_locks_and_installs(registry: Registry, poetry: Client, shop: Path) -> None:
    (shop / "pyproject.toml").write_text(poetry_project(registry.index_url))
    environment = registry.environment(POETRY_VIRTUALENVS_IN_PROJECT="true", POETRY_NO_INTERACTION="1")
    locked = poetry.run(["poetry", "lock"], environment, directory=shop).check()
    installed = poetry.run(["poetry", "install", "--no-root"], environment, directory=shop).check()
    assert_installed(site_packages(shop), "greetings", "hello-private")
    assert_kept(registry, 2, locked, installed)


def test_pdm_locks_and_installs(registry: Registry, pdm: Client, shop: Path) -> None:
    (shop / "pyproject.toml").write_text(PDM_PROJECT.format(registry.index_url))
    environment = registry.environment(PDM_CHECK_UPDATE="0")
    locked = pdm.run(["pdm", "lock"], environment, directory=shop).check()
    installed = pdm.run(["pdm", "install", "--frozen-lockfile"], environment, directory=shop).check()
    assert_installed(site_packages(shop), "greetings", "hello-private")
    assert_kept(registry, 2, locked, installed)


def test_tox_installs(registry: Registry, tox: Client, shop: Path) -> None:
    (shop / "tox.ini").write_text(TOX.format(registry.url_for_keyring_command))
    ended = tox.run(["tox"], registry.environment(), directory=shop).check()
    assert "hello from greetings 2.0" in ended.stdout
    assert_kept(registry, 1, ended)

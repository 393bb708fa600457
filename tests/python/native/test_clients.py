"""pip, PDM, build and pipx with only the native `keyring` on PATH, for each registry."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import sdist
from lab.registry import Registry
from support.azure_user import AzureUser
from support.keyring_calls import PDM_PROJECT
from support.private_packages import application, assert_installed, assert_kept, site_packages, unpack

PIP = ["pip", "install", "--target", "packages", "--keyring-provider", "subprocess", "--index-url"]


@pytest.fixture
def shop(home: Path) -> Path:
    """The directory of a project."""
    made = home / "shop"
    made.mkdir()
    return made


@pytest.fixture
def shared_libraries(caller: Callable[[str], Client], tmp_path: Path) -> Path:
    """The shared pip of pipx, marked as up to date."""
    copied = shutil.copytree(caller("pip").directory, tmp_path / "shared", symlinks=True, copy_function=shutil.copy)
    return Path(copied)


@pytest.mark.parametrize("with_name", [False, True], ids=["plain", "with a user name"])
def test_pip_installs_with_and_without_a_user_name_in_the_url(
    registry: Registry, native: Client, tool: Client, home: Path, with_name: bool
) -> None:
    url = registry.url_with_user_name if with_name else registry.url_for_keyring_command
    ended = tool.run([*PIP, url, "greetings"], registry.environment(native.bin)).check()
    assert_installed(home / "packages")
    assert_kept(registry, 1, ended)


def test_pip_26_1_installs_with_a_user_name_in_the_url(
    registry: Registry, native: Client, caller: Callable[[str], Client], home: Path
) -> None:
    command = [*PIP, registry.url_with_user_name, "greetings"]
    ended = caller("pip-26.1").run(command, registry.environment(native.bin)).check()
    assert_installed(home / "packages")
    assert_kept(registry, 1, ended)


def test_pip_finds_the_native_keyring_unless_disabled(
    registry: Registry, native: Client, tool: Client, home: Path
) -> None:
    # The default provider is `auto`, which `--no-input` would disable.
    command = ["pip", "install", "--target", "packages", "--index-url", registry.url_for_keyring_command, "greetings"]
    ended = tool.run(command, registry.environment(native.bin, PIP_NO_INPUT=None)).check()
    assert_installed(home / "packages")
    assert_kept(registry, 1, ended)


def test_pdm_locks_and_installs(
    registry: Registry, native: Client, caller: Callable[[str], Client], shop: Path
) -> None:
    (shop / "pyproject.toml").write_text(PDM_PROJECT.format(registry.index_url))
    # In parallel, it would call once per package.
    environment = registry.environment(native.bin, PDM_CHECK_UPDATE="0", PDM_INSTALL_PARALLEL="0")
    locked = caller("pdm").run(["pdm", "lock"], environment, directory=shop).check()
    installed = caller("pdm").run(["pdm", "install", "--frozen-lockfile"], environment, directory=shop).check()
    assert_installed(site_packages(shop))
    assert_kept(registry, kernel_keys.sign_ins(2), locked, installed)


def test_pdm_installs_in_parallel_with_several_keyrings_at_once(
    cloud: PracticeCloud, azure_user: AzureUser, native: Client, caller: Callable[[str], Client], shop: Path
) -> None:
    (shop / "pyproject.toml").write_text(PDM_PROJECT.format(cloud.azure.feed.url()))
    environment = azure_user.environment(native.bin, PDM_CHECK_UPDATE="0")
    for arguments in (["lock"], ["install", "--frozen-lockfile"]):
        caller("pdm").run(["pdm", *arguments], environment, directory=shop).check()
    assert_installed(site_packages(shop))


@pytest.mark.parametrize("installer", ["pip", "uv"])
def test_build_installs_requirements_without_keyring_settings(
    registry: Registry, native: Client, tool: Client, caller: Callable[[str], Client], home: Path, installer: str
) -> None:
    project = unpack(sdist("second-breakfast", build_requires=["greetings"]), home)
    if installer == "pip":
        environment = registry.environment(native.bin, PIP_INDEX_URL=registry.url_for_keyring_command)
    else:
        environment = registry.environment(native.bin, tool.bin, UV_DEFAULT_INDEX=registry.url_with_user_name)
    command = ["pyproject-build", "--wheel", "--installer", installer, "--outdir", home / "built"]
    ended = caller("build").run(command, environment, directory=project).check()
    assert [path.name for path in (home / "built").iterdir()] == ["second_breakfast-1.0-py3-none-any.whl"]
    assert_kept(registry, 1, ended)


def test_pipx_installs_an_application_without_keyring_settings(
    registry: Registry, native: Client, caller: Callable[[str], Client], home: Path, shared_libraries: Path
) -> None:
    registry.add(application("elevenses"))
    variables = {"PIP_INDEX_URL": registry.url_for_keyring_command, "PIPX_SHARED_LIBS": str(shared_libraries)}
    environment = registry.environment(native.bin, **variables)
    installed = caller("pipx").run(["pipx", "install", "elevenses"], environment).check()
    run = Client(str(home / ".local")).run(["elevenses"], environment).check()
    assert run.stdout == "hello from greetings 2.0\n"
    assert_kept(registry, 1, installed, run)

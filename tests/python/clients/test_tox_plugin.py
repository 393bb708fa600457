"""The tox plugin: the real tox gets the credentials of the keyring beside it."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.packages import sdist
from lab.packages import wheel as make_wheel
from lab.registries.menda import Menda
from support.tox_project import ToxProject

KEYRING = "keyring.exe" if os.name == "nt" else "keyring"

#: Imports every module and prints which of them fail, and how.
IMPORT_ALL = """
import importlib, pkgutil
import ringbearer

for module in pkgutil.iter_modules(ringbearer.__path__, "ringbearer."):
    if module.name != "ringbearer.__main__":
        try:
            importlib.import_module(module.name)
        except Exception as error:
            print(module.name, type(error).__name__, getattr(error, "name", None))
"""


@pytest.fixture
def menda(cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Menda:
    """A registry whose login is in the environment, which tox strips."""
    made = Menda(cloud, fake_programs, home)
    made.log_in()
    return made


@pytest.fixture
def project(menda: Menda, tox: Client, home: Path) -> ToxProject:
    """A project of a user who is logged in; tox and keyring are not on PATH."""
    return ToxProject(home / "shop", tox, menda.environment(PIP_INDEX_URL=menda.url_for_keyring_command))


@pytest.mark.parametrize("which", ["tox", "old_tox"])
def test_tox_installs_dependencies_and_in_commands_repeatedly(
    project: ToxProject, menda: Menda, cloud: PracticeCloud, which: str, request: pytest.FixtureRequest
) -> None:
    cloud.menda.plugins.add(make_wheel("rare", requires=["hello-private"]))
    project.tox = request.getfixturevalue(which)
    rare = "python -m pip install --force-reinstall rare"
    project.configure("deps = greetings", f"commands_pre = {rare}", 'commands = python -c "import greetings, rare"')
    first = project.run().check()
    assert project.has_installed("check", "greetings", "hello_private", "rare")
    menda.assert_made(2)
    # Installed packages are not installed again, but the command is.
    second = project.run().check()
    menda.assert_made(3)
    assert "Keyring is skipped" not in first.output + second.output


def test_environment_without_the_plugin_is_unchanged(project: ToxProject, menda: Menda, cloud: PracticeCloud) -> None:
    lines = ["ringbearer = false", "[testenv:install]", "deps = greetings", "[testenv:look]"]
    project.configure(*lines, f"commands = {project.look}", core=("no_package = true", "env_list = install, look"))
    assert project.run().code != 0
    assert not project.has_installed("install", "greetings")
    assert {request.status for request in cloud.log.requests()} == {401}, cloud.log
    menda.assert_made(0)
    assert not project.offered.exists()
    assert project.found("look")["keyring"] is None
    own = {"PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER", *menda.variables}
    assert own & set(project.seen("look")) == set()


def test_environments_that_run_at_the_same_time_all_install(project: ToxProject, menda: Menda) -> None:
    project.configure("deps = greetings", core=("no_package = true", "env_list = a, b, c"))
    project.run("run-parallel", "--parallel", "3").check()
    assert all(project.has_installed(name, "greetings", "hello_private") for name in "abc")
    assert os.listdir(project.offered) == [KEYRING]
    menda.assert_made(3)


def test_package_is_built_with_requirements_of_the_private_index(
    project: ToxProject, menda: Menda, cloud: PracticeCloud
) -> None:
    # The build has an environment of its own, whose section is not [testenv].
    with tarfile.open(fileobj=io.BytesIO(sdist("shop", build_requires=["hello-private"]).content)) as archive:
        for member in archive.getmembers():
            content = archive.extractfile(member)
            (project.directory / Path(member.name).name).write_bytes(content.read() if content else b"")
    project.configure("package = wheel", 'commands = python -c "import shop"', core=("env_list = check",))
    for _ in range(2):
        project.run().check()
    assert project.has_installed("check", "shop")
    assert project.has_installed(".pkg", "hello_private")
    menda.assert_made(1)


def test_programs_beside_tox_are_not_visible_inside(project: ToxProject) -> None:
    project.configure(f"commands = {project.look}")
    project.run().check()
    assert os.listdir(project.offered) == [KEYRING]
    found = project.found()
    assert found["keyring"] == str(project.offered / KEYRING)
    assert found["tox"] is found["ringbearer"] is None
    assert Path(found["python"] or "").is_relative_to(project.directory / ".tox" / "check")


@pytest.mark.parametrize("which", ["tox", "old_tox"])
def test_the_path_that_an_environment_sets_is_kept(
    project: ToxProject, menda: Menda, home: Path, which: str, request: pytest.FixtureRequest
) -> None:
    project.tox = request.getfixturevalue(which)
    own = home / "own-programs"
    own.mkdir()
    program = own / ("only-here.cmd" if os.name == "nt" else "only-here")
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    value = f"  PATH = {own}{os.pathsep}{{env:PATH}}"
    project.configure("deps = greetings", "set_env =", value, f"commands = {project.look}")
    project.run().check()
    menda.assert_made(1)
    found = project.found()
    assert found["only-here"] == str(program)
    assert found["keyring"] == str(project.offered / KEYRING)
    path = project.seen()["PATH"].split(os.pathsep)
    assert [path.index(str(one)) for one in (project.directory / ".tox/check/bin", project.offered, own)] == [0, 1, 2]


def test_tox_uv_installs_from_a_private_index(project: ToxProject, menda: Menda, tox_uv: Client) -> None:
    project.tox = tox_uv
    project.configure("deps = greetings", f"commands = {project.look}")
    project.run(UV_DEFAULT_INDEX=menda.url_with_user_name).check()
    assert project.has_installed("check", "greetings", "hello_private")
    menda.assert_made(1)


def test_environment_without_room_for_the_keyring_still_runs(project: ToxProject) -> None:
    project.configure(f"commands = {project.look}")
    project.offered.parent.mkdir()
    project.offered.write_text("not a directory")
    ended = project.run()
    assert ended.code == 0, ended
    assert "Traceback" not in ended.output
    assert project.found()["keyring"] is None


def test_modules_can_be_imported_without_tox(client: Client, cloud: PracticeCloud, home: Path) -> None:
    ended = client.run(["python", "-c", IMPORT_ALL], cloud.environment(home)).check()
    assert ended.stdout == ended.stderr == ""
    listed = client.run(["keyring", "--list-backends"], cloud.environment(home)).check()
    assert "ringbearer.backends.AzureArtifactsKeyring" in listed.stdout
    assert listed.stderr == ""


def test_tox_3_ignores_the_plugin(tox_3: Client, cloud: PracticeCloud, home: Path) -> None:
    ended = tox_3.run(["tox", "--version"], cloud.environment(home)).check()
    assert ended.stdout.startswith("3.") and ended.stderr == ""

"""`ringbearer setup github-actions`: a valid workflow with which the real uv installs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.command_line import CommandLine, assert_complaint
from support.uv_project import Project

ROOT = Path(__file__).resolve().parents[3]

WITH_RECIPE = [name for name, registry in REGISTRIES.items() if registry.workflow_recipe]
WITH_IDENTITY_TOKEN = [name for name, registry in REGISTRIES.items() if registry.workflow_has_identity_token]


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program."""
    return CommandLine(either, cloud, home, fake_programs)


@pytest.fixture(params=list(REGISTRIES))
def registry(request: pytest.FixtureRequest, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Registry:
    """A registry without a login."""
    return REGISTRIES[request.param](cloud, fake_programs, home)


def settings(text: str) -> dict[str, str]:
    """The entries of an `env:`, with names in upper case and without comments."""
    return dict(re.findall(r"^ +([A-Z][A-Z0-9_]+): (.+?)(?: +#.*)?$", text, re.MULTILINE))


def permissions(text: str) -> dict[str, str]:
    """The entries of a `permissions:`."""
    block = re.search(r"^permissions:\n((?:  .*\n)+)", text, re.MULTILINE)[1]
    return dict(re.findall(r"^  ([a-z-]+): (\w+)", block, re.MULTILINE))


def test_workflow_is_valid(ringbearer: CommandLine, registry: Registry, tmp_path: Path) -> None:
    path = tmp_path / "workflow.yml"
    for write in (True, False):
        words = ["setup", "github-actions", registry.index_url, "--name", "a-b.c"]
        ended = ringbearer(*words, *(["--write", "--file", path] if write else [])).check()
        text = path.read_text() if write else ended.stdout
        assert settings(text)["UV_INDEX_A_B_C_USERNAME"] == registry.user_name
        if not write:
            path.write_text(ended.stdout)
        check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
        checked = subprocess.run(check, capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize("registry", WITH_RECIPE, indirect=True)
def test_workflow_has_the_settings_of_the_documentation(ringbearer: CommandLine, registry: Registry) -> None:
    page, heading, name = registry.workflow_recipe
    section = (ROOT / page).read_text(encoding="utf-8").split(f"\n{heading}\n")[1]
    recipe = next(block for block in re.findall(r"```yaml\n(.*?)```", section, re.DOTALL) if "uv sync" in block)
    text = ringbearer("setup", "github-actions", registry.index_url, "--name", name).check().stdout
    assert settings(text) == settings(recipe)
    assert permissions(text) == permissions(recipe)
    uses = re.compile(r"- uses: (\S+)")
    assert uses.findall(text) == uses.findall(recipe)


def test_workflow_comes_with_the_list_of_repository_settings(ringbearer: CommandLine, registry: Registry) -> None:
    # Of registries that share a host, the one that is set up here is meant.
    registry.log_in()
    ended = ringbearer("setup", "github-actions", registry.index_url, **registry.variables).check()
    named = re.findall(r"\$\{\{ (?:vars|secrets)\.(\w+) \}\}", ended.stdout)
    assert named and [name for name in named if not re.search(rf"\b(?<!_){name}\b", ended.stderr)] == []
    # It has no secret values, and requests the identity token only where it is used.
    assert permissions(ended.stdout).get("id-token") == ("write" if registry.workflow_has_identity_token else None)


@pytest.mark.parametrize("name", WITH_IDENTITY_TOKEN)
def test_workflow_lets_uv_install_in_a_job(
    ringbearer: CommandLine, cloud: PracticeCloud, native: Client, tool: Client, tmp_path: Path, name: str
) -> None:
    registry = REGISTRIES[name](cloud, ringbearer.fake_programs, ringbearer.home)
    job = cloud.azure.github_actions.job()
    known = registry.workflow_settings(job)
    text = ringbearer("setup", "github-actions", registry.index_url, "--name", "contoso").check().stdout
    given = {
        name: re.sub(r"\$\{\{ (\S+) \}\}", lambda found: known[found[1]], value)
        for name, value in settings(text).items()
    }
    project = Project(tmp_path / "shop", registry.index_url)
    environment = registry.environment(native.bin, UV_PYTHON=tool.python, **given, **job.variables)
    tool.run(["uv", "sync"], environment, directory=project.directory).check()
    assert project.has_installed("greetings", "hello_private")


def test_existing_workflow_is_not_overwritten(ringbearer: CommandLine, tmp_path: Path) -> None:
    path = tmp_path / "workflow.yml"
    path.write_text("name: ours\n")
    words = ["setup", "github-actions", ringbearer.url, "--write", "--file", path]
    assert_complaint(ringbearer(*words), f"{path} cannot be changed: it exists already", "by hand")
    assert path.read_text() == "name: ours\n"
    # An empty file counts as absent.
    path.write_text("")
    ringbearer(*words).check()
    assert "uv sync" in path.read_text()
    # A workflow with another name is kept.
    assert_complaint(ringbearer(*words, "--name", "corp"), "it exists already")

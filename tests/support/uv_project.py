"""A project that uv manages, with one private index."""

from __future__ import annotations

from pathlib import Path

from lab.clients import Client
from lab.cloud import PracticeCloud

_TEXT = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.9"
dependencies = ["greetings"]

[[tool.uv.index]]
name = "contoso"
url = "{}"
default = true
{}
"""


class Project:
    """A directory with a ``pyproject.toml``. The index is called ``contoso`` and is the only one."""

    def __init__(self, directory: Path, url: str, more: str = "") -> None:
        self.directory = directory
        self.lock_file = directory / "uv.lock"
        directory.mkdir()
        self.configure(url, more)

    def configure(self, url: str, more: str = "") -> None:
        """Write the settings of the index."""
        (self.directory / "pyproject.toml").write_text(_TEXT.format(url, more))

    def has_installed(self, *modules: str) -> bool:
        """Whether the project's environment has these modules."""
        return all(list((self.directory / ".venv").glob(f"**/site-packages/{module}.py")) for module in modules)


def locked_project(directory: Path, cloud: PracticeCloud, tool: Client, url: str) -> Project:
    """A project that another user locked, with a password of that user."""
    project = Project(directory, url)
    environment = cloud.environment(
        directory.parent / "elsewhere",
        UV_PYTHON=tool.python,
        UV_INDEX_CONTOSO_USERNAME="somebody",
        UV_INDEX_CONTOSO_PASSWORD=cloud.azure.contoso.personal_access_token(),
    )
    tool.run(["uv", "lock"], environment, directory=directory).check()
    cloud.log.clear()
    return project

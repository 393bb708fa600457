"""A project for tox, which records the environment of its commands."""

from __future__ import annotations

import json
import os
from pathlib import Path

from lab.clients import Client, Completed

#: Records the environment of a program inside a tox environment.
_LOOK = """\
import json, os, shutil, sys

programs = {name: shutil.which(name) for name in sys.argv[1:]}
with open(os.environ["TOX_ENV_NAME"] + ".json", "w") as stream:
    json.dump({"environment": dict(os.environ), "programs": programs}, stream)
"""


class ToxProject:
    """A directory with a ``tox.ini``. The command `look` records the environment and the paths of some programs."""

    look = "python look.py keyring python ringbearer tox uv only-here"

    def __init__(self, directory: Path, tox: Client, environment: dict[str, str]) -> None:
        self.directory = directory
        self.tox = tox
        self.environment = environment
        directory.mkdir()
        (directory / "look.py").write_text(_LOOK)

    def configure(self, *testenv: str, core: tuple[str, ...] = ("no_package = true", "env_list = check")) -> None:
        """Write the lines of the two sections. Those of the second may add more sections."""
        (self.directory / "tox.ini").write_text("\n".join(["[tox]", *core, "[testenv]", *testenv]) + "\n")

    def run(self, *words: str, **variables: str) -> Completed:
        """tox, with more variables in its environment."""
        return self.tox.run(["tox", *words], {**self.environment, **variables}, directory=self.directory)

    def seen(self, name: str = "check") -> dict[str, str]:
        """The environment variables at the last `look` in an environment."""
        return self._looked(name)["environment"]

    def found(self, name: str = "check") -> dict[str, str | None]:
        """The paths of the programs at the last `look` in an environment; None if not found."""
        return self._looked(name)["programs"]

    def _looked(self, name: str) -> dict:
        return json.loads((self.directory / (name + ".json")).read_text())

    @property
    def offered(self) -> Path:
        """The path where the plugin puts the keyring program."""
        return self.directory / ".tox" / ".ringbearer"

    def has_installed(self, name: str, *modules: str) -> bool:
        """Whether an environment has these modules."""
        return all(list((self.directory / ".tox" / name).glob(f"**/site-packages/{one}.py")) for one in modules)

    def files(self) -> dict[str, bytes]:
        """Everything that tox left behind, except links."""
        paths = (os.path.join(folder, name) for folder, _, names in os.walk(self.directory) for name in names)
        return {path: Path(path).read_bytes() for path in paths if os.path.isfile(path) and not os.path.islink(path)}

"""The Pythons of the machine, as its user would find them."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass

from .clients import Client, ClientEnvironments

#: The oldest that the wheel supports; future versions count too.
OLDEST, NEWEST = 9, 20

_DESCRIBE = """
import json, sys, sysconfig
print(json.dumps({
    "executable": sys.executable,
    "version": list(sys.version_info[:3]),
    "implementation": sys.implementation.name,
    "is_free_threaded": bool(sysconfig.get_config_var("Py_GIL_DISABLED")),
}))
"""


@dataclass(frozen=True)
class Python:
    """An interpreter of the machine."""

    executable: str
    version: tuple[int, int, int]
    is_free_threaded: bool

    @property
    def name(self) -> str:
        """Its display name."""
        return "Python " + ".".join(str(part) for part in self.version) + (" free-threaded" * self.is_free_threaded)


class PythonEnvironments(ClientEnvironments):
    """Builds environments of another Python, beside those of this Python."""

    def __init__(self, client_environments: ClientEnvironments, python: Python) -> None:
        super().__init__(os.path.join(client_environments.directory, python.name.replace(" ", "-").lower()))
        self.python = python.executable
        self._tool = client_environments.tool

    def tool(self) -> Client:
        """The same uv: it builds for every Python."""
        return self._tool()


@functools.lru_cache(maxsize=None)
def pythons() -> tuple[Python, ...]:
    """One CPython of each version that the wheel supports, with and without a GIL, the oldest first.

    They are named ``python3.9`` and so on; pyenv, if installed, lists its own.
    """
    attempts = [(f"python3.{minor}{ending}", {}) for minor in range(OLDEST, NEWEST) for ending in ("", "t")]
    attempts += [(sys.executable, {})]
    attempts += [("python", {"PYENV_VERSION": version}) for version in _of_pyenv()]
    found: dict[tuple[int, int, bool], Python] = {}
    for program, variables in attempts:
        python = _describe(program, variables)
        if python and python.version >= (3, OLDEST):
            found.setdefault((*python.version[:2], python.is_free_threaded), python)
    return tuple(sorted(found.values(), key=lambda one: (one.version, one.is_free_threaded)))


def _of_pyenv() -> list[str]:
    program = shutil.which("pyenv")
    if not program:
        return []
    ended = subprocess.run([program, "versions", "--bare"], capture_output=True, text=True, check=False)
    return ended.stdout.split()


def _describe(program: str, variables: dict[str, str]) -> Python | None:
    path = shutil.which(program)
    if not path:
        return None
    environment = {**os.environ, **variables}
    ended = subprocess.run([path, "-c", _DESCRIBE], capture_output=True, text=True, env=environment, check=False)
    try:
        found = json.loads(ended.stdout)
    except ValueError:
        return None
    if found["implementation"] != "cpython":
        return None
    return Python(found["executable"], tuple(found["version"]), found["is_free_threaded"])

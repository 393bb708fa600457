"""The plugin for tox 4: pip and uv inside its environments get the credentials that they get outside.

tox strips the environment, and the pip inside finds only a keyring on PATH. So each environment gets the variables
that the backends read, the `keyring` program of the Python that runs tox, and the setting that enables it. An
environment with `ringbearer = false` is not changed.

Without tox, and with tox 3, which reads the same entry points and has other hooks, this module does nothing.
"""

from __future__ import annotations

import filecmp
import logging
import os
import shlex
import shutil
import sys
import sysconfig
import tempfile
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Callable, Iterable, Optional, TypeVar

from ringbearer import _core

if TYPE_CHECKING:
    from tox.config.sets import EnvConfigSet
    from tox.session.state import State
    from tox.tox_env.api import ToxEnv

__all__ = ["PASSED", "tox_add_env_config", "tox_before_run_commands", "tox_on_install"]

_Hook = TypeVar("_Hook", bound=Callable[..., None])


def _unmarked(hook: _Hook) -> _Hook:
    """Returns the function unchanged."""
    return hook


try:
    from tox.plugin import impl as _impl
except ImportError:
    _hook: Callable[[_Hook], _Hook] = _unmarked
else:
    _hook = _impl


#: Patterns of `pass_env` for what the native core, the programs that it runs and keyring itself read. tox itself passes
#: the home directory.
PASSED = (
    *sorted(_core.variables() - {"HOME", "USERPROFILE"}),
    "DBUS_SESSION_BUS_ADDRESS",
    "KEYCHAIN_PATH",
    "KEYRING_PROPERTY_*",
    "PYTHON_KEYRING_BACKEND",
    "RINGBEARER_*",
)

#: Tells pip and uv to run the `keyring` program, unless these variables are already set. (Plain tox strips the second
#: of them, and tox-uv the first.)
_PROVIDERS = ("PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER")


class _Unlogged(str):
    """A variable's value that programs get and log files do not: tox formats the variables of each command into a file
    that others may read.
    """

    __slots__ = ()

    def __format__(self, _specification: str) -> str:
        return "(hidden)"


@_hook
def tox_add_env_config(env_conf: EnvConfigSet, state: State) -> None:
    """Registers the setting that switches the plugin off."""
    env_conf.add_config(
        "ringbearer",
        of_type=bool,
        default=True,
        desc="let pip and uv get credentials for private indexes from the keyring of the Python that runs tox",
    )


@_hook
def tox_on_install(tox_env: ToxEnv, arguments: object, section: str, of_type: str) -> None:
    """Before each installation."""
    _equip(tox_env)


@_hook
def tox_before_run_commands(tox_env: ToxEnv) -> None:
    """Before the commands: they may install too, and an environment may have had nothing to install before."""
    _equip(tox_env)


def _equip(tox_env: ToxEnv) -> None:
    """Sets up an environment. Variables that its configuration sets are kept."""
    if not tox_env.conf["ringbearer"]:
        return
    set_env = tox_env.conf["set_env"]
    given: dict[str, str] = {name: os.environ.get(name, "subprocess") for name in _PROVIDERS}
    disallowed = _setting(tox_env, "disallow_pass_env") or []
    for name, value in os.environ.items():
        if _is_one_of(PASSED, name) and not _is_one_of(disallowed, name):
            given[name] = _Unlogged(value)
    set_env.update({name: value for name, value in given.items() if name not in set_env})
    own = _setting(tox_env, "env_bin_dir")
    program = _program()
    if own is None or program is None:
        return
    directory = os.path.join(str(tox_env.core["work_dir"]), ".ringbearer")
    path = set_env.load("PATH") if "PATH" in set_env else os.environ.get("PATH", "")
    # An empty entry would be the working directory.
    entries = [entry for entry in path.split(os.pathsep) if entry]
    if directory not in entries and _offer(program, directory):
        # Older versions of tox use PATH exactly as set here, without the environment's own programs.
        set_env.update({"PATH": os.pathsep.join([str(own), directory, *entries])})


def _is_one_of(patterns: Iterable[str], name: str) -> bool:
    """Case-insensitive, as in tox."""
    return any(fnmatchcase(name.upper(), pattern.upper()) for pattern in patterns)


def _setting(tox_env: ToxEnv, name: str) -> Any:
    """A setting that some versions of tox, or some kinds of environments, do not have."""
    try:
        return tox_env.conf[name]
    except KeyError:
        return None


def _program() -> Optional[str]:
    """The `keyring` program of the Python that runs tox."""
    name = "keyring.exe" if os.name == "nt" else "keyring"
    for directory in (os.path.dirname(sys.executable), sysconfig.get_path("scripts"), os.path.dirname(sys.argv[0])):
        path = os.path.abspath(os.path.join(directory, name))
        if directory and os.path.isfile(path):
            return path
    return None


def _offer(program: str, directory: str) -> bool:
    """Puts the program, and no other program beside it, into a directory. Concurrent runs of tox may do so too."""
    path = os.path.join(directory, os.path.basename(program))
    try:
        os.makedirs(directory, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=directory) as temporary:
            made = os.path.join(temporary, "keyring")
            if os.name == "nt":
                shutil.copy(program, made)
            else:
                # PYTHONPATH is for the programs of the environment; the keyring belongs to another Python.
                with open(made, "w", encoding="utf-8", errors="surrogateescape") as stream:
                    stream.write(f'#!/bin/sh\nunset PYTHONHOME PYTHONPATH\nexec {shlex.quote(program)} "$@"\n')
                os.chmod(made, 0o755)
            # Windows cannot replace a running program.
            if not (os.path.isfile(path) and filecmp.cmp(made, path, shallow=False)):
                os.replace(made, path)
    except OSError as error:
        logging.warning("ringbearer: pip and uv in this environment have no keyring to ask: %s", error)
        return False
    return True

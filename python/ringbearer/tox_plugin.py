"""The plugin for tox 4: pip and uv inside its environments get the credentials that they get outside.

tox strips the environment, and the pip inside sees no keyring but the one on PATH. So each environment gets the
variables that the backends read, the `keyring` program that belongs to the Python which runs tox, and the word to ask
it. An environment with `ringbearer = false` is left as it is.

Only tox imports this module; nothing else here needs tox.
"""

import os
import shutil
import sys
import sysconfig
import tempfile
from typing import Optional

from tox.config.sets import EnvConfigSet
from tox.plugin import impl
from tox.session.state import State
from tox.tox_env.api import ToxEnv

__all__ = ["PASSED", "tox_add_env_config", "tox_before_run_commands", "tox_on_install"]

#: What is passed on, as patterns of `pass_env`: all that the backends and keyring itself read and tox would strip.
PASSED = (
    "ACTIONS_ID_TOKEN_REQUEST_*",
    "ALL_PROXY",
    "ARTIFACTS_*",
    "AZURE*",
    "CHAINCTL_*",
    "CHAINGUARD_*",
    "CURL_CA_BUNDLE",
    "GITHUB_ACTIONS",
    "IDENTITY_*",
    "IMDS_ENDPOINT",
    "KEYRING_PROPERTY_*",
    "LOCALAPPDATA",
    "MENDA_*",
    "MSI_*",
    "PROGRAMDATA",
    "PYTHON_KEYRING_BACKEND",
    "REQUESTS_CA_BUNDLE",
    "RINGBEARER_*",
    "SSH_AGENT_KEYRING_*",
    "SSH_AUTH_SOCK",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "SYSTEM_ACCESSTOKEN",
    "SYSTEM_OIDCREQUESTURI",
    "VSS_NUGET_*",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
)

#: Tells pip and uv to run the `keyring` program, unless somebody told them something else.
_PROVIDERS = ("PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER")


@impl
def tox_add_env_config(env_conf: EnvConfigSet, state: State) -> None:
    """Registers the setting that switches the plugin off."""
    env_conf.add_config(
        "ringbearer",
        of_type=bool,
        default=True,
        desc="let pip and uv get credentials for private indexes from the keyring of the Python that runs tox",
    )


@impl
def tox_on_install(tox_env: ToxEnv, arguments: object, section: str, of_type: str) -> None:
    """Before each installation."""
    _equip(tox_env)


@impl
def tox_before_run_commands(tox_env: ToxEnv) -> None:
    """Before the commands: they may install too, and an environment may have had nothing to install before."""
    _equip(tox_env)


def _equip(tox_env: ToxEnv) -> None:
    """Give an environment what it needs, once."""
    if not tox_env.conf["ringbearer"]:
        return
    passed = tox_env.conf["pass_env"]
    passed += [pattern for pattern in PASSED if pattern not in passed]
    set_env = tox_env.conf["set_env"]
    set_env.update({name: "subprocess" for name in _PROVIDERS if name not in os.environ}, override=False)
    program = _program()
    if program is None:
        return
    directory = os.path.join(str(tox_env.core["work_dir"]), ".ringbearer")
    path = set_env.load("PATH") if "PATH" in set_env else os.environ.get("PATH", "")
    if directory not in path.split(os.pathsep):
        _offer(program, directory)
        # Older versions of tox let PATH stand as it is set here, without the environment's own programs.
        set_env.update({"PATH": os.pathsep.join([str(tox_env.conf["env_bin_dir"]), directory, path])})


def _program() -> Optional[str]:
    """The `keyring` that belongs to the Python which runs tox."""
    for directory in (os.path.dirname(sys.executable), sysconfig.get_path("scripts"), os.path.dirname(sys.argv[0])):
        found = shutil.which("keyring", path=directory) if directory else None
        if found is not None:
            return os.path.abspath(found)
    return None


def _offer(program: str, directory: str) -> None:
    """Put the program, and none of its neighbours, into a directory of its own. Other runs of tox may do so too."""
    os.makedirs(directory, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory) as temporary:
        made = os.path.join(temporary, "keyring")
        if os.name == "nt":
            shutil.copy(program, made)
        else:
            os.symlink(program, made)
        os.replace(made, os.path.join(directory, os.path.basename(program)))

"""The environment of child processes: complete and minimal, nothing inherited from the machine."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Mapping

#: Programs that scripts of clients and fake programs call. The machine's own ``az`` and ``keyring`` stay out.
_PROGRAMS = [
    "sh",
    "bash",
    "env",
    "cat",
    "sleep",
    "true",
    "false",
    "ls",
    "mkdir",
    "rm",
    "uname",
    "dirname",
    "basename",
    "head",
    "id",
    "ps",
    "getconf",
    "ldd",
]
#: Without these, Windows starts no process and opens no socket.
_WINDOWS = ("SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "NUMBER_OF_PROCESSORS")
#: Every variable that names the CA bundle of some client.
TRUST_VARIABLES = ("REQUESTS_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE")
#: Google's metadata server: google-auth reads all three names, gcloud only the last one.
_GOOGLE = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")
#: The addresses of metadata services that must be on loopback wherever they are set.
_ADDRESSES = (
    "AWS_EC2_METADATA_SERVICE_ENDPOINT",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    *_GOOGLE,
)
#: Variables that disable a service if they are ``true``, and those of its address.
_DISABLED_BY = {
    "AWS_EC2_METADATA_DISABLED": ("AWS_EC2_METADATA_SERVICE_ENDPOINT",),
    "NO_GCE_CHECK": _GOOGLE,
}
_LOOPBACK = re.compile(r"127\.0\.0\.1(?=[:/]|$)")


def programs_directory(directory: str) -> str:
    """A PATH entry with a few system programs and nothing else."""
    if os.name == "nt":
        return os.path.join(os.environ["SYSTEMROOT"], "System32")
    os.makedirs(directory, exist_ok=True)
    for name in _PROGRAMS:
        link_program(name, directory)
    return directory


def link_program(name: str, directory: str) -> None:
    """Link a program of the machine, if present; another thread may do so at the same time."""
    found = shutil.which(name)
    if found:
        with contextlib.suppress(FileExistsError):
            os.symlink(found, os.path.join(directory, name))


def home_variables(home: object) -> dict[str, str]:
    """The variables of the home directory."""
    variables = {"HOME": str(home)}
    if os.name == "nt":
        variables["USERPROFILE"] = str(home)
    return variables


def child_environment(
    home: str,
    path: Iterable[str],
    proxy_url: str,
    ca_file: str,
    loopback: dict[str, str],
    trust: tuple[str, ...] = TRUST_VARIABLES,
    variables: dict[str, str | None] | None = None,
) -> dict[str, str]:
    """The variables that a client needs in the practice cloud. None removes a variable.

    Those of ``loopback`` lead to metadata services, and must stay on loopback whatever a test sets: no test may
    ever ask the metadata service of the machine.
    """
    home = str(home)
    temporary = os.path.join(home, "tmp")
    os.makedirs(temporary, exist_ok=True)
    environment: dict[str, str | None] = {
        **home_variables(home),
        "PATH": os.pathsep.join(str(entry) for entry in path),
        "TMPDIR": temporary,
        "LANG": "C.UTF-8",
        "HTTPS_PROXY": proxy_url,
        "HTTP_PROXY": proxy_url,
        "NO_PROXY": "127.0.0.1,localhost",
        **loopback,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "PIP_NO_INPUT": "1",
        "UV_CACHE_DIR": os.path.join(home, ".cache", "uv"),
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
        "XDG_CONFIG_DIRS": os.path.join(home, "no-system-configuration"),
    }
    environment.update({name: ca_file for name in trust})
    if os.name == "nt":
        environment.update({name: os.environ.get(name) for name in _WINDOWS})
        environment.update({"TEMP": temporary, "TMP": temporary})
        environment["APPDATA"] = os.path.join(home, "AppData", "Roaming")
        environment["LOCALAPPDATA"] = os.path.join(home, "AppData", "Local")
    environment.update(variables or {})
    check_loopback(environment, loopback)
    return {name: str(value) for name, value in environment.items() if value is not None}


def check_loopback(environment: Mapping[str, str | None], loopback: Iterable[str]) -> None:
    """Raises ValueError if a variable leads to a metadata service that is not on loopback.

    Those of ``loopback`` must be set; others are checked where they are.
    """
    checked = set(loopback)
    for flag, names in _DISABLED_BY.items():
        # A service that is disabled needs no address.
        if checked & {flag, *names}:
            checked -= {flag, *names}
            checked |= set() if environment.get(flag) == "true" else set(names)
    checked |= {name for name in _ADDRESSES if environment.get(name)}
    for name in checked:
        value = environment.get(name) or ""
        # Nothing can be sent to what is no address.
        is_address = " " not in value and not value.startswith("file:")
        if is_address and not _LOOPBACK.match(value.partition("//")[2] or value):
            raise ValueError(f"{name} must lead to loopback, or the machine's own metadata service is asked")

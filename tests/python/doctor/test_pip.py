"""The doctor's verdict on pip is what the real pip does with the same settings."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel
from support.azure_user import AzureUser, with_user_name
from support.doctor import Doctor
from support.tool_settings import write

SUBPROCESS = {"PIP_KEYRING_PROVIDER": "subprocess"}
#: Prompts are allowed, and no provider is chosen.
AUTO = {"PIP_NO_INPUT": None}
NULL = "keyring.backends.null.Keyring"


@dataclass
class Case:
    """How pip is set up, and whether it installs."""

    name: str
    installs: bool
    variables: dict[str, str | None]
    #: The user information in the URL of the index.
    user: str = "VssSessionToken"
    #: The first directories on PATH; pip of the first one is run.
    path: tuple[str, ...] = ("tool", "native")
    #: Files in the home directory.
    files: dict[str, str] = field(default_factory=dict)


def from_file(text: str) -> dict[str, str]:
    """A configuration file of the user's."""
    return {".config/pip/pip.conf": text}


CASES = [
    Case("by command", True, SUBPROCESS),
    Case("by its own choice", True, AUTO),
    Case("when nobody may be asked", False, {"PIP_NO_INPUT": "1"}),
    *(Case(f"PIP_NO_INPUT={value}", True, {"PIP_NO_INPUT": value}) for value in ("0", "False", "n")),
    *(Case(f"PIP_NO_INPUT={value}", False, {"PIP_NO_INPUT": value}) for value in ("yes",)),
    Case("disabled", False, {**AUTO, "PIP_KEYRING_PROVIDER": "disabled"}),
    Case("disabled in the file", False, AUTO, files=from_file("[global]\nkeyring-provider = disabled\n")),
    Case("a variable against the file", True, SUBPROCESS, files=from_file("[global]\nkeyring-provider = disabled\n")),
    Case("no questions in the file", False, AUTO, files=from_file("[install]\nno-input = true\n")),
    Case("questions in the file", True, AUTO, files=from_file("[install]\nno-input = False\n")),
    Case(
        "a section for installing against one for all",
        True,
        AUTO,
        files={
            **from_file("[global]\nkeyring-provider = disabled\n"),
            ".pip/pip.conf": "[install]\nkeyring-provider=auto\n",
        },
    ),
    Case("an unknown provider", False, {**AUTO, "PIP_KEYRING_PROVIDER": "Import"}, path=("client",)),
    Case("an unknown provider in the file", False, AUTO, files=from_file("[global]\nkeyring-provider = native\n")),
    Case(
        "an unknown provider behind a variable", False, SUBPROCESS, files=from_file("[global]\nkeyring-provider = x\n")
    ),
    Case("a password in the URL", False, SUBPROCESS, user="frodo:withdrawn"),
    Case("no keyring", False, SUBPROCESS, path=("tool",)),
    Case("no keyring, by its own choice", False, AUTO, path=("tool",)),
    Case("a keyring without ringbearer", False, SUBPROCESS, path=("tool", "client_without")),
    Case("Python's keyring", True, SUBPROCESS, path=("tool", "client")),
    Case("a keyring to import that is not there", False, {"PIP_KEYRING_PROVIDER": "import"}),
    Case("a keyring to import", True, {"PIP_KEYRING_PROVIDER": "import"}, path=("client",)),
    Case("a keyring beside it, by its own choice", True, AUTO, path=("client",)),
    Case("a keyring beside it without ringbearer", False, AUTO, path=("client_without", "native")),
    Case("a command, not what is beside it", True, SUBPROCESS, path=("client_without", "native")),
    Case("an old pip", True, SUBPROCESS, path=("pip_26_1", "native")),
    Case("an old pip without a user name", False, SUBPROCESS, user="", path=("pip_26_1", "native")),
    Case("an old pip without a user name that imports", True, AUTO, user="", path=("pip_26_1", "native")),
    Case("another backend", False, {**SUBPROCESS, "PYTHON_KEYRING_BACKEND": NULL}),
    Case("another backend beside it", False, {**AUTO, "PYTHON_KEYRING_BACKEND": NULL}, path=("client",)),
    Case(
        "another index's backend",
        False,
        {**AUTO, "PYTHON_KEYRING_BACKEND": "ringbearer.backends.ChainguardLibrariesKeyring"},
        path=("client",),
    ),
    Case(
        "a stale entry of netrc",
        True,
        SUBPROCESS,
        files={".netrc": "machine pkgs.dev.azure.com login frodo password withdrawn\n"},
    ),
]


@pytest.fixture
def agree(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> Callable[..., None]:
    """Installs with pip, runs the doctor, and compares."""

    def agree(pip: str, path: list[str], installs: bool, user: str, **variables: str | None) -> None:
        url = cloud.azure.feed.url()
        settings = {"PIP_CONFIG_FILE": None, "PIP_INDEX_URL": with_user_name(url, user) if user else url, **variables}
        command = [pip, "install", "--target", "packages", "greetings"]
        ended = doctor.native.run(command, doctor.environment(path, **settings), 20)
        assert (ended.code == 0) is installs, ended
        # uv is configured to ask, so the summary is about pip.
        found = doctor.examine(path=path, UV_KEYRING_PROVIDER="subprocess", **settings)
        assert found.titles == [url]
        said = [one for name in ("keyring's choice", "netrc", "pip") for one in found.findings(name)]
        assert all(one.state in ("good", "note") for one in said) is installs, said

    return agree


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_pip_installs_if_the_doctor_says_so_and_only_then(
    doctor: Doctor, request: pytest.FixtureRequest, agree: Callable[..., None], case: Case
) -> None:
    for name, text in case.files.items():
        write(doctor.home / name, text)
    clients = [request.getfixturevalue(name) for name in case.path]
    agree(clients[0].program("pip"), [client.bin for client in clients], case.installs, case.user, **case.variables)


def environment_of_uv(doctor: Doctor, tool: Client, folder: Path) -> Path:
    """An environment that the real uv made, with a command `pip` that the real uv wrote. Returns the folder of its
    programs.
    """
    made = wheel("pip-command", source="from pip._internal.cli.main import main\n")
    package = folder.parent / made.file_name
    package.write_bytes(made.content)
    with zipfile.ZipFile(package, "a") as archive:
        archive.writestr("pip_command-1.0.dist-info/entry_points.txt", "[console_scripts]\npip = pip_command:main\n")
    environment = doctor.environment()
    tool.run(["uv", "venv", "--no-project", "--python", tool.python, folder], environment).check()
    options = ["--python", folder / "bin" / "python", "--offline", "--no-index"]
    tool.run(["uv", "pip", "install", *options, package], environment).check()
    # pip itself is that of the other environment.
    [here], [there] = ([*Path(one).glob("lib/*/site-packages")] for one in (folder, tool.directory))
    (here / "pip.pth").write_text(f"{there}\n")
    return folder / "bin"


def test_keyring_beside_pip_is_not_run_by_pip(
    doctor: Doctor, native: Client, tool: Client, tmp_path: Path, agree: Callable[..., None]
) -> None:
    # It looks for a command outside its own environment, from which it would import keyring.
    folder = environment_of_uv(doctor, tool, tmp_path / "environment")
    os.symlink(native.program("keyring"), folder / "keyring")
    agree(str(folder / "pip"), [str(folder)], False, "VssSessionToken", **SUBPROCESS)


def test_a_keyring_behind_the_one_beside_pip_is_run(
    doctor: Doctor, native: Client, tool: Client, tmp_path: Path, agree: Callable[..., None]
) -> None:
    folder = environment_of_uv(doctor, tool, tmp_path / "environment")
    os.symlink(native.program("keyring"), folder / "keyring")
    agree(str(folder / "pip"), [str(folder), native.bin], True, "VssSessionToken", **SUBPROCESS)


def test_a_pip_in_a_folder_with_a_blank_is_understood(
    doctor: Doctor, native: Client, tool: Client, tmp_path: Path, agree: Callable[..., None]
) -> None:
    folder = environment_of_uv(doctor, tool, tmp_path / "an environment")
    agree(str(folder / "pip"), [str(folder), native.bin], True, "VssSessionToken", **SUBPROCESS)

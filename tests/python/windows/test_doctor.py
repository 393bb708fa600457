"""`ringbearer doctor` on Windows: where tools keep their settings, which programs they are, and how fixes are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.windows.user import WindowsUser
from support.doctor import Examination
from support.tool_settings import write
from support.windows_programs import old_uv_launcher, pip_launcher, stand_in, uv_launcher

#: An index whose registry is not reached without a login.
URL = "https://libraries.cgr.dev/python/simple/"
NAMED = "https://_token@libraries.cgr.dev/python/simple/"

#: A proxy where nobody listens.
NO_NETWORK = {"HTTPS_PROXY": "http://127.0.0.1:9", "RINGBEARER_TIMEOUT": "20"}

#: What PSModulePath is in cmd.exe, and what PowerShell adds.
OF_THE_MACHINE = "C:\\Program Files\\WindowsPowerShell\\Modules;C:\\windows\\system32\\WindowsPowerShell\\v1.0\\Modules"
OF_POWERSHELL = "C:\\Users\\ada\\Documents\\WindowsPowerShell\\Modules;" + OF_THE_MACHINE
IN_POWERSHELL = {"PSModulePath": OF_POWERSHELL, "PROMPT": "$P$G"}
IN_CMD = {"PSModulePath": OF_THE_MACHINE, "PROMPT": "$P$G"}

VECTORS = Path(__file__).parents[2] / "vectors" / "ssh-agent"

Examine = Callable[..., Examination]


@pytest.fixture
def examine(user: WindowsUser, tmp_path: Path) -> Examine:
    """Runs `doctor --json` without a network. PATH begins with the directory `bin`."""
    user.path.append(tmp_path / "bin")

    def examine(*arguments: str, **variables: str | None) -> Examination:
        ended = user.run("ringbearer", "doctor", "--json", *arguments, variables={**NO_NETWORK, **variables})
        return Examination(ended, json.loads(ended.stdout))

    return examine


@pytest.fixture
def bin(tmp_path: Path) -> Path:
    """The first directory on PATH."""
    return tmp_path / "bin"


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """An interpreter that says that ringbearer, but not keyring, is installed beside pip 26.2."""
    return stand_in(tmp_path / "Program Files" / "env" / "python.exe", "1 0 26.2\n")


# -- settings


def test_uv_settings_are_in_the_roaming_folder(examine: Examine, user: WindowsUser, bin: Path) -> None:
    stand_in(bin / "uv.exe", "")
    path = write(user.app_data / "uv" / "uv.toml", 'keyring-provider = "disabled"\n')
    found = examine(URL).finding("uv")
    assert found.detail == f"does not ask a keyring: disabled by {user.wine.path(path)}"
    assert found.fix == '$env:UV_KEYRING_PROVIDER = "subprocess"'


def test_uv_settings_of_the_machine_are_in_program_data(
    examine: Examine, user: WindowsUser, bin: Path, tmp_path: Path
) -> None:
    stand_in(bin / "uv.exe", "")
    path = write(tmp_path / "data" / "uv" / "uv.toml", 'keyring-provider = "disabled"\n')
    found = examine(URL, PROGRAMDATA=user.wine.path(tmp_path / "data")).finding("uv")
    assert found.detail.endswith(f"disabled by {user.wine.path(path)}")


def test_uv_settings_are_not_in_the_folder_of_unix(examine: Examine, user: WindowsUser, bin: Path) -> None:
    stand_in(bin / "uv.exe", "")
    write(user.home / ".config" / "uv" / "uv.toml", 'keyring-provider = "disabled"\n')
    assert examine(URL).finding("uv").detail == "does not ask a keyring"


@pytest.mark.parametrize("place", ["roaming", "old", "machine"])
def test_pip_settings_are_in_ini_files(
    examine: Examine, user: WindowsUser, bin: Path, python: Path, tmp_path: Path, place: str
) -> None:
    pip_launcher(bin / "pip.exe", user.wine.path(python))
    folder = {"roaming": user.app_data, "old": user.home, "machine": tmp_path / "data"}[place]
    path = write(folder / "pip" / "pip.ini", "[global]\nkeyring-provider = disabled\n")
    found = examine(URL, PROGRAMDATA=user.wine.path(tmp_path / "data")).finding("pip")
    assert found.detail == f"asks no keyring: disabled by {user.wine.path(path)}"
    assert found.fix == '$env:PIP_KEYRING_PROVIDER = "import"'


def test_indexes_in_the_settings_of_pip_are_examined(examine: Examine, user: WindowsUser) -> None:
    path = write(user.app_data / "pip" / "pip.ini", f"[global]\nindex-url = {NAMED}\n")
    found = examine()
    assert found.titles == [URL]
    assert found.finding("address").detail.endswith(f"set up in {user.wine.path(path)}")


def test_poetry_settings_are_in_the_roaming_folder(examine: Examine, user: WindowsUser, bin: Path) -> None:
    stand_in(bin / "poetry.exe", "")
    path = write(user.app_data / "pypoetry" / "config.toml", "[keyring]\nenabled = false\n")
    found = examine(URL).finding("Poetry")
    assert found.detail == f"asks no keyring: disabled by {user.wine.path(path)}"


def test_poetry_settings_are_in_the_folder_of_the_variable(
    examine: Examine, user: WindowsUser, bin: Path, tmp_path: Path
) -> None:
    stand_in(bin / "poetry.exe", "")
    path = write(tmp_path / "corp" / "config.toml", "[keyring]\nenabled = false\n")
    found = examine(URL, POETRY_CONFIG_DIR=user.wine.path(tmp_path / "corp")).finding("Poetry")
    assert found.detail == f"asks no keyring: disabled by {user.wine.path(path)}"


def test_twine_settings_are_in_the_home_directory(examine: Examine, user: WindowsUser, bin: Path) -> None:
    stand_in(bin / "twine.exe", "")
    section = f"[corp]\nrepository = {URL}\nusername = ada\npassword = mellon\n"
    path = write(user.home / ".pypirc", f"[distutils]\nindex-servers = corp\n{section}")
    found = examine(URL).finding("twine")
    assert found.detail == f"{user.wine.path(path)} has a password for it: no keyring is asked"


def test_the_choice_of_keyring_is_in_the_local_folder(examine: Examine, user: WindowsUser) -> None:
    text = "[backend]\ndefault-keyring = keyring.backends.Windows.WinVaultKeyring\n"
    path = write(user.local_app_data / "Python Keyring" / "keyringrc.cfg", text)
    found = examine(URL).finding("keyring's choice")
    assert found.state == "bad"
    assert found.detail.startswith(f"{user.wine.path(path)}, line 2, makes keyring ask only keyring.backends.Windows")


# -- programs


def test_launchers_of_pip_name_their_interpreter(examine: Examine, user: WindowsUser, bin: Path, python: Path) -> None:
    for tool in ("pip", "twine", "poetry", "tox"):
        pip_launcher(bin / f"{tool}.exe", user.wine.path(python))
    found = examine(URL, PIP_KEYRING_PROVIDER="import")
    assert found.finding("pip").detail == f"asks ringbearer in its environment ({user.wine.path(python)})"
    for tool in ("twine", "Poetry", "tox"):
        expected = f"has ringbearer in its environment ({user.wine.path(python)})"
        assert found.finding(tool).detail == expected, tool


def test_launchers_of_uv_name_their_interpreter(examine: Examine, user: WindowsUser, bin: Path, python: Path) -> None:
    uv_launcher(bin / "twine.exe", user.wine.path(python))
    old_uv_launcher(bin / "tox.exe", user.wine.path(python))
    found = examine(URL)
    for tool in ("twine", "tox"):
        assert found.finding(tool).detail == f"has ringbearer in its environment ({user.wine.path(python)})", tool


def test_other_launchers_have_python_in_the_folder_above(examine: Examine, user: WindowsUser, tmp_path: Path) -> None:
    python = stand_in(tmp_path / "Python312" / "python.exe", "1 0 26.2\n")
    stand_in(tmp_path / "Python312" / "Scripts" / "tox.exe", "")
    user.path.append(tmp_path / "Python312" / "Scripts")
    assert examine(URL).finding("tox").detail == f"has ringbearer in its environment ({user.wine.path(python)})"


def test_the_native_keyring_is_recognised(examine: Examine, user: WindowsUser) -> None:
    found = examine(URL).finding("keyring")
    assert found.state == "good"
    assert found.detail == f"{user.wine.path(user.programs / 'keyring.exe')} (native)"


def test_another_keyring_exe_with_ringbearer_is_not_native(examine: Examine, user: WindowsUser, bin: Path) -> None:
    keyring = stand_in(bin / "keyring.exe", "ringbearer.backends.ChainguardLibrariesKeyring (priority: 9)\n")
    found = examine(URL).finding("keyring")
    assert found.detail == f"{user.wine.path(keyring)} (a script with ringbearer)"


def test_a_keyring_exe_without_ringbearer_is_bad(examine: Examine, bin: Path) -> None:
    stand_in(bin / "keyring.exe", "keyring.backends.Windows.WinVaultKeyring (priority: 5)\n")
    assert examine(URL).finding("keyring").state == "bad"


# -- fixes


@pytest.mark.parametrize(
    ("variables", "set_it", "unset_it"),
    [
        ({}, '$env:UV_KEYRING_PROVIDER = "subprocess"', "Remove-Item Env:TWINE_PASSWORD"),
        (IN_POWERSHELL, '$env:UV_KEYRING_PROVIDER = "subprocess"', "Remove-Item Env:TWINE_PASSWORD"),
        (IN_CMD, "set UV_KEYRING_PROVIDER=subprocess", "set TWINE_PASSWORD="),
        ({"MSYSTEM": "MINGW64"}, "export UV_KEYRING_PROVIDER=subprocess", "unset TWINE_PASSWORD"),
    ],
    ids=["unknown", "powershell", "cmd", "git-bash"],
)
def test_fixes_are_typed_in_the_shell_in_use(
    examine: Examine, bin: Path, variables: dict[str, str], set_it: str, unset_it: str
) -> None:
    stand_in(bin / "uv.exe", "")
    stand_in(bin / "twine.exe", "")
    found = examine(URL, TWINE_PASSWORD="mellon", **variables)
    assert (found.fix("uv"), found.fix("twine")) == (set_it, unset_it)


def test_commands_with_blanks_in_paths_can_be_pasted(
    examine: Examine, user: WindowsUser, bin: Path, tmp_path: Path
) -> None:
    python = stand_in(tmp_path / "Program Files" / "python.exe", "0 1 26.2\n")
    pip_launcher(bin / "pip.exe", user.wine.path(python))
    command = f'"{user.wine.path(python)}" -m pip install ringbearer'
    assert examine(URL).fix("pip") == f"& {command}"
    assert examine(URL, **IN_CMD).fix("pip") == command


def test_the_store_without_an_agent_says_what_to_start(examine: Examine, user: WindowsUser) -> None:
    made = (VECTORS / "ed25519" / "store-0.6.0.json").read_text(encoding="utf-8")
    store = write(user.home / ".local" / "share" / "ssh-agent-keyring" / "store.json", made)
    found = examine(URL).finding("store")
    assert found.detail == f"{user.wine.path(store)} is locked: no ssh-agent answers"
    assert found.fix.startswith("run `Start-Service ssh-agent`; ")


def test_a_password_without_a_store_is_refused_with_what_to_do(user: WindowsUser) -> None:
    ended = user.run("keyring", "set", "service", "ada", input="mellon\n")
    assert ended.code == 1
    assert "with the service ssh-agent (`Start-Service ssh-agent`)" in ended.stderr
    assert "SSH_AUTH_SOCK" not in ended.stderr


# -- the report


def test_folders_of_windows_are_no_settings(examine: Examine) -> None:
    found = examine(URL, HOMEDRIVE="C:", HOMEPATH="\\users\\ada", CHAINCTL_PARENT="corp")
    names = found.finding("variables").detail.split(", ")
    assert "CHAINCTL_PARENT" in names and "HTTPS_PROXY" in names
    assert not {"HOMEDRIVE", "HOMEPATH", "USERPROFILE", "APPDATA", "LOCALAPPDATA"} & set(names)


def test_paths_are_printed_as_people_write_them(user: WindowsUser) -> None:
    path = write(user.home / ".azure" / "azureProfile.json", "{}")
    url = "https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/"
    given = {**NO_NETWORK, "AZURE_CONFIG_DIR": "~/.azure"}
    ended = user.run("ringbearer", "doctor", url, variables=given)
    [line] = [line for line in ended.stdout.splitlines() if line.split()[1:2] == ["files"]]
    assert line.endswith(f" {user.wine.path(path)}"), line
    assert "\\\\" not in ended.stdout and "/.azure" not in ended.stdout, ended.stdout

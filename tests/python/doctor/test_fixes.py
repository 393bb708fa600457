"""The fixes of the doctor: after the printed command, the real uv and pip install."""

from __future__ import annotations

import dataclasses
import io
import os
import re
import shlex
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.packages import Package, wheel
from support.azure_user import AzureUser, with_user_name
from support.doctor import Doctor
from support.tool_settings import uv_index, write
from support.uv_project import locked_project

UV = {"UV_KEYRING_PROVIDER": "subprocess"}
PIP = {"PIP_KEYRING_PROVIDER": "subprocess"}
NULL = "keyring.backends.null.Keyring"


class Patient:
    """A user who follows the doctor's advice and tries again."""

    def __init__(self, doctor: Doctor, tool: Client, url: str) -> None:
        self.doctor = doctor
        self.tool = tool
        self.url = url
        self.path: list[str] = [doctor.native.bin, tool.bin]
        self.variables: dict[str, str | None] = {"UV_PYTHON": tool.python}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of all programs."""
        return self.doctor.environment(self.path, **self.variables)

    def uv(self) -> Completed:
        """An installation by uv, with its settings files."""
        return self.tool.run(["uv", "pip", "install", "--target", "by-uv", "greetings"], self.environment)

    def pip(self, program: str | None = None, url: str | None = None) -> Completed:
        """An installation by pip, from the index or another spelling of it."""
        program = program or self.tool.program("pip")
        words = [program, "install", "--target", "by-pip", "--index-url", url or with_user_name(self.url), "greetings"]
        return self.tool.run(words, self.environment)

    def fix(self, name: str) -> str:
        """The fix that the doctor prints for a tool."""
        return self.doctor.examine(self.url, path=self.path, **self.variables).fix(name)

    def take(self, line: str) -> None:
        """Run a shell command."""
        command, *words = shlex.split(line)
        assert command in ("export", "unset"), line
        for word in words:
            name, _, value = word.partition("=")
            self.variables[name] = value if command == "export" else None


@pytest.fixture
def patient(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, tool: Client) -> Patient:
    """With uv, its own pip and the native `keyring` on PATH."""
    return Patient(doctor, tool, cloud.azure.feed.url())


@pytest.fixture
def wheels(request: pytest.FixtureRequest, cli_wheel: str, tmp_path: Path) -> dict[str, str]:
    """The variables with which uv and pip find this ringbearer, dummy keyring and twine packages, and nothing else."""
    others = tmp_path / "wheels"
    others.mkdir()
    for package in (command("twine"), wheel("keyring", "25.7.0")):
        (others / package.file_name).write_bytes(package.content)
    ours = {os.path.dirname(cli_wheel), os.path.dirname(request.getfixturevalue("wheel"))}
    folders = [*sorted(ours), str(others)]
    offline = {"UV_OFFLINE": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": ",".join(folders)}
    return {**offline, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": " ".join(folders)}


def command(name: str) -> Package:
    """A package with a command of the same name that does nothing."""
    made = wheel(name, source="def main():\n    pass\n")
    stream = io.BytesIO(made.content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(f"{name}-1.0.dist-info/entry_points.txt", f"[console_scripts]\n{name} = {name}:main\n")
    return dataclasses.replace(made, content=stream.getvalue())


# -- uv


@pytest.mark.parametrize("choice", [0, 1], ids=["the URL", "the variable"])
def test_the_user_name_that_uv_lacks(patient: Patient, home: Path, choice: int) -> None:
    write(home / "uv.toml", uv_index(patient.url, "contoso"))
    patient.variables.update(UV)
    assert patient.uv().code != 0
    line = patient.fix("uv").split(", or ")[choice]
    if line.startswith("url = "):
        line, _, file = line.partition(" in ")
        write(Path(file), re.sub("^url = .*$", lambda _: line, uv_index(patient.url, "contoso"), flags=re.M))
    else:
        patient.take(line)
    patient.uv().check()


def test_the_provider_that_uv_does_not_know(patient: Patient, home: Path) -> None:
    write(home / "uv.toml", 'keyring-provider = "import"\n' + uv_index(with_user_name(patient.url), "contoso"))
    assert "unknown variant" in patient.uv().stderr
    line, _, file = patient.fix("uv").partition(" in ")
    write(Path(file), line + "\n" + uv_index(with_user_name(patient.url), "contoso"))
    patient.uv().check()


@pytest.mark.parametrize("settings", ["", 'keyring-provider = "disabled"\n'], ids=["missing", "disabled"])
def test_the_provider_that_uv_lacks(patient: Patient, home: Path, settings: str) -> None:
    write(home / "uv.toml", settings + uv_index(with_user_name(patient.url), "contoso"))
    assert patient.uv().code != 0
    patient.take(patient.fix("uv"))
    patient.uv().check()


def test_the_password_that_uv_has_in_the_url(patient: Patient, home: Path) -> None:
    write(home / "uv.toml", uv_index(with_user_name(patient.url, "frodo:withdrawn"), "contoso"))
    patient.variables.update(UV)
    assert patient.uv().code != 0
    assert patient.fix("uv") == f"remove the password from the URL in {home / 'uv.toml'}"
    write(home / "uv.toml", uv_index(with_user_name(patient.url, "frodo"), "contoso"))
    patient.uv().check()


def test_the_password_that_uv_has_in_a_variable(patient: Patient, home: Path) -> None:
    write(home / "uv.toml", uv_index(patient.url, "contoso"))
    patient.variables.update(UV, UV_INDEX_CONTOSO_USERNAME="frodo", UV_INDEX_CONTOSO_PASSWORD="withdrawn")
    assert patient.uv().code != 0
    patient.take(patient.fix("uv"))
    patient.uv().check()


@pytest.mark.parametrize(
    "service", ["pkgs.dev.azure.com", "https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/"]
)
@pytest.mark.parametrize("name", ["VssSessionToken", "__token__"])
def test_the_password_that_uv_has_stored(patient: Patient, home: Path, service: str, name: str) -> None:
    write(home / "uv.toml", uv_index(with_user_name(patient.url, name), "contoso"))
    patient.variables.update(UV)
    words = ["uv", "auth", "login", service, "--username", name, "--password", "withdrawn"]
    patient.tool.run(words, patient.environment).check()
    assert patient.uv().code != 0
    command = patient.fix("uv")
    assert command.startswith("uv auth logout https://pkgs.dev.azure.com/")
    patient.tool.run(shlex.split(command), patient.environment).check()
    patient.uv().check()


@pytest.mark.parametrize("choice", [0, 1], ids=["the URL", "the variable"])
def test_the_user_name_that_a_lock_file_needs(
    cloud: PracticeCloud, patient: Patient, tool: Client, tmp_path: Path, choice: int
) -> None:
    project = locked_project(tmp_path / "shop", cloud, tool, patient.url)
    project.configure(patient.url, 'authenticate = "always"')
    patient.variables.update(UV)

    def sync() -> Completed:
        return tool.run(["uv", "sync"], patient.environment, directory=project.directory)

    assert sync().code != 0
    found = patient.doctor.examine(path=patient.path, directory=project.directory, **patient.variables)
    line = found.fix("uv").split(", or ")[choice]
    if line.startswith("url = "):
        assert line.endswith(f" in {project.directory / 'pyproject.toml'}")
        project.configure(shlex.split(line)[2], 'authenticate = "always"')
    else:
        patient.take(line)
    sync().check()
    assert project.has_installed("greetings", "hello_private")


def test_the_entry_of_netrc(patient: Patient, home: Path) -> None:
    write(home / "uv.toml", uv_index(with_user_name(patient.url), "contoso"))
    before = "machine a.example login b password c\n"
    entry = "machine pkgs.dev.azure.com\n  login VssSessionToken\n  password withdrawn\n"
    write(home / ".netrc", before + entry)
    patient.variables.update(UV)
    assert patient.uv().code != 0
    assert "`machine pkgs.dev.azure.com`" in patient.fix("uv")
    write(home / ".netrc", before)
    patient.uv().check()
    assert patient.doctor.examine(patient.url, path=patient.path).findings("netrc") == []


# -- the keyring


def test_the_variable_that_chooses_another_backend(patient: Patient) -> None:
    patient.variables.update(PIP, PYTHON_KEYRING_BACKEND=NULL)
    assert patient.pip().code != 0
    patient.take(patient.fix("keyring's choice"))
    patient.pip().check()


def test_the_file_that_chooses_another_backend(patient: Patient, home: Path) -> None:
    file = home / ".config" / "python_keyring" / "keyringrc.cfg"
    write(file, f"[backend]\ndefault-keyring = {NULL}\n")
    patient.variables.update(PIP)
    assert patient.pip().code != 0
    fix = patient.fix("keyring's choice")
    assert fix.startswith("in line 2, write `")
    write(file, "[backend]\n{}\n".format(fix.split("`")[1]))
    patient.pip().check()


@pytest.mark.parametrize("other", [False, True], ids=["none", "another"])
def test_the_keyring_that_is_not_on_path(
    patient: Patient, home: Path, wheels: dict[str, str], client_without: Client, other: bool
) -> None:
    write(home / "uv.toml", uv_index(with_user_name(patient.url), "contoso"))
    patient.path = [*([client_without.bin] if other else []), patient.tool.bin]
    patient.variables.update({**UV, **PIP})
    assert patient.uv().code != 0
    line = patient.fix("keyring").partition(",")[0]
    made = {"UV_TOOL_BIN_DIR": str(home / "bin"), "UV_TOOL_DIR": str(home / "tools")}
    environment = {**patient.environment, **wheels, **made}
    patient.tool.run(["/bin/sh", "-c", line], environment).check()
    patient.path.insert(0, str(home / "bin"))
    patient.uv().check()
    patient.pip().check()


# -- pip


def test_the_questions_that_pip_may_not_ask(patient: Patient) -> None:
    patient.variables["PIP_NO_INPUT"] = "1"
    assert patient.pip().code != 0
    patient.take(patient.fix("pip"))
    patient.pip().check()


@pytest.mark.parametrize("place", ["variable", "file"])
def test_the_provider_that_pip_does_not_know(patient: Patient, home: Path, place: str) -> None:
    file = home / ".config" / "pip" / "pip.conf"
    if place == "file":
        write(file, "[global]\nkeyring-provider = native\n")
        patient.variables.update(PIP_CONFIG_FILE=None)
    patient.variables.update(PIP_NO_INPUT=None, PIP_KEYRING_PROVIDER="native" if place == "variable" else None)
    assert "invalid choice: 'native'" in patient.pip().output
    line, _, where = patient.fix("pip").partition(" in ")
    if place == "file":
        write(Path(where), f"[global]\n{line}\n")
    else:
        patient.take(line)
    patient.pip().check()


@pytest.mark.parametrize("no_input", [None, "1"], ids=["with questions", "without questions"])
def test_pip_with_disabled_provider_is_fixed(patient: Patient, no_input: str | None) -> None:
    patient.variables.update(PIP_KEYRING_PROVIDER="disabled", PIP_NO_INPUT=no_input)
    assert patient.pip().code != 0
    patient.take(patient.fix("pip"))
    patient.pip().check()


def test_the_user_name_that_an_old_pip_needs(patient: Patient, caller: Callable[[str], Client]) -> None:
    old = caller("pip-26.1")
    patient.path = [patient.doctor.native.bin, old.bin]
    patient.variables.update(PIP)
    assert patient.pip(old.program("pip"), patient.url).code != 0
    option, url = shlex.split(patient.fix("pip").partition(", or ")[0])
    assert option == "--index-url"
    patient.pip(old.program("pip"), url).check()


@pytest.fixture
def environment_without(client_without: Client, tmp_path: Path, patient: Patient) -> Path:
    """An environment with pip and keyring of another one, without ringbearer. Returns its program directory."""
    folder = tmp_path / "environment"
    patient.tool.run(["uv", "venv", "--no-project", folder], patient.environment).check()
    [here], [there] = ([*Path(one).glob("lib/*/site-packages")] for one in (folder, client_without.directory))
    (here / "others.pth").write_text(f"{there}\n")
    for name, module in (("pip", "pip"), ("twine", "twine")):
        text = f"#!{folder}/bin/python\nimport runpy\nrunpy.run_module({module!r}, run_name='__main__')\n"
        write(folder / "bin" / name, text).chmod(0o755)
    return folder / "bin"


@pytest.mark.parametrize("provider", ["auto", "import", "subprocess"])
def test_the_ringbearer_that_pip_has_not_beside_it(
    patient: Patient, environment_without: Path, wheels: dict[str, str], provider: str
) -> None:
    patient.path = [str(environment_without)]
    patient.variables.update(PIP_KEYRING_PROVIDER=provider, PIP_NO_INPUT=None)
    pip = str(environment_without / "pip")
    assert patient.pip(pip).code != 0
    line = patient.fix("pip")
    made = {"UV_TOOL_BIN_DIR": str(patient.doctor.home / "bin"), "UV_TOOL_DIR": str(patient.doctor.home / "tools")}
    environment = {**patient.environment, **wheels, **made}
    environment["PATH"] += os.pathsep + patient.tool.bin
    patient.tool.run(["/bin/sh", "-c", line], environment).check()
    patient.path.append(str(patient.doctor.home / "bin"))
    patient.pip(pip).check()


@pytest.mark.parametrize("has_pip", [True, False], ids=["with pip", "without pip"])
def test_the_ringbearer_that_twine_has_not_beside_it(
    patient: Patient, environment_without: Path, wheels: dict[str, str], has_pip: bool
) -> None:
    # Environments of uv and pipx have no pip.
    if not has_pip:
        next(environment_without.parent.glob("lib/*/site-packages")).joinpath("others.pth").unlink()
    patient.path = [patient.doctor.native.bin, str(environment_without), patient.tool.bin]
    line = patient.fix("twine")
    environment = {**patient.environment, **wheels}
    patient.tool.run(["/bin/sh", "-c", line], environment).check()
    found = patient.doctor.examine(patient.url, path=patient.path, **patient.variables)
    assert found.finding("twine").state == "good"


@pytest.mark.parametrize("folder", [".local/share/uv/tools", "tools"], ids=["where uv has them", "elsewhere"])
def test_the_ringbearer_that_a_tool_of_uvs_has_not_beside_it(
    patient: Patient, home: Path, wheels: dict[str, str], folder: str
) -> None:
    made = {"UV_TOOL_BIN_DIR": str(home / "bin"), "UV_TOOL_DIR": str(home / folder)}
    environment = {**patient.environment, **wheels, **made}
    patient.tool.run(["uv", "tool", "install", "twine"], environment).check()
    patient.path = [patient.doctor.native.bin, str(home / "bin"), patient.tool.bin]
    patient.tool.run(["/bin/sh", "-c", patient.fix("twine")], environment).check()
    found = patient.doctor.examine(patient.url, path=patient.path, **patient.variables)
    assert found.finding("twine").state == "good", found.finding("twine")

"""The doctor's verdict on Poetry is what the real Poetry does with the same settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, TOOLS, Doctor
from support.poetry_project import poetry_project
from support.tool_settings import write

AUTH, CONFIG, LOCAL = ".config/pypoetry/auth.toml", ".config/pypoetry/config.toml", "shop/poetry.toml"
VARIABLE = "POETRY_HTTP_BASIC_CONTOSO_PASSWORD"
NO_PASSWORD = '[http-basic.contoso]\nusername = "alice"\n'


def basic(name: str, password: str = "withdrawn") -> str:
    """A user name and a password for a source."""
    return f'[http-basic.{name}]\nusername = "alice"\npassword = "{password}"\n'


def repository(name: str, url: str = "{}") -> str:
    """A repository for uploads, at the index unless another URL is given."""
    return f'[repositories.{name}]\nurl = "{url}"\n'


@dataclass
class Case:
    """How Poetry is set up, and whether it locks the project."""

    name: str
    locks: bool
    #: Files in the home directory.
    files: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    #: The user information in the URL of the source.
    user: str = ""


CASES = [
    Case(
        "settings for others",
        True,
        {
            AUTH: NO_PASSWORD + basic("other"),
            CONFIG: repository("other", "https://pkgs.dev.azure.com/fabrikam/_packaging/tools/pypi/upload"),
        },
        {"POETRY_PYPI_TOKEN_CONTOSO": "withdrawn"},
    ),
    Case("an empty variable", True, {AUTH: basic("contoso")}, {VARIABLE: ""}),
    Case("a password in the URL", False, user="alice:withdrawn"),
    Case("a repository at the index", False, {AUTH: basic("other"), CONFIG: repository("other")}),
    Case(
        "a repository at the index in a variable",
        False,
        variables={"POETRY_REPOSITORIES_OTHER_URL": "{}", "POETRY_HTTP_BASIC_OTHER_PASSWORD": "withdrawn"},
    ),
    Case(
        "a repository for uploads to the organisation",
        False,
        {
            AUTH: basic("other"),
            CONFIG: repository("other", "https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/upload"),
        },
    ),
    Case("keyring disabled in poetry.toml", False, {LOCAL: "[keyring]\nenabled = false\n"}),
]


@pytest.fixture
def url(cloud: PracticeCloud, azure_user: AzureUser) -> str:
    """The index of a user who is logged in."""
    return cloud.azure.feed.url()


@pytest.fixture
def lock(doctor: Doctor, poetry: Client) -> Callable[..., Completed]:
    """Locks the project."""

    def lock(**variables: str) -> Completed:
        environment = doctor.environment([poetry.bin], POETRY_NO_INTERACTION="1", **variables)
        return poetry.run(["poetry", "lock"], environment, directory=doctor.home / "shop")

    return lock


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_poetry_locks_if_the_doctor_says_so_and_only_then(
    doctor: Doctor, native: Client, poetry: Client, url: str, lock: Callable[..., Completed], case: Case
) -> None:
    source = with_user_name(url, case.user) if case.user else url
    write(doctor.home / "shop" / "pyproject.toml", poetry_project(source, "contoso"))
    for name, text in case.files.items():
        write(doctor.home / name, text.replace("{}", url))
    variables = {name: value.replace("{}", url) for name, value in case.variables.items()}
    ended = lock(**variables)
    assert (ended.code == 0) is case.locks, ended
    path, directory = [native.bin, poetry.bin], doctor.home / "shop"
    found = doctor.examine(url, path=path, directory=directory, **SET_UP, **variables)
    said = found.findings("Poetry")
    assert {one.state for one in said} == {"good" if case.locks else "bad"}, said
    assert "withdrawn" not in found.completed.output


@pytest.mark.parametrize("place", [AUTH, CONFIG, LOCAL, VARIABLE, "pyproject.toml"])
def test_the_password_that_poetry_has_is_removed_by_the_fix(
    doctor: Doctor, native: Client, poetry: Client, url: str, lock: Callable[..., Completed], place: str
) -> None:
    project = doctor.home / "shop" / "pyproject.toml"
    write(project, poetry_project(with_user_name(url) if place == "pyproject.toml" else url, "contoso"))
    variables = {VARIABLE: "withdrawn"} if place == VARIABLE else {}
    if place.endswith(".toml") and place != "pyproject.toml":
        write(doctor.home / place, basic("contoso"))
    assert lock(**variables).code != 0
    path, directory = [native.bin, poetry.bin], doctor.home / "shop"
    found = doctor.examine(url, path=path, directory=directory, **SET_UP, **variables)
    assert "withdrawn" not in found.completed.output
    fix = found.finding("Poetry").fix
    if place == VARIABLE:
        assert fix == f"unset {VARIABLE}"
        variables = {}
    elif place == "pyproject.toml":
        line, _, file = fix.partition(" in ")
        write(Path(file), re.sub("(?m)^url = .*$", lambda _: line, project.read_text()))
    else:
        assert fix == f"remove the line `password` below [http-basic.contoso] in {doctor.home / place}"
        write(doctor.home / place, NO_PASSWORD)
    lock(**variables).check()


def test_the_places_of_poetry_passwords_are_shown(doctor: Doctor, native: Client, poetry: Client, url: str) -> None:
    path, directory = (native.bin, poetry.bin), doctor.home / "shop"
    more = {"path": path, "directory": directory, "section": TOOLS, **SET_UP}
    write(directory / "pyproject.toml", poetry_project(url, "contoso"))
    write(doctor.home / AUTH, basic("contoso"))
    doctor.assert_shows("poetry-password-in-file", url, **more)
    write(directory / "pyproject.toml", poetry_project(with_user_name(url), "contoso"))
    doctor.assert_shows("poetry-user-name-in-url", url, **more)

"""The doctor without a URL: the indexes in the settings of uv and pip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, Doctor
from support.tool_settings import folder_with, uv_index, write

CHAINGUARD = "https://libraries.cgr.dev/python/simple/"

#: A project that uv manages; uv does not read the indexes of other tools.
PYPROJECT = """\
[project]
name = "shop"
version = "0.1"

[[tool.poetry.source]]
name = "other"
url = "https://libraries.cgr.dev/python/simple/"

[[tool.uv.index]]
name = "contoso"
url = "{}"
"""

Place = Callable[[Path, Path, str], dict[str, str]]


def in_file(*parts: str, text: str = "{}") -> Place:
    """A file in the home directory."""

    def put(home: Path, project: Path, url: str) -> dict[str, str]:
        write(home.joinpath(*parts), text.format(url))
        return {}

    return put


def in_project(*parts: str, text: str) -> Place:
    """A file in the project directory or above it."""

    def put(home: Path, project: Path, url: str) -> dict[str, str]:
        write(project.joinpath(*parts), text.format(url))
        return {}

    return put


def in_variable(name: str, text: str = "{}") -> Place:
    """A variable."""
    return lambda home, project, url: {name: text.format(url)}


def in_named_file(variable: str, text: str) -> Place:
    """A file that a variable points to."""
    return lambda home, project, url: {variable: str(write(home / "elsewhere" / "settings", text.format(url)))}


UV_TOML = '[[index]]\nurl = "{}"\n'
PLACES: dict[str, Place] = {
    "PIP_INDEX_URL": in_variable("PIP_INDEX_URL"),
    "PIP_EXTRA_INDEX_URL": in_variable("PIP_EXTRA_INDEX_URL", "https://registry.example/simple/ {}"),
    "pip.conf": in_file(".config", "pip", "pip.conf", text="[global]\nindex-url = {}\n"),
    "old pip.conf": in_file(".pip", "pip.conf", text="[install]\nextra-index-url =\n  https://a.example/\n  {}\n"),
    "PIP_CONFIG_FILE": in_named_file("PIP_CONFIG_FILE", "[global]\nextra-index-url = {}\n"),
    "UV_INDEX": in_variable("UV_INDEX", "one=https://registry.example/simple/ contoso={}"),
    "UV_DEFAULT_INDEX": in_variable("UV_DEFAULT_INDEX", "contoso={}"),
    "UV_INDEX_URL": in_variable("UV_INDEX_URL"),
    "UV_EXTRA_INDEX_URL": in_variable("UV_EXTRA_INDEX_URL"),
    "uv.toml of the user": in_file(".config", "uv", "uv.toml", text=UV_TOML),
    "uv.toml of the user, for uv pip": in_file(".config", "uv", "uv.toml", text='[pip]\nindex-url = "{}"\n'),
    "UV_CONFIG_FILE": in_named_file("UV_CONFIG_FILE", UV_TOML),
    "uv.toml": in_project("uv.toml", text='extra-index-url = ["https://registry.example/", "{}"]\n'),
    "uv.toml of a parent": in_project("..", "uv.toml", text=UV_TOML),
    "pyproject.toml": in_project("pyproject.toml", text=PYPROJECT),
    "pyproject.toml of a parent": in_project("..", "..", "pyproject.toml", text=PYPROJECT),
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A nested working directory with no other settings above it."""
    made = tmp_path / "work" / "shop" / "member"
    made.mkdir(parents=True)
    return made


@pytest.mark.parametrize("place", list(PLACES))
def test_the_index_is_found_and_its_source_is_named(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, project: Path, place: str
) -> None:
    url = cloud.azure.feed.url()
    variables = {"PIP_CONFIG_FILE": None, **PLACES[place](doctor.home, project, with_user_name(url))}
    found = doctor.examine(directory=project, **variables)
    assert (found.titles, found.code) == ([url], 0)
    source = found.finding("address").detail.rpartition(" in ")[2]
    assert source in variables or Path(source).exists(), source
    assert cloud.log.hosts_that_saw(azure_user.bearer) == ["vssps.dev.azure.com"]


def test_each_index_is_examined_once_in_the_order_of_the_tools(
    cloud: PracticeCloud,
    doctor: Doctor,
    azure_user: AzureUser,
    native: Client,
    tool: Client,
    project: Path,
    tmp_path: Path,
) -> None:
    cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token())
    feed, other = with_user_name(cloud.azure.feed.url()), with_user_name(cloud.azure.project_feed.url())
    write(project / "pyproject.toml", PYPROJECT.format(feed))
    write(doctor.home / ".config" / "uv" / "uv.toml", uv_index(f"{CHAINGUARD}", "chainguard"))
    doctor.assert_shows(
        "several-indexes",
        path=[native.bin, folder_with(tmp_path / "uv-alone", tool.program("uv"))],
        directory=project,
        PIP_INDEX_URL=feed,
        PIP_EXTRA_INDEX_URL=f"https://registry.example/simple/ {other}",
        **SET_UP,
    )


def test_one_index_without_a_credential_is_enough_to_fail(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, native: Client, tool: Client
) -> None:
    indexes = f"{with_user_name(cloud.azure.feed.url())} {with_user_name(CHAINGUARD, '_token')}"
    doctor.assert_shows("one-of-two", path=[native.bin, tool.bin], UV_INDEX=indexes, **SET_UP)


def test_no_tool_has_an_index(cloud: PracticeCloud, doctor: Doctor, native: Client, tool: Client) -> None:
    path = [native.bin, tool.bin]
    doctor.assert_shows("no-index", path=path, UV_INDEX="https://registry.example/simple/", **SET_UP)
    assert cloud.log.requests(method="CONNECT") == []


def test_the_nearest_file_of_a_project_counts_as_it_does_for_uv(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, project: Path
) -> None:
    nearest, beside, above = (cloud.azure.contoso.feed(name).url() for name in ("nearest", "beside", "above"))
    write(project / "uv.toml", uv_index(nearest, "nearest"))
    write(project / "pyproject.toml", PYPROJECT.format(beside))
    write(project / ".." / "uv.toml", uv_index(above, "above"))
    assert doctor.examine(directory=project).titles == [nearest]
    (project / "uv.toml").unlink()
    assert doctor.examine(directory=project).titles == [beside]
    write(project / "pyproject.toml", '[project]\nname = "shop"\nversion = "0.1"\n')
    assert doctor.examine(directory=project).titles == [above]


@pytest.mark.parametrize(
    ("value", "titles"), [("1", 0), ("true", 0), ("0", 1), ("false", 1)], ids=["1", "true", "0", "false"]
)
def test_files_that_uv_does_not_read_are_not_read(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, tool: Client, project: Path, value: str, titles: int
) -> None:
    write(project / "uv.toml", uv_index(with_user_name(cloud.azure.feed.url()), "contoso"))
    # uv itself reads the file and asks the index.
    environment = doctor.environment([tool.bin], UV_NO_CONFIG=value, UV_OFFLINE="1", UV_PYTHON=tool.python)
    asked = tool.run(["uv", "-v", "pip", "install", "--dry-run", "greetings"], environment, directory=project)
    assert ("pkgs.dev.azure.com" in asked.stderr) is bool(titles), asked
    assert len(doctor.examine(directory=project, UV_NO_CONFIG=value).titles) == titles


def test_trailing_slash_does_not_make_a_second_uv_index(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, native: Client, tool: Client, project: Path
) -> None:
    url = cloud.azure.feed.url()
    write(project / "uv.toml", uv_index(with_user_name(url), "contoso"))
    for named in (url, url.rstrip("/")):
        found = doctor.examine(named, path=[native.bin, tool.bin], directory=project, **SET_UP)
        assert found.finding("uv").state == "good", found.finding("uv")
    more = {"PIP_INDEX_URL": with_user_name(url.rstrip("/"))}
    assert len(doctor.examine(path=[native.bin, tool.bin], directory=project, **SET_UP, **more).titles) == 1


@pytest.mark.parametrize(
    "text", ["[[index]]\nurl = ", "\x00\xff", "index = 7\n", '[[index]]\nurl = ["a"]\n', "[" * 9999]
)
def test_a_file_that_cannot_be_read_is_passed_over(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, project: Path, text: str
) -> None:
    for place in (project / "uv.toml", project / "pyproject.toml", doctor.home / ".config" / "pip" / "pip.conf"):
        write(place, text)
    found = doctor.examine(directory=project, PIP_CONFIG_FILE=None, UV_INDEX=cloud.azure.feed.url())
    assert (found.titles, found.code) == ([cloud.azure.feed.url()], 0)


def test_settings_that_are_not_a_file_are_skipped_at_once(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, native: Client, client: Client, project: Path
) -> None:
    settings = doctor.home / ".config"
    (settings / "pip").mkdir(parents=True)
    (settings / "uv").mkdir()
    places = [
        doctor.home / ".netrc",
        doctor.home / ".pypirc",
        settings / "pip" / "pip.conf",
        settings / "uv" / "uv.toml",
    ]
    for place in [*places, project / "uv.toml", project / "pyproject.toml"]:
        os.mkfifo(place)
    found = doctor.examine(
        cloud.azure.feed.url(),
        path=[native.bin, client.bin],
        directory=project,
        PIP_CONFIG_FILE=None,
        RINGBEARER_TIMEOUT="9",
    )
    assert found.code == 0 and found.completed.duration < 5
    assert found.finding("twine").state == "good"


def test_index_named_only_by_the_project_gets_no_token(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, home: Path
) -> None:
    write(home / "uv.toml", uv_index(cloud.azure.feed.url(), "contoso"))
    found = doctor.examine()
    assert (found.code, found.finding("registry").state) == (0, "note")
    assert cloud.log.basics() == []
    assert doctor.examine(cloud.azure.feed.url()).finding("registry").state == "good"
    assert len(cloud.log.basics()) == 1

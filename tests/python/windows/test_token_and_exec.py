"""`ringbearer token` and `exec`."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer
from lab.registries import REGISTRIES
from lab.registry import Registry
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.user import WindowsUser
from support.windows_answers import assert_complaint

GIVEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"


@pytest.fixture
def token(cloud_user: WindowsUser, cloud: PracticeCloud) -> str:
    """A token in a variable."""
    made = cloud.azure.contoso.personal_access_token()
    cloud_user.variables[GIVEN] = made
    return made


# -- token


def test_token_is_printed_and_nothing_else(cloud_user: WindowsUser, signed_in: Registry) -> None:
    ended = cloud_user.run("ringbearer", "token", signed_in.index_url).check()
    [token] = signed_in.passwords()
    assert (ended.stdout, ended.stderr) == (token + "\n", "")


def test_output_file_has_the_token_and_stdout_nothing(
    cloud_user: WindowsUser, cloud: PracticeCloud, token: str, tmp_path: Path
) -> None:
    file = tmp_path / "a folder" / "token"
    file.parent.mkdir()
    # It replaces an existing file.
    file.write_text("something that is longer than a token" * 40)
    words = ["token", "--output-file", cloud_user.wine.path(file), cloud.azure.feed.url()]
    ended = cloud_user.run("ringbearer", *words).check()
    assert file.read_text() == token and ended.output == ""
    assert [path.name for path in file.parent.iterdir()] == ["token"]


def test_output_file_in_a_missing_folder_is_named(cloud_user: WindowsUser, cloud: PracticeCloud, token: str) -> None:
    path = "C:\\no such folder\\token"
    ended = cloud_user.run("ringbearer", "token", "--output-file", path, cloud.azure.feed.url())
    assert_complaint(ended, path)
    assert token not in ended.output


def test_token_of_a_foreign_index_is_refused(cloud_user: WindowsUser, token: str) -> None:
    ended = cloud_user.run("ringbearer", "token", "https://example.com/simple/")
    assert_complaint(ended, "example.com is not an index that ringbearer serves")


# -- exec


def test_token_is_in_the_variable_that_is_named(cloud_user: WindowsUser, cloud: PracticeCloud, token: str) -> None:
    words = ["exec", cloud.azure.feed.url(), "--variable", "UV_INDEX_CORP_PASSWORD", "--", "cmd", "/c", "set"]
    assert f"UV_INDEX_CORP_PASSWORD={token}" in cloud_user.run("ringbearer", *words).check().stdout.splitlines()


def test_standard_streams_are_the_commands(
    cloud_user: WindowsUser, cloud: PracticeCloud, token: str, fake_programs: WindowsPrograms
) -> None:
    given = bytes(range(256)) * 1024
    command = fake_programs.command("copy", Answer(stderr="beside", read_stdin=True))
    ended = cloud_user.run("ringbearer", "exec", cloud.azure.feed.url(), "--", *command, input=given).check()
    assert ended.raw_stdout == given and ended.stderr == "beside"


def test_the_working_directory_is_the_callers(
    cloud_user: WindowsUser, cloud: PracticeCloud, token: str, tmp_path: Path
) -> None:
    place = tmp_path / "a place of 'its' own"
    place.mkdir()
    words = ["exec", cloud.azure.feed.url(), "--", "cmd", "/c", "cd"]
    assert cloud_user.run("ringbearer", *words, directory=place).stdout.strip() == cloud_user.wine.path(place)


@pytest.mark.parametrize("code", [0, 1, 7, 126, 255])
def test_it_ends_as_the_command_ends(
    cloud_user: WindowsUser, cloud: PracticeCloud, token: str, fake_programs: WindowsPrograms, code: int
) -> None:
    command = fake_programs.command("tool", Answer(code=code))
    assert cloud_user.run("ringbearer", "exec", cloud.azure.feed.url(), "--", *command).code == code


def test_missing_command_exits_with_127(cloud_user: WindowsUser, cloud: PracticeCloud, token: str) -> None:
    for name in ("not-a-command", ".\\not-there", "C:\\not\\there.exe"):
        ended = cloud_user.run("ringbearer", "exec", cloud.azure.feed.url(), "--", name)
        assert_complaint(ended, f"{name}: ", code=127)
    assert cloud.log.requests() == []


def test_program_in_the_working_directory_is_not_run(
    cloud_user: WindowsUser, cloud: PracticeCloud, token: str, fake_programs: WindowsPrograms, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    fake_programs.program("only-here", Answer("ran"), directory=str(here))
    ended = cloud_user.run("ringbearer", "exec", cloud.azure.feed.url(), "--", "only-here", directory=here)
    assert_complaint(ended, "only-here: not found on PATH", code=127)
    assert fake_programs.invocations() == []


@pytest.mark.parametrize("name", list(REGISTRIES))
def test_without_a_token_the_command_does_not_run(
    cloud_user: WindowsUser, registries: dict[str, Registry], fake_programs: WindowsPrograms, name: str
) -> None:
    registry = registries[name]
    fake_programs.program("tool", Answer("ran"))
    assert_complaint(cloud_user.run("ringbearer", "exec", registry.index_url, "--", "tool"), registry.host)
    assert fake_programs.invocations("tool") == []

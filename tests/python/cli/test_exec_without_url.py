"""`ringbearer exec` without a URL: for the only index of pip and uv."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from support.azure_user import with_user_name
from support.command_line import GIVEN, CommandLine, assert_complaint

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the commands are for POSIX")

FOREIGN = "https://packages.example.com/simple/"

Run = Callable[..., Completed]


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program."""
    return CommandLine(either, cloud, home, fake_programs)


@pytest.fixture
def run(ringbearer: CommandLine) -> Run:
    """Runs a command that prints its tokens."""

    def run(directory: object | None = None, **variables: str | None) -> Completed:
        script = f'echo "${GIVEN}$CHAINCTL_AUTH_TOKEN"'
        # pip reads its file, as outside of tests.
        variables = {"PIP_CONFIG_FILE": None, **variables}
        return ringbearer.with_token("exec", "--", "sh", "-c", script, directory=directory, **variables)

    return run


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def settings(url: str) -> dict[str, dict[str, str]]:
    """The ways to configure an index of pip or uv for a user: variables, and files below HOME."""
    return {
        "pip's variable": {"PIP_INDEX_URL": url},
        "pip's variable of more": {"PIP_EXTRA_INDEX_URL": f"{FOREIGN} {url}"},
        "uv's variable": {"UV_DEFAULT_INDEX": url},
        "uv's variable with a name": {"UV_INDEX": f"corp={url}"},
        "uv's older variable": {"UV_INDEX_URL": url},
        "pip's file": {".config/pip/pip.conf": f"[global]\nindex-url = {url}\n"},
        "pip's older file": {".pip/pip.conf": f"[install]\nextra-index-url =\n    {FOREIGN}\n    {url}\n"},
        "uv's file": {".config/uv/uv.toml": f'[[index]]\nname = "corp"\nurl = "{url}"\n'},
        "uv's file for pip": {".config/uv/uv.toml": f'[pip]\nindex-url = "{url}"\n'},
    }


@pytest.mark.parametrize("way", list(settings("")))
def test_the_index_that_the_user_set_up_is_taken(ringbearer: CommandLine, run: Run, home: Path, way: str) -> None:
    variables = {}
    for name, value in settings(with_user_name(ringbearer.url))[way].items():
        if name.startswith("."):
            write(home / name, value)
        else:
            variables[name] = value
    ended = run(**variables).check()
    assert (ended.stdout, ended.stderr) == (ringbearer.token + "\n", "")


def test_one_index_that_several_know_is_one(ringbearer: CommandLine, run: Run, home: Path) -> None:
    write(home / ".config/uv/uv.toml", f'[[index]]\nurl = "{with_user_name(ringbearer.url)}"\n')
    ended = run(PIP_INDEX_URL=ringbearer.url, PIP_EXTRA_INDEX_URL=FOREIGN, UV_DEFAULT_INDEX=ringbearer.url).check()
    assert ended.stdout == ringbearer.token + "\n"


def test_trailing_slash_does_not_make_a_second_index(ringbearer: CommandLine, run: Run) -> None:
    ended = run(PIP_INDEX_URL=ringbearer.url, UV_DEFAULT_INDEX=ringbearer.url.rstrip("/")).check()
    assert ended.stdout == ringbearer.token + "\n"


def test_without_an_index_it_asks_for_one(ringbearer: CommandLine, run: Run) -> None:
    for variables in ({}, {"PIP_INDEX_URL": FOREIGN}, {"PIP_INDEX_URL": ringbearer.url.replace("https:", "http:")}):
        assert_complaint(run(**variables), "which index?", "ringbearer exec URL -- COMMAND", code=2)
    ringbearer.assert_no_sign_in()


def test_several_indexes_are_listed_and_none_is_used(ringbearer: CommandLine, run: Run, cloud: PracticeCloud) -> None:
    first, second = cloud.azure.project_feed.url(), cloud.chainguard.python.url
    ended = run(PIP_INDEX_URL=first.replace("//", "//somebody:s3cr3t@"), UV_INDEX=second, UV_DEFAULT_INDEX=FOREIGN)
    assert_complaint(ended, "which index?", first, second, "ringbearer exec URL -- COMMAND", code=2)
    assert "s3cr3t" not in ended.stderr and FOREIGN not in ended.stderr
    ringbearer.assert_no_sign_in()


def test_project_in_working_directory_does_not_choose_the_token(
    ringbearer: CommandLine, run: Run, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    index = f'index]]\nname = "theirs"\nurl = "{ringbearer.url}"\n'
    write(project / "pyproject.toml", "[[tool.uv." + index)
    write(project / "uv.toml", "[[" + index)
    write(project / "pip.conf", f"[global]\nindex-url = {ringbearer.url}\n")
    assert_complaint(run(directory=project), "which index?", code=2)
    # User settings do not change it.
    ended = run(directory=project, PIP_INDEX_URL=ringbearer.url.replace("tools", "others")).check()
    assert ended.stdout == ringbearer.token + "\n"


def test_files_that_pip_and_uv_must_not_read_are_ignored(ringbearer: CommandLine, run: Run, home: Path) -> None:
    write(home / ".config/pip/pip.conf", f"[global]\nindex-url = {ringbearer.url}\n")
    write(home / ".config/uv/uv.toml", f'[[index]]\nurl = "{ringbearer.url}"\n')
    ended = run(PIP_CONFIG_FILE="/dev/null", UV_NO_CONFIG="1")
    assert_complaint(ended, "which index?", code=2)
    named = home / "named.toml"
    write(named, f'index-url = "{ringbearer.url}"\n')
    ended = run(PIP_CONFIG_FILE="/dev/null", UV_CONFIG_FILE=str(named)).check()
    assert ended.stdout == ringbearer.token + "\n"


def test_broken_files_are_ignored(ringbearer: CommandLine, run: Run, home: Path) -> None:
    write(home / ".config/uv/uv.toml", '[[index]]\nurl = "')
    (home / ".config/pip/pip.conf").mkdir(parents=True)
    assert_complaint(run(), "which index?", code=2)
    assert run(PIP_INDEX_URL=ringbearer.url).check().stdout == ringbearer.token + "\n"

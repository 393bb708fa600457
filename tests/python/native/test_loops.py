"""Any set of `keyring` programs on PATH: a question never returns to the native one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_not_logged_in
from support.native_keyring import NativeKeyring, assert_complaint, assert_miss, keyring_script

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs are shell scripts and links")

#: Longer than any of them takes, and much shorter than an endless loop.
QUICKLY = 3

NAMES = ["registry.example", "frodo"]


def fused(directory: Path, *lines: str) -> Path:
    """A script that stops after some rounds: a loop must fail the test, not fill the machine with processes."""
    count = 'for round in 1 2 3 4 5 6; do [ -e "$0-$round" ] || break; done'
    return keyring_script(directory, count, '[ "$round" = 6 ] && exit 99', ': >"$0-$round"', *lines)


def same_folder(native: Client, directory: Path) -> list[object]:
    return [native.bin, native.bin, native.bin + "/", native.bin + "/../bin"]


def link(native: Client, directory: Path) -> list[object]:
    (directory / "keyring").symlink_to(native.program("keyring"))
    return [directory]


def link_to_a_link(native: Client, directory: Path) -> list[object]:
    for name in ("one", "other"):
        (directory / name).mkdir()
    (directory / "one" / "keyring").symlink_to(native.program("keyring"))
    (directory / "other" / "keyring").symlink_to("../one/keyring")
    return [directory / "other", directory / "one"]


def link_to_the_folder(native: Client, directory: Path) -> list[object]:
    (directory / "bin").symlink_to(native.bin)
    return [directory / "bin"]


def copies(native: Client, directory: Path) -> list[object]:
    for name in ("one", "other"):
        (directory / name).mkdir()
        shutil.copy(native.program("keyring"), directory / name)
    return [directory / "one", directory / "other"]


def hard_links(native: Client, directory: Path) -> list[object]:
    folders = copies(native, directory)
    for name in map(str, range(50)):
        (directory / name).mkdir()
        os.link(directory / "one" / "keyring", directory / name / "keyring")
        folders.append(directory / name)
    return folders


def script(native: Client, directory: Path) -> list[object]:
    return [fused(directory, f'exec "{native.program("keyring")}" "$@"')]


def script_with_a_child(native: Client, directory: Path) -> list[object]:
    return [fused(directory, f'"{native.program("keyring")}" "$@"', "exit $?")]


def script_by_name(native: Client, directory: Path) -> list[object]:
    return [fused(directory, 'exec keyring "$@"')]


def script_by_link(native: Client, directory: Path) -> list[object]:
    (directory / "link").symlink_to(native.program("keyring"))
    fused(directory / "bin", f'exec "{directory / "link"}" "$@"')
    (directory / "again").symlink_to("bin")
    return [directory / "again", directory / "bin"]


def scripts_in_a_circle(native: Client, directory: Path) -> list[object]:
    return [
        fused(directory / "one", f'exec "{directory / "other" / "keyring"}" "$@"'),
        fused(directory / "other", f'exec "{native.program("keyring")}" "$@"'),
    ]


def scripts_and_copies(native: Client, directory: Path) -> list[object]:
    one, other = copies(native, directory)
    first = fused(directory / "first", f'exec "{other}/keyring" "$@"')
    second = fused(directory / "second", f'exec "{one}/keyring" "$@"')
    return [first, one, second, other]


def script_in_a_folder_of_another_encoding(native: Client, directory: Path) -> list[object]:
    return [fused(directory / "latin \udce9", f'exec "{native.program("keyring")}" "$@"')]


def script_in_a_folder_with_the_separator_in_its_name(native: Client, directory: Path) -> list[object]:
    fused(directory / "one:other", f'exec "{native.program("keyring")}" "$@"')
    (directory / "bin").symlink_to("one:other")
    return [directory / "bin"]


MAZES = [
    same_folder,
    link,
    link_to_a_link,
    link_to_the_folder,
    copies,
    hard_links,
    script,
    script_with_a_child,
    script_by_name,
    script_by_link,
    scripts_in_a_circle,
    scripts_and_copies,
    script_in_a_folder_of_another_encoding,
    script_in_a_folder_with_the_separator_in_its_name,
]

#: Chains that would start processes endlessly without the limit of the script.
LISTED = [maze for maze in MAZES if maze not in (copies, hard_links)]

in_every_maze = pytest.mark.parametrize("maze", MAZES, ids=lambda maze: maze.__name__)


@pytest.fixture
def keyring(cloud: PracticeCloud, native: Client, home: Path) -> NativeKeyring:
    """The native `keyring`, with nothing behind it yet."""
    return NativeKeyring(cloud, native, home)


def from_each(keyring: NativeKeyring, *words: str, stdin: str | None = None) -> list[Completed]:
    """The outcome of a question to the native `keyring`, and to the last of the others."""
    last = os.path.join(str(keyring.behind[-1]), "keyring")
    found = []
    for program in (keyring.native.program("keyring"), last):
        for folder in keyring.behind:
            for name in os.listdir(folder):
                if name.startswith("keyring-"):
                    os.remove(os.path.join(folder, name))
        found.append(keyring.native.run([program, *words], keyring.environment(), 10, stdin))
        assert found[-1].duration < QUICKLY
    return found


@in_every_maze
def test_maze_without_a_real_keyring_ends_in_a_miss_or_error(
    keyring: NativeKeyring, native: Client, tmp_path: Path, maze: Callable[[Client, Path], list[object]]
) -> None:
    (tmp_path / "maze").mkdir()
    keyring.behind = maze(native, tmp_path / "maze")
    for ended in from_each(keyring, "get", *NAMES):
        assert_miss(ended)
    for operation in ("set", "del"):
        for ended in from_each(keyring, operation, *NAMES, stdin="the-password"):
            assert_complaint(ended, "nothing was stored or deleted")


@in_every_maze
def test_the_real_keyring_behind_every_maze_is_found(
    keyring: NativeKeyring,
    native: Client,
    tmp_path: Path,
    maze: Callable[[Client, Path], list[object]],
    beside: Callable[..., Client],
) -> None:
    (tmp_path / "maze").mkdir()
    folders, real = maze(native, tmp_path / "maze"), beside("alt")
    keyring.behind = [real.bin]
    keyring("set", *NAMES, stdin="the-password").check()
    keyring.behind = [*folders, real.bin]
    assert keyring("get", *NAMES).check().stdout == "the-password\n"
    keyring.behind = [real.bin, *folders]
    assert [ended.stdout for ended in from_each(keyring, "get", *NAMES)] == ["the-password\n"] * 2


@pytest.mark.parametrize("maze", LISTED, ids=lambda maze: maze.__name__)
def test_in_every_maze_the_backends_are_listed_without_a_round(
    keyring: NativeKeyring, native: Client, tmp_path: Path, maze: Callable[[Client, Path], list[object]]
) -> None:
    own = keyring("--list-backends").check().stdout
    (tmp_path / "maze").mkdir()
    keyring.behind = maze(native, tmp_path / "maze")
    for ended in from_each(keyring, "--list-backends"):
        assert sorted(ended.check().stdout.splitlines()) == sorted(own.splitlines())
        assert ended.stderr == ""


def test_two_native_ones_in_a_row_sign_in_once_and_warn_once(
    cloud: PracticeCloud, keyring: NativeKeyring, native: Client, tmp_path: Path, fake_programs: FakePrograms
) -> None:
    fake_programs.az(az_not_logged_in())
    keyring.behind = [*copies(native, tmp_path), fake_programs.directory]
    ended = keyring("get", cloud.azure.feed.url(), "frodo")
    assert (ended.code, ended.stdout, len(ended.stderr.splitlines())) == (1, "", 1), ended
    assert len(fake_programs.invocations("az")) == len(cloud.log.requests("pkgs.dev.azure.com")) == 1


def test_keyring_that_asks_another_question_is_answered(
    cloud: PracticeCloud, keyring: NativeKeyring, tmp_path: Path
) -> None:
    # A backend for AWS, for instance, runs a configured program, which may ask keyring for a password.
    lines = ['case "$2" in outer) keyring get inner frodo && exec keyring get "$3" frodo ;; *) echo "$2" ;; esac']
    keyring.behind = [keyring_script(tmp_path / "behind", *lines)]
    url = cloud.azure.feed.url()
    for service, answer in (("last", "last"), (url, "the-access-token")):
        ended = keyring("get", "outer", service, AZURE_DEVOPS_EXT_PAT="the-access-token")
        assert (ended.code, ended.stdout) == (0, f"inner\n{answer}\n"), ended

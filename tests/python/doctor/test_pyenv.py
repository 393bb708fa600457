"""Programs that are shims of pyenv: the doctor examines what they run."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, TOOLS, Doctor
from support.tool_settings import write

#: The lines of a shim that pyenv writes.
SHIM = """\
#!/usr/bin/env bash
set -e

program="${{0##*/}}"

export PYENV_ROOT="{root}"
exec "{root}/libexec/pyenv" exec "$program" "$@"
"""

#: `pyenv which NAME` and `pyenv exec NAME ARGUMENT...`, for version names without prefixes.
PYENV = """\
#!/bin/sh
file="${PYENV_DIR:-$PWD}/.python-version"
[ -f "$file" ] || file="$PYENV_ROOT/version"
found="$PYENV_ROOT/versions/${PYENV_VERSION:-$(cat "$file")}/bin/$2"
[ -x "$found" ] || { echo "pyenv: $2: command not found" >&2; exit 127; }
[ "$1" = which ] && { echo "$found"; exit 0; }
shift 2
exec "$found" "$@"
"""


@pytest.fixture
def shims(home: Path, client: Client, client_without: Client) -> str:
    """The shims of a pyenv with two versions: one with ringbearer, which is selected, and one without."""
    root = home / ".pyenv"
    write(root / "libexec" / "pyenv", PYENV).chmod(0o755)
    write(root / "version", "with\n")
    for version, other in (("with", client), ("without", client_without)):
        (root / "versions").mkdir(exist_ok=True)
        (root / "versions" / version).symlink_to(other.directory)
    (root / "versions" / "bare" / "bin").mkdir(parents=True)
    for name in ("pip", "twine", "keyring"):
        write(root / "shims" / name, SHIM.format(root=root)).chmod(0o755)
    return str(root / "shims")


@pytest.fixture
def url(cloud: PracticeCloud, azure_user: AzureUser) -> str:
    """The index of a user who is logged in, with a user name."""
    return with_user_name(cloud.azure.feed.url())


@pytest.mark.parametrize("by", ["version", "PYENV_VERSION", ".python-version"])
def test_a_shim_of_pyenv_is_what_the_selected_version_runs(
    doctor: Doctor, home: Path, shims: str, url: str, by: str
) -> None:
    more = {"path": [shims], "PIP_KEYRING_PROVIDER": "import"}
    well = doctor.examine(url, **more)
    assert {well.finding(name).state for name in ("pip", "twine", "keyring")} == {"good"}
    assert "a script with ringbearer" in well.finding("keyring").detail
    variables = {"PYENV_VERSION": "without"} if by == "PYENV_VERSION" else {}
    if by != "PYENV_VERSION":
        write((home / ".pyenv" / "version") if by == "version" else home / "shop" / by, "without\n")
    directory = home / "shop"
    directory.mkdir(exist_ok=True)
    ill = doctor.examine(url, directory=directory, **more, **variables)
    assert {ill.finding(name).state for name in ("pip", "twine", "keyring")} == {"bad"}
    assert "has no ringbearer in its environment" in ill.finding("twine").detail


def test_the_shim_of_a_program_that_the_version_lacks_is_shown(doctor: Doctor, shims: str, url: str) -> None:
    doctor.assert_shows("pyenv-without-pip", url, path=(shims,), section=TOOLS, PYENV_VERSION="bare", **SET_UP)

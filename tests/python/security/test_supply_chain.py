"""The metadata of the wheels: every crate in them, and nothing about the build machine."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

#: The optional dependencies in Cargo.toml, and the wheel that has each.
OPTIONAL = {"wheel": {"pyo3"}, "cli_wheel": {"ctrlc", "signal-hook"}}


@pytest.fixture(params=["wheel", "cli_wheel"])
def built(request: pytest.FixtureRequest) -> tuple[str, dict[str, bytes]]:
    """Each of the wheels: its fixture's name, and its members."""
    with zipfile.ZipFile(request.getfixturevalue(request.param)) as archive:
        return request.param, {name: archive.read(name) for name in archive.namelist()}


def components(members: dict[str, bytes]) -> dict:
    """The list of components (PEP 770)."""
    (name,) = [name for name in members if ".dist-info/sboms/" in name]
    assert name.endswith(".cyclonedx.json")
    return json.loads(members[name])


#: Name and version.
Crate = tuple[str, str]


def locked(optional: set[str]) -> dict[Crate, dict]:
    """The crates of the lock file that a wheel is built from, on any platform, by name and version."""
    if sys.version_info < (3, 11):
        pytest.skip("tomllib came with Python 3.11")
    import tomllib

    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    packages = tomllib.loads((ROOT / "Cargo.lock").read_text(encoding="utf-8"))["package"]
    direct = dict(manifest["dependencies"])
    for target in manifest["target"].values():
        direct.update(target.get("dependencies", {}))
    wanted = {
        name
        for name, details in direct.items()
        if name in optional or not (isinstance(details, dict) and details.get("optional"))
    }

    def find(reference: str) -> dict:
        name, _, version = reference.partition(" ")
        (package,) = [one for one in packages if one["name"] == name and version in ("", one["version"])]
        return package

    todo = [one for one in find("ringbearer")["dependencies"] if one.partition(" ")[0] in wanted]
    found: dict[Crate, dict] = {}
    while todo:
        package = find(todo.pop())
        if (package["name"], package["version"]) not in found:
            found[package["name"], package["version"]] = package
            todo += package.get("dependencies", [])
    return found


def test_sbom_has_every_crate_with_licence_and_checksum(built) -> None:
    name, members = built
    expected = locked(OPTIONAL[name])
    assert len(expected) > 100
    listed = {(one["name"], one["version"]): one for one in components(members)["components"]}
    assert set(listed) == set(expected)
    checksums = {crate: [one["content"] for one in details["hashes"]] for crate, details in listed.items()}
    assert checksums == {crate: [package["checksum"]] for crate, package in expected.items()}
    assert [crate for crate, details in listed.items() if not details.get("licenses")] == []
    assert [crate for crate, details in listed.items() if not details["purl"].startswith("pkg:cargo/")] == []


def test_sbom_names_the_crate_and_the_dependency_graph(built) -> None:
    _, members = built
    found = components(members)
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.5")
    itself = found["metadata"]["component"]
    version = re.search(r'^version = "(.+)"', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    assert (itself["name"], itself["version"]) == ("ringbearer", version.group(1))
    references = {one["bom-ref"] for one in found["components"]} | {itself["bom-ref"]}
    assert {one["ref"] for one in found["dependencies"]} == references
    assert {other for one in found["dependencies"] for other in one.get("dependsOn", ())} <= references


def test_wheel_has_nothing_that_differs_between_builds(built) -> None:
    _, members = built
    found = components(members)
    # Random values, and the time, which is that of the commit.
    assert "serialNumber" not in found
    assert found["metadata"]["timestamp"].endswith(".000000000Z")


def test_wheel_does_not_reveal_where_it_was_built(built) -> None:
    _, members = built
    home = os.environ.get("CARGO_HOME") or str(Path.home() / ".cargo")
    # A checkout directly below the root, or a home that is `/`, is too short a path to look for.
    places = [str(ROOT), str(Path.home()) + os.sep, home, os.path.join(tempfile.gettempdir(), "reproducible-")]
    places = [place for place in places if len(Path(place).parts) > 1 and len(place) > 5]
    assert places
    of_crates = re.compile(rb"([\w./\\:-]*)[/\\]registry[/\\]src[/\\]")
    of_sources = re.compile(rb"path\+file://([^\"#]*)#")
    found = []
    for name, content in members.items():
        found += [f"{name}: {place}" for place in places if place.encode() in content]
        found += [
            f"{name}: crates in {place!r}" for place in set(of_crates.findall(content)) if not place.endswith(b"/cargo")
        ]
        found += [f"{name}: sources in {place!r}" for place in of_sources.findall(content) if place != b"/ringbearer"]
    assert found == []


def test_wheel_record_matches_its_content(built) -> None:
    _, members = built
    (record,) = [name for name in members if name.endswith(".dist-info/RECORD")]
    rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(members[record].decode()))}
    assert set(rows) == set(members)
    for name, content in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        assert rows[name] == (["", ""] if name == record else [f"sha256={digest}", str(len(content))]), name

"""The private packages that clients install, and the checks afterwards."""

from __future__ import annotations

import dataclasses
import io
import tarfile
import zipfile
from pathlib import Path

from lab.clients import Completed
from lab.packages import Package, wheel
from lab.registry import Registry


def assert_installed(directory: Path) -> None:
    """The private packages are installed with their content."""
    for name in ("greetings", "hello-private"):
        assert f"hello from {name} " in (directory / (name.replace("-", "_") + ".py")).read_text()


def site_packages(directory: Path) -> Path:
    """The site-packages directory with the private packages, below a directory."""
    [found] = {path.parent for path in directory.glob("**/site-packages/greetings.py")}
    return found


def assert_kept(registry: Registry, count: int, *ended: Completed, upload: bool = False) -> None:
    """Exactly ``count`` passwords were obtained, and no secret leaked."""
    registry.assert_made(count, upload)
    registry.assert_hidden(*ended)
    assert {request.host for request in registry.cloud.log.sent_by_ringbearer()} == set(registry.api_hosts)


def application(name: str) -> Package:
    """A package with a command of the same name that prints the greeting of `greetings`."""
    source = "import greetings\n\n\ndef main():\n    print(greetings.greeting)\n"
    made = wheel(name, requires=["greetings"], source=source)
    stream = io.BytesIO(made.content)
    with zipfile.ZipFile(stream, "a") as archive:
        archive.writestr(f"{name}-1.0.dist-info/entry_points.txt", f"[console_scripts]\n{name} = {name}:main\n")
    return dataclasses.replace(made, content=stream.getvalue())


def unpack(package: Package, directory: Path) -> Path:
    """Unpack a source archive, and return the directory of the project."""
    with tarfile.open(fileobj=io.BytesIO(package.content)) as archive:
        archive.extractall(directory, filter="data")
    return directory / package.file_name[: -len(".tar.gz")]

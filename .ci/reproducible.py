"""Builds the wheels of the last commit twice, in different surroundings, and compares them byte by byte.

    python .ci/reproducible.py [--keep DIRECTORY]

The two builds differ in source, crate and target directory, time zone, locale and umask. Uncommitted changes are
ignored.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEUTRAL = ROOT / ".ci" / "neutral.py"

#: The variables of the two builds.
PLACES = {
    "one": {"TZ": "UTC", "LC_ALL": "C"},
    "another/and/deeper": {"TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8"},
}
MASKS = (0o022, 0o077)


def build(place: Path, variables: dict[str, str], mask: int) -> dict[str, Path]:
    """Build the wheels of the last commit in a directory. Returns them by name."""
    sources, out = place / "sources", place / "out"
    _run(["git", "clone", "--quiet", str(ROOT), str(sources)], umask=mask)
    environment = {
        **os.environ,
        **variables,
        "CARGO_TARGET_DIR": str(place / "target"),
        "CARGO_HOME": str(_crates(place.parent / f"crates-of-{place.name}")),
        "PYO3_PYTHON": sys.executable,
    }
    maturin = [
        str(Path(sys.executable).parent / "maturin"),
        "build",
        "--quiet",
        "--release",
        "--locked",
        "--out",
        str(out),
    ]
    neutral = [sys.executable, str(NEUTRAL)]
    # The time of the commit, not of the build.
    environment.pop("SOURCE_DATE_EPOCH", None)
    for folder, more in ((sources, ["--interpreter", sys.executable]), (sources / "cli", [])):
        _run([*neutral, "run", *maturin, *more], cwd=folder, env=environment, umask=mask)
    wheels = sorted(out.glob("*.whl"))
    _run([*neutral, "tidy", *map(str, wheels)], umask=mask)
    return {wheel.name: wheel for wheel in wheels}


def _crates(home: Path) -> Path:
    """Another cargo home with the crates of this machine."""
    usual = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo")
    home.mkdir(parents=True)
    (usual / "registry").mkdir(parents=True, exist_ok=True)
    for name in ("registry", "config.toml", "credentials.toml"):
        if (usual / name).exists():
            (home / name).symlink_to(usual / name)
    return home


def difference(one: Path, other: Path) -> str | None:
    """A description of the first difference between two wheels; None if they are equal."""
    if one.read_bytes() == other.read_bytes():
        return None
    with zipfile.ZipFile(one) as first, zipfile.ZipFile(other) as second:
        names = [[info.filename for info in archive.infolist()] for archive in (first, second)]
        if names[0] != names[1]:
            return f"the members are {names[0]} and {names[1]}"
        for info, twin in zip(first.infolist(), second.infolist()):
            left, right = first.read(info), second.read(twin)
            if left != right:
                at = next((at for at, (a, b) in enumerate(zip(left, right)) if a != b), min(len(left), len(right)))
                around = slice(max(at - 60, 0), at + 60)
                return f"{info.filename} from byte {at}: {left[around]!r} and {right[around]!r}"
            for what in ("date_time", "external_attr", "compress_type", "create_system", "extra"):
                if getattr(info, what) != getattr(twin, what):
                    return f"{what} of {info.filename}: {getattr(info, what)!r} and {getattr(twin, what)!r}"
    return "the archives differ, although their members are equal"


def _run(command: list[str], **options: object) -> None:
    subprocess.run(command, check=True, **options)


def main() -> int:
    """Build twice and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", type=Path, help="copy the wheels of the first build to this directory")
    keep = parser.parse_args().keep
    if subprocess.run(["git", "-C", str(ROOT), "status", "--porcelain"], capture_output=True, check=True).stdout:
        print("   (uncommitted changes are ignored)")
    with tempfile.TemporaryDirectory(prefix="reproducible-") as directory:
        built = []
        for (name, variables), mask in zip(PLACES.items(), MASKS):
            place = Path(directory, name)
            place.mkdir(parents=True)
            built.append(build(place, variables, mask))
        if keep:
            keep.mkdir(parents=True, exist_ok=True)
            for wheel in built[0].values():
                shutil.copy(wheel, keep)
        found = 0 if built[0] and list(built[0]) == list(built[1]) else 1
        for name, wheel in built[0].items():
            differs = difference(wheel, built[1][name]) if name in built[1] else "it was built only once"
            digests = [hashlib.sha256(one[name].read_bytes()).hexdigest() for one in built if name in one]
            print(f"   {name}: {'equal' if differs is None else 'DIFFERS: ' + differs}")
            print("\n".join(f"      sha256 {digest}" for digest in digests))
            found |= differs is not None
        return found


if __name__ == "__main__":
    sys.exit(main())

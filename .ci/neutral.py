"""Keeps the machine that builds a wheel out of the wheel: its directories, its clock, its chance.

python .ci/neutral.py run COMMAND...    run a build with the variables that make it so
python .ci/neutral.py variables         print them, one a line, for what cannot be run from here
python .ci/neutral.py tidy WHEEL...     take what no variable reaches out of wheels that were built
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: Where crates seem to lie. Messages of panics name the file of a crate.
CRATES = "/cargo"
#: Where the sources of a wheel seem to lie, in its list of components.
SOURCES = b"path+file:///ringbearer#"


def variables(extra_homes: tuple[str, ...] = ()) -> dict[str, str]:
    """What a build needs in its environment, besides what is there."""
    homes = [os.environ.get("CARGO_HOME") or str(Path.home() / ".cargo"), *extra_homes]
    flags = [
        os.environ.get("RUSTFLAGS", ""),
        *(f"--remap-path-prefix={home}={CRATES}" for home in dict.fromkeys(homes)),
    ]
    if any(" " in flag for flag in flags[1:]):
        # Cargo splits them at blanks. Such a wheel is none to publish.
        flags = flags[:1]
    found = {"RUSTFLAGS": " ".join(filter(None, flags))}
    if "SOURCE_DATE_EPOCH" not in os.environ and (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
        found["SOURCE_DATE_EPOCH"] = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return found


def tidy(path: Path) -> None:
    """Write a wheel anew: nothing in its list of components tells where it was built."""
    with zipfile.ZipFile(path) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    changed = {info.filename: _neutral(content) for info, content in members if "/sboms/" in info.filename}
    fresh = path.with_name(path.name + ".new")
    with zipfile.ZipFile(fresh, "w") as archive:
        for info, content in members:
            if info.filename.endswith(".dist-info/RECORD"):
                content = _record(content, changed)
            archive.writestr(info, changed.get(info.filename, content), zipfile.ZIP_DEFLATED, 9)
    os.replace(fresh, path)


def _neutral(components: bytes) -> bytes:
    return re.sub(rb'path\+file://[^"#]*#', SOURCES, components)


def _record(content: bytes, changed: dict[str, bytes]) -> bytes:
    rows = list(csv.reader(io.StringIO(content.decode())))
    for row in rows:
        if row[0] in changed:
            digest = hashlib.sha256(changed[row[0]]).digest()
            row[1:] = ["sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode(), str(len(changed[row[0]]))]
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue().encode()


def main(arguments: list[str]) -> int:
    """The command."""
    task, *words = arguments or [""]
    if task == "run" and words:
        return subprocess.run(words, env={**os.environ, **variables()}, check=False).returncode
    if task == "variables" and not words:
        # For GitHub Actions also on Windows.
        sys.stdout.reconfigure(newline="\n")
        # The second is where the images of manylinux and musllinux keep crates.
        for name, value in variables(extra_homes=("/root/.cargo",)).items():
            print(f"{name}={value}")
        return 0
    if task == "tidy" and words:
        for word in words:
            tidy(Path(word))
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Keeps details of the build machine out of wheels: paths, timestamps, random values.

python .ci/neutral.py run COMMAND...    run a build with these variables
python .ci/neutral.py variables         print the variables, one per line, for builds elsewhere
python .ci/neutral.py tidy WHEEL...     remove what the variables do not cover from built wheels
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

#: Stands for the directory of crates in panic messages, which name source files.
CRATES = "/cargo"
#: Stands for the source directory in the list of components.
SOURCES = b"path+file:///ringbearer#"


def variables(extra_homes: tuple[str, ...] = ()) -> dict[str, str]:
    """The variables to add to the environment of a build."""
    homes = [os.environ.get("CARGO_HOME") or str(Path.home() / ".cargo"), *extra_homes]
    flags = [
        os.environ.get("RUSTFLAGS", ""),
        *(f"--remap-path-prefix={home}={CRATES}" for home in dict.fromkeys(homes)),
    ]
    if any(" " in flag for flag in flags[1:]):
        # Cargo splits them at spaces. Such a wheel must not be published.
        flags = flags[:1]
    found = {"RUSTFLAGS": " ".join(filter(None, flags))}
    if "SOURCE_DATE_EPOCH" not in os.environ and (ROOT / ".git").exists():
        command = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
        found["SOURCE_DATE_EPOCH"] = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    return found


def tidy(path: Path) -> None:
    """Rewrite a wheel without paths of the build machine in its list of components."""
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
        # Line feeds for GitHub Actions, also on Windows.
        sys.stdout.reconfigure(newline="\n")
        # The second directory has the crates in the manylinux and musllinux images.
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

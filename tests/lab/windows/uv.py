"""The real uv for Windows. Only `uv publish` needs no interpreter, and Windows has none here."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import zipfile
from pathlib import Path

from ..versions import UV
from ..wine import CROSS


def uv_program() -> Path:
    """The directory of `uv.exe`, downloaded once with the machine's own settings."""
    directory = CROSS / "programs" / UV.replace("==", "-")
    directory.mkdir(parents=True, exist_ok=True)
    with open(directory / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "uv.exe").exists():
            _download(directory)
    return directory


def _download(directory: Path) -> None:
    options = ["--no-deps", "--only-binary=:all:", "--platform", "win_amd64", "--quiet", "--disable-pip-version-check"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(directory), UV]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if ended.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{ended.stdout}")
    [wheel] = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("/uv.exe")]
        unfinished = directory / "unfinished.exe"
        unfinished.write_bytes(archive.read(name))
    wheel.unlink()
    unfinished.rename(directory / "uv.exe")

"""Windows programs under wine.

python -m lab.wine PROGRAM ARGUMENT...    run a program; cargo runs tests this way
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: The library that Rust's standard library asks for random bytes. Wine 8 has none.
_RANDOM_BYTES = """
#include <windows.h>
BOOLEAN NTAPI SystemFunction036(PVOID, ULONG);
__declspec(dllexport) BOOL WINAPI ProcessPrng(PBYTE to, SIZE_T length) {
    while (length) {
        ULONG piece = length > 0x10000 ? 0x10000 : (ULONG)length;
        if (!SystemFunction036(to, piece)) return FALSE;
        to += piece;
        length -= piece;
    }
    return TRUE;
}
"""

#: No program may ask the metadata service of the machine, whatever a test sets.
LOOPBACK = {
    "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9",
    "AWS_EC2_METADATA_DISABLED": "true",
    "GCE_METADATA_HOST": "127.0.0.1:9",
}


class Wine:
    """A Windows of its own, in a directory. It is created on first use."""

    def __init__(self, directory: Path) -> None:
        self.prefix = directory / "prefix"
        self.home = directory / "home"
        directory.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)
        with open(directory / "lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (directory / "ready").exists():
                self._create()
                (directory / "ready").touch()

    def environment(self, variables: dict[str, str] | None = None) -> dict[str, str]:
        """The variables of wine, and those of the program; nothing else of the machine."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            # No browser engine and no .NET: they would be downloaded. What lab.windows.access installs replaces wine's own.
            "WINEDLLOVERRIDES": "mscoree,mshtml=;icacls.exe,whoami.exe=n,b",
            **LOOPBACK,
            **(variables or {}),
        }

    def path(self, path: Path) -> str:
        r"""A path as Windows programs write it: drive `Z:` is the root directory."""
        return "Z:" + str(path).replace("/", "\\")

    def drive(self, path: str) -> Path:
        r"""The file of a path that begins with `C:\`."""
        return self.prefix / "drive_c" / path.removeprefix("C:\\").replace("\\", "/")

    def stop(self) -> None:
        """End the Windows programs and the server of this prefix."""
        subprocess.run(["/usr/bin/wineserver", "-k"], env=self.environment(), check=False)

    def _create(self) -> None:
        # The server of wine would keep the lock.
        subprocess.run(
            ["/usr/bin/wineboot", "--init"], env=self.environment(), check=True, capture_output=True, close_fds=True
        )
        with tempfile.NamedTemporaryFile("w", suffix=".c") as source:
            source.write(_RANDOM_BYTES)
            source.flush()
            library = self.drive("C:\\windows\\system32\\bcryptprimitives.dll")
            compiler = ["x86_64-w64-mingw32-gcc", "-O2", "-shared", "-o", str(library), source.name, "-ladvapi32"]
            subprocess.run(compiler, check=True)


@contextlib.contextmanager
def wine() -> Iterator[Wine]:
    """The Windows of the tests, stopped at the end."""
    made = Wine(ROOT / "target" / "cross" / "wine")
    try:
        yield made
    finally:
        made.stop()


def main() -> int:
    """Run a program with the variables of this process that cargo sets."""
    with wine() as windows:
        passed = {name: value for name, value in os.environ.items() if name.startswith(("CARGO_", "RUST_", "PROPTEST_"))}
        return subprocess.run(["/usr/bin/wine", *sys.argv[1:]], env=windows.environment(passed)).returncode


if __name__ == "__main__":
    sys.exit(main())

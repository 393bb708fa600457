"""Windows programs under wine.

python -m lab.wine PROGRAM ARGUMENT...    run a program; cargo runs tests this way
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CROSS = ROOT / "target" / "cross"

COMPILER = "x86_64-w64-mingw32-gcc"

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
    "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9",
    "GCE_METADATA_HOST": "127.0.0.1:9",
    "GCE_METADATA_IP": "127.0.0.1:9",
    "GCE_METADATA_ROOT": "127.0.0.1:9",
}

#: Seconds that the server of wine lives after its last program: longer than the pause between two tests.
_SERVER_LIFE = 120


#: Replaces icacls and whoami, which wine has in name only.
_ACCESS_PROGRAM = Path(__file__).with_name("windows") / "access_program.c"


class Wine:
    """A wine prefix in a directory, created on first use."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.prefix = directory / "prefix"
        self.home = directory / "home"
        directory.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(exist_ok=True)
        with _locked(directory / "lock"):
            if not (directory / "ready").exists():
                self._create()
                (directory / "ready").touch()

    def environment(self, variables: dict[str, str] | None = None) -> dict[str, str]:
        """The variables of wine, and those of the program; nothing else of the machine."""
        return {
            "PATH": "/usr/bin:/bin",
            "HOME": str(self.home),
            # Arguments are UTF-8.
            "LC_ALL": "C.UTF-8",
            "WINEPREFIX": str(self.prefix),
            "WINEDEBUG": "-all",
            # No browser engine and no .NET: they would be downloaded. No debugger: a program that crashes must end.
            # icacls and whoami of the tests replace wine's own.
            "WINEDLLOVERRIDES": "mscoree,mshtml,winedbg.exe=;icacls.exe,whoami.exe=n,b",
            **LOOPBACK,
            **on_loopback(variables or {}),
        }

    def path(self, path: object) -> str:
        r"""A path as Windows programs write it: drive `Z:` is the root directory."""
        return "Z:" + str(path).replace("/", "\\")

    def drive(self, path: str) -> Path:
        r"""The file of a path that begins with `C:\`."""
        return self.prefix / "drive_c" / path.removeprefix("C:\\").replace("\\", "/")

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep the server alive during the block. The last process that leaves its block ends all Windows programs."""
        with open(self.directory / "users", "w", encoding="utf-8") as users:
            fcntl.flock(users, fcntl.LOCK_SH)
            self._warm_up()
            try:
                yield
            finally:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    self._server("-k")

    def _warm_up(self) -> None:
        # Services start with the first program and inherit its streams: a reader of these would never see their end.
        with _locked(self.directory / "lock"):
            self._server(f"-p{_SERVER_LIFE}")
            self._quietly("/usr/bin/wine", "cmd", "/c", "exit")

    def _create(self) -> None:
        # A server that wineboot starts would end too early.
        self._server(f"-p{_SERVER_LIFE}")
        self._quietly("/usr/bin/wineboot", "--init")
        source = self.directory / "bcryptprimitives.c"
        source.write_text(_RANDOM_BYTES, encoding="utf-8")
        library = self.drive("C:\\windows\\system32\\bcryptprimitives.dll")
        subprocess.run([COMPILER, "-O2", "-shared", "-o", str(library), str(source), "-ladvapi32"], check=True)
        for name in ("icacls", "whoami"):
            shutil.copy(compiled(_ACCESS_PROGRAM), self.drive(f"C:\\windows\\system32\\{name}.exe"))

    def _server(self, option: str) -> None:
        # It fails if there is already a server, or none.
        subprocess.run(
            ["/usr/bin/wineserver", option],
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )

    def _quietly(self, *command: str) -> None:
        subprocess.run(
            command,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
            timeout=120,
        )


def on_loopback(variables: dict[str, str]) -> dict[str, str]:
    """The same variables. Fails if one of them points to the machine's metadata service."""
    for name in LOOPBACK:
        value = variables.get(name, LOOPBACK[name])
        if value != "true" and not (value.partition("//")[2] or value).startswith("127.0.0.1"):
            raise ValueError(f"{name} must point to loopback, or the machine's own metadata service is asked")
    return variables


def compiled(source: Path, *libraries: str) -> Path:
    """The Windows program of a C file, compiled when it changes."""
    contents = hashlib.sha256(source.read_bytes()).hexdigest()[:12]
    directory = CROSS / "programs" / f"{source.stem}-{contents}"
    program = directory / f"{source.stem}.exe"
    directory.mkdir(parents=True, exist_ok=True)
    with _locked(directory / "lock"):
        if not program.exists():
            unfinished = directory / "unfinished.exe"
            options = ["-municode"] if "wmain(" in source.read_text(encoding="utf-8") else []
            warnings = ["-Wall", "-Wextra", "-Werror"]
            command = [COMPILER, "-O1", "-s", *warnings, *options, "-o", unfinished, source]
            subprocess.run([*map(str, command), *(f"-l{name}" for name in libraries)], check=True)
            unfinished.rename(program)
    return program


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with open(path, "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def wine() -> Iterator[Wine]:
    """The wine prefix of the tests, whose programs end with the block."""
    made = Wine(CROSS / "wine")
    with made.running():
        yield made


def main() -> int:
    """Run a program with the variables of this process that cargo sets."""
    with wine() as windows:
        passed = {
            name: value for name, value in os.environ.items() if name.startswith(("CARGO_", "RUST_", "PROPTEST_"))
        }
        return subprocess.run(["/usr/bin/wine", *sys.argv[1:]], env=windows.environment(passed)).returncode


if __name__ == "__main__":
    sys.exit(main())

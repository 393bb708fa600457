"""A user of Windows: a home directory, variables, and the native programs."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from ..clients import Completed
from ..cloud import PracticeCloud
from ..wine import LOOPBACK, Wine, compiled, on_loopback

#: The entries that every Windows has on PATH.
SYSTEM_PATH = ("C:\\windows\\system32", "C:\\windows")

_LAUNCHER = Path(__file__).with_name("launch.c")


class WindowsUser:
    r"""Runs Windows programs. The home directory is on drive `Z:`, which is the root directory."""

    def __init__(self, wine: Wine, programs: Path, directory: Path, cloud: PracticeCloud | None = None) -> None:
        self.wine = wine
        self.cloud = cloud
        #: The directory of `keyring.exe` and `ringbearer.exe`.
        self.programs = programs
        #: %USERPROFILE%.
        self.home = directory / "home"
        self.app_data = self.home / "AppData" / "Roaming"
        self.local_app_data = self.home / "AppData" / "Local"
        for folder in (self.app_data, self.local_app_data):
            folder.mkdir(parents=True)
        #: The first directories on PATH, before that of the native programs.
        self.path: list[Path] = []
        #: Variables for every program.
        self.variables: dict[str, str | None] = {}
        self._launcher = compiled(_LAUNCHER)

    def environment(self, **variables: str | None) -> dict[str, str]:
        """The variables of a program. None removes one."""
        path = [*map(self.wine.path, [*self.path, self.programs]), *SYSTEM_PATH]
        found: dict[str, str | None] = {
            "USERPROFILE": self.wine.path(self.home),
            "APPDATA": self.wine.path(self.app_data),
            "LOCALAPPDATA": self.wine.path(self.local_app_data),
            "PATH": ";".join(path),
            **LOOPBACK,
        }
        if self.cloud is not None:
            found.update(self._in_the_cloud(self.cloud))
        found.update(self.variables)
        found.update(variables)
        complete = {name: value for name, value in found.items() if value is not None}
        # Also of those that were removed.
        return {**LOOPBACK, **on_loopback(complete)}

    def _in_the_cloud(self, cloud: PracticeCloud) -> dict[str, str]:
        return {
            "HTTPS_PROXY": cloud.proxy_url,
            "HTTP_PROXY": cloud.proxy_url,
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": self.wine.path(cloud.ca_file),
            **cloud.loopback_variables(),
        }

    def run(
        self,
        program: object,
        *arguments: object,
        variables: dict[str, str | None] | None = None,
        input: str | bytes | None = None,
        timeout: float = 60,
        directory: Path | None = None,
    ) -> Completed:
        """Run a program of the native ones, or by its path, to the end.

        The code is the 32-bit exit code. After the time limit the program and its children are killed, and that raises.
        """
        started = self.start(program, *arguments, variables=variables, input=input, directory=directory)
        return started.wait(timeout)

    def start(
        self,
        program: object,
        *arguments: object,
        variables: dict[str, str | None] | None = None,
        input: str | bytes | None = None,
        directory: Path | None = None,
    ) -> RunningProgram:
        """The same in the background."""
        return RunningProgram(
            self.wine,
            self._launcher,
            [str(program), *map(str, arguments)],
            self.executable(program),
            self.environment(**(variables or {})),
            input.encode() if isinstance(input, str) else input,
            directory or self.home,
        )

    def executable(self, program: object) -> str:
        """The Windows path of a program: of a native one by its name."""
        text = str(program)
        if "\\" in text or text in ("cmd", "net"):
            return text
        return self.wine.path(text if "/" in text else self.programs / f"{text}.exe")

    def all(self, *started: RunningProgram, timeout: float = 60) -> list[Completed]:
        """Wait for programs."""
        end = time.monotonic() + timeout
        return [one.wait(max(end - time.monotonic(), 0.1)) for one in started]


class RunningProgram:
    """A Windows program that runs."""

    def __init__(
        self,
        wine: Wine,
        launcher: Path,
        command: list[str],
        executable: str,
        variables: dict[str, str],
        input: bytes | None,
        directory: Path,
    ) -> None:
        self.command = command
        self._input = input
        self._started = time.monotonic()
        self._exchange = tempfile.TemporaryDirectory(prefix="lab-windows-")
        self._code = Path(self._exchange.name, "code")
        given = Path(self._exchange.name, "variables")
        given.write_bytes("".join(f"{name}={value}\0" for name, value in variables.items()).encode())
        self.process = subprocess.Popen(
            ["/usr/bin/wine", str(launcher), executable, *command[1:]],
            env=wine.environment({"LAB_VARIABLES": wine.path(given), "LAB_EXIT_CODE": wine.path(self._code)}),
            stdin=subprocess.DEVNULL if input is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            start_new_session=True,
        )

    def wait(self, timeout: float = 60) -> Completed:
        """Wait for its end."""
        try:
            stdout, stderr = self.process.communicate(self._input, timeout)
        except subprocess.TimeoutExpired as expired:
            self.kill()
            expired.output, expired.stderr = self.process.communicate()
            raise
        seconds = time.monotonic() - self._started
        assert self.process.returncode == 0, f"{self.command}: {stderr.decode('utf-8', 'replace')}"
        code = int(self._code.read_text())
        self._exchange.cleanup()
        texts = [text.decode("utf-8", "replace") for text in (stdout, stderr)]
        return Completed(self.command, code, texts[0], texts[1], seconds, stdout)

    def kill(self) -> None:
        """End it and its children."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

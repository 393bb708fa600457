"""A desktop's keyring on Linux: GNOME Keyring on a message bus of its own, unlocked and empty."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable

import pytest

#: The programs, all of which Debian has in the packages dbus, gnome-keyring and libsecret-tools.
PROGRAMS = ("dbus-daemon", "dbus-send", "gnome-keyring-daemon", "secret-tool")
#: The password of the keyring.
_PASSWORD = "practice"
#: A bus that starts no program by itself: a locked keyring finds no dialog to open.
_BUS = """<busconfig>
  <type>session</type>
  <listen>{address}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
    <allow own="*"/>
  </policy>
</busconfig>
"""
_SECRETS = "/org/freedesktop/secrets"


def need_programs() -> None:
    """Skip the test where a program is missing."""
    missing = [name for name in PROGRAMS if not shutil.which(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


class SecretService:
    """A bus with a keyring, until :meth:`close`."""

    def __init__(self) -> None:
        # A socket's path may have 107 bytes, which the directories of tests exceed.
        self._directory = tempfile.mkdtemp(prefix="secrets-")
        bus = os.path.join(self._directory, "bus")
        #: What a program needs to reach the keyring.
        self.variables = {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={bus}", "XDG_RUNTIME_DIR": self._directory}
        self._environment = {
            **self.variables,
            "PATH": os.environ["PATH"],
            "HOME": self._directory,
            "XDG_DATA_HOME": os.path.join(self._directory, "data"),
        }
        os.mkdir(self._environment["XDG_DATA_HOME"], 0o700)
        configuration = os.path.join(self._directory, "bus.conf")
        with open(configuration, "w", encoding="utf-8") as stream:
            stream.write(_BUS.format(address=f"unix:path={bus}"))
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("dbus-daemon", f"--config-file={configuration}", "--nofork", "--nopidfile")
        self._wait(lambda: _listens(bus))
        control = f"--control-directory={self._directory}"
        keyring = self._start("gnome-keyring-daemon", "--unlock", "--foreground", "--components=secrets", control)
        assert keyring.stdin
        with keyring.stdin:
            keyring.stdin.write(_PASSWORD.encode())
        self._wait(lambda: self._run("secret-tool", "store", "--label=ready", "is", "ready", text="x") == 0)
        assert self._run("secret-tool", "clear", "is", "ready") == 0

    def lock(self) -> None:
        """Lock the keyring, as a desktop does at the end of a session."""
        collection = f"array:objpath:{_SECRETS}/collection/login"
        method = "org.freedesktop.Secret.Service.Lock"
        words = ["--session", "--print-reply", "--dest=org.freedesktop.secrets", _SECRETS, method, collection]
        assert self._run("dbus-send", *words) == 0

    def content(self) -> bytes:
        """Every file of the keyring: encrypted."""
        found = b""
        for folder, _, names in os.walk(self._environment["XDG_DATA_HOME"]):
            for name in names:
                with open(os.path.join(folder, name), "rb") as stream:
                    found += stream.read()
        return found

    def close(self) -> None:
        """End it."""
        for process in reversed(self._processes):
            process.terminate()
            process.wait(10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _start(self, *command: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            command,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._processes.append(process)
        return process

    def _run(self, *command: str, text: str = "") -> int:
        ended = subprocess.run(
            command, env=self._environment, input=text.encode(), capture_output=True, timeout=60, check=False
        )
        return ended.returncode

    def _wait(self, is_ready: Callable[[], bool]) -> None:
        end = time.monotonic() + 20
        while not is_ready():
            assert time.monotonic() < end, "the keyring does not start"
            assert all(process.poll() is None for process in self._processes), "the keyring has ended"
            time.sleep(0.02)


def _listens(path: str) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(path) == 0

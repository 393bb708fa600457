"""The real clients, each in a virtual environment of its own, built once and kept under ``target/``.

They are installed with the machine's own settings (registries, proxies, certificates); after that they only ever run
in an environment of the practice cloud.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from .versions import (
    AZURE_CLI,
    BOTO3,
    CALLERS,
    FLIT,
    GOOGLE_AUTH,
    KEYRING,
    OLD_TOX,
    OLDEST_KEYRING,
    PDM,
    PEERS,
    PIP,
    PIP_26_1,
    POETRY,
    PYTEST,
    TOX,
    TOX_3,
    TOX_UV,
    TWINE,
    UV,
)

_WINDOWS = os.name == "nt"
_SCRIPTS = "Scripts" if _WINDOWS else "bin"


@dataclass
class Completed:
    """How a client's run ended."""

    command: list[str]
    code: int
    stdout: str
    stderr: str
    #: Seconds.
    duration: float
    raw_stdout: bytes = field(repr=False, default=b"")

    def check(self) -> Completed:
        """Returns itself if the run succeeded; otherwise fails with everything that was printed."""
        assert self.code == 0, str(self)
        return self

    @property
    def output(self) -> str:
        """Everything printed."""
        return self.stdout + self.stderr

    def __str__(self) -> str:
        return "{} -> {} after {:.2f} s\n--- stdout\n{}\n--- stderr\n{}".format(
            " ".join(self.command), self.code, self.duration, self.stdout, self.stderr
        )


class Client:
    """A virtual environment with some clients in it."""

    def __init__(self, directory: str) -> None:
        self.directory = directory

    @property
    def bin(self) -> str:
        """The directory of its programs, for PATH."""
        return os.path.join(self.directory, _SCRIPTS)

    @property
    def python(self) -> str:
        """Its interpreter."""
        return self.program("python")

    def program(self, name: str) -> str:
        """A program's full path."""
        for suffix in (".exe", ".cmd", ".bat", "") if _WINDOWS else ("",):
            path = os.path.join(self.bin, name + suffix)
            if os.path.exists(path):
                return path
        raise FileNotFoundError(f"{name} is not in {self.bin}")

    def run(
        self,
        command: Sequence[object],
        environment: dict[str, str],
        timeout: float = 60,
        stdin: str | bytes | None = None,
        directory: object | None = None,
    ) -> Completed:
        """Run one of its programs to the end. After the time limit the whole process group is killed, and that raises.

        The working directory is HOME unless one is given.
        """
        started = time.monotonic()
        process = self.start(command, environment, stdin is not None, directory)
        try:
            data = stdin.encode() if isinstance(stdin, str) else stdin
            stdout, stderr = process.communicate(data, timeout=timeout)
        except subprocess.TimeoutExpired as expired:
            kill_group(process)
            stdout, stderr = process.communicate()
            expired.output, expired.stderr = stdout, stderr
            raise
        return Completed(
            [str(part) for part in command],
            process.returncode,
            stdout.decode("utf-8", "replace"),
            stderr.decode("utf-8", "replace"),
            time.monotonic() - started,
            stdout,
        )

    def start(
        self,
        command: Sequence[object],
        environment: dict[str, str],
        with_stdin: bool = False,
        directory: object | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start one of its programs in its own process group, for instance to interrupt it."""
        words = [str(part) for part in command]
        home = environment.get("HOME") or environment.get("USERPROFILE")
        return subprocess.Popen(
            [self.program(words[0]), *words[1:]],
            stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=str(directory) if directory else home,
            start_new_session=not _WINDOWS,
        )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and its descendants."""
    if _WINDOWS:
        process.kill()
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


class ClientEnvironments:
    """Builds environments in a directory, and keeps them until their requirements change."""

    def __init__(self, directory: object) -> None:
        self.directory = os.path.abspath(str(directory))
        self.python = sys.executable
        os.makedirs(self.directory, exist_ok=True)

    def tool(self) -> Client:
        """uv and a pip: clients that find keyring on PATH, not in their own environment."""
        return self._client("tool", [UV, PIP])

    def client(self, wheel: str | None = None) -> Client:
        """pip, twine and keyring, with ringbearer beside them if there is a wheel."""
        return self._client("client" if wheel else "client-without", [KEYRING, PIP, TWINE], wheel)

    def native(self, wheel: str) -> Client:
        """The native programs `ringbearer` and `keyring`, and no Python package."""
        return self._client("native", [], wheel)

    def pip_26_1(self, wheel: str | None = None) -> Client:
        """The last pip with the older arguments of the keyring command."""
        return self._client("pip-26.1", [PIP_26_1, KEYRING], wheel)

    def caller(self, name: str) -> Client:
        """A client, by its name in `CALLERS`, that finds only the keyring on PATH."""
        return self._client(f"caller-{name}", CALLERS[name])

    def poetry(self, wheel: str) -> Client:
        """Poetry with ringbearer beside it."""
        return self._client("poetry", [POETRY], wheel)

    def pdm(self, wheel: str) -> Client:
        """PDM with ringbearer beside it."""
        return self._client("pdm", [PDM], wheel)

    def tox(self, wheel: str) -> Client:
        """tox with ringbearer beside it."""
        return self._client("tox", [TOX, KEYRING], wheel)

    def tox_3(self, wheel: str) -> Client:
        """tox 3, with ringbearer beside it."""
        return self._client("tox-3", [TOX_3, KEYRING], wheel)

    def old_tox(self, wheel: str) -> Client:
        """A tox of early 2025 with ringbearer beside it."""
        return self._client("old-tox", [OLD_TOX, KEYRING], wheel)

    def tox_uv(self, wheel: str) -> Client:
        """tox that installs with uv, and ringbearer beside it."""
        return self._client("tox-uv", [TOX, TOX_UV, UV, KEYRING], wheel)

    def azure_cli(self) -> Client:
        """The Azure CLI; about 370 MB."""
        return self._client("azure-cli", [AZURE_CLI])

    def boto3(self) -> Client:
        """AWS's own client, and keyrings.codeartifact, which uses it."""
        return self._client("boto3", [BOTO3, KEYRING, PEERS["codeartifact"]])

    def google_auth(self) -> Client:
        """Google's own library, and keyrings.google-artifactregistry-auth, which uses it."""
        return self._client("google-auth", [GOOGLE_AUTH, KEYRING, PEERS["google"]])

    def ssh_agent_keyring(self, version: str) -> Client:
        """A version of ssh-agent-keyring; it needs Python 3.10."""
        return self._client(f"ssh-agent-keyring-{version}", [f"ssh-agent-keyring=={version}", KEYRING])

    def flit(self, wheel: str) -> Client:
        """flit with ringbearer beside it."""
        return self._client("flit", [FLIT, KEYRING], wheel)

    def beside(self, wheel: str, *peers: str) -> Client:
        """keyring, ringbearer and other packages with backends, by their names in `PEERS`."""
        return self._client("-".join(["beside", *peers]), [KEYRING, *(PEERS[peer] for peer in peers)], wheel)

    def oldest_keyring(self, wheel: str) -> Client:
        """The oldest keyring that ringbearer supports, and ringbearer beside it."""
        return self._client("oldest-keyring", [OLDEST_KEYRING], wheel)

    def suite(self, wheel: str) -> Client:
        """keyring, ringbearer and pytest, for tests that run inside the environment."""
        return self._client("backend-suite", [KEYRING, PYTEST], wheel)

    def _client(self, name: str, requirements: list[str], wheel: str | None = None) -> Client:
        contents = hashlib.sha256("\n".join([sys.version, self.python, *requirements]).encode())
        if wheel:
            with open(wheel, "rb") as stream:
                contents.update(stream.read())
        directory = os.path.join(self.directory, f"{name}-{contents.hexdigest()[:12]}")
        complete = os.path.join(directory, "complete")
        if not os.path.exists(complete):
            with self._lock(name):
                if not os.path.exists(complete):
                    self._remove_older(name)
                    self._build(name, directory, requirements + ([os.path.abspath(wheel)] if wheel else []))
                    with open(complete, "w", encoding="utf-8"):
                        pass
        return Client(directory)

    def _build(self, name: str, directory: str, requirements: list[str]) -> None:
        if name == "tool":
            # The first environment is made with the standard library only.
            _run([sys.executable, "-m", "venv", directory])
            pip = [Client(directory).python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            _run(pip + requirements)
            return
        uv = self.tool().program("uv")
        _run([uv, "venv", "--quiet", "--no-project", "--python", self.python, directory])
        _run([uv, "pip", "install", "--quiet", "--python", Client(directory).python, *requirements])

    def _remove_older(self, name: str) -> None:
        length = len(name) + 13
        for entry in os.listdir(self.directory):
            if entry.startswith(name + "-") and len(entry) == length:
                shutil.rmtree(os.path.join(self.directory, entry), ignore_errors=True)

    @contextmanager
    def _lock(self, name: str, patience: float = 600) -> Iterator[None]:
        """One builder at a time, also among parallel test processes. The lock of a killed one becomes stale."""
        path = os.path.join(self.directory, name + ".lock")
        deadline = time.monotonic() + patience
        while True:
            try:
                os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                break
            except FileExistsError:
                if time.monotonic() > deadline or _age(path) > patience:
                    _remove_quietly(path)
                time.sleep(0.1)
        try:
            yield
        finally:
            _remove_quietly(path)


def _age(path: str) -> float:
    with suppress(FileNotFoundError):
        return time.time() - os.stat(path).st_mtime
    return 0


def _remove_quietly(path: str) -> None:
    with suppress(FileNotFoundError):
        os.remove(path)


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if ended.returncode:
        text = ended.stdout.decode("utf-8", "replace")
        raise RuntimeError("{} failed:\n{}".format(" ".join(command), text))

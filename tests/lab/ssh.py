"""Real OpenSSH: keys that were made for one test, and agents that hold them."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from .environment import link_program, programs_directory


class Key:
    """A key pair without a passphrase, and its public half as text."""

    def __init__(self, path: str) -> None:
        self.path = path
        os.chmod(path, 0o600)
        with open(path + ".pub", encoding="utf-8") as stream:
            self.line = stream.read().strip()

    @property
    def public_path(self) -> str:
        """The file with the public half."""
        return self.path + ".pub"

    @property
    def text(self) -> str:
        """Type and Base64, without the comment: as a store names its key."""
        return " ".join(self.line.split()[:2])

    @property
    def comment(self) -> str:
        """What the agent calls it."""
        return self.line.split(maxsplit=2)[2]

    @property
    def fingerprint(self) -> str:
        """As ``ssh-add -l`` prints it."""
        shown = run_program(["ssh-keygen", "-l", "-f", self.public_path], {})
        return shown.split()[1]


def make_key(directory: object, kind: str = "ed25519", bits: int | None = None, name: str = "id") -> Key:
    """A new key, by ssh-keygen."""
    os.makedirs(str(directory), exist_ok=True)
    path = os.path.join(str(directory), name)
    size = ["-b", str(bits)] if bits else []
    run_program(["ssh-keygen", "-q", "-t", kind, *size, "-N", "", "-C", f"{name} of a test", "-f", path], {})
    return Key(path)


def copy_key(source: object, directory: object, name: str = "id") -> Key:
    """A copy of a key pair, with the permissions that ssh-add wants."""
    os.makedirs(str(directory), exist_ok=True)
    path = os.path.join(str(directory), name)
    shutil.copyfile(str(source), path)
    shutil.copyfile(f"{source}.pub", path + ".pub")
    return Key(path)


class Agent:
    """An ssh-agent of OpenSSH's. It dies with :meth:`close`, by its own process id."""

    def __init__(self) -> None:
        # A socket's path may have 107 bytes, which the directories of tests exceed.
        self._directory = tempfile.mkdtemp(prefix="agent-")
        self.socket = os.path.join(self._directory, "s")
        #: What the agent and ssh-add run to ask a question: it answers with the text of `answer`, or says no.
        self._asker = os.path.join(self._directory, "ask")
        self.answer(None)
        self._environment = {
            "PATH": os.environ["PATH"],
            "SSH_ASKPASS": self._asker,
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": "none",
        }
        self.process = subprocess.Popen(
            ["ssh-agent", "-D", "-a", self.socket],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + 10
        while not self._listens():
            assert time.monotonic() < end and self.process.poll() is None, "ssh-agent does not start"
            time.sleep(0.005)

    def _listens(self) -> bool:
        """The socket is there before anybody listens on it."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def answer(self, text: str | None) -> None:
        """What the person at the keyboard answers from now on to questions: a text, or no."""
        with open(self._asker, "w", encoding="utf-8") as stream:
            stream.write("#!/bin/sh\n" + (f"echo '{text}'\n" if text is not None else "exit 1\n"))
        os.chmod(self._asker, 0o700)

    def add(self, key: Key, *options: str) -> None:
        """Load a key; with ``-c``, every signature is asked for."""
        self._ssh_add(*options, key.path)

    def remove(self, key: Key) -> None:
        """Unload a key."""
        self._ssh_add("-d", key.path)

    def lock(self, password: str) -> None:
        """``ssh-add -x``."""
        self.answer(password)
        self._ssh_add("-x")

    def unlock(self, password: str) -> None:
        """``ssh-add -X``."""
        self.answer(password)
        self._ssh_add("-X")

    def stop(self) -> None:
        """Let it hang, as a process that is suspended does: it accepts and never answers."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def close(self) -> None:
        """End it."""
        os.kill(self.process.pid, signal.SIGCONT)
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _ssh_add(self, *words: str) -> None:
        run_program(["ssh-add", "-q", *words], {**self._environment, "SSH_AUTH_SOCK": self.socket})


def run_program(command: list[str], environment: dict[str, str]) -> str:
    """What a program printed, which must succeed. The environment has PATH besides."""
    ended = subprocess.run(
        command,
        env={"PATH": os.environ["PATH"], **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, f"{command}: {ended.stdout}{ended.stderr}"
    return ended.stdout


def ssh_programs(directory: str) -> str:
    """A PATH entry with the few programs of the system, and with OpenSSH's, for those who run them."""
    programs_directory(directory)
    for name in ("ssh-add", "ssh-keygen", "ssh-agent"):
        link_program(name, directory)
    return directory

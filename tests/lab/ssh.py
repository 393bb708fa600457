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
        """Type and base64 without the comment, as in a store file."""
        return " ".join(self.line.split()[:2])

    @property
    def comment(self) -> str:
        """Its comment in the agent."""
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
    """OpenSSH's ssh-agent, until :meth:`close`."""

    def __init__(self) -> None:
        # A socket's path may have 107 bytes, which the directories of tests exceed.
        self._directory = tempfile.mkdtemp(prefix="agent-")
        self.socket = os.path.join(self._directory, "s")
        #: The SSH_ASKPASS program: it prints the text of `answer`, or fails.
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
        """Whether the agent listens; its socket exists before it does."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(self.socket) == 0

    def answer(self, text: str | None) -> None:
        """Set the answer to prompts from now on: a text, or a refusal."""
        with open(self._asker, "w", encoding="utf-8") as stream:
            stream.write("#!/bin/sh\n" + (f"echo '{text}'\n" if text is not None else "exit 1\n"))
        os.chmod(self._asker, 0o700)

    def add(self, key: Key, *options: str) -> None:
        """Load a key; with ``-c``, every signature needs confirmation."""
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
        """Suspend it: it accepts connections and never answers."""
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
    """The output of a program, which must succeed. PATH is added to the environment."""
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
    """A PATH directory with a few system programs and those of OpenSSH."""
    programs_directory(directory)
    for name in ("ssh-add", "ssh-keygen", "ssh-agent"):
        link_program(name, directory)
    return directory

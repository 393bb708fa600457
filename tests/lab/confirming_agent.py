"""An ssh-agent that asks for confirmation and counts how often, and keys with certificates."""

from __future__ import annotations

import os
import shutil
import subprocess

from .ssh import Agent, Key, make_key


class ConfirmingAgent(Agent):
    """Counts its confirmation prompts."""

    def answer(self, text: str | None) -> None:
        """Answer prompts like this from now on; each prompt is recorded."""
        super().answer(text)
        with open(self._asker, encoding="utf-8") as stream:
            first, _, rest = stream.read().partition("\n")
        with open(self._asker, "w", encoding="utf-8") as stream:
            stream.write(f"{first}\necho asked >>'{self._notes}'\n{rest}")

    def asked(self) -> int:
        """The number of prompts since the last call."""
        if not os.path.exists(self._notes):
            return 0
        with open(self._notes, encoding="utf-8") as stream:
            count = len(stream.readlines())
        os.remove(self._notes)
        return count

    @property
    def _notes(self) -> str:
        return os.path.join(self._directory, "notes")


def certify(key: Key, directory: object) -> str:
    """Sign a certificate for a key, which ssh-add then loads with the key. Returns its text."""
    authority = make_key(directory, name="authority")
    command = ["ssh-keygen", "-q", "-s", authority.path, "-I", "test", "-n", "me", key.public_path]
    subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=60)
    with open(key.path + "-cert.pub", encoding="utf-8") as stream:
        return stream.read().strip()


def without_certificate(key: Key, directory: object) -> Key:
    """A copy of a key pair without its certificate."""
    os.makedirs(str(directory), exist_ok=True)
    path = os.path.join(str(directory), os.path.basename(key.path))
    for suffix in ("", ".pub"):
        shutil.copyfile(key.path + suffix, path + suffix)
    return Key(path)

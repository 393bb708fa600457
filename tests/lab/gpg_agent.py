"""A real gpg-agent that serves ssh keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

from .ssh import Key, run_program

#: A pinentry that answers every passphrase prompt.
_PINENTRY = """#!/bin/sh
echo OK
while read -r word rest; do
    test "$word" = GETPIN && echo "D of-a-test"
    echo OK
    test "$word" = BYE && exit
done
"""


def is_installed() -> bool:
    """Whether this machine has gpg-agent and OpenSSH."""
    return all(shutil.which(name) for name in ("gpg-agent", "gpgconf", "ssh-add"))


class GpgAgent:
    """Serves one key until :meth:`close`, in its own home directory."""

    def __init__(self, key: Key) -> None:
        # A socket's path may have 107 bytes, which the directories of tests exceed.
        self._directory = tempfile.mkdtemp(prefix="gpg-")
        pinentry = os.path.join(self._directory, "pinentry")
        with open(pinentry, "w", encoding="utf-8") as stream:
            stream.write(_PINENTRY)
        os.chmod(pinentry, 0o700)
        self._environment = {"PATH": os.environ["PATH"], "HOME": self._directory, "GNUPGHOME": self._directory}
        self.socket = run_program(["gpgconf", "--list-dirs", "agent-ssh-socket"], self._environment).strip()
        # It returns when the agent answers. The small iteration count makes the passphrase fast.
        command = ["gpg-agent", "--daemon", "--enable-ssh-support", "--s2k-count=65536", "--pinentry-program", pinentry]
        subprocess.run(command, env=self._environment, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
        self._environment["SSH_AUTH_SOCK"] = self.socket
        try:
            run_program(["ssh-add", "-q", key.path], self._environment)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Stop the agent of this home directory only."""
        run_program(["gpgconf", "--kill", "gpg-agent"], self._environment)
        if os.path.dirname(self.socket) != self._directory:
            run_program(["gpgconf", "--remove-socketdir"], self._environment)
        shutil.rmtree(self._directory, ignore_errors=True)

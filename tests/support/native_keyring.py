"""The native `keyring`, and other programs of that name behind it on PATH."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab.clients import Client, Completed
from lab.cloud import PracticeCloud

PLAINTEXT = "keyrings.alt.file.PlaintextKeyring"


class NativeKeyring:
    """Runs the native `keyring`, which comes first on PATH."""

    def __init__(self, cloud: PracticeCloud, native: Client, home: object, behind: Iterable[object] = ()) -> None:
        self.cloud = cloud
        self.native = native
        self.home = home
        #: The directories after its own on PATH.
        self.behind = list(behind)

    def environment(self, **variables: str | None) -> dict[str, str]:
        """Its environment."""
        return self.cloud.environment(self.home, path=[self.native.bin, *self.behind], **variables)

    def __call__(
        self, *words: str, stdin: str | bytes | None = None, directory: object | None = None, **variables: str | None
    ) -> Completed:
        """Run it with a short limit."""
        return self.native.run(["keyring", *words], self.environment(**variables), 10, stdin, directory)


def keyring_script(directory: Path, *lines: str) -> Path:
    """Another `keyring`: a shell script with these lines. Returns its directory."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "keyring"
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]), encoding="utf-8", errors="surrogateescape")
    path.chmod(0o755)
    return directory


def assert_complaint(ended: Completed, *parts: str, code: int = 1) -> None:
    """It failed with one line on standard error and nothing on standard output."""
    assert (ended.code, ended.stdout) == (code, ""), ended
    assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, ended
    for part in parts:
        assert part in ended.stderr, ended


def assert_miss(ended: Completed) -> None:
    """It found no password, and printed nothing."""
    assert (ended.code, ended.output) == (1, ""), ended

"""The arguments with which clients call `keyring`, and a `keyring` that records them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from lab.clients import Client
from lab.registry import Registry

#: By client. `URL`, `HOST` and `USER` are placeholders.
CALLS = {
    "pip": ["--mode=creds", "--output=json", "get", "URL"],
    "pip with a user name": ["--mode=creds", "--output=json", "get", "URL", "USER"],
    "pip 26.1": ["get", "URL", "USER"],
    # Also pixi, which uses uv's library.
    "uv": ["get", "URL", "USER"],
    "uv without a user name": ["get", "URL", "--mode", "creds"],
    "PDM": ["--mode=creds", "get", "URL", ""],
    "PDM with a user name": ["--mode=creds", "get", "USER@URL", "USER"],
}

#: The further calls of each client after a miss.
SECOND_CALLS = {
    "pip": [["--mode=creds", "--output=json", "get", "HOST"]],
    "pip with a user name": [["--mode=creds", "--output=json", "get", "HOST", "USER"]],
    "pip 26.1": [["get", "HOST", "USER"]],
    "uv": [["get", "HOST", "USER"]],
    "uv without a user name": [["get", "HOST", "--mode", "creds"]],
    # The last two are for an index configured with the name `pypi`.
    "PDM": [
        ["--mode=password", "get", "URL", "__token__"],
        ["--mode=creds", "get", "HOST", ""],
        ["--mode=password", "get", "HOST", "__token__"],
        ["--mode=creds", "get", "pdm-pypi-pypi", ""],
        ["--mode=password", "get", "pdm-pypi-pypi", "__token__"],
    ],
    "PDM with a user name": [
        ["--mode=password", "get", "USER@URL", "USER"],
        ["--mode=creds", "get", "HOST", "USER"],
        ["--mode=password", "get", "HOST", "USER"],
        ["--mode=creds", "get", "pdm-pypi-pypi", ""],
        ["--mode=password", "get", "pdm-pypi-pypi", "__token__"],
    ],
}

PDM_PROJECT = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.9"
dependencies = ["greetings"]

[tool.pdm]
distribution = false

[[tool.pdm.source]]
name = "pypi"
url = "{}"
"""


def words(call: Sequence[str], registry: Registry) -> list[str]:
    """A call for the index of a registry."""
    meant = {
        "URL": registry.index_url,
        "USER@URL": registry.url_with_user_name,
        "HOST": registry.host,
        "USER": registry.user_name,
    }
    return [meant.get(word, word) for word in call]


def answer(call: Sequence[str], user: str, password: str) -> str:
    """The expected output of a call."""
    if "--output=json" in call:
        return json.dumps({"username": user, "password": password}) + "\n"
    return f"{user}\n{password}\n" if "creds" in " ".join(call) else password + "\n"


class Recorder:
    """A `keyring` that records its arguments and runs the native one."""

    def __init__(self, directory: Path, native: Client) -> None:
        self._log = directory / "calls"
        #: Its directory, which must come first on PATH.
        self.bin = directory / "recorder"
        self.bin.mkdir()
        program = self.bin / "keyring"
        # Without its own directory on PATH, so that the native one does not find it as the next keyring.
        lines = ["#!/bin/sh", "{ printf '%s\\037' \"$@\"; echo; } >>'" + str(self._log) + "'"]
        lines += ["PATH=${PATH#*:} exec '" + native.program("keyring") + '\' "$@"', ""]
        program.write_text("\n".join(lines))
        program.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call."""
        return [line.split("\037")[:-1] for line in self._log.read_text().splitlines()] if self._log.exists() else []

"""The wheel on every installed Python, and its refusal on free-threaded ones."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.pythons import Python, pythons
from lab.ssh import Agent, Key
from lab.store import StoreUser

with_each_python = pytest.mark.parametrize("python", pythons(), ids=lambda python: python.name)


def test_at_least_one_python_is_tested() -> None:
    tried = [python.name for python in pythons()]
    assert tried
    if len(tried) < 2:
        warnings.warn(f"only one Python was tried: {tried}", stacklevel=1)


@with_each_python
@pytest.mark.skipif(os.name == "nt", reason="on Windows, tests cannot start an agent")
def test_every_python_gets_a_credential_and_a_stored_password(
    cloud: PracticeCloud,
    on: Client,
    python: Python,
    fake_programs: FakePrograms,
    home: Path,
    agent: Agent,
    keys: dict[str, Key],
) -> None:
    agent.add(keys["ed25519"])
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    user = StoreUser(on, home, agent.socket)
    user.set("service", "alice", "s3cr3t")
    program = """
import json, keyring, sys
found = keyring.get_credential(sys.argv[1], None)
password = keyring.get_password("service", "alice")
print(json.dumps([found.username, found.password, password, list(sys.version_info)[:3]]))
"""
    environment = cloud.environment(home, path=[fake_programs.directory], SSH_AUTH_SOCK=agent.socket)
    ended = on.run(["python", "-W", "error", "-c", program, cloud.azure.feed.url()], environment).check()
    username, token, password, version = json.loads(ended.stdout)
    assert (username, [token], password) == ("VssSessionToken", cloud.azure.session_tokens.issued, "s3cr3t")
    assert tuple(version) == python.version
    assert ended.stderr == ""


def test_pip_refuses_the_wheel_on_free_threaded_python(tool: Client, wheel: str, tmp_path: Path) -> None:
    folder = tmp_path / "wheels"
    folder.mkdir()
    shutil.copy(wheel, folder)
    platform = os.path.basename(wheel)[: -len(".whl")].rsplit("-", 1)[1]
    said = {}
    for abi in ("cp313", "cp313t"):
        command = [
            tool.python,
            "-m",
            "pip",
            "download",
            "--isolated",
            "--no-index",
            "--no-deps",
            "--find-links",
            folder,
        ]
        command += [
            "--dest",
            tmp_path / abi,
            "--only-binary",
            ":all:",
            "--implementation",
            "cp",
            "--python-version",
            "3.13",
        ]
        command += ["--abi", abi, "--platform", platform.split(".")[0], "ringbearer"]
        if abi == "cp313":
            command[-1:-1] = ["--abi", "abi3"]
        ended = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=30)
        said[abi] = (ended.returncode, ended.stderr)
    assert said["cp313"][0] == 0, said
    code, error = said["cp313t"]
    assert code == 1
    assert "No matching distribution found for ringbearer" in error

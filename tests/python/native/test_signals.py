"""A signal that the parent ignores is ignored by the native `keyring` too."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.interruptible import eventually
from support.azure_user import AzureUser

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no signals")


@pytest.fixture
def command(cloud: PracticeCloud, native: Client) -> list[str]:
    """A `keyring get` that runs `az`."""
    return [native.program("keyring"), "get", cloud.azure.feed.url(), "VssSessionToken"]


def start(command: list[str], environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """Start it as the leader of a process group, as a shell does."""
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, start_new_session=True
    )


@pytest.mark.parametrize("name", ["SIGINT", "SIGHUP"])
def test_signal_ignored_by_the_parent_does_not_end_it(
    azure_user: AzureUser, fake_programs: FakePrograms, native: Client, command: list[str], name: str
) -> None:
    # As for background processes of a shell script, and with `nohup`.
    slow = az_token(azure_user.bearer)
    for answer in slow:
        answer.delay = 0.5
    fake_programs.az(*slow)
    ignoring = ["sh", "-c", f'trap "" {name[3:]}; exec "$@"', "sh", *command]
    process = start(ignoring, azure_user.environment(native.bin))
    assert eventually(lambda: fake_programs.invocations("az") != [])
    os.killpg(process.pid, signal.Signals[name])
    stdout, stderr = process.communicate(timeout=5)
    assert (process.returncode, stderr) == (0, b"")
    assert stdout.decode().splitlines() == azure_user.cloud.azure.session_tokens.issued

"""Each secret reaches only its own host, and no program and no file."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from lab import strace
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.menda import REGISTRY_HOST
from support.azure_user import for_keyring_command
from support.menda_machines import API, INDEX, assert_hidden, profile


@pytest.mark.skipif(strace.MISSING is not None, reason=str(strace.MISSING))
def test_a_look_up_starts_no_program_and_opens_no_file_to_write(
    cloud: PracticeCloud, look_up: Lookups, home: Path, tmp_path: Path
) -> None:
    log = tmp_path / "calls"
    before = [shutil.which("strace"), "-f", "-qq", "-s", "4096", "-o", str(log), "-e", "trace=execve,open,openat,creat"]
    cloud.menda.write_login(home, "withdrawn", cloud.menda.client_id)
    (answer,) = look_up.all([LookUp(INDEX)], before=before, PYTHONDONTWRITEBYTECODE="1", **cloud.menda.variables)
    assert answer.credential is not None
    calls = log.read_text().splitlines()
    # Before, Python starts and keyring looks for its own libraries.
    first = next(number for number, line in enumerate(calls) if ".menda/tokens/cache/.token" in line)
    lines = calls[first:]
    assert [line for line in lines if "execve(" in line] == []
    writing = [line for line in lines if re.search("O_WRONLY|O_RDWR|O_CREAT|creat\\(", line)]
    # The result of the lab's own program.
    (answers,) = writing
    assert "/lab-lookup-" in answers
    assert_hidden([cloud.menda.client_secret, *cloud.menda.access_tokens, *cloud.menda.registry_tokens], *calls)


@pytest.mark.parametrize("source", ["variables", "file", "login"])
def test_secrets_reach_only_their_own_host_when_pip_installs(
    cloud: PracticeCloud, client: Client, home: Path, source: str
) -> None:
    menda = cloud.menda
    machine = {"auth_type": "m2m", "client_id": menda.client_id, "client_secret": menda.client_secret}
    if source != "variables":
        menda.write_profile(home, profile(**(machine if source == "file" else {})))
        menda.write_login(home, menda.log_in(), "default" if source == "login" else "another")
    environment = cloud.environment(home, **(menda.variables if source == "variables" else {}))
    index = for_keyring_command(INDEX.replace("://", "://aws@"))
    command = ["pip", "install", "--target", "packages", "--keyring-provider", "import", "--index-url", index]
    client.run([*command, "greetings"], environment).check()
    assert (home / "packages" / "hello_private.py").is_file()
    targets = {one.host for one in cloud.log.requests() if menda.client_secret in unquote_plus(one.target)}
    assert targets == (set() if source == "login" else {API})
    elsewhere = [str(one.headers) + str(one.body) for one in cloud.log.requests()]
    assert_hidden([menda.client_secret], *elsewhere, *[one.target for one in cloud.log.requests() if one.host != API])
    assert {host for token in menda.access_tokens for host in cloud.log.hosts_that_saw(token)} == {API}
    assert len(menda.registry_tokens) == 1
    assert cloud.log.hosts_that_saw(menda.registry_tokens[0]) == [REGISTRY_HOST]
    assert cloud.log.refused() == []

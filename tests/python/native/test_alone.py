"""The native `keyring` answers for an index without Python and without programs other than the registry's."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import executions, strace
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.chainguard_user import AUTH_TOKEN
from support.keyring_calls import CALLS, words

needs_strace = pytest.mark.skipif(
    strace.MISSING is not None, reason=f"nothing else sees system calls: {strace.MISSING}"
)


@pytest.fixture(params=list(REGISTRIES))
def registry(request: pytest.FixtureRequest, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Registry:
    """A registry whose login is in the environment, as in a CI job."""
    made = REGISTRIES[request.param](cloud, fake_programs, home)
    if request.param == "azure":
        made.variables = {"AZURE_DEVOPS_EXT_PAT": cloud.azure.contoso.personal_access_token()}
    elif request.param == "chainguard":
        made.variables = {AUTH_TOKEN: cloud.chainguard.token()}
    else:
        made.log_in()
    return made


@pytest.fixture
def begun(registry: Registry, native: Client, client: Client, tmp_path: Path) -> Callable[..., list[str]]:
    """Runs a command and returns the programs that were started. A Python keyring is on PATH after the native one."""

    def begun(runner: Client, *command: object) -> list[str]:
        log = tmp_path / "log"
        environment = registry.environment(native.bin, client.bin)
        runner.run([*executions.watching(log), runner.program(str(command[0])), *command[1:]], environment).check()
        return executions.programs(log)

    return begun


@needs_strace
@pytest.mark.parametrize("client_name", ["pip", "uv", "PDM"])
def test_native_keyring_runs_nothing_else_for_an_index(
    registry: Registry, native: Client, begun: Callable[..., list[str]], client_name: str
) -> None:
    call = words(CALLS[client_name], registry)
    assert begun(native, "keyring", *call) == [native.program("keyring")]


@needs_strace
def test_pip_starts_the_native_keyring_and_nothing_else(
    registry: Registry, native: Client, tool: Client, begun: Callable[..., list[str]], home: Path
) -> None:
    command = ["pip", "download", "--no-deps", "--dest", home, "--keyring-provider", "subprocess"]
    found = begun(tool, *command, "--index-url", registry.url_for_keyring_command, "greetings")
    # It runs `uname` and similar programs.
    assert [path for path in found[1:] if re.search("python|keyring", os.path.basename(path))] == [
        native.program("keyring")
    ]
    assert (home / "greetings-2.0-py3-none-any.whl").exists()


@needs_strace
@pytest.mark.parametrize("registry", [name for name in REGISTRIES if REGISTRIES[name].program], indirect=True)
def test_of_other_programs_only_the_registrys_own_is_run(
    registry: Registry, native: Client, begun: Callable[..., list[str]]
) -> None:
    registry.variables = {}
    registry.log_in()
    found = begun(native, "keyring", *words(CALLS["pip"], registry))
    assert found[:2] == [native.program("keyring"), os.path.join(registry.fake_programs.directory, registry.program)]
    # The stand-in is a shell script.
    assert {os.path.basename(path) for path in found[2:]} <= {"sh", "env", "cat"}


@pytest.mark.parametrize("registry", ["chainguard"], indirect=True)
def test_native_keyring_answers_before_python_has_started(registry: Registry, native: Client, client: Client) -> None:
    environment = registry.environment(native.bin)
    for call in (["get", "URL", "USER"], ["get", "https://registry.example/simple/", "USER"]):
        ours = [native.run(["keyring", *words(call, registry)], environment).duration for _ in range(9)]
        theirs = [client.run(["python", "-c", "import keyring"], environment).duration for _ in range(3)]
        # The shortest of several runs, to exclude the load of the machine.
        assert min(ours) < min(theirs) / 4

"""The wheel in every Python that the machine has, and in what is not quite one: interpreters inside an interpreter, and
Pythons without a lock.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import warnings
from pathlib import Path

import pytest
from lab.cli_stand_ins import StandIns, az_token
from lab.clients import Client, Workshop
from lab.cloud import PracticeCloud
from lab.pythons import Python, WorkshopOf, pythons
from lab.ssh import Agent, Key
from lab.store import StoreUser

with_each_python = pytest.mark.parametrize("python", pythons(), ids=lambda python: python.name)


@pytest.fixture
def on(python: Python, workshop: Workshop, wheel: str) -> Client:
    """keyring and ringbearer on that Python."""
    if python.is_free_threaded:
        pytest.skip("the wheel is not for Pythons without a lock")
    return WorkshopOf(workshop, python).beside(wheel)


def test_there_is_a_python_to_try() -> None:
    tried = [python.name for python in pythons()]
    assert tried
    if len(tried) < 2:
        warnings.warn(f"only one Python was tried: {tried}", stacklevel=1)


@with_each_python
@pytest.mark.skipif(os.name == "nt", reason="no test has an agent of its own on Windows")
def test_each_python_gets_a_credential_and_a_password_of_the_store(
    cloud: PracticeCloud,
    on: Client,
    python: Python,
    stand_ins: StandIns,
    home: Path,
    agent: Agent,
    keys: dict[str, Key],
) -> None:
    agent.add(keys["ed25519"])
    stand_ins.az(*az_token(cloud.azure.directory.user_token(cloud.azure.frodo)))
    user = StoreUser(on, home, agent.socket)
    user.set("service", "alice", "s3cr3t")
    program = """
import json, keyring, sys
found = keyring.get_credential(sys.argv[1], None)
password = keyring.get_password("service", "alice")
print(json.dumps([found.username, found.password, password, list(sys.version_info)[:3]]))
"""
    environment = cloud.environment(home, path=[stand_ins.directory], SSH_AUTH_SOCK=agent.socket)
    ended = on.run(["python", "-W", "error", "-c", program, cloud.azure.feed.url()], environment).check()
    username, token, password, version = json.loads(ended.stdout)
    assert (username, [token], password) == ("VssSessionToken", cloud.azure.session_tokens.issued, "s3cr3t")
    assert tuple(version) == python.version
    assert ended.stderr == ""


#: Runs programs one after the other, in interpreters inside this one or in this one. A word for each says which: one
#: with a lock of its own, one with the lock that all share, or this one.
INSIDE = """
import json, sys
try:
    import _interpreters as interpreters
    make = {"own": lambda: interpreters.create("isolated"), "shared": lambda: interpreters.create("legacy")}
except ImportError:
    import _xxsubinterpreters as interpreters
    make = {"own": lambda: interpreters.create(isolated=True), "shared": lambda: interpreters.create(isolated=False)}
for word, program in json.loads(sys.argv[1]):
    if word == "this":
        exec(program, {})
        continue
    made = make[word]()
    sys.stdout.flush()
    problem = interpreters.run_string(made, program)
    if problem is not None:
        print("problem", problem)
    interpreters.destroy(made)
print("done", flush=True)
"""

IMPORT = """
try:
    import ringbearer._core
    print("imported", flush=True)
except ImportError as error:
    print("ImportError:", error, flush=True)
"""

#: keyring itself, and the backends that it finds.
KEYRING = """
import keyring
names = sorted(type(one).__name__ for one in keyring.backend.get_all_keyring())
print("AzureArtifactsKeyring" in names, "ChainerBackend" in names, flush=True)
print(keyring.get_credential("https://pkgs.dev.azure.com/contoso/", None) is not None, flush=True)
"""

#: What is said of a setting that is wrong is an exception of a type that programs catch.
TYPED = """
from ringbearer import errors
from ringbearer.backends import AzureArtifactsKeyring
try:
    AzureArtifactsKeyring().get_credential("https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/", None)
except errors.RingbearerError as error:
    print(type(error).__name__, flush=True)
"""


def run_inside(
    cloud: PracticeCloud, client: Client, home: Path, *programs: tuple[str, str], **variables: str
) -> tuple[list[str], int]:
    """What interpreters inside an interpreter print, and the exit code."""
    command = ["python", "-W", "ignore", "-c", INSIDE, json.dumps(programs)]
    ended = client.run(command, cloud.environment(home, **variables), 20)
    return ended.stdout.splitlines(), ended.code


def has_own_locks(python: Python) -> bool:
    return python.version >= (3, 12)


@with_each_python
def test_an_interpreter_with_a_lock_of_its_own_is_told_that_it_cannot_have_the_module(
    cloud: PracticeCloud, on: Client, python: Python, home: Path
) -> None:
    lines, code = run_inside(cloud, on, home, ("own", IMPORT), ("own", IMPORT), ("this", IMPORT))
    refusal = "ImportError: module ringbearer._core does not support loading in subinterpreters"
    inside = refusal if has_own_locks(python) else "imported"
    assert (lines, code) == ([inside, inside, "imported", "done"], 0)


@with_each_python
def test_keyring_goes_on_without_it_there_and_with_it_where_the_lock_is_shared(
    cloud: PracticeCloud, on: Client, python: Python, home: Path
) -> None:
    pat = {"AZURE_DEVOPS_EXT_PAT": "pat"}
    lines, _ = run_inside(cloud, on, home, ("own", KEYRING), **pat)
    # What becomes of the process is Python's: 3.12 crashes when an interpreter ends that has loaded keyring alone.
    inside = ["False True", "False"] if has_own_locks(python) else ["True True", "True"]
    assert lines[:2] == inside
    lines, code = run_inside(cloud, on, home, ("shared", KEYRING), ("shared", KEYRING), ("this", KEYRING), **pat)
    assert (lines, code) == (["True True", "True"] * 3 + ["done"], 0)


@with_each_python
def test_an_interpreter_that_came_and_went_does_not_change_what_the_others_catch(
    cloud: PracticeCloud, on: Client, home: Path
) -> None:
    wrong = {"RINGBEARER_STRICT": "1", "ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "unknown"}
    programs = [("shared", TYPED), ("shared", TYPED), ("this", TYPED)]
    assert run_inside(cloud, on, home, *programs, **wrong) == (["ConfigurationError"] * 3 + ["done"], 0)


def test_pip_refuses_the_wheel_for_a_python_without_a_lock_in_words(tool: Client, wheel: str, tmp_path: Path) -> None:
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

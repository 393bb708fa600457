"""Subinterpreters: refused with their own GIL, served with a shared one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.pythons import Python, pythons

with_each_python = pytest.mark.parametrize("python", pythons(), ids=lambda python: python.name)

#: Runs programs one after the other, in this interpreter or in subinterpreters. A word for each says which: one
#: with its own GIL, one with the shared GIL, or this one.
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

#: A wrong setting raises an exception that programs catch.
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
    """The output of subinterpreters, and the exit code."""
    command = ["python", "-W", "ignore", "-c", INSIDE, json.dumps(programs)]
    ended = client.run(command, cloud.environment(home, **variables), 20)
    return ended.stdout.splitlines(), ended.code


def has_own_locks(python: Python) -> bool:
    return python.version >= (3, 12)


@with_each_python
def test_subinterpreter_with_its_own_gil_is_refused(
    cloud: PracticeCloud, on: Client, python: Python, home: Path
) -> None:
    lines, code = run_inside(cloud, on, home, ("own", IMPORT), ("own", IMPORT), ("this", IMPORT))
    refusal = "ImportError: module ringbearer._core does not support loading in subinterpreters"
    inside = refusal if has_own_locks(python) else "imported"
    assert (lines, code) == ([inside, inside, "imported", "done"], 0)


@with_each_python
def test_keyring_works_in_subinterpreters_of_both_kinds(
    cloud: PracticeCloud, on: Client, python: Python, home: Path
) -> None:
    pat = {"AZURE_DEVOPS_EXT_PAT": "pat"}
    lines, _ = run_inside(cloud, on, home, ("own", KEYRING), **pat)
    # The exit is Python's own: 3.12 crashes when a subinterpreter that has loaded only keyring ends.
    inside = ["False True", "False"] if has_own_locks(python) else ["True True", "True"]
    assert lines[:2] == inside
    lines, code = run_inside(cloud, on, home, ("shared", KEYRING), ("shared", KEYRING), ("this", KEYRING), **pat)
    assert (lines, code) == (["True True", "True"] * 3 + ["done"], 0)


@with_each_python
def test_ended_subinterpreter_changes_no_exception_elsewhere(cloud: PracticeCloud, on: Client, home: Path) -> None:
    wrong = {"RINGBEARER_STRICT": "1", "ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "unknown"}
    programs = [("shared", TYPED), ("shared", TYPED), ("this", TYPED)]
    assert run_inside(cloud, on, home, *programs, **wrong) == (["ConfigurationError"] * 3 + ["done"], 0)


@with_each_python
def test_abandoned_subinterpreter_does_not_block_exit(cloud: PracticeCloud, on: Client, home: Path) -> None:
    left = INSIDE.replace("interpreters.destroy(made)", "pass")
    command = ["python", "-W", "ignore", "-c", left, json.dumps([("shared", "import ringbearer.backends")])]
    process = on.start(command, cloud.environment(home))
    stdout, _ = process.communicate(timeout=10)
    assert (stdout.decode().split(), process.returncode) == (["done"], 0)


@with_each_python
def test_ended_subinterpreter_leaves_other_look_ups_running(cloud: PracticeCloud, on: Client, home: Path) -> None:
    url = cloud.azure.feed.url()
    cloud.faults.add(faults.latency(1.5), times=1)
    bearer = cloud.azure.directory.user_token(cloud.azure.user)
    begin = f"""
import keyring, sys, threading, time
keyring.get_keyring()
def ask():
    print(keyring.get_credential({url!r}, None).password, flush=True)
sys.asking = threading.Thread(target=ask)
sys.asking.start()
time.sleep(0.5)
"""
    end = "import sys; sys.asking.join()"
    programs = [("this", begin), ("shared", "import ringbearer.backends"), ("this", end)]
    lines, code = run_inside(cloud, on, home, *programs, ARTIFACTS_KEYRING_NOFUSS_TOKEN=bearer)
    assert (lines, code) == ([*cloud.azure.session_tokens.issued, "done"], 0) and len(lines) == 2

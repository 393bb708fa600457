"""KEYRING_PROPERTY_* variables, from which keyring sets attributes of every backend, and copies of backends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.azure_look_ups import TOKEN
from support.backend_list import INDEX_BACKENDS, listing

ALL = [*INDEX_BACKENDS, "SSHAgentKeyring", "NoStoreKeyring"]

#: Attributes of the classes, in lower case as keyring reads them from KEYRING_PROPERTY_.
TAKEN = ["PRIORITY", "NAME", "_NAME", "VIABLE", "GET_PASSWORD", "GET_CREDENTIAL", "SET_PASSWORD", "DELETE_PASSWORD"]
TAKEN += ["SET_PROPERTIES_FROM_ENV", "WITH_PROPERTIES", "GET_VIABLE_BACKENDS", "_READ_ONLY", "_VALIDATE_USERNAME"]
TAKEN += ["__CLASS__", "__DICT__", "__INIT__", "__MODULE__", "__DOC__", "__STR__", "__REPR__", "__HASH__", "__EQ__"]
TAKEN += ["__REDUCE__", "__REDUCE_EX__", "__SETATTR__", "__GETATTRIBUTE__", "__ABSTRACTMETHODS__", "__WEAKREF__"]
#: Attributes that they lack, which Python's copying may ask for.
ASKED_FOR = ["__COPY__", "__DEEPCOPY__", "__GETSTATE__", "__SETSTATE__", "__GETNEWARGS__", "__GETNEWARGS_EX__"]
ASKED_FOR += ["__GETATTR__", "__SLOTS__", "__CALL__", "__GET__", "__BOOL__", "__LEN__"]
#: Meaningless names: the first is empty, the last is not UTF-8.
ODD = ["", "X", "FOO_BAR", "SCHEME", "_CORE", "SERVICE", " ", ".", "A B", "A-B", "%", "\n", "1", "GRÖSSE", "\udcff"]

_PROGRAM = """
import copy, json, os, sys, warnings
from keyring.errors import KeyringError
from ringbearer import backends

names, services, value = json.loads(sys.argv[1])
usual = {name: getattr(backends, name) for name in services}

def state(backend, service):
    "All that others see of a backend."
    found = backend.get_credential(service, None)
    name = found.username if found else "alice"
    answers = [found and [found.username, found.password], backend.get_password(service, name)]
    for act, words in ((backend.set_password, ["p"]), (backend.delete_password, [])):
        try:
            act("svc", "alice", *words)
            answers.append("no error")
        except KeyringError as error:
            answers.append(type(error).__name__)
    return [*answers, str(backend), backend.name, backend.priority, type(backend).__name__, type(backend).viable]

before = {name: state(usual[name](), services[name]) for name in services}
harmed = []
for property in names:
    variable = "KEYRING_PROPERTY_" + property
    os.environ[variable] = value
    for name, kind in usual.items():
        step = "__init__"
        try:
            backend = kind()
            for step, one in (
                ("itself", lambda: backend),
                ("copy.copy", lambda: copy.copy(backend)),
                ("copy.deepcopy", lambda: copy.deepcopy(backend)),
                ("with_properties", lambda: backend.with_properties(assumed="x")),
                ("a copy of a copy", lambda: copy.copy(backend.with_properties(_assumed="x"))),
            ):
                if state(one(), services[name]) != before[name]:
                    harmed.append([property, name, step, "is another"])
        except BaseException as error:
            harmed.append([property, name, step, repr(error)])
    del os.environ[variable]
print(json.dumps([before, harmed]))
"""


@pytest.fixture
def services(registries: dict[str, Registry]) -> dict[str, str]:
    """A service for each backend."""
    return {**{registry.backend: registry.index_url for registry in registries.values()}, "NoStoreKeyring": "svc"}


@pytest.mark.parametrize("names", [TAKEN, ASKED_FOR, ODD], ids=["taken", "asked-for-by-copying", "odd"])
@pytest.mark.parametrize("value", ["", "odd", "99"], ids=["empty", "odd", "99"])
def test_property_variables_change_no_answer_of_any_backend(
    cloud: PracticeCloud,
    client: Client,
    home: Path,
    logins: dict[str, str],
    services: dict[str, str],
    names: list[str],
    value: str,
) -> None:
    arguments = json.dumps([names, services, value])
    ended = client.run(["python", "-c", _PROGRAM, arguments], cloud.environment(home, **logins)).check()
    before, harmed = json.loads(ended.stdout)
    assert harmed == []
    read_only = [before[name] for name in INDEX_BACKENDS]
    assert [state[0][1] for state in read_only] == [state[1] for state in read_only]
    assert [state[2:4] for state in read_only] == [["ReadOnlyError"] * 2] * len(INDEX_BACKENDS)
    assert before["NoStoreKeyring"][:4] == [None, None, "NoStoreError", "NoStoreError"]
    assert [state[6] for state in before.values()] == [*(registry.priority for registry in REGISTRIES.values()), 0.01]
    assert ended.stderr == ""


_MAKING = """
import os, sys
from ringbearer import backends
for name in sys.argv[2:]:
    os.environ["KEYRING_PROPERTY_" + name] = "odd"
for agent in (None, "", "/nowhere"):
    os.environ.pop("SSH_AUTH_SOCK", None)
    if agent is not None:
        os.environ["SSH_AUTH_SOCK"] = agent
    for name in sys.argv[1].split():
        made = getattr(backends, name)()
        print(name, type(made).__name__ == name, made.foo_bar, hasattr(made, "other_setting"))
"""


def test_backend_init_never_raises_and_sets_harmless_properties(
    cloud: PracticeCloud, client: Client, home: Path
) -> None:
    environment = cloud.environment(home, OTHER_SETTING="ignore me")
    for names in (["FOO_BAR"], ["FOO_BAR", *TAKEN, *ASKED_FOR]):
        ended = client.run(["python", "-c", _MAKING, " ".join(ALL), *names], environment)
        assert ended.stdout.splitlines() == [f"{name} True odd False" for name in ALL] * 3, ended
        assert ended.stderr == ""


def test_keyring_command_works_with_property_variables(
    cloud: PracticeCloud, client: Client, home: Path, logins: dict[str, str], services: dict[str, str]
) -> None:
    usual = cloud.environment(home, SSH_AUTH_SOCK="/nowhere", **logins)
    odd = {f"KEYRING_PROPERTY_{name}": "odd" for name in ("", "X", "_NAME", "SCHEME", "A-B", "_READ_ONLY")}
    found = listing(client, {**usual, **odd})
    assert (found.lines, found.chosen, found.stderr) == (*_pair(client, usual), "")
    for service in services.values():
        command = ["keyring", "--mode=creds", "--output=json", "get", service]
        plain, disturbed = client.run(command, usual), client.run(command, {**usual, **odd})
        assert (disturbed.code, disturbed.output.count("\n")) == (plain.code, plain.output.count("\n"))
        assert bool(disturbed.stdout) == (service != "svc")


def _pair(client: Client, environment: dict[str, str]) -> tuple[list[str], str]:
    found = listing(client, environment)
    return found.lines, found.chosen


_ATTRIBUTES = """
import sys
from ringbearer.backends import AzureArtifactsKeyring
backend = AzureArtifactsKeyring()
alt = backend.with_properties(foo="bar", priority=1, get_password=None)
print(alt is not backend, alt.foo, alt.priority, hasattr(backend, "foo"), backend.priority)
print(alt.with_properties(foo="baz").foo, alt.foo)
print(alt.get_credential(sys.argv[1], None).password, backend.get_password(sys.argv[1], ""))
"""


def test_properties_of_a_copy_are_its_own(cloud: PracticeCloud, client: Client, home: Path) -> None:
    environment = cloud.environment(home, **{TOKEN: "token"})
    ended = client.run(["python", "-c", _ATTRIBUTES, cloud.azure.feed.url()], environment).check()
    assert ended.stdout.splitlines() == ["True bar 1 False 9.9", "baz bar", "token token"]

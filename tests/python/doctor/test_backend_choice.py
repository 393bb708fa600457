"""The backend that keyring chooses by its settings or by priority, compared with what the real keyring does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import PEERS, Client
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, Doctor, Examination
from support.tool_settings import write

CHOICE = "keyring's choice"
CHAINER = "keyring.backends.chainer.ChainerBackend"
AZURE = "ringbearer.backends.AzureArtifactsKeyring"
USE_CHAINER = f"export PYTHON_KEYRING_BACKEND={CHAINER}"

#: Contents of keyringrc.cfg with which the index is not answered, and the line to change.
HINDERING = {
    "null": (b"[backend]\ndefault-keyring = keyring.backends.null.Keyring\n", 2),
    "fail": (b"# why\n\n[backend]\nDefault-Keyring: keyring.backends.fail.Keyring\n", 4),
    "class on the next line": (b"[backend]\ndefault-keyring =\n  keyring.backends.null.Keyring\n", 2),
    "default section": (b"[DEFAULT]\ndefault-keyring=keyring.backends.null.Keyring\n[backend]\n", 2),
    "another index": (b"[backend]\ndefault-keyring=ringbearer.backends.ChainguardLibrariesKeyring\n", 2),
    "no module": (b"[backend]\ndefault-keyring=absent.module.Keyring\n", 2),
    "no class": (b"[backend]\ndefault-keyring=keyring.backends.null.Absent\n", 2),
    "no dot": (b"[backend]\ndefault-keyring=Keyring\n", 2),
    "comment behind": (b"[backend]\ndefault-keyring = " + CHAINER.encode() + b" ; the default\n", 2),
    "empty": (b"[backend]\nkeyring-path=/opt\ndefault-keyring=\n", 3),
    "no section": (b"default-keyring=" + CHAINER.encode() + b"\n", 1),
    "half a section": (b"[backend\ndefault-keyring=x\n", 1),
    "no value": (b"[backend]\ndefault-keyring\n", 2),
    "no key": (b"[backend]\n=x\n", 2),
    "key twice": (b"[backend]\nkeyring-path=/opt\nKEYRING-PATH=/opt\n", 3),
    "section twice": (b"[backend]\n[other]\n[backend]\n", 3),
    "mark": (b"\xef\xbb\xbf[backend]\n", 1),
    "UTF-16": ("[backend]\n".encode("utf-16"), 1),
    "Latin-1": (b"[other]\nname = x\n# caf\xe9\n", 3),
}

#: Contents with which the index is answered, and the state of the finding.
HARMLESS: dict[str, tuple[bytes, str | None]] = {
    "nothing": (b"", None),
    "other section": (b"[other]\ndefault-keyring=keyring.backends.null.Keyring\n", None),
    "default section alone": (b"[DEFAULT]\ndefault-keyring=keyring.backends.null.Keyring\n", None),
    "chainer": (f"[backend]\r\ndefault-keyring={CHAINER}\r\n".encode(), None),
    "the index": (f"[backend]\ndefault-keyring={AZURE}\n".encode(), "note"),
    "no backend": (b"[backend]\nkeyring-path=/opt\n", "doubtful"),
}


@pytest.fixture
def url(cloud: PracticeCloud, azure_user: AzureUser) -> str:
    """The index of a user who is logged in."""
    return with_user_name(cloud.azure.feed.url())


@pytest.fixture
def settings(home: Path) -> Path:
    """keyring's configuration file, not there yet."""
    path = home / ".config" / "python_keyring" / "keyringrc.cfg"
    path.parent.mkdir(parents=True)
    return path


@pytest.fixture
def examine(doctor: Doctor, url: str, client: Client) -> Callable[..., Examination]:
    """The doctor's findings about the client, which imports keyring."""

    def examine(*path: str, **variables: str | None) -> Examination:
        return doctor.examine(
            url, path=path or (client.bin,), **{**SET_UP, "PIP_KEYRING_PROVIDER": "import", **variables}
        )

    return examine


@pytest.fixture
def answers(doctor: Doctor, url: str, client: Client) -> Callable[..., bool]:
    """Whether the Python keyring answers for the index."""

    def answers(program: Client = client, **variables: str | None) -> bool:
        words = ["keyring", "get", url.replace("VssSessionToken@", ""), "VssSessionToken"]
        return program.run(words, doctor.environment((client.bin,), **variables)).code == 0

    return answers


def test_file_that_hinders_keyring_is_a_failure_with_its_line(
    doctor: Doctor, url: str, answers: Callable[..., bool], settings: Path
) -> None:
    for content, (text, line) in HINDERING.items():
        settings.write_bytes(text)
        choice = doctor.examine(url).finding(CHOICE)
        assert not answers(), content
        assert (choice.state, f"{settings}, line {line}, " in choice.detail) == ("bad", True), (content, choice)
        assert choice.fix, content


def test_file_that_does_not_hinder_keyring_is_no_failure(
    doctor: Doctor, url: str, answers: Callable[..., bool], settings: Path
) -> None:
    for content, (text, state) in HARMLESS.items():
        settings.write_bytes(text)
        found = doctor.examine(url).findings(CHOICE)
        assert answers(), content
        assert [choice.state for choice in found] == [state] * (state is not None), (content, found)


def test_variable_that_hinders_keyring_is_a_failure(doctor: Doctor, url: str, answers: Callable[..., bool]) -> None:
    for value in ("", " ", f" {CHAINER}", "keyring.backends.null.Keyring", "absent.Keyring"):
        choice = doctor.examine(url, PYTHON_KEYRING_BACKEND=value).finding(CHOICE)
        assert not answers(PYTHON_KEYRING_BACKEND=value), value
        assert (choice.state, choice.fix) == ("bad", "unset PYTHON_KEYRING_BACKEND"), choice


@pytest.mark.parametrize("content", ["null", "half a section"])
def test_tools_that_keyring_keeps_from_asking_are_failures(
    examine: Callable[..., Examination], settings: Path, content: str
) -> None:
    settings.write_bytes(HINDERING[content][0])
    found = examine()
    assert (found.finding(CHOICE).state, found.finding(CHOICE).fix is None) == ("bad", False)
    for name in ("pip", "twine"):
        tool = found.finding(name)
        assert (tool.state, tool.detail.endswith(f"see {CHOICE} above")) == ("bad", True), tool


def test_broken_file_does_not_hinder_the_native_keyring(
    examine: Callable[..., Examination], native: Client, client: Client, settings: Path
) -> None:
    settings.write_bytes(b"[backend\n")
    found = examine(native.bin, client.bin, PIP_KEYRING_PROVIDER="subprocess")
    states = {name: found.finding(name).state for name in (CHOICE, "keyring", "pip", "twine")}
    assert states == {CHOICE: "bad", "keyring": "good", "pip": "good", "twine": "bad"}


def test_backend_of_the_store_or_an_index_hinders_the_others(doctor: Doctor, url: str) -> None:
    for class_name, index, state in [
        ("SSHAgentKeyring", url, "bad"),
        ("SSHAgentKeyring", "https://registry.example/simple/", "note"),
        ("AzureArtifactsKeyring", "https://registry.example/simple/", "bad"),
        ("NoStoreKeyring", "https://registry.example/simple/", "bad"),
    ]:
        found = doctor.examine(index, PYTHON_KEYRING_BACKEND=f"ringbearer.backends.{class_name}")
        assert found.finding(CHOICE).state == state, (class_name, index)


# -- priority


def package(folder: Path, priority: float) -> str:
    """A distribution with a backend of this priority that has no passwords. Returns the directory for PYTHONPATH."""
    source = f"""\
from keyring.backend import KeyringBackend
class Keyring(KeyringBackend):
    priority = {priority}
    def get_password(self, service, username): return None
    def set_password(self, service, username, password): raise NotImplementedError
"""
    write(folder / "rival_backend.py", source)
    details = folder / "rival_backend-1.0.dist-info"
    write(details / "METADATA", "Metadata-Version: 2.1\nName: rival-backend\nVersion: 1.0\n")
    write(details / "entry_points.txt", "[keyring.backends]\nrival = rival_backend\n")
    return str(folder)


@pytest.mark.parametrize(("priority", "verb"), [(10, "may be"), (100.5, "is")])
def test_backend_that_displaces_the_chainer_is_a_failure(
    examine: Callable[..., Examination], answers: Callable[..., bool], tmp_path: Path, priority: float, verb: str
) -> None:
    path = package(tmp_path / "packages", priority)
    found = examine(PYTHONPATH=path)
    for name in ("keyring", "pip", "twine"):
        tool = found.finding(name)
        assert (tool.state, tool.fix) == ("bad", USE_CHAINER), tool
        assert f"rival_backend.Keyring (priority {priority}) {verb} chosen instead of" in tool.detail
    assert priority == 10 or not answers(PYTHONPATH=path)
    # The fix works.
    assert answers(PYTHONPATH=path, PYTHON_KEYRING_BACKEND=CHAINER)
    found = examine(PYTHONPATH=path, PYTHON_KEYRING_BACKEND=CHAINER)
    assert {found.finding(name).state for name in ("keyring", "pip", "twine")} == {"good"}


def test_backend_below_the_chainer_or_behind_native_is_harmless(
    examine: Callable[..., Examination], native: Client, client: Client, tmp_path: Path
) -> None:
    found = examine(PYTHONPATH=package(tmp_path / "below", 9.99))
    assert {found.finding(name).state for name in ("keyring", "pip", "twine")} == {"good"}
    path = package(tmp_path / "above", 11)
    found = examine(native.bin, client.bin, PYTHONPATH=path, PIP_KEYRING_PROVIDER="subprocess")
    states = {name: found.finding(name).state for name in ("keyring", "pip", "twine")}
    assert states == {"keyring": "good", "pip": "good", "twine": "bad"}


@pytest.mark.skipif("menda" not in PEERS, reason="menda-keyring needs Python 3.11")
def test_menda_keyring_is_named_with_the_line_that_helps(
    examine: Callable[..., Examination], answers: Callable[..., bool], beside: Callable[..., Client]
) -> None:
    client = beside("menda")
    tool = examine(client.bin).finding("keyring")
    assert (tool.state, tool.fix) == ("bad", USE_CHAINER)
    assert "menda.keyring.backend.MendaCodeArtifactKeyring (priority 10) may be chosen" in tool.detail
    assert answers(client, PYTHON_KEYRING_BACKEND=CHAINER)

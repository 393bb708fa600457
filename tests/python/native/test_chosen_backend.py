"""A chosen backend answers alone: ringbearer's own natively, any other in the next `keyring`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import executions, strace
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.store import RINGBEARER, StoreUser
from support.native_keyring import PLAINTEXT, NativeKeyring, assert_complaint, assert_miss

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no Unix sockets for an agent")

AZURE = "ringbearer.backends.AzureArtifactsKeyring"
NOBODY = "ringbearer.backends.NoStoreKeyring"
CHAINER = "keyring.backends.chainer.ChainerBackend"
PAT = "the-access-token"

in_every_way = pytest.mark.parametrize("way", ["option", "variable", "file", "file elsewhere"])


class Chooser:
    """Runs the native `keyring` with a backend chosen in one of the possible ways."""

    def __init__(self, keyring: NativeKeyring, store: StoreUser, way: str) -> None:
        self.keyring = keyring
        self.url = keyring.cloud.azure.feed.url()
        self.variables = {"SSH_AUTH_SOCK": str(store.socket), "AZURE_DEVOPS_EXT_PAT": PAT}
        self._way = way

    def prepare(self, backend: str, *words: str) -> tuple[list[str], dict[str, str]]:
        """The arguments and the variables."""
        home = Path(str(self.keyring.home))
        folder = home / (".config" if self._way == "file" else "elsewhere") / "python_keyring"
        if self._way == "option":
            return ["-b", backend, *words], self.variables
        if self._way == "variable":
            return [*words], {**self.variables, "PYTHON_KEYRING_BACKEND": backend}
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring = {backend}\n")
        elsewhere = {"XDG_CONFIG_HOME": str(folder.parent)} if self._way == "file elsewhere" else {}
        return [*words], {**self.variables, **elsewhere}

    def __call__(self, backend: str, *words: str, stdin: str | None = None) -> Completed:
        line, variables = self.prepare(backend, *words)
        return self.keyring(*line, stdin=stdin, **variables)


@pytest.fixture
def keyring(cloud: PracticeCloud, native: Client, store: StoreUser, fake_programs: FakePrograms) -> NativeKeyring:
    """The native `keyring`, and behind it a fake one that must not be run."""
    fake_programs.program("keyring", Answer("asked\n", code=3))
    return NativeKeyring(cloud, native, store.home, [fake_programs.directory])


@pytest.fixture
def choose(keyring: NativeKeyring, store: StoreUser, way: str) -> Chooser:
    """Chooses backends in one of the ways."""
    return Chooser(keyring, store, way)


@in_every_way
def test_chosen_store_answers_natively_and_alone(
    choose: Chooser, store: StoreUser, fake_programs: FakePrograms
) -> None:
    assert_miss(choose(RINGBEARER, "get", choose.url, "frodo"))
    for service in (choose.url, "registry.example"):
        assert choose(RINGBEARER, "set", service, "frodo", stdin="the-password\n").code == 0
        assert store.get(service, "frodo") == "the-password"
        assert choose(RINGBEARER, "get", service, "frodo").stdout == "the-password\n"
        assert choose(RINGBEARER, "get", service, "--mode=creds").stdout == "frodo\nthe-password\n"
        assert choose(RINGBEARER, "del", service, "frodo").output == ""
        assert store.get(service, "frodo") is None
        assert_complaint(choose(RINGBEARER, "del", service, "frodo"))
    assert fake_programs.invocations() == []


@in_every_way
def test_chosen_index_backend_answers_natively_and_alone(
    choose: Chooser, store: StoreUser, fake_programs: FakePrograms
) -> None:
    names = ["registry.example", "frodo"]
    store.set(*names, "the-password")
    assert choose(AZURE, "get", choose.url, "frodo").stdout == PAT + "\n"
    assert_miss(choose(AZURE, "get", *names))
    assert_miss(choose("ringbearer.backends.ChainguardLibrariesKeyring", "get", choose.url, "frodo"))
    for operation in ("set", "del"):
        assert_complaint(choose(AZURE, operation, *names, stdin="other"), "AzureArtifactsKeyring", "stores none")
    assert store.get(*names) == "the-password"
    assert fake_programs.invocations() == []


@in_every_way
def test_chosen_no_store_backend_is_a_miss_or_an_error(choose: Chooser, fake_programs: FakePrograms) -> None:
    assert_miss(choose(NOBODY, "get", choose.url, "frodo"))
    for operation in ("set", "del"):
        assert_complaint(choose(NOBODY, operation, "a", "b", stdin="other"), "nothing was stored or deleted")
    assert fake_programs.invocations() == []


@in_every_way
def test_chosen_chainer_counts_as_no_choice(choose: Chooser, fake_programs: FakePrograms) -> None:
    assert choose(CHAINER, "get", choose.url, "frodo").stdout == PAT + "\n"
    assert fake_programs.invocations() == []
    assert choose(CHAINER, "get", "registry.example", "frodo").stdout == "asked\n"


@in_every_way
def test_chosen_foreign_backend_goes_to_the_next_keyring(
    choose: Chooser, beside: Callable[..., Client], store: StoreUser
) -> None:
    choose.keyring.behind = [beside("alt").bin]
    assert_miss(choose(PLAINTEXT, "get", choose.url, "frodo"))
    assert choose(PLAINTEXT, "set", choose.url, "frodo", stdin="the-password\n").output == ""
    assert choose(PLAINTEXT, "get", choose.url, "frodo").stdout == "the-password\n"
    assert choose(PLAINTEXT, "del", choose.url, "frodo").output == ""
    assert_miss(choose(PLAINTEXT, "get", choose.url, "frodo"))
    assert not os.path.exists(store.path)


@in_every_way
@pytest.mark.parametrize("backend", ["some.Backend", "ringbearer.backends.Unknown", "ringbearer.Backend", "nonsense"])
def test_chosen_foreign_backend_without_next_keyring_is_an_error(choose: Chooser, backend: str, way: str) -> None:
    choose.keyring.behind = []
    told = {"option": "command line", "variable": "PYTHON_KEYRING_BACKEND"}.get(way, "keyringrc.cfg")
    for words in (["get", choose.url, "frodo"], ["get", "a", "b"], ["set", "a", "b"], ["del", "a", "b"]):
        ended = choose(backend, *words, stdin="the-password\n")
        assert ended.code in (1, 2)
        assert_complaint(ended, backend, told, code=ended.code)


def test_backend_option_precedes_variable_and_file(
    keyring: NativeKeyring, store: StoreUser, fake_programs: FakePrograms
) -> None:
    store.set("a", "b", "the-password")
    asked = ["get", "a", "b"]
    line, variables = Chooser(keyring, store, "file").prepare("some.Backend", *asked)
    assert keyring(*line, **variables).stdout == "asked\n"
    variables["PYTHON_KEYRING_BACKEND"] = RINGBEARER
    assert keyring(*asked, **variables).stdout == "the-password\n"
    variables["PYTHON_KEYRING_BACKEND"] = "other.Backend"
    assert keyring(*asked, **variables).stdout == "asked\n"
    assert keyring(*asked, "-b", RINGBEARER, **variables).stdout == "the-password\n"
    assert len(fake_programs.invocations()) == 2


@pytest.mark.parametrize(
    "content",
    [
        "[backend]\nDefault-Keyring : {}\nkeyring-path = /nowhere\n",
        "; a note\n\n[other]\nx = 1\n[backend]\nkeyring-path=/nowhere\ndefault-keyring={}\r\n[last]\n",
        "[backend]\ndefault-keyring =\n    {}\n",
    ],
    ids=["colon", "among others", "on the next line"],
)
def test_the_file_is_read_as_keyring_reads_it(
    keyring: NativeKeyring, store: StoreUser, client: Client, content: str
) -> None:
    store.set("a", "b", "the-password")
    folder = Path(store.home) / ".config" / "python_keyring"
    folder.mkdir(parents=True)
    (folder / "keyringrc.cfg").write_text(content.format(RINGBEARER))
    variables = {"SSH_AUTH_SOCK": str(store.socket)}
    environment = keyring.environment(**variables)
    assert client.run(["keyring", "get", "a", "b"], environment).stdout == "the-password\n"
    assert keyring("get", "a", "b", **variables).stdout == "the-password\n"


@pytest.mark.parametrize("content", [b"\x00\xff[[=\n", b"[x]\na=b\n", b"[backend]\nx=y\n", b""])
def test_file_without_a_backend_chooses_nothing(keyring: NativeKeyring, content: bytes) -> None:
    file = Path(str(keyring.home)) / ".config" / "python_keyring" / "keyringrc.cfg"
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    url = keyring.cloud.azure.feed.url()
    assert keyring("get", url, "frodo", AZURE_DEVOPS_EXT_PAT=PAT).check().stdout == PAT + "\n"


def test_directory_in_place_of_the_file_chooses_nothing(keyring: NativeKeyring, client: Client) -> None:
    # A container gets a directory if the mounted file does not exist on the host.
    (Path(str(keyring.home)) / ".config" / "python_keyring" / "keyringrc.cfg").mkdir(parents=True)
    words, variables = ["get", keyring.cloud.azure.feed.url(), "frodo"], {"AZURE_DEVOPS_EXT_PAT": PAT}
    assert client.run(["keyring", *words], keyring.environment(**variables)).stdout == PAT + "\n"
    assert keyring(*words, **variables).stdout == PAT + "\n"


@pytest.mark.skipif(strace.MISSING is not None, reason=str(strace.MISSING))
@in_every_way
def test_chosen_backend_of_ringbearer_starts_no_other_program(
    choose: Chooser, keyring: NativeKeyring, native: Client, tmp_path: Path
) -> None:
    log, program = tmp_path / "log", native.program("keyring")

    def begun(backend: str, *words: str) -> list[str]:
        line, variables = choose.prepare(backend, *words)
        command = [*executions.watching(log), program, *line]
        native.run(command, keyring.environment(**variables), stdin="the-password\n")
        return executions.programs(log)

    for operation in ("set", "get", "del"):
        assert begun(RINGBEARER, operation, "a", "b") == [program]
        assert begun(AZURE, operation, choose.url, "frodo") == [program]
    assert begun(PLAINTEXT, "get", "a", "b")[:2] == [program, os.path.join(keyring.behind[0], "keyring")]

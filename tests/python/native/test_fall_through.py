"""Calls that the native `keyring` does not handle are passed unchanged to the next `keyring` on PATH."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms
from lab.store import StoreUser
from support.backend_list import CHAINER, OURS, STORE
from support.native_keyring import PLAINTEXT, NativeKeyring, assert_complaint, assert_miss, keyring_script

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the programs behind it are shell scripts")

PASSED = "RINGBEARER_KEYRINGS_PASSED"


@pytest.fixture
def python(beside: Callable[..., Client]) -> Client:
    """The Python keyring with ringbearer and a backend that stores passwords."""
    return beside("alt")


@pytest.fixture
def keyring(cloud: PracticeCloud, native: Client, home: Path, fake_programs: FakePrograms) -> NativeKeyring:
    """The native `keyring`, with a directory of fake programs behind it."""
    return NativeKeyring(cloud, native, home, [fake_programs.directory])


def what_it_says(ended: Completed) -> tuple[int, str, str]:
    return ended.code, ended.stdout, ended.stderr


# -- a Python keyring with a store


def test_foreign_password_is_kept_in_the_store_behind(
    cloud: PracticeCloud, native: Client, home: Path, python: Client
) -> None:
    keyring = NativeKeyring(cloud, native, home, [python.bin])
    for through, direct in ((keyring, python.run), (python.run, keyring)):
        names = ["registry.example", "frodo"]

        def call(program: Callable[..., Completed], *words: str, stdin: str | None = None) -> Completed:
            if program is keyring:
                return keyring(*words, stdin=stdin)
            return python.run(["keyring", *words], keyring.environment(), stdin=stdin)

        assert what_it_says(call(through, "set", *names, stdin="the-password\n")) == (0, "", "")
        for words in (["get", *names], ["--mode=creds", "--output=json", "get", names[0]], ["get", "other", "frodo"]):
            assert what_it_says(call(direct, *words)) == what_it_says(call(through, *words))
        assert call(direct, "get", *names).stdout == "the-password\n"
        assert what_it_says(call(through, "del", *names)) == (0, "", "")
        assert what_it_says(call(direct, "get", *names)) == (1, "", "")
        again = call(through, "del", *names)
        assert again.code == 1 and "PasswordDeleteError" in again.stderr
    assert cloud.log.requests() == []


@pytest.mark.parametrize(
    "words", [["diagnose"], ["--print-completion", "bash"], ["get"], ["get", "a"], ["gets", "a", "b"]]
)
def test_other_commands_end_as_with_the_python_keyring(
    cloud: PracticeCloud, native: Client, home: Path, python: Client, words: list[str]
) -> None:
    keyring = NativeKeyring(cloud, native, home, [python.bin])
    through, direct = keyring(*words), python.run(["keyring", *words], keyring.environment())
    assert what_it_says(through) == what_it_says(direct)
    assert through.output


def test_disabling_keyring_disables_it_for_both(
    cloud: PracticeCloud, native: Client, home: Path, python: Client
) -> None:
    keyring = NativeKeyring(cloud, native, home, [python.bin])
    served = ["get", cloud.azure.feed.url(), "frodo"]
    assert keyring(*served, AZURE_DEVOPS_EXT_PAT="the-access-token").stdout == "the-access-token\n"
    keyring("--disable").check()
    assert "keyring.backends.null" in (home / ".config" / "python_keyring" / "keyringrc.cfg").read_text()
    assert_miss(keyring(*served, AZURE_DEVOPS_EXT_PAT="the-access-token"))


def test_backends_behind_are_listed_as_python_keyring_lists_them(
    cloud: PracticeCloud, native: Client, python: Client, store: StoreUser
) -> None:
    keyring = NativeKeyring(cloud, native, store.home, [python.bin])

    def listed(**variables: str) -> list[str]:
        both = keyring("--list-backends", **variables).check()
        alone = python.run(["keyring", "--list-backends"], keyring.environment(**variables)).check()
        assert sorted(both.stdout.splitlines()) == sorted(alone.stdout.splitlines())
        assert both.stderr == ""
        return both.stdout.splitlines()

    without_agent = listed()
    assert sorted(without_agent[: len(OURS)]) == OURS
    assert {CHAINER, f"{PLAINTEXT} (priority: 0.5)"} < set(without_agent[len(OURS) :])
    assert f"{STORE} (priority: -1)" in listed(SSH_AUTH_SOCK="/nowhere")
    store.set("service", "user", "password")
    assert f"{STORE} (priority: 2.2)" in listed(SSH_AUTH_SOCK=str(store.socket))
    assert STORE not in "".join(listed())


# -- the words, the streams, the end


def test_next_keyring_gets_same_arguments_and_environment(
    keyring: NativeKeyring, fake_programs: FakePrograms, tmp_path: Path
) -> None:
    fake_programs.program("keyring", Answer("answer", stderr="note", code=7))
    lines = [
        ["get", "registry.example", ""],
        ["--mod=creds", "get", "--", "--mode", " two  words "],
        ["set", "line\nbreak", "tab\t'quote\" $HOME `id` *"],
        ["del", "", "é😀"],
        ["get", "byte \udcff", "\udce9"],
        ["--unknown", "get", "https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/", "x"],
        ["-b", "some.Backend", "get", "https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/"],
        ["get", "x" * 100_000, "y"],
        ["diagnose", "surplus"],
    ]
    for words in lines:
        ended = keyring(*words, directory=tmp_path, ODD="a=b c\t", EMPTY="")
        assert what_it_says(ended) == (7, "answer", "note")
    calls = fake_programs.invocations("keyring")
    texts = [[word.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for word in words] for words in lines]
    assert sorted(call.arguments for call in calls) == sorted(texts)
    assert {call.directory for call in calls} == {str(tmp_path)}
    given = keyring.environment(ODD="a=b c\t", EMPTY="")
    own = {"PWD", "OLDPWD", "SHLVL", "_", PASSED}
    for call in calls:
        assert {name: call.environment.get(name) for name in given} == given
        assert set(call.environment) - set(given) - own == set()


def test_next_keyring_has_the_same_streams_signals_and_files(
    keyring: NativeKeyring, native: Client, tmp_path: Path
) -> None:
    lines = [
        "while read name value; do case $name in Sig[BICP]*|Shd*) echo $name $value;; esac; done </proc/self/status"
    ]
    behind = keyring_script(tmp_path / "behind", *lines, "ls /proc/self/fd", "cat", "echo told >&2")
    keyring.behind = [behind]
    through = keyring("set", "a", "b", stdin=b"first \xff\r\nsecond\n")
    direct = native.run([os.path.join(behind, "keyring")], keyring.environment(), stdin=b"first \xff\r\nsecond\n")
    assert "SigIgn" in direct.stdout and direct.raw_stdout.endswith(b"first \xff\r\nsecond\n")
    assert (through.code, through.raw_stdout, through.stderr) == (0, direct.raw_stdout, "told\n")


@pytest.mark.parametrize("code", [0, 1, 2, 3, 42, 126, 127, 128, 255])
def test_exit_code_of_the_next_keyring_is_returned(keyring: NativeKeyring, tmp_path: Path, code: int) -> None:
    keyring.behind = [keyring_script(tmp_path / "behind", f"exit {code}")]
    assert what_it_says(keyring("get", "registry.example", "frodo")) == (code, "", "")


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGKILL", "SIGSEGV", "SIGHUP", "SIGPIPE"])
def test_signal_that_ends_the_next_keyring_is_returned(keyring: NativeKeyring, tmp_path: Path, name: str) -> None:
    keyring.behind = [keyring_script(tmp_path / "behind", f"kill -{name[3:]} $$", "sleep 5")]
    ended = keyring("set", "registry.example", "frodo", stdin="the-password")
    assert (ended.code, ended.stdout) == (-getattr(signal, name), "")


def test_a_signal_that_the_next_keyring_handles_reaches_it(
    keyring: NativeKeyring, native: Client, tmp_path: Path
) -> None:
    behind = keyring_script(tmp_path / "behind", "trap 'exit 9' INT TERM", "echo ready", "while :; do sleep 0.02; done")
    keyring.behind = [behind]
    for number in (signal.SIGINT, signal.SIGTERM):
        process = native.start(["keyring", "get", "registry.example", "frodo"], keyring.environment())
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert process.communicate(timeout=5) == (b"", b"")
        assert process.returncode == 9


def test_non_executable_keyring_is_skipped(keyring: NativeKeyring, fake_programs: FakePrograms, tmp_path: Path) -> None:
    fake_programs.program("keyring", Answer("answer\n"))
    for name in ("folder", "dangling", "forbidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "folder" / "keyring").mkdir()
    (tmp_path / "dangling" / "keyring").symlink_to("nowhere")
    (tmp_path / "forbidden" / "keyring").write_text("#!/bin/sh\necho forbidden\n")
    (tmp_path / "forbidden" / "keyring").chmod(0o644)
    keyring.behind = [*(tmp_path / name for name in ("folder", "dangling", "forbidden", "missing")), *keyring.behind]
    assert keyring("get", "registry.example", "frodo").check().stdout == "answer\n"


def test_program_that_cannot_run_is_named_without_an_answer(keyring: NativeKeyring, tmp_path: Path) -> None:
    behind = keyring_script(tmp_path / "behind")
    (behind / "keyring").write_text("#!/no/such/interpreter\n")
    keyring.behind = [behind]
    for words in (["get", "registry.example", "frodo"], ["set", "registry.example", "frodo"]):
        assert_complaint(keyring(*words, stdin="the-password\n"), str(behind / "keyring"))


@pytest.mark.parametrize("entry", ["", ".", "here", "./here"])
def test_a_keyring_in_or_below_the_working_directory_is_not_run(
    keyring: NativeKeyring, tmp_path: Path, entry: str
) -> None:
    for directory in (tmp_path, tmp_path / "here"):
        keyring_script(directory, "echo found")
    keyring.behind = [entry]
    assert_miss(keyring("get", "registry.example", "frodo", directory=tmp_path))


@pytest.mark.parametrize("lines", [["exit 3"], ["kill -KILL $$"], ["echo half", "exit 1"]])
def test_a_next_keyring_that_cannot_list_its_backends_is_named(
    keyring: NativeKeyring, tmp_path: Path, lines: list[str]
) -> None:
    alone = keyring("--list-backends").check().stdout
    keyring.behind = [keyring_script(tmp_path / "behind", *lines)]
    ended = keyring("--list-backends")
    assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (1, alone, 1), ended
    assert str(tmp_path / "behind" / "keyring") in ended.stderr


def test_debug_log_names_the_next_keyring(keyring: NativeKeyring, tmp_path: Path) -> None:
    keyring.behind = [keyring_script(tmp_path / "behind", "echo answer")]
    told = f"running {tmp_path / 'behind' / 'keyring'}".encode()
    environment, words = keyring.environment(RINGBEARER_DEBUG="1"), ["keyring", "get", "registry.example", "frodo"]
    for _ in range(10):
        # Many at once, since a lost log line would depend on timing.
        processes = [keyring.native.start(words, environment) for _ in range(20)]
        ended = [process.communicate(timeout=10) for process in processes]
        assert [stdout for stdout, _ in ended] == [b"answer\n"] * 20
        assert [told in stderr for _, stderr in ended] == [True] * 20


# -- no next keyring


def test_last_keyring_misses_reads_and_fails_writes(keyring: NativeKeyring, store: StoreUser) -> None:
    # There is an agent, but no store.
    variables = {"SSH_AUTH_SOCK": str(store.socket)}
    for words in (["get", "registry.example", "frodo"], ["--mode=creds", "--output=json", "get", "registry.example"]):
        assert_miss(keyring(*words, **variables))
    for operation in ("set", "del"):
        ended = keyring(operation, "registry.example", "frodo", stdin="the-password\n", **variables)
        assert_complaint(ended, "nothing was stored or deleted", "ringbearer store init")
        assert "the-password" not in ended.stderr
    assert not os.path.exists(os.path.dirname(store.path))


@pytest.mark.parametrize("words", [["diagnose"], ["--disable"], ["--print-completion", "zsh"]], ids=" ".join)
def test_last_keyring_fails_for_commands_of_the_python_keyring(
    keyring: NativeKeyring, home: Path, words: list[str]
) -> None:
    assert_complaint(keyring(*words), "Python")
    assert not (home / ".config").exists()


def test_last_keyring_lists_the_backends_of_ringbearer(keyring: NativeKeyring) -> None:
    ended = keyring("--list-backends").check()
    assert (sorted(ended.stdout.splitlines()), ended.stderr) == (OURS, "")

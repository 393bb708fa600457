"""The store on Windows, with a real ssh-agent behind the pipe."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from lab.ssh import Agent, Key
from lab.windows.agent_pipe import AgentPipe
from lab.windows.store import WindowsStore
from lab.windows.user import WindowsUser
from support.windows_answers import assert_complaint, assert_silent_miss


@pytest.fixture
def new(store_user: WindowsUser) -> WindowsStore:
    """A user with a key; the store does not exist yet."""
    return WindowsStore(store_user)


@pytest.fixture
def store(new: WindowsStore) -> WindowsStore:
    """The same with an empty store."""
    new.command("init").check()
    return new


@pytest.fixture
def filled(store: WindowsStore) -> WindowsStore:
    """The same with two records."""
    store.set("svc", "alice", "s3cr3t")
    store.set("svc", "bob", "other")
    return store


def test_init_creates_an_empty_store(new: WindowsStore, keys: dict[str, Key]) -> None:
    ended = new.command("init").check()
    assert new.shown_path in ended.stdout and keys["ed25519"].fingerprint in ended.stdout
    assert new.content()["identity"]["public_key"] == keys["ed25519"].text
    assert new.content()["records"] == {}


def test_init_takes_the_key_that_is_named(
    new: WindowsStore, agent: Agent, keys: dict[str, Key], store_user: WindowsUser
) -> None:
    agent.add(keys["rsa"])
    new.command("init", "--key", store_user.wine.path(keys["rsa"].public_path)).check()
    assert new.content()["identity"]["public_key"] == keys["rsa"].text


@pytest.mark.parametrize("program", ["keyring", "ringbearer"])
def test_password_is_stored_read_and_deleted(store: WindowsStore, store_user: WindowsUser, program: str) -> None:
    names = ["svc", "alice"]
    ended = store_user.run(program, "set", *names, input="s3cr3t\n")
    assert (ended.code, ended.output) == (0, ""), ended
    ended = store_user.run(program, "get", *names)
    assert (ended.code, ended.stdout, ended.stderr) == (0, "s3cr3t\n", "")
    ended = store_user.run(program, "get", "svc", "--mode", "creds")
    assert (ended.code, ended.stdout) == (0, "alice\ns3cr3t\n"), ended
    ended = store_user.run(program, "del", *names)
    assert (ended.code, ended.output) == (0, ""), ended
    assert_silent_miss(store_user.run(program, "get", *names))
    ended = store_user.run(program, "del", *names)
    assert ended.code == 1 and ended.stdout == "" and ended.stderr.count("\n") == 1, ended


def test_first_password_creates_the_store(new: WindowsStore, store_user: WindowsUser) -> None:
    store_user.run("ringbearer", "set", "svc", "alice", input="s3cr3t\n").check()
    assert len(new.content()["records"]) == 1 and new.get("svc", "alice") == "s3cr3t"


def test_second_password_replaces_the_first(filled: WindowsStore) -> None:
    filled.set("svc", "alice", "newer")
    assert filled.get("svc", "alice") == "newer" and filled.get("svc", "bob") == "other"


@pytest.mark.parametrize(
    ("piped", "password"),
    [
        ("no line feed", "no line feed"),
        ("one\n", "one"),
        # Python reads text there, in which CR LF is a line feed.
        ("windows\r\n", "windows"),
        ("two\n\n", "two\n"),
        (" with  blanks \t\n", " with  blanks \t"),
        ("\u00e9\U0001f600\n", "\u00e9\U0001f600"),
    ],
)
def test_password_from_a_pipe_is_stored_without_its_line_end(store: WindowsStore, piped: str, password: str) -> None:
    store.set("svc", "alice", piped)
    assert store.raw("svc", "alice") == password.encode() + b"\n"


def test_list_has_names_and_no_password(filled: WindowsStore) -> None:
    ended = filled.command("list").check()
    assert [part in ended.stdout for part in ("svc", "alice", "bob")] == [True] * 3
    assert "s3cr3t" not in ended.output
    listed = json.loads(filled.command("list", "--json").check().stdout)
    assert [(one["service"], one["username"]) for one in listed["records"]] == [("svc", "alice"), ("svc", "bob")]


def test_status_shows_the_store_the_key_and_the_agent(
    filled: WindowsStore, keys: dict[str, Key], shared_pipe: AgentPipe
) -> None:
    ended = filled.command("status").check()
    assert "2 records" in ended.stdout and keys["ed25519"].fingerprint in ended.stdout and ended.stderr == ""
    shown = json.loads(filled.command("status", "--json").check().stdout)
    assert shown["path"] == filled.shown_path and shown["agent"]["has_key"] is True


def test_status_shows_paths_as_people_write_them(filled: WindowsStore, shared_pipe: AgentPipe) -> None:
    ended = filled.command("status").check()
    assert filled.shown_path in ended.stdout and shared_pipe.name in ended.stdout


def test_rotate_changes_all_that_is_secret_and_keeps_records(filled: WindowsStore) -> None:
    before = filled.content()
    ended = filled.command("rotate").check()
    after = filled.content()
    assert "2 records" in ended.stdout and ended.stderr == ""
    assert all(after["unlock"][name] != value for name, value in before["unlock"].items())
    assert len(after["records"]) == 2 and not set(after["records"]) & set(before["records"])
    assert filled.get("svc", "alice") == "s3cr3t" and filled.files() == ["store.json", "store.json.lock"]


def test_rekey_locks_the_store_with_the_other_key(filled: WindowsStore, agent: Agent, keys: dict[str, Key]) -> None:
    agent.add(keys["rsa"])
    filled.command("rekey", "--key", keys["rsa"].fingerprint).check()
    agent.remove(keys["ed25519"])
    assert filled.content()["identity"]["public_key"] == keys["rsa"].text
    assert filled.get("svc", "bob") == "other"


def test_export_and_import_carry_every_record(filled: WindowsStore, store_user: WindowsUser, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    ended = filled.command("export", store_user.wine.path(file)).check()
    assert ended.stderr.startswith("WARNING: ") and store_user.wine.path(file) in ended.stderr
    records = json.loads(file.read_text(encoding="utf-8"))["records"]
    assert {(one["username"], one["password"]) for one in records} == {("alice", "s3cr3t"), ("bob", "other")}
    assert "s3cr3t" not in ended.output
    # An existing file is not overwritten.
    again = filled.command("export", store_user.wine.path(file))
    assert again.code == 1 and "WARNING" not in again.stderr
    filled.delete("svc", "alice")
    counts = json.loads(filled.command("import", store_user.wine.path(file), "--json").check().stdout)
    assert counts == {"added": 1, "replaced": 0, "same": 1, "kept": 0}
    assert filled.get("svc", "alice") == "s3cr3t"


def test_lock_is_free_and_names_its_file(filled: WindowsStore) -> None:
    ended = filled.command("lock", "--json").check()
    assert json.loads(ended.stdout)["path"] == filled.shown_path + ".lock", ended


def test_lock_that_is_held_is_shown_and_waited_for(filled: WindowsStore) -> None:
    with filled.held_lock():
        assert filled.command("lock").code == 6
        writer = filled.start_set("svc", "alice", "newer")
        time.sleep(1)
        assert writer.process.poll() is None and filled.get("svc", "alice") == "s3cr3t"
    writer.wait().check()
    assert filled.get("svc", "alice") == "newer" and filled.command("lock").code == 0


def test_store_path_of_a_variable_is_used(new: WindowsStore, store_user: WindowsUser, tmp_path: Path) -> None:
    place = tmp_path / "a folder" / "own.json"
    store_user.variables["SSH_AGENT_KEYRING_STORE_PATH"] = store_user.wine.path(place)
    new.command("init").check()
    new.set("svc", "alice", "s3cr3t")
    assert json.loads(place.read_text(encoding="utf-8"))["version"] == 1 and not new.path.exists()
    assert new.get("svc", "alice") == "s3cr3t"


def test_damaged_store_is_left_as_it_is(filled: WindowsStore) -> None:
    filled.path.write_text('{"version": 1, "records": ', encoding="utf-8")
    assert_complaint(filled.user.run("keyring", "get", "svc", "alice"), filled.shown_path, code=4)
    ended = filled.user.run("keyring", "set", "svc", "alice", input="new\n")
    assert ended.code == 1 and filled.path.read_text(encoding="utf-8") == '{"version": 1, "records": '
    assert filled.command("list").code == 4


def test_without_a_store_list_exits_with_5(new: WindowsStore) -> None:
    assert_complaint(new.command("list"), "init", code=5)

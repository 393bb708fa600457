"""``ringbearer store status`` and ``lock``: they report state and errors, and change nothing."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path

import pytest
from lab.forwarding import ForwardedSocket
from lab.ssh import Agent, Key
from lab.store import PUBLISHED, StoreUser


def status(store: StoreUser, code: int, **variables: str | None) -> dict:
    """The JSON answer and its exit code, after checking that the text names each problem."""
    ended = store.command("ringbearer", "store", "status", "--json", **variables)
    assert ended.code == code and ended.stderr == "", ended
    found = json.loads(ended.stdout)
    text = store.command("ringbearer", "store", "status", **variables)
    assert text.code == code and text.stderr == "", text
    told = [line.split(maxsplit=1)[1] for line in text.stdout.splitlines() if line.startswith("! ")]
    assert told == found["problems"] and len(set(told)) == len(told), text
    return found


@pytest.fixture
def made(store: StoreUser) -> StoreUser:
    """A user with a store of one record."""
    store.set("service", "alice", "s3cr3t")
    return store


def test_a_store_in_order_has_no_problems(made: StoreUser, keys: dict[str, Key]) -> None:
    found = status(made, 0)
    assert found["problems"] == [] and found["temporaries"] == [] and found["target"] is None
    assert (found["path"], found["exists"], found["records"]) == (made.path, True, 1)
    assert (found["mode"], found["directory_mode"]) == ("0600", "0700")
    assert found["length"] == os.path.getsize(made.path)
    assert found["key"] == keys["ed25519"].fingerprint and found["configured_key"] is None
    agent = found["agent"]
    assert (agent["has_key"], agent["keys"], agent["comment"]) == (True, 1, keys["ed25519"].comment)
    assert agent["socket"] == made.socket and not agent["looks_forwarded"]
    if sys.platform == "linux":
        assert agent["process"] == "ssh-agent"


def test_the_text_says_the_same_to_a_person_and_the_module_too(made: StoreUser, keys: dict[str, Key]) -> None:
    text = made.command("python", "-m", "ringbearer", "store", "status").check().stdout
    for word in (made.path, "1 record", "0600", keys["ed25519"].fingerprint, keys["ed25519"].comment, made.socket):
        assert word in text
    assert "s3cr3t" not in text and "alice" not in text


def test_status_without_a_store_is_good_and_creates_nothing(store: StoreUser) -> None:
    found = status(store, 5)
    assert (found["exists"], found["records"], found["key"], found["problems"]) == (False, None, None, [])
    assert found["agent"]["keys"] == 1 and not found["agent"]["has_key"]
    assert not os.path.exists(os.path.join(store.home, ".local"))


def test_status_writes_nothing(made: StoreUser) -> None:
    os.remove(made.path + ".lock")

    def mark() -> tuple[int, int, int]:
        # Without the access time.
        found = os.stat(made.path)
        return found.st_ino, found.st_mtime_ns, found.st_ctime_ns

    before = mark()
    status(made, 0)
    assert mark() == before and os.listdir(os.path.dirname(made.path)) == ["store.json"]


def test_status_names_the_key_that_the_agent_lacks(made: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    agent.add(keys["rsa"])
    agent.remove(keys["ed25519"])
    found = status(made, 3)
    assert (found["agent"]["keys"], found["agent"]["has_key"], found["agent"]["comment"]) == (1, False, None)
    assert found["records"] == 1
    [problem] = found["problems"]
    assert keys["ed25519"].fingerprint in problem and "ssh-add" in problem


def test_locked_and_empty_agent_differ_from_a_missing_one(made: StoreUser, agent: Agent) -> None:
    agent.lock("password")
    found = status(made, 3)
    assert found["agent"]["keys"] == 0 and "ssh-add -X" in found["problems"][0]
    missing = os.path.join(made.home, "missing")
    found = status(made, 3, SSH_AUTH_SOCK=missing)
    assert found["agent"]["keys"] is None and missing in found["problems"][0] and found["records"] == 1
    found = status(made, 3, SSH_AUTH_SOCK=None)
    assert found["agent"]["socket"] is None and "SSH_AUTH_SOCK" in found["problems"][0]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"null", b"[]", b"{", b'{"version": 2}', b'{"version": 1}', b"\xff\xfe", b"\0" * 400],
    ids=["empty", "blank", "null", "list", "cut", "version 2", "no identity", "not UTF-8", "NULs"],
)
def test_damaged_store_is_reported_and_left_unchanged(store: StoreUser, content: bytes) -> None:
    store.write(content)
    found = status(store, 4)
    assert found["exists"] and found["records"] is None and found["key"] is None
    assert any(store.path in problem for problem in found["problems"])
    assert Path(store.path).read_bytes() == content


def test_anything_but_a_regular_file_is_reported_at_once(store: StoreUser) -> None:
    os.makedirs(store.path)
    assert "not a regular file" in status(store, 4)["problems"][0]
    os.rmdir(store.path)
    os.mkfifo(store.path)
    assert "not a regular file" in status(store, 4)["problems"][0]


def test_a_link_to_nowhere_is_one_problem_and_not_two(store: StoreUser) -> None:
    os.makedirs(os.path.dirname(store.path))
    os.symlink("nowhere", store.path)
    [problem] = status(store, 4)["problems"]
    assert "dangling symbolic link" in problem


def test_symlinked_store_is_reported_with_its_target(made: StoreUser, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.json"
    os.rename(made.path, target)
    os.symlink(target, made.path)
    (tmp_path / ".elsewhere.json.ringbearer-x").write_text("", encoding="utf-8")
    found = status(made, 0)
    assert (found["path"], found["target"]) == (made.path, str(target))
    assert found["mode"] == "0600" and found["lock_path"] == str(target) + ".lock"
    assert found["temporaries"] == [str(tmp_path / ".elsewhere.json.ringbearer-x")]


def test_permissions_for_others_are_reported(made: StoreUser) -> None:
    os.chmod(made.path, 0o644)
    found = status(made, 0)
    assert found["mode"] == "0644" and ["chmod 600" in problem for problem in found["problems"]] == [True]
    os.chmod(made.path, 0o600)
    for mode in (0o777, 0o770):
        os.chmod(os.path.dirname(made.path), mode)
        found = status(made, 0)
        assert found["directory_mode"] == f"{mode:04o}"
        assert ["directory" in problem for problem in found["problems"]] == [True]
    # Others who may only read the directory cannot replace files.
    os.chmod(os.path.dirname(made.path), 0o755)
    assert status(made, 0)["problems"] == []


def test_leftovers_are_listed_and_ours_go_with_the_next_write(made: StoreUser) -> None:
    directory = os.path.dirname(made.path)
    ours, theirs = os.path.join(directory, ".store.json.ringbearer-x"), os.path.join(directory, ".tmp-x.json")
    for path in (ours, theirs, os.path.join(directory, ".tmp-x"), os.path.join(directory, "note.json")):
        Path(path).write_text("{", encoding="utf-8")
    found = status(made, 0)
    assert found["temporaries"] == [ours, theirs]
    assert ["left files behind" in problem for problem in found["problems"]] == [True]
    made.set("service", "bob", "other")
    assert status(made, 0)["temporaries"] == [theirs]


def test_setting_of_another_key_is_reported_with_its_source(made: StoreUser, keys: dict[str, Key]) -> None:
    made.configure(public_key=keys["rsa"].line)
    found = status(made, 1)
    assert found["key"] == keys["ed25519"].fingerprint
    assert keys["rsa"].fingerprint in json.dumps(found["configured_key"])
    assert [made.config_path in problem for problem in found["problems"]] == [True]
    found = status(made, 1, SSH_AGENT_KEYRING_PUBLIC_KEY_PATH=keys["rsa"].public_path)
    assert ["SSH_AGENT_KEYRING_PUBLIC_KEY_PATH" in problem for problem in found["problems"]] == [True]
    found = status(made, 0, SSH_AGENT_KEYRING_PUBLIC_KEY=keys["ed25519"].line)
    assert found["problems"] == []


def test_unreadable_setting_is_a_separate_error(made: StoreUser) -> None:
    made.configure()
    Path(made.config_path).write_text("{", encoding="utf-8")
    ended = made.command("ringbearer", "store", "status", "--json")
    assert ended.code == 1 and made.config_path in ended.stderr and ended.stdout == "", ended


def test_a_store_of_the_published_package_is_in_order(store: StoreUser, published: StoreUser) -> None:
    assert published.backend == PUBLISHED
    published.set("service", "alice", "s3cr3t")
    found = status(store, 0)
    assert (found["records"], found["problems"], found["is_locked"]) == (1, [], None)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux identifies the listener of a socket")
def test_agent_behind_sshd_is_reported_as_forwarded(made: StoreUser) -> None:
    for name in ("sshd", "sshd-session"):
        with ForwardedSocket(made.socket, name) as forwarded:
            found = status(made, 0, SSH_AUTH_SOCK=forwarded.socket)
            agent = found["agent"]
            assert (agent["process"], agent["looks_forwarded"], agent["has_key"]) == (name, True, True)
            assert ["forwarded" in problem for problem in found["problems"]] == [True]
    with ForwardedSocket(made.socket, "relay", socket="s.abc.sshd.def") as relay:
        found = status(made, 0, SSH_AUTH_SOCK=relay.socket)
        assert not found["agent"]["looks_forwarded"] and found["problems"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux identifies the listener of a socket")
def test_socket_name_identifies_an_unknown_agent(made: StoreUser) -> None:
    for socket, is_forwarded in (("s.abc.sshd.def", True), ("s.abc.agent.def", False)):
        with ForwardedSocket(made.socket, "sshd", socket=socket, is_orphaned=True) as forwarded:
            agent = status(made, 0, SSH_AUTH_SOCK=forwarded.socket)["agent"]
            assert (agent["process"], agent["looks_forwarded"]) == (None, is_forwarded)


def lock(store: StoreUser, code: int) -> dict:
    ended = store.command("ringbearer", "store", "lock", "--json")
    assert ended.code == code and ended.stderr == "", ended
    text = store.command("python", "-m", "ringbearer", "store", "lock")
    found = json.loads(ended.stdout)
    assert text.code == code and text.stdout.startswith(found["path"] + ": "), text
    return found


def test_the_lock_is_free_until_a_process_holds_it(store: StoreUser) -> None:
    path = store.path + ".lock"
    assert lock(store, 0) == {"path": path, "locked": False} and not os.path.exists(path)
    store.set("service", "alice", "s3cr3t")
    assert lock(store, 0) == {"path": path, "locked": False}
    assert status(store, 0)["is_locked"] is False
    with open(path, "rb") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        assert lock(store, 6) == {"path": path, "locked": True}
        assert status(store, 0)["is_locked"] is True
        # Reading needs no lock.
        assert store.get("service", "alice") == "s3cr3t"
    assert lock(store, 0) == {"path": path, "locked": False}

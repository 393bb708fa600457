"""The path of a store: symlinks, files of other types, and permissions of directories."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import tempfile
from pathlib import Path

import pytest
from lab import namespace
from lab.known_store import KnownStore
from lab.store import Failure, Request, StoreUser
from lab.store_session import StoreSession

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs POSIX links, special files and permission bits")

VARIABLE = "SSH_AGENT_KEYRING_STORE_PATH"
RECORD = ("service", "user", "secret")
NEW = {("service", "user"): "secret", ("service", "new"): "new"}
CALLS = {
    "get_password": ("service", "user"),
    "set_password": ("service", "new", "new"),
    "delete_password": ("service", "user"),
}


def failures(store: KnownStore, path: object) -> dict[str, Failure]:
    """The exceptions of the three calls for a store at a path, each raised in time."""
    answers = store.ask([Request(method, words, {VARIABLE: str(path)}) for method, words in CALLS.items()])
    found = {}
    for method, answer in zip(CALLS, answers):
        assert answer.error is not None, f"{method}: {answer.result!r}"
        assert answer.seconds < 5, f"{method}: {answer.seconds} s"
        assert "ringbearer.errors.StoreError" in answer.error.bases, answer.error.text
        found[method] = answer.error
    assert "keyring.errors.PasswordSetError" in found["set_password"].bases
    assert "keyring.errors.PasswordDeleteError" in found["delete_password"].bases
    return found


def mode(path: object) -> int:
    return stat.S_IMODE(os.lstat(str(path)).st_mode)


def filled_at(store: KnownStore, path: Path) -> KnownStore:
    """A store with one record at another path."""
    store.path = str(path)
    store.fill([RECORD])
    return store


@pytest.mark.parametrize("links", [["{}/target.json"], ["../elsewhere/target.json"], ["middle", "{}/target.json"]])
def test_symlinked_store_is_updated_at_its_target(known_store: KnownStore, tmp_path: Path, links: list[str]) -> None:
    target = tmp_path / "elsewhere" / "target.json"
    filled_at(known_store, target)
    (tmp_path / "home" / "links").mkdir()
    (tmp_path / "home" / "elsewhere").symlink_to(target.parent)
    path = tmp_path / "home" / "links" / "store.json"
    leads = [link.format(target.parent) for link in links]
    for name, lead in zip(["store.json", *leads], leads):
        (path.parent / name).symlink_to(lead)
    known_store.set("service", "new", "new", **{VARIABLE: str(path)})
    assert known_store.entries() == NEW
    assert os.readlink(path) == leads[0] and not target.is_symlink()
    assert known_store.get("service", "new", **{VARIABLE: str(path)}) == "new"
    # Lock and temporary files are beside the real file, so that all names of the store share one lock.
    assert sorted(os.listdir(target.parent)) == ["target.json", "target.json.lock"]
    assert sorted(os.listdir(path.parent)) == sorted(["store.json", *leads[:-1]])


@pytest.mark.parametrize("directory_is_there", [True, False])
def test_dangling_symlink_is_an_error_and_creates_nothing(
    known_store: KnownStore, tmp_path: Path, directory_is_there: bool
) -> None:
    (tmp_path / "links").mkdir()
    if directory_is_there:
        (tmp_path / "nowhere").mkdir()
    path = tmp_path / "links" / "store.json"
    path.symlink_to(tmp_path / "nowhere" / "store.json")
    for failure in failures(known_store, path).values():
        assert str(path) in failure.message and "dangling symbolic link" in failure.message
    assert os.listdir(path.parent) == ["store.json"] and path.is_symlink()
    assert not directory_is_there or os.listdir(tmp_path / "nowhere") == []
    assert directory_is_there or not (tmp_path / "nowhere").exists()


def test_links_that_go_round_in_a_circle_are_an_error(known_store: KnownStore, tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    failures(known_store, tmp_path / "one")
    assert (tmp_path / "one").is_symlink() and (tmp_path / "two").is_symlink()


def test_store_in_a_symlinked_directory_is_created_and_updated(known_store: KnownStore, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir(mode=0o750)
    (tmp_path / "link").symlink_to(target)
    path = tmp_path / "link" / "inside" / "store.json"
    known_store.set("service", "user", "secret", **{VARIABLE: str(path)})
    known_store.set("service", "new", "new", **{VARIABLE: str(path)})
    assert sorted(os.listdir(target / "inside")) == ["store.json", "store.json.lock"]
    assert known_store.get("service", "user", **{VARIABLE: str(target / "inside" / "store.json")}) == "secret"
    assert (tmp_path / "link").is_symlink() and mode(target) == 0o750 and mode(target / "inside") == 0o700


@pytest.mark.parametrize("kind", ["fifo", "directory", "/dev/zero", "/dev/null", "/dev/full", "socket"])
@pytest.mark.parametrize("through_a_link", [False, True])
def test_anything_but_a_regular_file_is_an_error_at_once(
    known_store: KnownStore, tmp_path: Path, kind: str, through_a_link: bool
) -> None:
    # A socket's path may have 107 bytes.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        path = kind if kind.startswith("/") else os.path.join(short, "store.json")
        if kind == "fifo":
            os.mkfifo(path)
        elif kind == "directory":
            os.mkdir(path)
        elif kind == "socket":
            listening.bind(path)
        before = os.lstat(path)
        asked = path
        if through_a_link:
            asked = os.path.join(short, "link")
            os.symlink(path, asked)
        for failure in failures(known_store, asked).values():
            assert "not a regular file" in failure.message
        after = os.lstat(path)
        assert (after.st_mode, after.st_ino) == (before.st_mode, before.st_ino)
        names = {"store.json"} if not kind.startswith("/") else set()
        assert set(os.listdir(short)) == names | ({"link"} if through_a_link else set())


def test_a_file_in_the_place_of_a_directory_is_an_error(known_store: KnownStore, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    for path in (tmp_path / "file" / "store.json", tmp_path / "file" / "deeper" / "store.json"):
        answers = known_store.ask([Request(method, words, {VARIABLE: str(path)}) for method, words in CALLS.items()])
        for method, answer in zip(CALLS, answers):
            if method == "set_password":
                assert answer.error is not None and "keyring.errors.PasswordSetError" in answer.error.bases
                assert str(path.parent) in answer.error.message
            # "No such password" would be true too.
            assert answer.result is None
    assert (tmp_path / "file").read_bytes() == b"content"


@pytest.mark.parametrize("kind", ["link", "dangling link", "directory", "fifo"])
def test_lock_that_is_not_a_regular_file_is_an_error(known_store: KnownStore, tmp_path: Path, kind: str) -> None:
    known_store.fill([RECORD])
    lock, target = known_store.path + ".lock", tmp_path / "target"
    if kind == "link":
        target.write_bytes(b"content")
        os.chmod(target, 0o640)
    if "link" in kind:
        os.symlink(target, lock)
    elif kind == "directory":
        os.mkdir(lock)
    else:
        os.mkfifo(lock)
    assert known_store.get("service", "user") == "secret"
    for method in ("set_password", "delete_password"):
        [answer] = known_store.ask([Request(method, CALLS[method])])
        assert answer.error is not None and answer.seconds < 5
        assert "ringbearer.errors.StoreError" in answer.error.bases
        assert lock in answer.error.message and "cannot be locked" in answer.error.message
    assert known_store.entries() == {("service", "user"): "secret"}
    if kind == "link":
        assert target.read_bytes() == b"content" and mode(target) == 0o640
    else:
        assert not target.exists()


def test_new_directories_are_private_whatever_the_umask(known_store: KnownStore) -> None:
    share = Path(known_store.home) / ".local"
    share.mkdir(mode=0o755)
    os.chmod(share, 0o755)
    with StoreSession(known_store, umask=0) as session:
        session.set("service", "user", "secret")
    modes = [mode(share), mode(share / "share"), mode(share / "share" / "ssh-agent-keyring"), mode(known_store.path)]
    assert [f"{found:o}" for found in modes] == ["755", "700", "700", "600"]


@pytest.mark.parametrize("permissions", [0o755, 0o750, 0o700, 0o1777])
def test_existing_directory_keeps_its_permissions(known_store: KnownStore, permissions: int) -> None:
    known_store.fill([RECORD])
    directory = os.path.dirname(known_store.path)
    os.chmod(directory, permissions)
    known_store.set("service", "new", "new")
    known_store.delete("service", "new")
    assert mode(directory) == permissions


def check_read_only(store: KnownStore, session: StoreSession) -> None:
    """Everything can be read and nothing written."""
    before = sorted(os.listdir(os.path.dirname(store.path)))
    for method in ("set_password", "delete_password"):
        error = session.fails(method, *CALLS[method])
        base = {"set_password": "PasswordSetError", "delete_password": "PasswordDeleteError"}[method]
        assert f"keyring.errors.{base}" in error.bases
        assert store.path in error.message
    assert session.get("service", "user") == "secret" and session.get("service", "new") is None
    assert store.entries() == {("service", "user"): "secret"}
    assert sorted(os.listdir(os.path.dirname(store.path))) == before


@pytest.mark.parametrize("is_locked_before", [False, True])
def test_read_only_directory_allows_get_and_explains_failed_set(
    known_store: KnownStore, is_locked_before: bool
) -> None:
    known_store.fill([RECORD])
    if is_locked_before:
        # The lock file exists from when the directory was writable.
        Path(known_store.path + ".lock").touch(0o600)
    before = []
    if os.geteuid() == 0:
        # Root can write everywhere unless it drops that right.
        setpriv = shutil.which("setpriv") or pytest.skip("root can write everywhere, and setpriv is not installed")
        before = [setpriv, "--bounding-set=-all", "--inh-caps=-all"]
    directory = os.path.dirname(known_store.path)
    os.chmod(directory, 0o500)
    try:
        with StoreSession(known_store, before) as session:
            check_read_only(known_store, session)
            assert "permission denied" in session.fails("set_password", *CALLS["set_password"]).message
    finally:
        os.chmod(directory, 0o700)


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")
@pytest.mark.parametrize("is_locked_before", [False, True])
def test_on_a_read_only_disk_get_works_and_set_says_why(known_store: KnownStore, is_locked_before: bool) -> None:
    known_store.fill([RECORD])
    if is_locked_before:
        Path(known_store.path + ".lock").touch(0o600)
    script = 'mount --bind "$0" "$0"; mount -o remount,ro,bind "$0"; exec "$@"'
    directory = os.path.dirname(known_store.path)
    mounted = [*namespace.with_files({}), "/bin/sh", "-e", "-c", "PATH=$PATH:/usr/sbin:/usr/bin:/sbin:/bin; " + script]
    with StoreSession(known_store, [*mounted, directory]) as session:
        check_read_only(known_store, session)
        assert "read-only" in session.fails("set_password", *CALLS["set_password"]).message


def test_a_store_of_another_user_is_read_but_not_taken_over(store: StoreUser) -> None:
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    store.set("service", "alice", "s3cr3t")
    os.chown(store.path, 65534, 65534)
    assert store.get("service", "alice") == "s3cr3t"
    error = store.fails("set_password", "service", "bob", "other")
    assert "keyring.errors.PasswordSetError" in error.bases and "belongs to another user" in error.message
    assert store.command("ringbearer", "store", "rotate").code == 1
    assert os.stat(store.path).st_uid == 65534 and len(store.content()["records"]) == 1
    assert "another user" in store.command("ringbearer", "store", "status").stdout

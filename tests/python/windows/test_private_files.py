"""Files that only their user may read: what `icacls` is asked to do, and when. Wine has no access control lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer
from lab.windows.access import SID, AccessPrograms
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.store import WindowsStore
from lab.windows.user import WindowsUser
from support.windows_answers import assert_complaint

FILE = ["/inheritance:r", "/grant:r", f"*{SID}:F", "/q"]
DIRECTORY = ["/inheritance:r", "/grant:r", f"*{SID}:(OI)(CI)F", "/q"]


@pytest.fixture
def access(user: WindowsUser, tmp_path: Path) -> AccessPrograms:
    """The programs that limit the access to a file."""
    return AccessPrograms(user, tmp_path / "calls")


@pytest.fixture
def store(store_user: WindowsUser) -> WindowsStore:
    """A user with a key."""
    return WindowsStore(store_user)


def test_store_lock_and_new_directory_are_private(
    store: WindowsStore, store_user: WindowsUser, access: AccessPrograms
) -> None:
    store.command("init").check()
    directory, lock, temporary = access.grants
    assert (directory.path, directory.arguments) == (store_user.wine.path(store.path.parent), DIRECTORY)
    assert (lock.path, lock.arguments) == (store.shown_path + ".lock", FILE)
    beside = store_user.wine.path(store.path.with_name(".store.json.ringbearer-"))
    assert temporary.path.startswith(beside) and (temporary.arguments, temporary.size) == (FILE, 0)


def test_replaced_store_is_private_before_it_is_written(store: WindowsStore, access: AccessPrograms) -> None:
    store.command("init").check()
    before = len(access.grants)
    store.set("svc", "alice", "s3cr3t")
    [temporary] = access.grants[before:]
    assert (temporary.arguments, temporary.size) == (FILE, 0)


def test_export_is_private_before_it_is_written(
    store: WindowsStore, store_user: WindowsUser, access: AccessPrograms, tmp_path: Path
) -> None:
    store.command("init").check()
    store.set("svc", "alice", "s3cr3t")
    file = store_user.wine.path(tmp_path / "export.json")
    store.command("export", file).check()
    assert (access.grants[-1].path, access.grants[-1].arguments, access.grants[-1].size) == (file, FILE, 0)


def test_file_of_a_token_is_private_before_it_is_written(
    cloud_user: WindowsUser, cloud: PracticeCloud, access: AccessPrograms, tmp_path: Path
) -> None:
    token = cloud.azure.contoso.personal_access_token()
    cloud_user.variables["ARTIFACTS_KEYRING_NOFUSS_TOKEN"] = token
    file = tmp_path / "token.txt"
    cloud_user.run("ringbearer", "token", cloud.azure.feed.url(), "--output-file", cloud_user.wine.path(file)).check()
    assert file.read_text(encoding="utf-8") == token
    assert [(grant.arguments, grant.size) for grant in access.grants] == [(FILE, 0)]


def test_secret_is_not_written_where_access_cannot_be_limited(
    store: WindowsStore, store_user: WindowsUser, access: AccessPrograms, tmp_path: Path
) -> None:
    store.command("init").check()
    store.set("svc", "alice", "s3cr3t")
    before = store.path.read_bytes()
    access.fail(5)
    file = tmp_path / "export.json"
    assert_complaint(store.command("export", store_user.wine.path(file)), "icacls failed with exit code 5")
    assert not file.exists()
    ended = store_user.run("keyring", "set", "svc", "bob", input="s3cr3t\n")
    assert ended.code == 1 and "icacls failed with exit code 5" in ended.stderr, ended
    assert store.path.read_bytes() == before and store.files() == ["store.json", "store.json.lock"]


def test_program_of_the_same_name_on_path_is_not_run(
    store: WindowsStore, store_user: WindowsUser, access: AccessPrograms, fake_programs: WindowsPrograms
) -> None:
    for name in ("icacls", "whoami"):
        fake_programs.program(name, Answer(code=1))
    store.command("init").check()
    assert len(access.grants) == 3 and fake_programs.invocations("icacls") == fake_programs.invocations("whoami") == []

"""The file of logins: it is written by one process at a time, and one that others may have changed is refused."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab import kernel_keys, strace
from lab.sign_in_page import deliver, sign_in
from support.command_line import assert_complaint
from support.login_user import ADA, LoginUser

if sys.platform != "linux":
    pytest.skip("the login is kept in the kernel's keys", allow_module_level=True)

#: The number of a user who has no files.
SOMEBODY_ELSE = 54321


@pytest.fixture
def home(short_path: Path) -> Path:
    """A home directory with a short path, which a warning does not cut."""
    made = short_path / "ada"
    made.mkdir()
    return made


@pytest.fixture
def user(login_user: LoginUser) -> LoginUser:
    """A user who is signed in, in the session, and with `az` as well."""
    kernel_keys.need_sharing()
    login_user.log_in_with_az()
    login_user.login()
    return login_user


def change_version(file: Path) -> None:
    file.write_text(file.read_text().replace('"version": 1', '"version": 2'))


def give_away(path: Path) -> None:
    if os.getuid() != 0:
        pytest.skip("needs root, to give a file away")
    os.chown(path, SOMEBODY_ELSE, SOMEBODY_ELSE)


def link_to_file_that_others_write(file: Path) -> None:
    target = file.with_name("target")
    file.rename(target)
    target.chmod(0o666)
    file.symlink_to(target)


def rename_to_control(file: Path) -> None:
    file.write_text(file.read_text().replace(ADA, "\\u001b[2J"))


@dataclass
class Trouble:
    """What happens to the file, and what the error says."""

    name: str
    do: Callable[[Path], object]
    error: str


TROUBLES = [
    Trouble("open to others", lambda file: file.chmod(0o666), "can be written by others"),
    Trouble("directory open to others", lambda file: file.parent.chmod(0o777), "can be written by others"),
    Trouble("link to an open file", link_to_file_that_others_write, "can be written by others"),
    Trouble("another owner", give_away, "belongs to another user"),
    Trouble("another owner of the directory", lambda file: give_away(file.parent), "belongs to another user"),
    Trouble("cut", lambda file: file.write_text('{"version": 1, "logins": [{'), "is damaged"),
    Trouble("a terminal's control", rename_to_control, "is damaged"),
    Trouble("newer", change_version, "has version 2"),
    Trouble("1 MB", lambda file: file.write_text(" " * (1 << 20)), "cannot be read"),
    Trouble("a pipe", lambda file: (file.unlink(), os.mkfifo(file)), "cannot be read"),
]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: trouble.name)
def test_untrusted_file_is_named_and_never_overwritten(user: LoginUser, trouble: Trouble) -> None:
    trouble.do(user.file)
    before = content(user.file)
    user.assert_az_serves("login failed", trouble.error, str(user.file.parent))
    user.log.clear()
    for words in (["login", user.url, "--device-code"], ["login", "--list"], ["logout"]):
        assert_complaint(user(*words), trouble.error, str(user.file.parent))
    # Nobody signs in for a login that cannot be kept.
    assert user.log.requests() == []
    assert content(user.file) == before


def content(file: Path) -> bytes | None:
    """What is in a file, if it is one."""
    return file.read_bytes() if file.is_file() else None


def test_symlink_of_the_user_is_followed(user: LoginUser, tmp_path: Path) -> None:
    target = tmp_path / "synced.json"
    user.file.rename(target)
    user.file.symlink_to(target)
    user.assert_served()
    user.login(user.cloud.entra.add_user("bob@contoso.example"))
    assert user.file.is_symlink() and len(json.loads(target.read_text())["logins"]) == 2


def test_removing_a_damaged_file_helps(user: LoginUser) -> None:
    user.file.write_text("{")
    user.file.unlink()
    user.assert_only_az_serves()
    user.login()
    assert [login["account"] for login in user.listed()] == [ADA]


def test_file_is_closed_to_others_and_holds_no_secret(user: LoginUser) -> None:
    assert user.file.stat().st_mode & 0o777 == 0o600
    assert user.file.parent.stat().st_mode & 0o777 == 0o700
    user.assert_in_no_file()


def test_logins_at_once_are_all_kept(user: LoginUser) -> None:
    people = [user.cloud.entra.add_user(f"person{number}@contoso.example") for number in range(4)]
    begun = [(person, *user.begin()) for person in people]
    posts = [sign_in(user.cloud, url, person) for person, _, url in begun]
    for post in posts:
        deliver(post)
    for _, process, _ in begun:
        assert process.wait(30) == 0, process.communicate()
    assert {login["account"] for login in user.listed()} == {ADA, *(person.name for person in people)}
    assert json.loads(user.file.read_text())["version"] == 1


@pytest.mark.parametrize("call", ["keyctl", "add_key", "fsync", "rename"])
def test_killed_login_leaves_the_older_one(user: LoginUser, tmp_path: Path, call: str) -> None:
    """SIGKILL at a system call between the refresh token and the list."""
    before = user.file.read_bytes()
    older = user.listed()
    bob = user.cloud.entra.add_user("bob@contoso.example")
    traced = "rename,renameat,renameat2" if call == "rename" else call
    tracing = [*strace.tracing(tmp_path / "log"), "-e", f"trace={traced}", "-e", f"inject={traced}:signal=KILL"]
    if call == "keyctl":
        # The first ones find the place.
        tracing[-1] += ":when=3+"
    user.prefix = tuple(tracing)
    process, url = user.begin()
    try:
        deliver(sign_in(user.cloud, url, bob))
    except OSError:
        pass
    assert process.wait(30) != 0, process.communicate()
    user.prefix = ()
    assert user.file.read_bytes() == before or call == "rename"
    assert older[0] in user.listed()
    user.assert_served(ARTIFACTS_CREDENTIALPROVIDER_MSAL_LOGIN_HINT=ADA)
    # Nothing that was left in the way.
    user.login(bob)
    assert [login["account"] for login in user.listed()] == [bob.name, ADA]

"""pip, uv and twine after `ringbearer login`: in the same session, and after every token has expired."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.packages import wheel as make_wheel
from support.azure_user import for_keyring_command, with_user_name
from support.login_user import LoginUser


@pytest.fixture
def user(client: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> LoginUser:
    """Ada, who has signed in; her session caches tokens."""
    kernel_keys.need_sharing()
    made = LoginUser(client, cloud, home, fake_programs)
    made.variables["RINGBEARER_CACHE"] = "session"
    made.login()
    return made


def expire(cloud: PracticeCloud, user: LoginUser) -> None:
    """Let all session tokens and access tokens expire: none is cached and none is accepted."""
    for token in cloud.azure.session_tokens.issued:
        cloud.azure.contoso.withdraw(token)
    user("cache", "clear").check()


def install(user: LoginUser, tool: Client, name: str, *words: object, **variables: str) -> None:
    """Install from the feed into a directory of this name."""
    target = user.home / name
    environment = user.environment(user.program.bin, **variables)
    tool.run([*words, "--target", target, "greetings"], environment).check()
    assert (target / "hello_private.py").exists()


def test_clients_install_and_upload_without_a_question(
    cloud: PracticeCloud, user: LoginUser, client: Client, tool: Client, home: Path
) -> None:
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    url = cloud.azure.feed.url()
    for moment in ("now", "later"):
        pip = ["pip", "install", "--no-input"]
        install(user, client, f"import {moment}", *pip, "--keyring-provider", "import", "--index-url", url)
        command = ["--keyring-provider", "subprocess", "--index-url", for_keyring_command(url)]
        install(user, tool, f"subprocess {moment}", *pip, *command)
        uv = ["uv", "pip", "install", "--no-cache", "--default-index", with_user_name(url)]
        install(user, tool, f"uv {moment}", *uv, UV_KEYRING_PROVIDER="subprocess", UV_PYTHON=tool.python)
        if moment == "now":
            assert len(user.refreshes()) == 1
            expire(cloud, user)
    assert len(user.refreshes()) == 2
    upload = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
    upload += ["--repository-url", cloud.azure.feed.upload_url(), package.file_name]
    client.run(upload, user.environment()).check()
    assert [request.status for request in cloud.log.requests("*pkgs.*", method="POST")] == [202]
    assert cloud.entra.mistakes == [] and len(cloud.entra.authorizations.opened) == 1

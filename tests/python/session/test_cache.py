"""Tokens of one process serve later processes of the same login session, from the kernel's memory."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from lab import kernel_keys, strace
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.registry import Registry
from support.azure_user import AzureUser
from support.native_keyring import NativeKeyring
from support.session_keyring import SERVICE, from_another_tool, get, keyring_of, keys, tokens


@pytest.fixture
def keyring(azure_user: AzureUser, native: Client) -> NativeKeyring:
    """The native `keyring`, with Frodo logged in with `az`."""
    return keyring_of(azure_user, native)


def test_later_process_sends_no_request(cloud: PracticeCloud, keyring: NativeKeyring) -> None:
    first = get(keyring)
    cloud.log.clear()
    assert get(keyring) == first
    assert from_another_tool(keyring, "keyring", "get", SERVICE, "somebody").stdout.strip() == first
    other_feed = cloud.azure.contoso.feed("other").url()
    assert get(keyring, other_feed) == first
    assert cloud.log.requests() == cloud.log.connections() == []


def test_a_script_that_repeats_a_request_signs_in_once(cloud: PracticeCloud, keyring: NativeKeyring) -> None:
    program = keyring.native.program("ringbearer")
    script = f"'{program}' token '{SERVICE}'\n" * 3
    ended = subprocess.run(
        ["/bin/sh", "-c", script], env=keyring.environment(), capture_output=True, text=True, check=True
    )
    assert len(cloud.azure.session_tokens.issued) == 1
    assert ended.stdout.split() == cloud.azure.session_tokens.issued * 3


def test_the_newest_token_of_a_user_replaces_older_ones(keyring: NativeKeyring) -> None:
    get(keyring)
    before = len(tokens())
    get(keyring, AZURE_CLIENT_ID="somebody-else")
    assert len(tokens()) == before


def test_tokens_of_every_registry_are_kept(registry: Registry, native: Client) -> None:
    kernel_keys.need_sharing()
    environment = registry.environment(native.bin)
    words = ["keyring", "get", registry.index_url, registry.user_name]
    first = native.run(words, environment).check().stdout
    registry.cloud.log.clear()
    assert native.run(words, environment).check().stdout == first
    assert registry.cloud.log.requests() == []


def test_reading_and_writing_are_kept_apart(cloud: PracticeCloud, keyring: NativeKeyring) -> None:
    upload = SERVICE.replace("/simple/", "/upload")
    reads, writes = get(keyring), get(keyring, upload)
    assert reads != writes
    assert (get(keyring), get(keyring, upload)) == (reads, writes)


@pytest.mark.parametrize("change", ["variable", "home", "profile", "tokens", "other program"])
def test_another_login_finds_nothing(
    cloud: PracticeCloud, keyring: NativeKeyring, home: Path, tmp_path: Path, change: str
) -> None:
    folder = home / ".azure"
    (folder / "msal_token_cache.json").write_text("{}")
    first = get(keyring)
    variables: dict[str, str] = {}
    if change == "variable":
        variables["AZURE_CLIENT_ID"] = "somebody-else"
    elif change == "home":
        (tmp_path / "other").mkdir()
        variables["HOME"] = str(tmp_path / "other")
    elif change == "profile":
        (folder / "azureProfile.json").write_text("{}")
    elif change == "tokens":
        (folder / "msal_token_cache.json").unlink()
    else:
        path = keyring.environment()["PATH"].split(os.pathsep)
        (tmp_path / "az").write_text(f'#!/bin/sh\nexec {path[1]}/az "$@"\n')
        (tmp_path / "az").chmod(0o755)
        variables["PATH"] = os.pathsep.join([str(tmp_path), *path])
    assert get(keyring, **variables) != first


def test_virtual_environment_does_not_change_the_login(keyring: NativeKeyring, tmp_path: Path) -> None:
    first = get(keyring)
    path = os.pathsep.join([str(tmp_path), keyring.environment()["PATH"]])
    assert get(keyring, PATH=path, VIRTUAL_ENV=str(tmp_path)) == first


def test_token_that_is_ready_in_a_variable_is_not_cached(keyring: NativeKeyring) -> None:
    before = tokens()
    assert get(keyring, AZURE_DEVOPS_EXT_PAT="a-pat") == "a-pat"
    assert tokens() == before


def test_cached_token_is_in_memory_expires_and_is_private(keyring: NativeKeyring, home: Path) -> None:
    known = {key[0] for key in keys()}
    password = get(keyring)
    for path in home.rglob("*"):
        if path.is_file():
            assert password.encode() not in path.read_bytes()
    new = [key for key in keys() if key[0] not in known]
    assert any(":token:" in key[8] for key in new)
    for key in new:
        # All rights for its possessor; none for user, group and others.
        assert key[4] == "3f000000", key
        # Minutes, at most an hour; or seconds. An organisation is known for a day.
        is_short = key[3].endswith(("m", "s")) and int(key[3][:-1]) <= 60
        assert is_short or (":discovery:" in key[8] and key[3] in ("1d", "23h")), key


@pytest.mark.parametrize("cache", ["off", "memory"])
def test_other_cache_modes_keep_nothing_in_the_session(keyring: NativeKeyring, cache: str) -> None:
    known = {key[0] for key in keys()}
    assert get(keyring, RINGBEARER_CACHE=cache) != get(keyring, RINGBEARER_CACHE=cache)
    assert {key[0] for key in keys()} <= known


def test_unknown_cache_mode_warns_and_caches_nothing(keyring: NativeKeyring) -> None:
    answers = [keyring("get", SERVICE, "frodo", RINGBEARER_CACHE="disk").check() for _ in range(2)]
    assert answers[0].stdout != answers[1].stdout
    for answer in answers:
        assert answer.stderr.count("\n") == 1, answer
        assert 'unknown RINGBEARER_CACHE "disk"' in answer.stderr and "off, memory, session" in answer.stderr, answer


def test_python_uses_the_session_cache_if_configured(
    keyring: NativeKeyring, client: Client, azure_user: AzureUser
) -> None:
    kept = get(keyring)
    ask = ["keyring", "get", SERVICE, "frodo"]
    # Only the path of az counts, and nothing else of the environment.
    environment = azure_user.environment(client.bin)
    assert client.run(ask, environment).check().stdout.strip() != kept
    ended = client.run(ask, {**environment, "RINGBEARER_CACHE": "session"}).check()
    assert (ended.stdout.strip(), ended.stderr) == (kept, "")


def test_each_process_signs_in_without_a_key_service(
    cloud: PracticeCloud, keyring: NativeKeyring, tmp_path: Path
) -> None:
    forbidden = [*strace.tracing(tmp_path / "log"), "-e", "trace=keyctl,add_key"]
    forbidden += ["-e", "inject=keyctl,add_key:error=EPERM"]
    words = [keyring.native.program("keyring"), "get", SERVICE, "frodo"]

    def ask(**variables: str) -> subprocess.CompletedProcess[bytes]:
        environment = keyring.environment(**variables)
        return subprocess.run([*forbidden, *words], env=environment, capture_output=True, check=False)

    first, second = ask(), ask(RINGBEARER_DEBUG="1")
    assert (first.returncode, first.stderr, second.returncode) == (0, b"", 0)
    assert first.stdout and second.stdout and first.stdout != second.stdout
    assert b"the kernel's key service is missing or not allowed" in second.stderr


def test_a_used_up_quota_loses_no_answer(cloud: PracticeCloud, keyring: NativeKeyring, tmp_path: Path) -> None:
    full = [*strace.tracing(tmp_path / "log"), "-e", "trace=add_key", "-e", "inject=add_key:error=EDQUOT"]
    words = [keyring.native.program("keyring"), "get", SERVICE, "frodo"]
    found = subprocess.run([*full, *words], env=keyring.environment(), capture_output=True, check=False)
    assert (found.returncode, found.stderr) == (0, b"") and found.stdout
    environment = keyring.environment(RINGBEARER_DEBUG="1")
    found = subprocess.run([*full, *words], env=environment, capture_output=True, check=False)
    assert b"the token is not kept: the kernel's key quota is used up" in found.stderr


def test_session_with_a_very_long_name_loses_nothing(keyring: NativeKeyring) -> None:
    kernel_keys.new_session("n" * 700)
    assert get(keyring)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can change the owner of directories"
)
@pytest.mark.parametrize("name", ["XDG_RUNTIME_DIR", "HOME"])
def test_nothing_is_written_into_another_users_folder(keyring: NativeKeyring, tmp_path: Path, name: str) -> None:
    """`sudo` may keep the caller's session keyring."""
    other = tmp_path / "other"
    other.mkdir()
    os.chown(other, 1234, 1234)
    variables = {"XDG_RUNTIME_DIR": None, "XDG_CACHE_HOME": None, name: str(other)}
    assert get(keyring, **variables)
    assert list(other.iterdir()) == []


@pytest.mark.parametrize("reads_state", [True, False], ids=["by its file", "by running it"])
def test_a_login_of_the_real_az_signs_in_once(
    cloud: PracticeCloud, native: Client, azure_cli: Client, home: Path, reads_state: bool
) -> None:
    kernel_keys.need_sharing()
    cloud.entra.device_user = cloud.azure.user
    variables = {} if reads_state else {"RINGBEARER_AZURE_CLI_CACHE": "off"}
    environment = cloud.environment(home, path=[native.bin, azure_cli.bin], **variables)
    azure_cli.run(["az", "login", "--use-device-code", "--output", "none"], environment).check()
    words = ["keyring", "get", SERVICE, "frodo"]
    first = native.run(words, environment).check().stdout
    cloud.log.clear()
    assert native.run(words, environment).check().stdout == first
    assert cloud.log.requests() == []
    azure_cli.run(["az", "logout"], environment).check()
    assert native.run(words, environment).code == 1

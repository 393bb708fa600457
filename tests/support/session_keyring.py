"""The native keyring of a user who is logged in with `az`, in a login session that caches tokens in the kernel."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from lab import kernel_keys
from lab.clients import Client, Completed
from support.azure_user import AzureUser
from support.native_keyring import NativeKeyring

SERVICE = "https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/"


def keyring_of(azure_user: AzureUser, native: Client) -> NativeKeyring:
    """The native keyring; the test is skipped if the kernel caches nothing."""
    kernel_keys.need_sharing()
    made = NativeKeyring(azure_user.cloud, native, azure_user.home)
    made.environment = lambda **variables: azure_user.environment(native.bin, **variables)
    return made


def get(keyring: NativeKeyring, service: str = SERVICE, **variables: str | None) -> str:
    """The password, which must be there."""
    ended = keyring("get", service, "frodo", **variables).check()
    assert ended.stderr == "", ended
    return ended.stdout.strip()


def from_another_tool(
    keyring: NativeKeyring,
    *words: str,
    within: Sequence[str] = (),
    directory: object | None = None,
    **variables: str | None,
) -> Completed:
    """A command in a new process, started with the prefix ``within``."""
    shell = [*within, "/bin/sh", "-c", '"$@"; exit $?', "sh", keyring.native.program(words[0]), *words[1:]]
    environment = keyring.environment(**variables)
    done = subprocess.run(shell, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    return Completed(shell, done.returncode, done.stdout, done.stderr, 0, done.stdout.encode())


def get_for_another_tool(
    keyring: NativeKeyring, within: Sequence[str] = (), directory: object | None = None, **variables: str | None
) -> str:
    """The password that such a process gets, which must be there."""
    words = ["keyring", "get", SERVICE, "frodo"]
    ended = from_another_tool(keyring, *words, within=within, directory=directory, **variables).check()
    assert ended.stderr == "", ended
    return ended.stdout.strip()


def keys() -> list[list[str]]:
    """The kernel's list of ringbearer's keys, in fields."""
    return [line.split() for line in Path("/proc/keys").read_text().splitlines() if " ringbearer:" in line]


def tokens() -> list[list[str]]:
    """The keys that are tokens, without those that are invalidated and not yet collected."""
    return [key for key in keys() if ":token:" in key[8] and "i" not in key[1]]

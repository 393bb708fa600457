"""`ringbearer cache`: lists and clears the tokens of the login session, and shows none."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest
from lab import kernel_keys, namespace, strace
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser
from support.private_packages import assert_installed


@pytest.fixture(params=["native", "client"])
def ringbearer(request: pytest.FixtureRequest, azure_user: AzureUser, native: Client):
    """Runs the command, native or through Python; `keyring` is the native one."""
    kernel_keys.need_sharing()
    where: Client = request.getfixturevalue(request.param)
    environment = azure_user.environment(native.bin)
    return lambda *words, **variables: where.run(["ringbearer", *words], {**environment, **variables})


@pytest.fixture
def kept(cloud: PracticeCloud, native: Client, azure_user: AzureUser) -> str:
    """A token that a native `keyring` cached."""
    words = ["keyring", "get", cloud.azure.feed.url(), "frodo"]
    return native.run(words, azure_user.environment(native.bin)).check().stdout.strip()


def of_frodo(ended: Completed) -> list[str]:
    return [line for line in ended.stdout.splitlines() if "frodo" in line]


def test_list_shows_owner_and_expiry_and_no_token(ringbearer, kept: str) -> None:
    ended = ringbearer("cache", "list").check()
    assert any(
        re.fullmatch(r"Azure Artifacts +contoso +frodo@\S+ +got a minute ago, kept for 5\d minutes", line.strip())
        for line in of_frodo(ended)
    ), ended
    assert ended.stderr == "" and kept not in ended.output


def test_list_is_available_as_json(ringbearer, kept: str) -> None:
    ended = ringbearer("cache", "list", "--json").check()
    tokens = json.loads(ended.stdout)["tokens"]
    mine = [token for token in tokens if "frodo" in (token["owner"] or "")]
    assert mine and mine[-1]["backend"] == "Azure Artifacts" and mine[-1]["for"] == "contoso", ended
    assert all(re.fullmatch(r"20\d\d-\d\d-\d\dT[\d:.]+Z", mine[-1][name]) for name in ("made", "kept_until"))
    assert kept not in ended.output


def test_cleared_tokens_are_found_by_no_process(
    ringbearer, cloud: PracticeCloud, native: Client, azure_user: AzureUser, kept: str
) -> None:
    ended = ringbearer("cache", "clear").check()
    assert re.fullmatch(r"removed (1 token|\d+ tokens)\n", ended.stdout), ended
    assert ringbearer("cache", "list").output == "ringbearer: no token is kept in this session\n"
    assert ringbearer("cache", "clear").check().stdout == "no cached tokens\n"
    assert json.loads(ringbearer("cache", "list", "--json").stdout) == {"tokens": [], "not_kept": None}
    words = ["keyring", "get", cloud.azure.feed.url(), "frodo"]
    assert native.run(words, azure_user.environment(native.bin)).check().stdout.strip() != kept


def test_doctor_reports_the_cached_token_and_signs_in_again(
    ringbearer, cloud: PracticeCloud, azure_user: AzureUser, kept: str
) -> None:
    url = cloud.azure.feed.url()
    assert "a minute ago, is kept in this session for 5" in ringbearer("doctor", url).stdout
    assert len(cloud.azure.session_tokens.issued) == 2
    # Its own token is not cached.
    assert ringbearer("get", url, "VssSessionToken").stdout.strip() == kept
    for variables, words in (
        ({"RINGBEARER_CACHE": "off"}, "off: every lookup signs in again"),
        ({"RINGBEARER_CACHE": "memory"}, "each process signs in for itself"),
        ({"RINGBEARER_CACHE": "disk"}, 'unknown RINGBEARER_CACHE "disk"'),
        ({"AZURE_CLIENT_ID": "another"}, "no token is kept in this session"),
    ):
        assert words in ringbearer("doctor", url, **variables).stdout


@pytest.mark.parametrize("action", ["list", "clear"])
@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")
def test_list_fails_where_the_kernel_hides_its_keys(
    native: Client, azure_user: AzureUser, kept: str, action: str
) -> None:
    command = [*namespace.without("/proc/keys"), native.program("ringbearer"), "cache", action]
    environment = azure_user.environment(native.bin)
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "/proc/keys, cannot be read" in ended.stderr and "RINGBEARER_CACHE=off" in ended.stderr


def test_process_with_a_cleared_token_gets_a_new_one(
    ringbearer, cloud: PracticeCloud, client: Client, native: Client, azure_user: AzureUser
) -> None:
    program = """
import keyring, sys
def ask():
    print(keyring.get_credential(sys.argv[1], None).password, flush=True)
ask()
sys.stdin.readline()
ask()
"""
    environment = azure_user.environment(native.bin, RINGBEARER_CACHE="session")
    process = client.start(["python", "-c", program, cloud.azure.feed.url()], environment, with_stdin=True)
    first = process.stdout.readline()
    ringbearer("cache", "clear").check()
    second, _ = process.communicate(b"\n", timeout=10)
    assert first and second and first != second


def test_list_says_why_no_token_can_be_cached(native: Client, azure_user: AzureUser, tmp_path: Path) -> None:
    kernel_keys.need_sharing()
    forbidden = [*strace.tracing(tmp_path / "log"), "-e", "trace=keyctl", "-e", "inject=keyctl:error=EPERM"]
    command = [*forbidden, native.program("ringbearer"), "cache", "list"]
    ended = subprocess.run(command, env=azure_user.environment(native.bin), capture_output=True, text=True, check=True)
    assert ended.stdout == ""
    assert "the kernel's key service is missing or not allowed" in ended.stderr


#: Almost half of the quota of a user who is not root is in use.
KEY_USERS = "    0:    12 11/11 9/200 9990/20000\n"


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")
def test_half_of_the_key_quota_stays_free(native: Client, azure_user: AzureUser, cloud: PracticeCloud) -> None:
    kernel_keys.need_sharing()
    environment, url = azure_user.environment(native.bin), cloud.azure.feed.url()

    def run(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [*namespace.with_text("/proc/key-users", KEY_USERS), native.program(words[0]), *words[1:]]
        return subprocess.run(command, env={**environment, **variables}, capture_output=True, text=True, check=False)

    run("ringbearer", "cache", "clear")
    first, second = (run("keyring", "get", url, "frodo") for _ in range(2))
    assert first.stdout and second.stdout and first.stdout != second.stdout
    assert first.stderr == second.stderr == ""
    why = "half of the kernel's key quota to others: 9 of 200 keys and 9990 of 20000 bytes are in use"
    assert (
        f"the token is not kept: the session cache leaves {why}"
        in run("keyring", "get", url, "frodo", RINGBEARER_DEBUG="1").stderr
    )
    listed = run("ringbearer", "cache", "list")
    assert "new tokens are not kept" in listed.stderr and why in listed.stderr and listed.returncode == 0
    assert why in json.loads(run("ringbearer", "cache", "list", "--json").stdout)["not_kept"]
    assert why in run("ringbearer", "doctor", url).stdout


def test_clearing_a_withdrawn_token_lets_pip_in(
    cloud: PracticeCloud, native: Client, tool: Client, azure_user: AzureUser
) -> None:
    kernel_keys.need_sharing()
    environment, url = azure_user.environment(native.bin), cloud.azure.feed.url()
    install = ["pip", "install", "--target", "packages", "--keyring-provider", "subprocess", "--index-url"]
    install += [url.replace("//", "//VssSessionToken@", 1), "greetings"]
    kept = native.run(["keyring", "get", url, "VssSessionToken"], environment).check().stdout.strip()
    cloud.azure.contoso.withdraw(kept)
    refused = tool.run(install, environment)
    assert refused.code != 0 and kept not in refused.output
    assert native.run(["ringbearer", "cache", "clear"], environment).code == 0
    tool.run(install, environment).check()
    assert_installed(Path(azure_user.home) / "packages")

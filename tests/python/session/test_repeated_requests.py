"""A client that repeats a request gets a newer token."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser
from support.private_packages import assert_installed


@pytest.fixture(autouse=True)
def sharing() -> None:
    """Cached tokens are in the kernel."""
    kernel_keys.need_sharing()


def asked_by_one_tool(native: Client, environment: dict[str, str], *questions: tuple[str, str]) -> list[str]:
    """The answers to the questions of one process, in turn."""
    lines = [f"'{native.program('keyring')}' get '{url}' '{user}' || exit 1" for url, user in questions]
    shell = ["/bin/sh", "-c", "\n".join(lines)]
    return subprocess.run(shell, env=environment, capture_output=True, text=True, check=True).stdout.split()


def test_it_gets_a_new_token_once(cloud: PracticeCloud, native: Client, azure_user: AzureUser) -> None:
    environment, url = azure_user.environment(native.bin), cloud.azure.feed.url()
    [kept] = asked_by_one_tool(native, environment, (url, "frodo"))
    first, again, third = asked_by_one_tool(native, environment, *[(url, "frodo")] * 3)
    assert first == kept
    assert again != kept
    # A refusal of a new token has another reason.
    assert third == again
    assert asked_by_one_tool(native, environment, (url, "frodo")) == [again]


def test_different_request_is_not_a_repetition(cloud: PracticeCloud, native: Client, azure_user: AzureUser) -> None:
    environment, url = azure_user.environment(native.bin), cloud.azure.feed.url()
    questions = [(url, "frodo"), (url, "VssSessionToken"), (cloud.azure.contoso.feed("b").url(), "frodo")]
    [kept] = asked_by_one_tool(native, environment, questions[0])
    assert asked_by_one_tool(native, environment, *questions) == [kept] * 3


def test_retrying_tool_gets_past_a_revoked_cached_token(
    cloud: PracticeCloud, native: Client, tool: Client, azure_user: AzureUser
) -> None:
    environment, url = azure_user.environment(native.bin), cloud.azure.feed.url()
    [kept] = asked_by_one_tool(native, environment, (url, "frodo"))
    cloud.azure.contoso.withdraw(kept)
    ask = f"'{native.program('keyring')}' get '{url}' frodo"
    lines = [f"token=$({ask})", f'curl -sf -u "frodo:$token" {url} || token=$({ask})', "echo $token"]
    ended = subprocess.run(
        ["/bin/sh", "-c", "\n".join(lines)], env=environment, capture_output=True, text=True, check=True
    )
    token = ended.stdout.split()[-1]
    assert token != kept and cloud.azure.contoso.check(token) is not None


def test_cache_clear_lets_pip_past_a_revoked_cached_token(
    cloud: PracticeCloud, native: Client, tool: Client, azure_user: AzureUser
) -> None:
    environment, url = azure_user.environment(native.bin), cloud.azure.feed.url()
    install = ["pip", "install", "--target", "packages", "--keyring-provider", "subprocess", "--index-url"]
    install += [url.replace("//", "//VssSessionToken@", 1), "greetings"]
    [kept] = asked_by_one_tool(native, environment, (url, "VssSessionToken"))
    cloud.azure.contoso.withdraw(kept)
    refused = tool.run(install, environment)
    assert refused.code != 0 and kept not in refused.output
    assert native.run(["ringbearer", "cache", "clear"], environment).code == 0
    tool.run(install, environment).check()
    assert_installed(Path(azure_user.home) / "packages")

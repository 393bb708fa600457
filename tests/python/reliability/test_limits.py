"""If no thread, process or file can be opened: a one-line error, exit code 1, and no stack trace."""

from __future__ import annotations

import pytest
from lab import limits
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser

pytestmark = pytest.mark.skipif(not limits.AVAILABLE, reason="only Linux has prlimit and setpriv")

NO_THREAD = "no thread can be started: the limit on processes and threads is reached"


def assert_one_line(ended: Completed, *parts: str) -> None:
    """A failure, reported on one line."""
    assert (ended.code, ended.stdout) == (1, ""), ended
    [line] = ended.stderr.splitlines()
    for part in parts:
        assert part in line, ended


@pytest.mark.parametrize("command", ["ringbearer", "keyring"])
@pytest.mark.parametrize("count", [1, 2])
def test_thread_that_cannot_start_is_one_line(
    azure_user: AzureUser,
    cloud: PracticeCloud,
    either: Client,
    command: str,
    count: int,
) -> None:
    """With one thread the lookup cannot start; with two, the resolution of a name."""
    words = ["token", cloud.azure.feed.url()]
    if command == "keyring":
        words = ["get", cloud.azure.feed.url(), "VssSessionToken"]
    environment = azure_user.environment(
        HTTPS_PROXY=cloud.proxy_url.replace("127.0.0.1", "localhost"),
        ARTIFACTS_KEYRING_NOFUSS_RETRIES="1",
        PYTHONDONTWRITEBYTECODE="1",
    )
    ended = either.run([*limits.few_processes(count), either.program(command), *words], environment)
    assert_one_line(ended, NO_THREAD, "`ulimit -u`")


def test_program_that_cannot_start_is_one_line(azure_user: AzureUser, cloud: PracticeCloud, either: Client) -> None:
    words = [either.program("ringbearer"), "token", cloud.azure.feed.url()]
    processes = either.run([*limits.few_processes(2), *words], azure_user.environment())
    assert_one_line(processes, "/az cannot be run: the limit on processes and threads is reached", "`ulimit -u`")
    files = either.run([*limits.few_files(7), *words], azure_user.environment())
    assert_one_line(files, "/az cannot be run: too many files are open", "`ulimit -n`")


def test_connection_without_a_file_descriptor_is_one_line(
    cloud: PracticeCloud, azure_user: AzureUser, either: Client
) -> None:
    words = [either.program("ringbearer"), "token", cloud.azure.feed.url()]
    environment = azure_user.environment(
        AZURE_CLIENT_ID="builder",
        AZURE_CLIENT_SECRET="mellon",
        ARTIFACTS_KEYRING_NOFUSS_PROVIDER="client_secret",
        ARTIFACTS_KEYRING_NOFUSS_RETRIES="1",
    )
    # One connection, to the feed, can be opened, and none to the login host.
    ended = either.run([*limits.few_files(5), *words], environment)
    assert_one_line(ended, "too many files are open: no connection to ", "`ulimit -n`")

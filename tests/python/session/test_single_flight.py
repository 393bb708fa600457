"""Native keyrings that ask the same at the same time sign in once."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_not_logged_in, az_profile, az_token
from support.native_keyring import NativeKeyring

#: The number of processes, and the duration of the sign-in: longer than all of them need to start.
CROWD = 16
SLOWLY = 1.5


@pytest.fixture
def keyring(cloud: PracticeCloud, native: Client, home: Path, fake_programs: FakePrograms) -> NativeKeyring:
    """The native `keyring`, with `az` on PATH."""
    kernel_keys.need_sharing()
    return NativeKeyring(cloud, native, home, [fake_programs.directory])


def all_at_once(keyring: NativeKeyring, urls: list[str]) -> list[tuple[int, str, str]]:
    """Exit code, stdout and stderr of a process for each URL."""
    environment = keyring.environment()
    processes = [keyring.native.start(["keyring", "get", url, "frodo"], environment) for url in urls]
    ended = [process.communicate(timeout=30) for process in processes]
    return [(process.returncode, out.decode(), err.decode()) for process, (out, err) in zip(processes, ended)]


def slow_az(cloud: PracticeCloud, fake_programs: FakePrograms) -> None:
    answers = az_token(cloud.azure.directory.user_token(cloud.azure.user))
    fake_programs.az(*(dataclasses.replace(answer, delay=SLOWLY) for answer in answers))


@pytest.mark.parametrize("is_recognised", [True, False], ids=["a login that is kept", "one that is not"])
def test_feeds_of_one_organisation_share_one_sign_in(
    cloud: PracticeCloud, keyring: NativeKeyring, fake_programs: FakePrograms, home: Path, is_recognised: bool
) -> None:
    if is_recognised:
        az_profile(home, cloud.azure.user.name)
    slow_az(cloud, fake_programs)
    urls = [cloud.azure.contoso.feed(f"feed-{number % 4}").url() for number in range(CROWD)]
    ended = all_at_once(keyring, urls)
    assert {code for code, _, _ in ended} == {0} and len({out for _, out, _ in ended}) == 1, ended
    assert len(fake_programs.invocations("az")) == 1
    # One discovery, one exchange.
    assert [request.method for request in cloud.log.requests()] == ["GET", "POST"]


def test_another_identity_gets_nothing_of_the_first_ones(
    cloud: PracticeCloud, keyring: NativeKeyring, fake_programs: FakePrograms
) -> None:
    url = cloud.azure.feed.url()
    pats = [f"pat-{number}" for number in range(CROWD)]
    processes = [
        keyring.native.start(["keyring", "get", url, "x"], keyring.environment(AZURE_DEVOPS_EXT_PAT=pat))
        for pat in pats
    ]
    assert [process.communicate(timeout=30)[0].decode().strip() for process in processes] == pats


def test_failure_is_reported_by_all_and_tried_once(
    cloud: PracticeCloud, keyring: NativeKeyring, fake_programs: FakePrograms
) -> None:
    fake_programs.az(dataclasses.replace(az_not_logged_in(), delay=SLOWLY))
    ended = all_at_once(keyring, [cloud.azure.feed.url()] * CROWD)
    assert {(code, out) for code, out, _ in ended} == {(1, "")}
    assert len({err for _, _, err in ended}) == 1 and "az login" in ended[0][2], ended
    assert len(fake_programs.invocations("az")) == 1


def test_killed_process_does_not_block_the_others_for_long(
    cloud: PracticeCloud, keyring: NativeKeyring, fake_programs: FakePrograms
) -> None:
    fake_programs.az(Answer(hang=True))
    url, environment = cloud.azure.feed.url(), keyring.environment()
    first = keyring.native.start(["keyring", "get", url, "frodo"], environment)
    deadline = time.monotonic() + 10
    while not fake_programs.invocations("az"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    slow_az(cloud, fake_programs)
    second = keyring.native.start(["keyring", "get", url, "frodo"], environment)
    time.sleep(0.2)
    first.kill()
    first.communicate()
    out, err = second.communicate(timeout=10)
    assert (second.returncode, err) == (0, b"") and out, err

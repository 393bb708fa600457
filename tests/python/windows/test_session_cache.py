"""Tokens that processes of one logon session share. Only this file has them: all users here are one user of Windows."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from lab.cloud import PracticeCloud
from lab.registry import Registry
from lab.windows.user import WindowsUser


@pytest.fixture
def sharing(cloud_user: WindowsUser) -> Iterator[WindowsUser]:
    """A user whose programs share tokens as usual. None is cached at first."""
    cloud_user.variables["RINGBEARER_CACHE"] = None
    cloud_user.run("ringbearer", "cache", "clear").check()
    yield cloud_user
    cloud_user.run("ringbearer", "cache", "clear").check()


def test_second_program_gets_the_token_of_the_first(
    sharing: WindowsUser, cloud: PracticeCloud, azure: Registry
) -> None:
    words = ["get", azure.index_url, "VssSessionToken"]
    passwords = [sharing.run("keyring", *words).check().stdout for _ in range(3)]
    assert passwords == [f"{azure.passwords()[0]}\n"] * 3
    assert len(azure.fake_programs.invocations("az")) == 1


def test_token_of_every_registry_is_shared_without_a_request(sharing: WindowsUser, signed_in: Registry) -> None:
    words = ["get", signed_in.index_url, signed_in.user_name]
    first = sharing.run("keyring", *words).check().stdout
    signed_in.cloud.log.clear()
    assert sharing.run("keyring", *words).check().stdout == first
    assert signed_in.cloud.log.requests() == signed_in.cloud.log.connections() == []
    for path in sharing.home.rglob("*"):
        assert path.is_dir() or first.strip().encode() not in path.read_bytes(), path


def test_programs_that_start_at_once_sign_in_once(sharing: WindowsUser, azure: Registry) -> None:
    started = [sharing.start("keyring", "get", azure.index_url, "VssSessionToken") for _ in range(8)]
    assert [ended.check().stdout for ended in sharing.all(*started)] == [f"{azure.passwords()[0]}\n"] * 8
    assert len(azure.fake_programs.invocations("az")) == 1


def test_list_shows_the_owner_and_no_token(sharing: WindowsUser, cloud: PracticeCloud, azure: Registry) -> None:
    sharing.run("keyring", "get", azure.index_url, "VssSessionToken").check()
    ended = sharing.run("ringbearer", "cache", "list", "--json").check()
    [token] = json.loads(ended.stdout)["tokens"]
    assert token["backend"] == "Azure Artifacts" and cloud.azure.user.name in token["owner"]
    azure.assert_hidden(ended)


def test_cleared_token_is_found_by_no_program(sharing: WindowsUser, azure: Registry) -> None:
    words = ["get", azure.index_url, "VssSessionToken"]
    first = sharing.run("keyring", *words).check().stdout
    sharing.run("ringbearer", "cache", "clear").check()
    assert json.loads(sharing.run("ringbearer", "cache", "list", "--json").check().stdout)["tokens"] == []
    assert sharing.run("keyring", *words).check().stdout != first


def test_memory_and_off_share_nothing(sharing: WindowsUser, azure: Registry) -> None:
    words = ["get", azure.index_url, "VssSessionToken"]
    for setting in ("memory", "off"):
        sharing.run("keyring", *words, variables={"RINGBEARER_CACHE": setting}).check()
    assert json.loads(sharing.run("ringbearer", "cache", "list", "--json").check().stdout)["tokens"] == []
    assert len(azure.fake_programs.invocations("az")) == 2

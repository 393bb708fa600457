"""The provider managed_identity on Azure Arc: the key file that is read, and where its content is sent."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab import namespace
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.azure.directory import AZURE_DEVOPS, Application
from support.managed_identity import client_of

PROVIDER = {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "managed_identity"}
AGENT_DIRECTORY = "/var/opt/azcmagent/tokens"


def test_arc_reads_no_file_outside_its_agent_directory(
    cloud: PracticeCloud, look_up: Lookups, identity: Application, tmp_path: Path
) -> None:
    arc = cloud.metadata.arc
    arc.key_content = "key-content"
    planted = tmp_path / "planted.key"
    planted.write_text("key-content")
    realms = [
        None,
        str(planted),
        f"{AGENT_DIRECTORY}/../../../..{planted}",
        f"{AGENT_DIRECTORY}/../planted.key",
        f"{AGENT_DIRECTORY}/deeper/planted.key",
        f"{AGENT_DIRECTORY}-too/planted.key",
        f"{AGENT_DIRECTORY}/planted",
        f"{AGENT_DIRECTORY}/planted.key.txt",
        f"{AGENT_DIRECTORY}/.key",
        "planted.key",
        "//evil.example/share/planted.key",
        " ",
    ]
    for realm in realms:
        arc.realm = realm
        (answer,) = look_up.all([LookUp(cloud.azure.feed.url())], directory=tmp_path, **arc.variables, **PROVIDER)
        assert answer.credential is None, realm
        assert "managed_identity failed" in answer.warning and "Azure Arc" in answer.warning
        assert "key-content" not in answer.text
    assert [request.header("Authorization") for request in cloud.log.requests("arc")] == [None] * len(realms)


def test_arc_knows_no_user_assigned_identity(cloud: PracticeCloud, look_up: Lookups, identity: Application) -> None:
    answer = look_up(AZURE_CLIENT_ID="some-client", **cloud.metadata.arc.variables, **PROVIDER)
    assert answer.credential is None
    assert "AZURE_CLIENT_ID" in answer.warning and "failed" not in answer.warning


@pytest.mark.parametrize("host", ["198.51.100.7", "localhost.evil.example", "arc.example"])
def test_arc_is_only_asked_on_this_machine(cloud: PracticeCloud, look_up: Lookups, host: str) -> None:
    endpoint = f"http://{host}/metadata/identity/oauth2/token"
    answer = look_up(IDENTITY_ENDPOINT=endpoint, IMDS_ENDPOINT=f"http://{host}", **PROVIDER)
    assert answer.credential is None
    assert "on this machine" in answer.warning
    assert cloud.log.refused() == []


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")
def test_the_key_of_the_agent_is_sent_back_and_buys_the_token(
    cloud: PracticeCloud, look_up: Lookups, identity: Application
) -> None:
    arc = cloud.metadata.arc
    arc.key_content, arc.realm = "the-key-of-the-agent", f"{AGENT_DIRECTORY}/practice.key"
    quoted = f'"{arc.realm}"'
    before = namespace.with_files({f"{AGENT_DIRECTORY}/practice.key": "the-key-of-the-agent\n"})
    question = [LookUp(cloud.azure.feed.url())]
    for realm in (arc.realm, quoted):
        cloud.log.clear()
        arc.realm = realm
        (answer,) = look_up.all(question, before=before, **arc.variables, **PROVIDER)
        assert client_of(cloud, answer.credential) == identity.client_id
        first, second = cloud.log.requests("arc")
        assert first.parameters == {"api-version": "2020-06-01", "resource": AZURE_DEVOPS}
        assert first.header("Metadata") == second.header("Metadata") == "true"
        assert (first.header("Authorization"), first.status) == (None, 401)
        assert second.header("Authorization") == "Basic the-key-of-the-agent"
        assert cloud.log.hosts_that_saw("the-key-of-the-agent") == ["arc"]
        assert "the-key-of-the-agent" not in answer.text


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")
@pytest.mark.parametrize(
    "content", ["", "  \n", "k" * 4097, None], ids=["empty", "blank", "more than 4096 bytes", "missing"]
)
def test_a_key_file_that_breaks_the_rules_is_not_sent(
    cloud: PracticeCloud, look_up: Lookups, identity: Application, content: str | None
) -> None:
    arc = cloud.metadata.arc
    arc.realm = f"{AGENT_DIRECTORY}/practice.key"
    name = "practice.key" if content is not None else "another.key"
    before = namespace.with_files({os.path.join(AGENT_DIRECTORY, name): content or ""})
    (answer,) = look_up.all([LookUp(cloud.azure.feed.url())], before=before, **arc.variables, **PROVIDER)
    assert answer.credential is None
    assert "managed_identity failed" in answer.warning and arc.realm in answer.warning
    assert len(cloud.log.requests("arc")) == 1


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")
def test_a_key_that_arc_rejects_is_sent_once(cloud: PracticeCloud, look_up: Lookups, identity: Application) -> None:
    arc = cloud.metadata.arc
    arc.realm, arc.key_content = f"{AGENT_DIRECTORY}/practice.key", "expected"
    before = namespace.with_files({arc.realm: "planted"})
    (answer,) = look_up.all([LookUp(cloud.azure.feed.url())], before=before, **arc.variables, **PROVIDER)
    assert answer.credential is None
    assert "managed_identity failed" in answer.warning and "401" in answer.warning
    assert "planted" not in answer.text
    assert len(cloud.log.requests("arc")) == 2

"""The settings of artifacts-credprovider, which artifacts-keyring passes on."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from lab import tokens
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups

PREFIX = "ARTIFACTS_CREDENTIALPROVIDER_"
OLDER = "NUGET_CREDENTIALPROVIDER_"
TOKEN = f"{PREFIX}ACCESSTOKEN"
AUTHORITY = "vssps.dev.azure.com"


@pytest.fixture
def bearer(cloud: PracticeCloud) -> str:
    """An Entra token of the user."""
    return cloud.azure.directory.user_token(cloud.azure.user)


def test_access_token_serves_by_its_new_name_within_prefixes(cloud: PracticeCloud, look_up: Lookups) -> None:
    contoso, evil = "https://pkgs.dev.azure.com/contoso/", "https://pkgs.dev.azure.com/contoso-evil/"
    both = {TOKEN: "newer", "VSS_NUGET_ACCESSTOKEN": "older"}
    answers = look_up.each(
        both,
        {TOKEN: " ", **both, f"{PREFIX}URI_PREFIXES": f"{evil};{contoso}"},
        {"VSS_NUGET_ACCESSTOKEN": "older", "VSS_NUGET_URI_PREFIXES": cloud.azure.feed.url()},
        {**both, "VSS_NUGET_URI_PREFIXES": evil, "AZURE_DEVOPS_EXT_PAT": "personal"},
        {**both, f"{PREFIX}URI_PREFIXES": "https://pkgs.dev.azure.com/conto", "AZURE_DEVOPS_EXT_PAT": "personal"},
    )
    passwords = [answer.credential and answer.credential[1] for answer in answers]
    assert passwords == ["newer", "newer", "older", "personal", "personal"]
    assert (
        answers[-1].skipped["env_var"] == f"{PREFIX}URI_PREFIXES names no prefix of this feed, so {TOKEN} is not used"
    )
    assert [answer.warnings for answer in answers] == [[]] * 5
    assert cloud.log.connections() == []


def test_entra_token_is_returned_where_that_is_asked_for(cloud: PracticeCloud, look_up: Lookups, bearer: str) -> None:
    (answer,) = look_up.each({f"{PREFIX}RETURN_ENTRA_TOKENS": "True", TOKEN: bearer})
    assert answer.credential == ("EntraToken", bearer)
    assert cloud.log.bearers() == [] and bearer not in answer.text


def test_session_time_is_requested_and_left_out_if_refused(cloud: PracticeCloud, look_up: Lookups, bearer: str) -> None:
    cases = [
        {f"{PREFIX}VSTS_SESSIONTIMEMINUTES": "30"},
        {f"{PREFIX}SESSIONTIMEMINUTES": "129600"},
        {f"{OLDER}VSTS_SESSIONTIMEMINUTES": "never"},
    ]
    answers = look_up.each(*cases, **{TOKEN: bearer})
    ends = [(tokens.read(answer.credential[1]) or {})["exp"] - time.time() for answer in answers if answer.credential]
    assert 0 < ends[0] <= 1800 < ends[2] < 23 * 3600 < ends[1] <= 24 * 3600
    assert [answer.warnings for answer in answers[:2]] == [[], []]
    assert answers[2].warning == f"{OLDER}VSTS_SESSIONTIMEMINUTES is not a number of minutes, and is ignored"
    cloud.azure.contoso.exchange.rejects_valid_to = True
    (refused,) = look_up.each(cases[0], **{TOKEN: bearer})
    assert refused.served == "env_var" and refused.warnings == []
    sent = [request.json() for request in cloud.log.requests(AUTHORITY)]
    assert ["validTo" in document for document in sent] == [True, True, False, True, False]


def test_compact_tokens_are_never_requested_and_that_is_said(
    cloud: PracticeCloud, look_up: Lookups, bearer: str
) -> None:
    (answer,) = look_up.each({f"{PREFIX}TOKENTYPE": "compact", TOKEN: bearer})
    assert answer.served == "env_var" and answer.warnings == []
    assert f"{PREFIX}TOKENTYPE is Compact" in answer.text
    (request,) = cloud.log.requests(AUTHORITY)
    assert "tokenType" not in request.json() and "compact" not in request.path.lower()


def test_disabled_token_cache_signs_in_each_time(cloud: PracticeCloud, look_up: Lookups, bearer: str) -> None:
    url = cloud.azure.feed.url()
    look_up.all([LookUp(url)] * 2, **{f"{PREFIX}SESSIONTOKENCACHE_ENABLED": "FALSE", TOKEN: bearer})
    assert len(cloud.log.requests(AUTHORITY)) == 2
    look_up.all([LookUp(url)] * 2, **{f"{PREFIX}SESSIONTOKENCACHE_ENABLED": "true", TOKEN: bearer})
    assert len(cloud.log.requests(AUTHORITY)) == 3


@pytest.mark.parametrize("name", [f"{PREFIX}VSTS_HOSTS", f"{PREFIX}HOSTS", f"{OLDER}HOSTS"])
def test_hosts_in_the_environment_get_nothing_but_a_warning(cloud: PracticeCloud, look_up: Lookups, name: str) -> None:
    url = cloud.azure.feed.url()
    hosts = {name: "evil.example", "AZURE_DEVOPS_EXT_PAT": "personal"}
    first, second, other = look_up.all([LookUp(url), LookUp(url), LookUp("https://evil.example/")], **hosts)
    assert first.credential == second.credential == ("VssSessionToken", "personal") and other.credential is None
    assert [name in warning for warning in first.warnings + second.warnings] == [True]
    assert cloud.log.connections() == []


@pytest.mark.parametrize(("level", "is_printed"), [("Debug", True), ("verbose", True), ("Information", False)])
def test_verbosity_of_artifacts_keyring_prints_every_step(
    cloud: PracticeCloud, client: Client, home: Path, level: str, is_printed: bool
) -> None:
    variables = {"ARTIFACTS_KEYRING_VERBOSITY": level, "AZURE_DEVOPS_EXT_PAT": "personal"}
    environment = {**cloud.environment(home), **variables}
    ended = client.run(["keyring", "get", cloud.azure.feed.url(), "VssSessionToken"], environment).check()
    assert ended.stdout == "personal\n"
    assert ("the token in AZURE_DEVOPS_EXT_PAT" in ended.stderr) == is_printed and "personal" not in ended.stderr


def test_doctor_says_what_becomes_of_the_settings(
    cloud: PracticeCloud, client: Client, home: Path, bearer: str
) -> None:
    variables = {TOKEN: bearer, f"{PREFIX}SESSIONTOKENCACHE_ENABLED": "false", f"{OLDER}VSTS_TOKENTYPE": "Compact"}
    environment = {**cloud.environment(home), **variables}
    ended = client.run(["ringbearer", "doctor", cloud.azure.feed.url()], environment)
    assert "tokens for this URL are not kept" in ended.stdout
    assert f"{OLDER}VSTS_TOKENTYPE is Compact" in ended.stdout
    assert all(name in ended.stdout for name in variables) and bearer not in ended.output

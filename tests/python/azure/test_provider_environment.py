"""The providers that read a password or a token from the environment: env_var, feed_endpoints and pat."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab import namespace
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups

TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
FILE = "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE"
OTHER = "VSS_NUGET_ACCESSTOKEN"
ENDPOINTS = "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS"
OLDER_ENDPOINTS = "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS"
PROVIDER = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER"


def endpoints(*entries: tuple[str, str], username: str | None = None) -> str:
    named = {"username": username} if username else {}
    described = [dict(named, endpoint=url, password=password) for url, password in entries]
    return json.dumps({"endpointCredentials": described})


# -- env_var


def test_token_file_precedes_the_two_token_variables(cloud: PracticeCloud, look_up: Lookups, tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.write_text("  from-the-file\r\n")
    both = {TOKEN: "\tfrom-the-variable \n", OTHER: "from-the-other"}
    answers = look_up.each(
        {FILE: str(full), **both},
        {FILE: "", **both},
        {TOKEN: " ", OTHER: "from-the-other"},
        {OTHER: "from-the-other"},
    )
    assert [answer.credential for answer in answers] == [
        ("VssSessionToken", password)
        for password in (
            "from-the-file",
            "from-the-variable",
            "from-the-other",
            "from-the-other",
        )
    ]
    assert [answer.warnings for answer in answers] == [[]] * 4
    assert cloud.log.connections() == []


def test_blank_token_counts_as_unset(look_up: Lookups) -> None:
    (answer,) = look_up.each({TOKEN: " \n", OTHER: "", PROVIDER: "env_var"})
    assert answer.credential is None
    assert f"env_var (no {TOKEN})" in answer.warning


def test_token_of_several_lines_is_refused_and_no_other_used(look_up: Lookups) -> None:
    several = {TOKEN: "planted-one\nplanted-two"}
    alone, followed = look_up.each({**several, PROVIDER: "env_var"}, {**several, "AZURE_DEVOPS_EXT_PAT": "personal"})
    for answer in (alone, followed):
        assert answer.credential is None and answer.asked == ["env_var"]
        assert "planted" not in answer.text
    assert f"env_var failed ({TOKEN} holds more than a token); correct or unset {TOKEN}" in alone.warning


def test_unusable_token_file_is_named_and_no_other_used(look_up: Lookups, tmp_path: Path) -> None:
    paths = {name: tmp_path / name for name in ("missing", "empty", "binary", "huge", "folder")}
    paths["empty"].write_text("")
    paths["binary"].write_bytes(b"\xff\xfe\x00planted")
    paths["huge"].write_bytes(b"a" * 10_000_000)
    paths["folder"].mkdir()
    answers = look_up.each(*({FILE: str(path)} for path in paths.values()), **{PROVIDER: "env_var"})
    for answer, path in zip(answers, paths.values()):
        assert answer.credential is None
        assert FILE in answer.warning and str(path) in answer.warning
        assert "planted" not in answer.text
    (followed,) = look_up.each({FILE: str(paths["missing"])}, AZURE_DEVOPS_EXT_PAT="personal")
    assert followed.credential is None and f"unset {FILE}" in followed.warning


def test_a_token_in_the_variable_is_used_as_its_sort_demands(cloud: PracticeCloud, look_up: Lookups) -> None:
    azure = cloud.azure
    person = azure.directory.user_token(azure.user)
    application = azure.directory.application_token(azure.directory.application("builder", azure.tenant))
    pipeline = azure.contoso.pipeline_token()
    answers = look_up.each({TOKEN: person}, {TOKEN: application}, {TOKEN: pipeline})
    assert [answer.credential for answer in answers] == [
        ("VssSessionToken", azure.session_tokens.issued[0]),
        ("bearer", application),
        ("VssSessionToken", pipeline),
    ]
    assert cloud.log.bearers() == [("vssps.dev.azure.com", person)]


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")
def test_buildkit_secrets_are_found_after_the_variables(look_up: Lookups, cloud: PracticeCloud) -> None:
    url = cloud.azure.feed.url()
    with_both = namespace.with_files(
        {"/run/secrets/ARTIFACTS_KEYRING_NOFUSS_TOKEN": "first\n", "/run/secrets/ado_token": "second\n"}
    )
    first, variable = look_up.all([LookUp(url), LookUp(url, environment={TOKEN: "mine"})], before=with_both)
    assert first.credential == ("VssSessionToken", "first")
    assert variable.credential == ("VssSessionToken", "mine")
    (second,) = look_up.all([LookUp(url)], before=namespace.with_files({"/run/secrets/ado_token": "second\n"}))
    assert second.credential == ("VssSessionToken", "second")
    blank = namespace.with_files({"/run/secrets/ARTIFACTS_KEYRING_NOFUSS_TOKEN": " "})
    (refused,) = look_up.all([LookUp(url)], before=blank, AZURE_DEVOPS_EXT_PAT="personal")
    assert refused.credential is None
    assert "/run/secrets/ARTIFACTS_KEYRING_NOFUSS_TOKEN holds nothing" in refused.warning


# -- feed_endpoints


@pytest.mark.parametrize("variable", [ENDPOINTS, OLDER_ENDPOINTS])
def test_an_endpoint_serves_its_feed_and_all_below_it(cloud: PracticeCloud, look_up: Lookups, variable: str) -> None:
    feed = cloud.azure.project_feed
    value = endpoints((feed.url().upper().replace("HTTPS://PKGS.DEV.AZURE.COM", "https://pkgs.dev.azure.com"), "p"))
    services = [
        feed.url(),
        feed.url() + "hello-private/",
        feed.upload_url(),
        feed.file_url(feed.packages["hello-private"][0]),
    ]
    for answer in look_up.all([LookUp(service) for service in services], **{variable: value}):
        assert answer.credential == ("VssSessionToken", "p")
    assert cloud.log.connections() == []


def test_the_most_specific_endpoint_of_both_variables_wins(cloud: PracticeCloud, look_up: Lookups) -> None:
    azure = cloud.azure
    organisation = ("https://pkgs.dev.azure.com/contoso/", "of-the-organisation")
    project = ("https://pkgs.dev.azure.com/contoso/platform/", "of-the-project")
    feed = (azure.project_feed.url(), "of-the-feed")
    longer_name = ("https://pkgs.dev.azure.com/contoso/platform/_packaging/shi", "of-another")
    other = ("https://pkgs.dev.azure.com/fabrikam/", "of-fabrikam")
    answers = look_up.each(
        {ENDPOINTS: endpoints(organisation, project), OLDER_ENDPOINTS: endpoints(feed)},
        {ENDPOINTS: endpoints(feed), OLDER_ENDPOINTS: endpoints(project, organisation)},
        {ENDPOINTS: endpoints(organisation), OLDER_ENDPOINTS: endpoints(longer_name, project)},
        {ENDPOINTS: endpoints(longer_name, organisation, other)},
        service=azure.project_feed.url(),
    )
    assert [answer.credential for answer in answers] == [
        ("VssSessionToken", password)
        for password in ("of-the-feed", "of-the-feed", "of-the-project", "of-the-organisation")
    ]


def test_feed_endpoint_of_another_organisation_never_serves(cloud: PracticeCloud, look_up: Lookups) -> None:
    names = [
        "https://pkgs.dev.azure.com/contos/",
        "https://pkgs.dev.azure.com/contoso2/",
        "https://pkgs.dev.azure.com.evil.example/contoso/",
        "https://evil.example/pkgs.dev.azure.com/contoso/",
        "https://pkgs.dev.azure.com/",
        "",
    ]
    (answer,) = look_up.each({ENDPOINTS: endpoints(*((name, "wrong") for name in names))}, AZURE_DEVOPS_EXT_PAT="right")
    assert answer.credential == ("VssSessionToken", "right")
    assert "feed_endpoints" in answer.asked


def test_the_user_name_of_an_endpoint_is_kept(cloud: PracticeCloud, look_up: Lookups) -> None:
    value = endpoints((cloud.azure.feed.url(), "p"), username="ada")
    assert look_up(**{ENDPOINTS: value}).credential == ("ada", "p")


def test_single_quotes_are_tolerated_with_exactly_one_warning(cloud: PracticeCloud, look_up: Lookups) -> None:
    value = endpoints((cloud.azure.feed.url(), "planted")).replace('"', "'")
    first, second = look_up.all([LookUp(cloud.azure.feed.url())] * 2, **{ENDPOINTS: value})
    assert first.credential == second.credential == ("VssSessionToken", "planted")
    assert [ENDPOINTS in warning for warning in first.warnings + second.warnings] == [True]
    assert "planted" not in first.text


def test_feed_endpoints_that_are_not_json_are_never_quoted(look_up: Lookups) -> None:
    values = ["planted", '{"endpointCredentials": "planted"}', '["planted"', '{"planted": []}']
    answers = look_up.each(*({ENDPOINTS: value} for value in values), **{PROVIDER: "feed_endpoints"})
    assert [answer.credential for answer in answers] == [None] * 4
    assert ENDPOINTS in answers[0].warning and "endpointCredentials" in answers[0].warning
    for answer in answers:
        assert "planted" not in answer.text
    (followed,) = look_up.each({ENDPOINTS: "planted"}, AZURE_DEVOPS_EXT_PAT="personal")
    assert followed.credential is None and f"unset {ENDPOINTS}" in followed.warning


def test_endpoints_for_other_feeds_are_not_a_failure(cloud: PracticeCloud, look_up: Lookups) -> None:
    value = endpoints(("https://pkgs.dev.azure.com/fabrikam/_packaging/x/pypi/simple/", "p"))
    (answer,) = look_up.each({ENDPOINTS: value}, **{PROVIDER: "feed_endpoints"})
    assert answer.credential is None
    assert "failed" not in answer.warning


# -- pat


def test_pat_precedes_the_pipeline_token_and_neither_is_sent(cloud: PracticeCloud, look_up: Lookups) -> None:
    pipeline = cloud.azure.contoso.pipeline_token()
    answers = look_up.each(
        {"AZURE_DEVOPS_EXT_PAT": " personal\n", "SYSTEM_ACCESSTOKEN": pipeline},
        {"AZURE_DEVOPS_EXT_PAT": " ", "SYSTEM_ACCESSTOKEN": pipeline},
        {"SYSTEM_ACCESSTOKEN": "$(System.AccessToken)"},
    )
    assert [answer.credential for answer in answers[:2]] == [
        ("VssSessionToken", "personal"),
        ("VssSessionToken", pipeline),
    ]
    assert cloud.log.hosts_that_saw(pipeline) == []
    assert cloud.log.bearers() == []


def test_missing_tokens_are_reported_with_both_names(look_up: Lookups) -> None:
    (answer,) = look_up.each({}, **{PROVIDER: "pat"})
    assert answer.credential is None
    assert "AZURE_DEVOPS_EXT_PAT" in answer.warning and "SYSTEM_ACCESSTOKEN" in answer.warning

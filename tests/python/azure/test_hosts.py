"""Hosts and feeds of Azure Artifacts: every spelling of a host, every form of challenge."""

from __future__ import annotations

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.look_up import LookUp, Lookups
from lab.registries.azure.organisations import NO_TENANT

TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"

#: Claimed, but without an organisation.
BARE = [
    "pkgs.dev.azure.com",
    "https://pkgs.dev.azure.com/",
    "pkgs.dev.azure.com:443",
    "https://pkgs.visualstudio.com/",
    "https://pkgs.dev.azure.com/_packaging/x",
    "https://pkgs.dev.azure.com/%5Fpackaging/x",
]


def test_hosts_without_an_organisation_are_one_warning_each(cloud: PracticeCloud, look_up: Lookups) -> None:
    (strict,) = look_up.all([LookUp(BARE[0])], RINGBEARER_STRICT="1", **{TOKEN: "token"})
    assert strict.error is not None and strict.error.type == "ConfigurationError"
    answers = look_up.all([LookUp(service) for service in BARE], **{TOKEN: "token"})
    assert [answer.credential for answer in answers] == [None] * len(BARE)
    assert max(answer.seconds for answer in answers) < 1
    [of_one, of_other] = [warning for answer in answers for warning in answer.warnings]
    assert "pkgs.dev.azure.com: " in of_one and "pkgs.visualstudio.com: " in of_other
    for warning in (of_one, of_other):
        assert "--index-url https://pkgs.dev.azure.com/ORG/" in warning and "ORG.pkgs.visualstudio.com" in warning
        assert len(warning) <= 320
    assert cloud.log.requests() == []


def test_host_alone_gets_the_answer_of_its_only_organisation(cloud: PracticeCloud, look_up: Lookups) -> None:
    azure = cloud.azure
    other = azure.organisation("fabrikam", azure.tenant).feed("tools").url()
    services = [azure.feed.url(), BARE[0], azure.project_feed.url(), BARE[0], other, BARE[0]]
    answers = look_up.all([LookUp(service) for service in services], **{TOKEN: "token"})
    assert [answer.credential is None for answer in answers] == [False] * 5 + [True]
    assert [len(answer.warnings) for answer in answers] == [0] * 5 + [1]


def test_host_alone_is_silent_after_a_miss_of_the_whole_url(cloud: PracticeCloud, look_up: Lookups) -> None:
    look_ups = [LookUp(cloud.azure.feed.url()), LookUp(BARE[0])] * 2
    answers = look_up.all(look_ups, ARTIFACTS_KEYRING_NOFUSS_PROVIDER="env_var")
    assert [answer.credential for answer in answers] == [None] * 4
    assert [len(answer.warnings) for answer in answers] == [1, 0, 0, 0]


def test_every_host_of_azure_artifacts_is_ours(cloud: PracticeCloud, look_up: Lookups) -> None:
    hosts = [
        "pkgs.dev.azure.com/contoso",
        "contoso.pkgs.visualstudio.com",
        "pkgs.codedev.ms/contoso",
        "contoso.pkgs.vsts.me",
    ]
    hosts += ["PKGS.DEV.AZURE.COM/contoso", "pkgs.dev.azure.com./contoso"]
    services = [f"https://{host}/_packaging/tools/pypi/simple/" for host in hosts]
    answers = look_up.all([LookUp(service) for service in services], **{TOKEN: "token"})
    assert [answer.credential for answer in answers] == [("VssSessionToken", "token")] * len(hosts)


@pytest.fixture
def user_token(cloud: PracticeCloud, fake_programs: FakePrograms) -> str:
    """Logged in with the Azure CLI."""
    token = cloud.azure.directory.user_token(cloud.azure.user)
    fake_programs.az(*az_token(token))
    return token


def test_public_feed_reveals_its_tenant_for_a_missing_package(
    cloud: PracticeCloud, look_up: Lookups, user_token: str
) -> None:
    feed = cloud.azure.contoso.feed("open", public=True)
    for url in (feed.url(), feed.url("visualstudio.com")):
        cloud.log.clear()
        answer = look_up(url)
        assert answer.credential[0] == "VssSessionToken"
        assert [request.status for request in cloud.log.requests(method="GET")] == [200, 401]


def test_public_feed_of_an_unknown_tenant_is_silently_none(
    cloud: PracticeCloud, look_up: Lookups, user_token: str
) -> None:
    feed = cloud.azure.contoso.feed("open", public=True)
    cloud.faults.add(faults.status(200), host="pkgs.dev.azure.com")
    answer = look_up(feed.url())
    assert answer.credential is None
    assert answer.warnings == []
    assert cloud.log.bearers() == []


def test_broken_setting_is_reported_for_a_silent_public_feed(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.faults.add(faults.status(200), host="pkgs.dev.azure.com")
    answer = look_up(ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE="/nowhere/token")
    assert answer.credential is None
    assert "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE names /nowhere/token" in answer.warning


def test_public_feed_uses_the_last_tenant_of_its_organisation(
    cloud: PracticeCloud, look_up: Lookups, user_token: str
) -> None:
    feed = cloud.azure.contoso.feed("open", public=True)
    cloud.faults.add(faults.status(200), path="*/open/*")
    write = cloud.azure.feed.upload_url()
    answers = look_up.all([LookUp(write), LookUp(feed.url())])
    assert [answer.credential is not None for answer in answers] == [True, True]


def test_organisations_of_personal_accounts_are_served(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    personal = cloud.azure.organisation("shire")
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user), "organizations"))
    assert look_up(personal.feed("pies").url()).credential[0] == "VssSessionToken"
    (call,) = fake_programs.invocations("az")
    assert call.option("--tenant") == "organizations"


def test_the_challenge_is_understood_in_every_shape(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    azure = cloud.azure
    tenant = azure.tenant.id
    uri = f"https://login.windows.net/{tenant}"
    modern = f"https://login.microsoftonline.com/{tenant}"
    basic = 'Basic realm="https://pkgsprodcus1.pkgs.visualstudio.com/"'
    wrong_tenant = "11111111-1111-1111-1111-111111111111"
    #: Challenges, and the values of X-VSS-ResourceTenant.
    shapes: list[tuple[list[str], list[str]]] = [
        ([f"Bearer authorization_uri={uri}", basic, "TFS-Federated"], [tenant]),
        ([f"Bearer authorization_uri={uri}, {basic}, TFS-Federated"], [tenant]),
        ([f"TFS-Federated, {basic}, Bearer authorization_uri={uri}"], [tenant]),
        (["TFS-Federated", basic, f"Bearer authorization_uri={modern}"], [tenant]),
        ([f'Bearer authorization_uri="{uri}"'], []),
        ([f'Bearer realm="x", authorization_uri="{modern}", resource="y"'], []),
        ([f"bearer AUTHORIZATION_URI={uri}/"], []),
        ([f'Bearer authorization_uri = "{uri}"'], []),
        ([f"Bearer authorization_uri={uri}"], [wrong_tenant]),
        (["Bearer"], [NO_TENANT, tenant]),
        (["Bearer"], [f"{NO_TENANT}, {tenant}"]),
        (["Bearer"], [tenant, wrong_tenant]),
        ([], [tenant]),
    ]
    fake_programs.az(*az_token(azure.directory.user_token(azure.user), tenant))
    look_ups = []
    for number, (challenges, tenants) in enumerate(shapes):
        organisation = azure.organisation(f"shape-{number}", azure.tenant)
        headers = [("www-authenticate" if number % 2 else "WWW-Authenticate", one) for one in challenges]
        headers += [("X-VSS-ResourceTenant", one) for one in tenants]
        organisation.challenge.headers = [*headers, ("x-vss-authorizationendpoint", organisation.authority)]
        look_ups.append(LookUp(organisation.feed("tools").url()))
    answers = look_up.all(look_ups, ARTIFACTS_KEYRING_NOFUSS_PROVIDER="azure_cli")
    missed = [shape for shape, answer in zip(shapes, answers) if answer.credential is None]
    assert missed == []
    assert {call.option("--tenant") for call in fake_programs.invocations("az")} == {tenant}


def test_a_feed_that_lacks_a_header_is_one_warning(cloud: PracticeCloud, look_up: Lookups, user_token: str) -> None:
    azure = cloud.azure
    look_ups = []
    for number, lacks in enumerate(["x-vss-authorizationendpoint", "www-authenticate", "all"]):
        organisation = azure.organisation(f"lacking-{number}", azure.tenant)
        headers = organisation.challenge.header_list()
        if lacks == "www-authenticate":
            lacks = "www-authenticate x-vss-resourcetenant"
        organisation.challenge.headers = [pair for pair in headers if pair[0].lower() not in lacks and lacks != "all"]
        look_ups.append(LookUp(organisation.feed("tools").url()))
    answers = look_up.all(look_ups)
    assert [answer.credential for answer in answers] == [None] * 3
    assert all("pkgs.dev.azure.com" in answer.warning for answer in answers)
    assert cloud.log.bearers() == []


def test_discovery_never_uses_head(cloud: PracticeCloud, look_up: Lookups, user_token: str) -> None:
    cloud.azure.feeds.head_status = 500
    assert look_up().credential is not None
    assert cloud.log.requests(method="HEAD") == []

"""The token cache of one process: its keys and its expiry."""

from __future__ import annotations

import json
import os

import pytest
from lab import faults, kernel_keys
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_not_logged_in, az_token
from lab.look_up import Answer, LookUp, Lookups
from lab.messages import Response, json_response
from lab.registries.azure.organisations import WRITE

AZ = {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "azure_cli"}


@pytest.fixture
def az(cloud: PracticeCloud, fake_programs: FakePrograms) -> FakePrograms:
    """Frodo is logged in."""
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    return fake_programs


def passwords(answers: list[Answer]) -> list[str | None]:
    return [answer.credential and answer.credential[1] for answer in answers]


def requests(cloud: PracticeCloud) -> list[tuple[str, str]]:
    return [(request.method, request.host) for request in cloud.log.requests()]


COLD = [("GET", "pkgs.dev.azure.com"), ("POST", "vssps.dev.azure.com")]


def session_token_with(**members: object) -> faults.Fault:
    """The real answer of an exchange with changed members; None removes one."""

    def change(response: Response) -> Response:
        body = {**json.loads(response.body), **members}
        return json_response({name: value for name, value in body.items() if value is not None})

    return faults.replaced(change)


def test_cold_look_up_is_get_program_post_and_warm_one_nothing(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms
) -> None:
    feed = LookUp(cloud.azure.feed.url())
    password = LookUp(feed.service, method="get_password", username="VssSessionToken")
    odd = [LookUp(feed.service, username=name) for name in ("", "somebody", "VssSessionToken")]
    first, *others = look_up.all([feed, feed, *odd])
    assert requests(cloud) == COLD
    assert sorted(request.host for request in cloud.log.requests(method="CONNECT")) == [host for _, host in COLD]
    assert len(az.invocations()) == 1
    assert [other.credential for other in others] == [first.credential] * 4
    cloud.log.clear()
    warm = look_up.all([feed, password])
    assert warm[1].result == warm[0].credential[1]
    # The session knows the organisation.
    assert requests(cloud) == (COLD[1:] if kernel_keys.can_share() else COLD)


def test_every_address_of_an_organisation_shares_one_token(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms
) -> None:
    azure = cloud.azure
    package = azure.project_feed.packages["greetings"][0]
    index = azure.feed.url()
    addresses = [index, index.rstrip("/"), index + "greetings/", index.replace("/contoso/", "/Contoso/")]
    addresses += [index.replace("://", "://user:password@"), index.replace("://", "://VssSessionToken@")]
    addresses += [
        index.replace("https://", ""),
        index.replace("dev.azure.com/", "dev.azure.com:443/"),
        index + "?x=y#z",
    ]
    addresses += [index.replace("pkgs.dev", "PKGS.Dev")]
    addresses += [azure.project_feed.file_url(package, form) for form in ("dev.azure.com", "visualstudio.com")]
    addresses += [azure.project_feed.url(), azure.feed.url("visualstudio.com")]
    addresses += [
        "contoso.pkgs.visualstudio.com",
        "https://contoso.pkgs.visualstudio.com",
        "pkgs.dev.azure.com/contoso",
    ]
    answers = look_up.all([LookUp(address) for address in addresses])
    assert len(set(passwords(answers))) == 1
    assert requests(cloud) == COLD
    assert len(az.invocations()) == 1


def test_a_bare_host_of_an_organisation_is_enough(cloud: PracticeCloud, look_up: Lookups, az: FakePrograms) -> None:
    assert look_up("contoso.pkgs.visualstudio.com").credential[0] == "VssSessionToken"


def test_upload_gets_a_separate_token_with_write_scope(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms
) -> None:
    azure = cloud.azure
    upload = azure.feed.upload_url()
    addresses = [azure.feed.url(), upload, upload + "/", azure.feed.upload_url("visualstudio.com"), azure.feed.url()]
    answers = look_up.all([LookUp(address) for address in addresses])
    read, write, again, other_form, read_again = passwords(answers)
    assert (read, write) == (read_again, again) and write == other_form and read != write
    assert [request.json()["scope"] for request in cloud.log.requests(method="POST")] == ["vso.packaging", WRITE]


def test_organisations_do_not_share_a_token(cloud: PracticeCloud, look_up: Lookups, az: FakePrograms) -> None:
    other = cloud.azure.organisation("other", cloud.azure.tenant).feed("tools")
    answers = look_up.all(
        [LookUp(cloud.azure.feed.url()), LookUp(other.url()), LookUp("contoso.pkgs.visualstudio.com")]
    )
    first, second, third = passwords(answers)
    assert first == third and first != second


def test_eight_threads_share_one_discovery_login_and_exchange(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms
) -> None:
    cloud.faults.latency = 0.2
    (answer,) = look_up.all([LookUp(cloud.azure.feed.url(), threads=8)])
    assert len({one.credential for one in [answer, *answer.others]}) == 1
    assert len(answer.others) == 7
    assert requests(cloud) == COLD
    assert len(az.invocations()) == 1


def test_eight_threads_share_one_failure_and_one_warning(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    fake_programs.az(az_not_logged_in())
    cloud.faults.latency = 0.2
    (answer,) = look_up.all([LookUp(cloud.azure.feed.url(), threads=8)], **AZ)
    assert [one.credential for one in [answer, *answer.others]] == [None] * 8
    assert "az login" in answer.warning
    assert len(fake_programs.invocations()) == 1


def test_session_token_is_renewed_before_expiry_and_else_kept(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms
) -> None:
    azure = cloud.azure
    long = [azure.organisation(f"long-{number}", azure.tenant) for number in range(3)]
    short = [azure.organisation(f"short-{number}", azure.tenant) for number in range(3)]
    # validTo and exp agree, or only exp is there, or validTo overrides exp.
    for one in (long[1], short[1]):
        one.exchange.tells_valid_to = False
    for one in (short[0], short[1]):
        one.exchange.lifetime = 1.5
    long[2].exchange.lifetime = 1.5
    exchange = {"host": "vssps.dev.azure.com"}
    cloud.faults.add(session_token_with(validTo="2099-01-01T00:00:00.0000000Z"), path="/long-2/*", **exchange)
    cloud.faults.add(session_token_with(validTo="2020-01-01T00:00:00Z"), path="/short-2/*", **exchange)
    unknown = azure.organisation("unknown", azure.tenant)
    opaque = session_token_with(token="opaque", validTo=None)
    cloud.faults.add(opaque, path="/unknown/*", **exchange)
    urls = [one.feed("tools").url() for one in [*long, unknown, *short]]
    look_ups = [LookUp(url) for url in urls]
    look_up.all([*look_ups, LookUp(urls[0], pause=1.6), *look_ups[1:]])
    exchanged = [request.segments[0] for request in cloud.log.requests(**exchange)]
    assert {name: exchanged.count(name) for name in exchanged} == {
        **dict.fromkeys(["long-0", "long-1", "long-2", "unknown"], 1),
        **dict.fromkeys(["short-0", "short-1", "short-2"], 2),
    }


def test_service_principal_token_is_renewed_before_its_end(cloud: PracticeCloud, look_up: Lookups) -> None:
    azure = cloud.azure
    identity = azure.directory.managed_identity("machine", azure.tenant)
    cloud.metadata.imds.system_assigned = identity
    cloud.metadata.imds.lifetime = 302
    feed = azure.feed.url()
    look_ups = [LookUp(feed), LookUp(feed, pause=2.1), LookUp(feed)]
    answers = look_up.all(look_ups, ARTIFACTS_KEYRING_NOFUSS_PROVIDER="managed_identity")
    assert [answer.credential[0] for answer in answers] == ["bearer"] * 3
    assert len(set(passwords(answers))) == 2
    assert len(cloud.log.requests(host="imds")) == 2


def test_repaired_login_works_in_the_same_process(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, tmp_path
) -> None:
    fake_programs.az(az_not_logged_in())
    token = cloud.azure.directory.user_token(cloud.azure.user)
    later = tmp_path / "later"
    later.mkdir()
    mended = FakePrograms(later)
    mended.az(*az_token(token))
    script = os.path.join(mended.directory, "az")
    with open(script, encoding="utf-8") as stream:
        content = stream.read()
    feed = cloud.azure.feed.url()
    # The login changes on disk only, and in no variable.
    look_ups = [
        LookUp(feed),
        LookUp(feed, files={os.path.join(fake_programs.directory, "az"): content}),
        LookUp(feed, pause=5),
    ]
    answers = look_up.all(look_ups, **AZ)
    assert [answer.credential is None for answer in answers] == [True, True, False]
    assert [len(answer.warnings) for answer in answers] == [1, 0, 0]
    # The first two shared one failure.
    assert len(fake_programs.invocations()) == 1


def test_another_identity_in_the_same_process_gets_another_token(cloud: PracticeCloud, look_up: Lookups) -> None:
    directory, tenant, feed = cloud.azure.directory, cloud.azure.tenant, cloud.azure.feed.url()
    first, second = (directory.application(name, tenant, secret=name + "-secret") for name in ("first", "second"))
    pat, token = "AZURE_DEVOPS_EXT_PAT", "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
    as_first = {"AZURE_CLIENT_ID": first.client_id, "AZURE_CLIENT_SECRET": "first-secret"}
    as_second = {"AZURE_CLIENT_ID": second.client_id, "AZURE_CLIENT_SECRET": "second-secret"}
    changes: list[dict[str, str | None]] = [
        {pat: "pat-1"},
        {pat: "pat-2"},
        {pat: None, token: "token-1"},
        {token: None, "VSS_NUGET_ACCESSTOKEN": "token-2"},
        {"VSS_NUGET_ACCESSTOKEN": None, **as_first},
        as_second,
        as_first,
        {**dict.fromkeys(as_first), "SYSTEM_ACCESSTOKEN": "pipeline"},
    ]
    answers = look_up.all([LookUp(feed, environment=change) for change in changes])
    found = passwords(answers)
    assert found[:4] == ["pat-1", "pat-2", "token-1", "token-2"]
    assert found[7] == "pipeline"
    assert found[4] == found[6] != found[5]
    assert len(cloud.log.requests(host="login.microsoftonline.com")) == 2


@pytest.mark.parametrize(("status", "warnings"), [(404, 1), (200, 0)])
def test_wrong_url_does_not_break_others_of_its_organisation(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms, status: int, warnings: int
) -> None:
    cloud.faults.add(faults.status(status), path="*/other/*")
    other = cloud.azure.feed.url().replace("/tools/", "/other/")
    first, second, again = look_up.all([LookUp(other), LookUp(cloud.azure.feed.url()), LookUp(other)])
    assert first.credential is None
    assert len(first.warnings) == warnings
    assert second.credential[0] == "VssSessionToken"
    # The organisation has a token now.
    assert again.credential == second.credential


def test_organisation_failure_is_shared_by_all_its_urls(
    cloud: PracticeCloud, look_up: Lookups, az: FakePrograms
) -> None:
    cloud.faults.add(faults.status(403), host="vssps.dev.azure.com")
    feeds = [cloud.azure.contoso.feed(f"feed-{number}") for number in range(5)]
    answers = look_up.all([LookUp(feed.url()) for feed in feeds], **AZ)
    assert passwords(answers) == [None] * len(feeds)
    assert requests(cloud) == COLD
    assert len(az.invocations()) == 1

"""Connections that are opened while the feed is asked, and organisations that are known.

Their failures cost nothing, and no token goes to a host that the feed has not confirmed.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Callable

import pytest
from lab import broken_wire, faults, kernel_keys
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.messages import CLOSE, Response

EXPECTED, NAMED = "vssps.dev.azure.com", "app.vssps.visualstudio.com"
FEEDS = "pkgs.dev.azure.com"

#: What is wrong with the expected host.
TROUBLES: dict[str, Callable[[PracticeCloud], object]] = {
    "never answers": lambda cloud: cloud.faults.add(faults.silence(), host=EXPECTED, method="CONNECT"),
    "refuses": lambda cloud: cloud.faults.add(faults.status(502), host=EXPECTED, method="CONNECT"),
    "breaks off TLS": lambda cloud: cloud.faults.add(_broken_tls, host=EXPECTED, method="CONNECT"),
    "untrusted": lambda cloud: cloud.distrust(EXPECTED),
    "another host's certificate": lambda cloud: cloud.misname(EXPECTED),
    "nothing": lambda cloud: None,
}


def _broken_tls(request, answer) -> Response:
    return Response(200, [], b"this is not TLS", CLOSE)


@pytest.fixture
def bearer(cloud: PracticeCloud) -> str:
    return cloud.azure.directory.user_token(cloud.azure.user)


@pytest.fixture
def keyring(
    cloud: PracticeCloud, native: Client, home: Path, fake_programs: FakePrograms, bearer: str
) -> Callable[..., Completed]:
    """The native `keyring get` of a user with a bearer, and without a session cache."""

    def get(**variables: str) -> Completed:
        variables = {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": bearer, "RINGBEARER_CACHE": "off", **variables}
        words = ["keyring", "--mode", "creds", "get", cloud.azure.feed.url()]
        return native.run(words, cloud.environment(home, path=[fake_programs.directory], **variables), timeout=30)

    return get


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_with_a_host_that_is_not_named_costs_nothing(
    cloud: PracticeCloud, keyring: Callable[..., Completed], bearer: str, trouble: str
) -> None:
    cloud.azure.contoso.challenge.authorization_endpoints = [f"https://{NAMED}/"]
    TROUBLES[trouble](cloud)
    ended = keyring()
    assert (ended.code, ended.stderr) == (0, "") and ended.stdout, ended
    assert ended.duration < 3
    assert cloud.log.bearers() == [(NAMED, bearer)]
    assert [request.host for request in cloud.log.requests() if request.method != "CONNECT"] == [FEEDS, NAMED]


@pytest.mark.parametrize("trouble", ["refuses", "breaks off TLS", "untrusted", "another host's certificate"])
def test_trouble_with_the_named_host_is_one_warning(
    cloud: PracticeCloud, keyring: Callable[..., Completed], trouble: str
) -> None:
    TROUBLES[trouble](cloud)
    ended = keyring(ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    assert (ended.code, ended.stdout, ended.stderr.count("\n")) == (1, "", 1), ended
    assert EXPECTED in ended.stderr
    assert len(cloud.log.requests(host=EXPECTED, method="CONNECT")) == 1, "the connection opened ahead is the attempt"
    assert cloud.log.bearers() == []


def test_connection_that_fails_once_is_opened_again(
    cloud: PracticeCloud, keyring: Callable[..., Completed], bearer: str
) -> None:
    cloud.faults.add(faults.status(502), host=EXPECTED, method="CONNECT", times=1)
    ended = keyring()
    assert (ended.code, ended.stderr) == (0, "")
    assert cloud.log.bearers() == [(EXPECTED, bearer)]


@pytest.mark.parametrize("fault", [faults.reset(), faults.sign_in_redirect(), faults.silence()])
def test_nothing_is_sent_if_the_feed_confirms_nothing(
    cloud: PracticeCloud, keyring: Callable[..., Completed], fault: faults.Fault
) -> None:
    cloud.faults.add(fault, host=FEEDS, method="GET")
    ended = keyring(RINGBEARER_TIMEOUT="1", ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    assert ended.code == 1 and ended.duration < 4, ended
    assert {request.host for request in cloud.log.requests() if request.method != "CONNECT"} <= {FEEDS}
    assert cloud.log.bearers() == []


def test_host_that_never_answers_ends_after_the_usual_limit(
    cloud: PracticeCloud, keyring: Callable[..., Completed]
) -> None:
    cloud.faults.add(faults.silence(), host=EXPECTED, method="CONNECT")
    start = time.monotonic()
    ended = keyring(ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    assert 4 < time.monotonic() - start < 8, "the limit of a connection is five seconds"
    assert f"connecting to {EXPECTED} took too long" in ended.stderr


@pytest.mark.parametrize(
    "fault",
    [
        faults.status(401),
        faults.status(403),
        faults.status(404),
        faults.sign_in_redirect(),
        faults.html(203),
        broken_wire.breaks_off_in_head(),
        faults.garbage_json(),
    ],
    ids=["401", "403", "404", "302", "203", "reset", "no JSON"],
)
def test_authority_that_has_moved_is_asked_for_again(
    cloud: PracticeCloud, keyring: Callable[..., Completed], bearer: str, fault: faults.Fault
) -> None:
    session = {"RINGBEARER_CACHE": "session", "ARTIFACTS_KEYRING_NOFUSS_RETRIES": "1"}
    keyring(**session).check()
    cloud.log.clear()
    cloud.azure.contoso.challenge.authorization_endpoints = [f"https://{NAMED}/"]
    cloud.faults.add(fault, host=EXPECTED, method="POST")
    # Another login has no token yet.
    ended = keyring(**session, AZD_AUTH_CERT="another")
    assert (ended.code, ended.stderr) == (0, "") and ended.stdout, ended
    assert cloud.log.bearers()[-1] == (NAMED, bearer)
    assert {host for host, _ in cloud.log.bearers()} <= {EXPECTED, NAMED}
    cloud.log.clear()
    keyring(**session, AZD_AUTH_CERT="a third").check()
    asked = [request.host for request in cloud.log.requests() if request.method != "CONNECT"]
    assert asked == ([NAMED] if kernel_keys.can_share() else [FEEDS, NAMED])


@pytest.mark.parametrize("is_application", [False, True], ids=["user", "application"])
def test_moved_organisation_gets_a_token_of_its_new_tenant(
    cloud: PracticeCloud, keyring: Callable[..., Completed], fake_programs: FakePrograms, is_application: bool
) -> None:
    directory, organisation = cloud.azure.directory, cloud.azure.contoso
    other = directory.tenant("fabrikam.example")
    user = directory.user("ada", organisation.tenant, other)
    answers = []
    for tenant in (organisation.tenant, other):
        application = directory.application(f"builder of {tenant.id}", tenant)
        token = directory.application_token(application) if is_application else directory.user_token(user, tenant)
        answers += az_token(token, tenant.id)
    fake_programs.az(*answers)
    variables = {"RINGBEARER_CACHE": "session", "ARTIFACTS_KEYRING_NOFUSS_TOKEN": ""}
    keyring(**variables).check()
    organisation.tenant = other
    organisation.challenge.authorization_uri = "https://login.windows.net/" + other.id
    ended = keyring(**variables, AZD_AUTH_CERT="another")
    assert (ended.code, ended.stderr) == (0, ""), ended
    assert organisation.check(ended.stdout.split("\n")[1]) is not None

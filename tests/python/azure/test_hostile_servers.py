"""Attacks by a feed or by a man in the middle. The log of the practice cloud shows who saw a bearer.

All lookups of a test are made in one process, each for an organisation of its own.
"""

from __future__ import annotations

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer as Scripted
from lab.fake_programs import FakePrograms
from lab.faults import Fault
from lab.look_up import Answer, LookUp, Lookups
from lab.registries.azure.organisations import Organisation

OLD_FORM = "visualstudio.com"
TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"

AUTHORITIES = [
    "http://vssps.dev.azure.com/{org}/",
    "https://vssps.dev.azure.com:8443/{org}/",
    "https://user@vssps.dev.azure.com/{org}/",
    "https://user:password@vssps.dev.azure.com/{org}/",
    "https://vssps.dev.azure.com.evil.example/{org}/",
    "https://evilvssps.dev.azure.com/{org}/",
    "https://notvssps.visualstudio.com/",
    "https://evil.example/vssps.dev.azure.com/{org}/",
    "https://evil.example#vssps.dev.azure.com/{org}/",
    "https://evil.example\\@vssps.dev.azure.com/{org}/",
    "https://vssps.dev.azure.com@evil.example/{org}/",
    "https://vssps.dev.azure.com/{org}/deeper/",
    "https://vssps.dev.azure.com/{org}/?x=y",
    "https://vssps.dev.azure.com/{org}%2fcontoso/",
    "https://vssps.dev.azure.com/{org}/../contoso/",
    "https://vssps.dev.azure.com/contoso/",
    "https://contoso.vssps.visualstudio.com/",
    "https://{org}.vssps.visualstudio.com/contoso/",
    "https://contoso.{org}.vssps.visualstudio.com/",
    "https://127.0.0.1/{org}/",
    "//vssps.dev.azure.com/{org}/",
    "vssps.dev.azure.com",
    "file:///etc/passwd",
]

LOGIN_ADDRESSES = [
    "http://login.windows.net/{tenant}",
    "https://login.windows.net:8443/{tenant}",
    "https://user@login.windows.net/{tenant}",
    "https://login.microsoftonline.com.evil.example/{tenant}",
    "https://evil-login.microsoftonline.com/{tenant}",
    "https://evil.example/login.windows.net/{tenant}",
    "https://login.windows.net@evil.example/{tenant}",
    "https://login.windows.net/{tenant}/oauth2/authorize",
    "https://login.windows.net/{tenant}?x=y",
    "https://login.windows.net/--help",
    "https://login.windows.net/%2e%2e",
    "https://login.windows.net/",
    "login.windows.net",
    "evil.example",
]

#: (fault, whether a retry may succeed)
BROKEN: list[tuple[Fault, bool]] = [
    (faults.html(203), False),
    (faults.sign_in_redirect(), False),
    (faults.sign_in_redirect("https://evil.example/"), False),
    (faults.huge(), False),
    (faults.huge(None), False),
    (faults.huge_headers(), False),
    (faults.reset(), True),
    (faults.drop(), True),
    (faults.truncated(), True),
    (faults.status(503), True),
    (faults.silence(), False),
    (faults.drip(), False),
]


class Targets:
    """An organisation for every lookup, so that each has its own hosts and its own answers."""

    def __init__(self, cloud: PracticeCloud) -> None:
        self._cloud = cloud
        self.look_ups: list[LookUp] = []
        self.hosts: list[str] = []
        self.token = cloud.azure.directory.user_token(cloud.azure.user)

    def add(self, form: str = OLD_FORM, **environment: str) -> Organisation:
        organisation = self._cloud.azure.organisation(f"target-{len(self.look_ups)}", self._cloud.azure.tenant)
        url = organisation.feed("tools").url(form)
        self.look_ups.append(LookUp(url, environment=dict(environment)))
        self.hosts.append(url.split("/")[2])
        return organisation


def assert_each_is_one_warning(targets: Targets, answers: list[Answer]) -> None:
    for host, answer in zip(targets.hosts, answers):
        assert answer.credential is None, host
        assert host in answer.warning
        assert "\n" not in answer.warning
    assert [answer.warning for answer in answers if "; " not in answer.warning] == [], "the message has no hint"


def test_no_bearer_goes_to_a_place_that_the_feed_should_not_name(cloud: PracticeCloud, look_up: Lookups) -> None:
    targets = Targets(cloud)
    for authority in AUTHORITIES:
        organisation = targets.add()
        organisation.challenge.authorization_endpoints = [authority.format(org=organisation.name)]
    for address in LOGIN_ADDRESSES:
        targets.add().challenge.authorization_uri = address.format(tenant=TENANT)
    several = targets.add().challenge
    several.authorization_endpoints.insert(0, "https://evil.example/")
    first_good = targets.add().challenge
    first_good.headers = [
        *first_good.header_list(),
        ("WWW-Authenticate", "Bearer authorization_uri=https://evil.example/t"),
    ]
    answers = look_up.all(targets.look_ups, **{TOKEN: targets.token})
    assert cloud.log.bearers() == []
    assert cloud.log.hosts_that_saw(targets.token) == []
    assert {request.host for request in cloud.log.requests()} == set(targets.hosts)
    assert cloud.log.refused() == []
    assert_each_is_one_warning(targets, answers)


def test_bearer_goes_to_every_form_of_its_own_authority(cloud: PracticeCloud, look_up: Lookups) -> None:
    targets = Targets(cloud)
    forms = [
        "https://vssps.dev.azure.com/{org}",
        "https://vssps.dev.azure.com:443/{org}/",
        "https://{org}.vssps.visualstudio.com",
        "https://app.vssps.visualstudio.com/",
        "https://wcus0.app.vssps.visualstudio.com/",
    ]
    for form in forms:
        organisation = targets.add()
        organisation.challenge.authorization_endpoints = [form.format(org=organisation.name)]
    answers = look_up.all(targets.look_ups, **{TOKEN: targets.token})
    assert [answer.credential[0] for answer in answers] == ["VssSessionToken"] * len(forms)
    hosts = ["vssps.dev.azure.com"] * 2
    hosts += ["target-2.vssps.visualstudio.com", "app.vssps.visualstudio.com", "wcus0.app.vssps.visualstudio.com"]
    assert cloud.log.bearers() == [(host, targets.token) for host in hosts]


@pytest.mark.parametrize("has_token", [True, False])
def test_a_feed_that_breaks_is_one_warning(cloud: PracticeCloud, look_up: Lookups, has_token: bool) -> None:
    targets = Targets(cloud)
    for fault, _ in BROKEN:
        targets.add()
        cloud.faults.add(fault, host=targets.hosts[-1])
    variables = {"ARTIFACTS_KEYRING_NOFUSS_RETRIES": "1", "RINGBEARER_TIMEOUT": "1"}
    if has_token:
        variables[TOKEN] = targets.token
    answers = look_up.all(targets.look_ups, **variables)
    assert cloud.log.bearers() == []
    assert {request.host for request in cloud.log.requests()} == set(targets.hosts)
    assert max(answer.seconds for answer in answers) < 5
    assert_each_is_one_warning(targets, answers)


def test_an_exchange_that_breaks_is_one_warning(cloud: PracticeCloud, look_up: Lookups) -> None:
    targets = Targets(cloud)
    further = [(faults.html(200), False), (faults.garbage_json(), False), (faults.garbage_json(b"[]"), False)]
    further += [(faults.garbage_json(b'{"token": ""}'), False), (faults.garbage_json(b'{"token": 7}'), False)]
    for fault, _ in BROKEN + further:
        organisation = targets.add()
        cloud.faults.add(fault, host="vssps.dev.azure.com", path=f"/{organisation.name}/*")
    variables = {TOKEN: targets.token, "ARTIFACTS_KEYRING_NOFUSS_RETRIES": "1", "RINGBEARER_TIMEOUT": "1"}
    answers = look_up.all(targets.look_ups, **variables)
    assert {host for host, _ in cloud.log.bearers()} == {"vssps.dev.azure.com"}
    assert len(cloud.log.bearers()) == len(targets.look_ups)
    assert max(answer.seconds for answer in answers) < 5
    assert_each_is_one_warning(targets, answers)


def test_a_token_endpoint_that_breaks_is_one_warning(cloud: PracticeCloud, look_up: Lookups) -> None:
    targets = Targets(cloud)
    further = [(faults.html(200), False), (faults.garbage_json(), False), (faults.garbage_json(b"7"), False)]
    for number, (fault, _) in enumerate(BROKEN + further):
        tenant = cloud.azure.directory.tenant(f"tenant-{number}.example")
        targets.add().challenge.authorization_uri = f"https://login.windows.net/{tenant}"
        cloud.faults.add(fault, host="login.microsoftonline.com", path=f"/{tenant}/*")
    variables = {"AZURE_CLIENT_ID": "an-application", "AZURE_CLIENT_SECRET": "planted", "RINGBEARER_TIMEOUT": "1"}
    answers = look_up.all(targets.look_ups, **variables)
    assert cloud.log.hosts_that_saw("planted") == ["login.microsoftonline.com"]
    assert max(answer.seconds for answer in answers) < 5
    assert_each_is_one_warning(targets, answers)


def test_a_page_with_200_in_place_of_the_feed_gets_no_bearer(cloud: PracticeCloud, look_up: Lookups) -> None:
    # A public feed answers with a page and 200 too: the two cannot be distinguished, so there is no warning.
    cloud.faults.add(faults.html(200), host="pkgs.dev.azure.com")
    answer = look_up(**{TOKEN: Targets(cloud).token})
    assert answer.credential is None
    assert answer.warnings == []
    assert cloud.log.bearers() == []


def test_transient_failure_is_retried(cloud: PracticeCloud, look_up: Lookups) -> None:
    targets = Targets(cloud)
    passing = [fault for fault, passes in BROKEN if passes]
    for fault in passing:
        targets.add(**{TOKEN: targets.token})
        cloud.faults.add(fault, host=targets.hosts[-1], times=1)
        organisation = targets.add(**{TOKEN: targets.token})
        cloud.faults.add(fault, host="vssps.dev.azure.com", path=f"/{organisation.name}/*", times=1)
    for number, fault in enumerate(passing):
        tenant = cloud.azure.directory.tenant(f"tenant-{number}.example")
        application = cloud.azure.directory.application(f"builder-{number}", tenant, secret="mellon")
        proof = {"AZURE_CLIENT_ID": application.client_id, "AZURE_CLIENT_SECRET": "mellon"}
        targets.add(**{TOKEN: ""}, **proof).challenge.authorization_uri = f"https://login.windows.net/{tenant}"
        cloud.faults.add(fault, host="login.microsoftonline.com", path=f"/{tenant}/*", times=1)
    answers = look_up.all(targets.look_ups)
    users = [answer.credential and answer.credential[0] for answer in answers]
    assert users == ["VssSessionToken"] * 2 * len(passing) + ["bearer"] * len(passing)
    assert [warning for answer in answers for warning in answer.warnings] == []


@pytest.mark.parametrize("kind", ["distrust", "expire", "misname"])
def test_untrusted_certificate_is_one_warning_and_one_attempt(
    cloud: PracticeCloud, look_up: Lookups, kind: str
) -> None:
    targets = Targets(cloud)
    targets.add(**{TOKEN: targets.token})
    exchanging = targets.add(**{TOKEN: targets.token})
    exchange_host = f"{exchanging.name}.vssps.visualstudio.com"
    exchanging.challenge.authorization_endpoints = [f"https://{exchange_host}/"]
    targets.add(**{TOKEN: "", "AZURE_CLIENT_ID": "an-application", "AZURE_CLIENT_SECRET": "planted"})
    wrong = [targets.hosts[0], exchange_host, "login.microsoftonline.com"]
    for host in wrong:
        getattr(cloud, kind)(host)
    answers = look_up.all(targets.look_ups)
    assert cloud.log.bearers() == []
    assert cloud.log.hosts_that_saw("planted") == []
    for host, answer in zip(wrong, answers):
        assert len(cloud.log.connections(host)) == 1
        assert host in answer.warning and "certificate" in answer.warning
    assert_each_is_one_warning(targets, answers)


def test_strict_mode_raises_network_errors_and_timeouts(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    fake_programs.az(Scripted(hang=True))
    for strict in ("1", "0"):
        targets = Targets(cloud)
        cases: list[tuple[str, Fault | None, str]] = [
            ("NetworkError", faults.reset(), targets.token),
            ("LookupTimeoutError", faults.silence(), targets.token),
            ("LookupTimeoutError", None, ""),
        ]
        for number, (_, fault, token) in enumerate(cases):
            organisation = targets.add(**{TOKEN: token})
            if fault is not None:
                cloud.faults.add(fault, host="vssps.dev.azure.com", path=f"/{organisation.name}/*")
            assert organisation.name == f"target-{number}"
        settings = {"ARTIFACTS_KEYRING_NOFUSS_RETRIES": "1", "RINGBEARER_TIMEOUT": "1", "RINGBEARER_STRICT": strict}
        answers = look_up.all(targets.look_ups, **settings)
        if strict == "1":
            assert [answer.error and answer.error.type for answer in answers] == [name for name, _, _ in cases]
        else:
            assert_each_is_one_warning(targets, answers)

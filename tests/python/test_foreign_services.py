"""What is not ours is a quick None without any I/O; what is ours is recognised in every spelling."""

from __future__ import annotations

import json

import pytest
from lab import faults
from lab.azure.organisations import NO_TENANT
from lab.cli_stand_ins import StandIns, az_token
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups

TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"

#: Expressions, since JSON has no bytes and no half characters.
FOREIGN = """
[None, True, 0, 7, 1.5, b"", b"https://pkgs.dev.azure.com/contoso/", bytearray(b"x"), object(), [], {}, (), type,
 ["https://pkgs.dev.azure.com/contoso/"], "", " ", "\\n", "\\x00", "/", "//", "://", "https://", "http://", "https:///x",
 "https://\\ud800.pkgs.visualstudio.com/", "\\udcff", "https://pkgs.dev.azure.com/\\ud800/", "\\U0001F600",
 "python-poetry-check", "poetry-repository-contoso", "not-a-url", "localhost", "[::1]", "127.0.0.1", "https://[::1/",
 "https://pypi.example/simple/", "https://upload.pypi.example/legacy/", "https://dev.azure.com/contoso/",
 "https://contoso.visualstudio.com/", "https://vssps.dev.azure.com/contoso/", "https://feeds.dev.azure.com/contoso/",
 "https://evil-pkgs.dev.azure.com/contoso/", "https://notpkgs.visualstudio.com/", "https://xpkgs.dev.azure.com/contoso",
 "https://pkgs.dev.azure.com.evil.example/contoso/", "https://evil.example/pkgs.dev.azure.com/contoso/",
 "https://evil.example/#pkgs.dev.azure.com/contoso/", "https://evil.example?pkgs.dev.azure.com/contoso/",
 "https://pkgs.dev.azure.com@evil.example/contoso/", "https://pkgs.dev.azure.com:x@evil.example/contoso/",
 "https://evil.example\\\\@pkgs.dev.azure.com/contoso/", "https://pkgs.dev.azure.com\\\\.evil.example/contoso/",
 "https://evil.example\\\\.pkgs.visualstudio.com/", "https://pkgs.dev.azure.com%2eevil.example/contoso/",
 "https://%70kgs.dev.azure.com/contoso/", "https://pkgs\\u3002dev\\u3002azure\\u3002com/contoso/",
 "https://..pkgs.visualstudio.com/x", "https://pkgs%00.dev.azure.com/contoso/", "https://pkgs.dev.azure.com\\t.evil.example/contoso/",
 "https://pkgs.dev.azure.\\u0441om/contoso/", "https://dev.azure.com.pkgs/contoso/", "https://.pkgs.visualstudio.com/",
 "http://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/", "http://contoso.pkgs.visualstudio.com/",
 "ftp://pkgs.dev.azure.com/contoso/", "file://pkgs.dev.azure.com/contoso/", "git+https://pkgs.dev.azure.com/contoso/",
 "https://pkgs.dev.azure.com:8443/contoso/", "https://pkgs.dev.azure.com:80/contoso/", "pkgs.dev.azure.com:8080",
 "https://pkgs.dev.azure.com:99999/contoso/", "https://pkgs.dev.azure.com:-443/contoso/",
 "https://pkgs.dev.azure.com/" + "x" * 1_000_000, "https://" + "a." * 100_000 + "pkgs.dev.azure.com/", "x" * 10_000_000,
 "://" * 100_000, "@" * 100_000, "%" * 100_000]
"""

#: Ours, but without an organisation: tools ask for these after the whole URL.
BARE = [
    "pkgs.dev.azure.com",
    "https://pkgs.dev.azure.com/",
    "pkgs.dev.azure.com:443",
    "https://pkgs.visualstudio.com/",
    "https://pkgs.dev.azure.com/_packaging/x",
    "https://pkgs.dev.azure.com/%5Fpackaging/x",
]

PROGRAM = """
import json, os, sys, threading, time
import keyring
from ringbearer.backends import AzureArtifactsKeyring
foreign = eval(sys.argv[1])
backend = AzureArtifactsKeyring()
threads = set()
def state():
    return os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else []
before = state()
answers = [ask(service, user) for service in foreign for ask in (backend.get_credential, backend.get_password)
           for user in (None, "", "VssSessionToken", 7, b"x", "\\ud800")]
started = time.perf_counter()
for number in range(10_000):
    backend.get_credential("https://pypi.example/simple/", None)
seconds = time.perf_counter() - started
through = [keyring.get_credential(service, None) for service in foreign if isinstance(service, str)]
through += [keyring.get_password(service, "user") for service in foreign if isinstance(service, str)]
print(json.dumps({
    "answers": [str(one) for one in answers + through if one is not None],
    "count": len(answers),
    "seconds": seconds,
    "threads": len(state()) - len(before),
}))
"""


def test_what_is_foreign_malformed_or_no_text_is_none_without_io(
    cloud: PracticeCloud, client: Client, home, stand_ins: StandIns
) -> None:
    environment = cloud.environment(
        home, path=[stand_ins.directory], RINGBEARER_STRICT="1", RINGBEARER_DEBUG="1", **{TOKEN: "token"}
    )
    ended = client.run(["python", "-c", PROGRAM, FOREIGN], environment).check()
    found = json.loads(ended.stdout)
    assert found["answers"] == []
    assert found["count"] > 500
    assert found["threads"] == 0
    # A bound on sanity; what it costs is measured elsewhere.
    assert found["seconds"] < 1
    assert ended.stderr == ""
    assert cloud.log.requests() == cloud.log.connections() == []
    assert cloud.log.refused() == []


def test_a_bare_host_without_an_organisation_is_a_quiet_none(cloud: PracticeCloud, look_up: Lookups) -> None:
    answers = look_up.all([LookUp(service) for service in BARE], RINGBEARER_STRICT="1", **{TOKEN: "token"})
    assert [answer.credential for answer in answers] == [None] * len(BARE)
    assert [answer.warnings for answer in answers] == [[]] * len(BARE)
    assert max(answer.seconds for answer in answers) < 1
    assert cloud.log.requests() == []


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
def frodo(cloud: PracticeCloud, stand_ins: StandIns) -> str:
    """Logged in with the Azure CLI."""
    token = cloud.azure.directory.user_token(cloud.azure.frodo)
    stand_ins.az(*az_token(token))
    return token


def test_a_public_feed_says_whose_it_is_when_asked_for_what_it_does_not_hold(
    cloud: PracticeCloud, look_up: Lookups, frodo: str
) -> None:
    feed = cloud.azure.contoso.feed("open", public=True)
    for url in (feed.url(), feed.url("visualstudio.com")):
        cloud.log.clear()
        answer = look_up(url)
        assert answer.credential[0] == "VssSessionToken"
        assert [request.status for request in cloud.log.requests(method="GET")] == [200, 401]


def test_a_public_feed_of_which_nothing_is_known_is_a_quiet_none(
    cloud: PracticeCloud, look_up: Lookups, frodo: str
) -> None:
    feed = cloud.azure.contoso.feed("open", public=True)
    cloud.faults.add(faults.status(200), host="pkgs.dev.azure.com")
    answer = look_up(feed.url())
    assert answer.credential is None
    assert answer.warnings == []
    assert cloud.log.bearers() == []


def test_a_broken_setting_is_told_beside_a_public_feed_that_says_nothing(
    cloud: PracticeCloud, look_up: Lookups
) -> None:
    cloud.faults.add(faults.status(200), host="pkgs.dev.azure.com")
    answer = look_up(ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE="/nowhere/token")
    assert answer.credential is None
    assert "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE names /nowhere/token" in answer.warning


def test_a_public_feed_is_served_by_what_its_organisation_said_last(
    cloud: PracticeCloud, look_up: Lookups, frodo: str
) -> None:
    feed = cloud.azure.contoso.feed("open", public=True)
    cloud.faults.add(faults.status(200), path="*/open/*")
    write = cloud.azure.feed.upload_url()
    answers = look_up.all([LookUp(write), LookUp(feed.url())])
    assert [answer.credential is not None for answer in answers] == [True, True]


def test_organisations_of_personal_accounts_are_served(
    cloud: PracticeCloud, look_up: Lookups, stand_ins: StandIns
) -> None:
    personal = cloud.azure.organisation("shire")
    stand_ins.az(*az_token(cloud.azure.directory.user_token(cloud.azure.frodo), "organizations"))
    assert look_up(personal.feed("pies").url()).credential[0] == "VssSessionToken"
    (call,) = stand_ins.invocations("az")
    assert call.option("--tenant") == "organizations"


def test_the_challenge_is_understood_in_every_shape(
    cloud: PracticeCloud, look_up: Lookups, stand_ins: StandIns
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
    stand_ins.az(*az_token(azure.directory.user_token(azure.frodo), tenant))
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
    assert {call.option("--tenant") for call in stand_ins.invocations("az")} == {tenant}


def test_a_feed_that_lacks_a_header_is_one_warning(cloud: PracticeCloud, look_up: Lookups, frodo: str) -> None:
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


def test_discovery_never_uses_head(cloud: PracticeCloud, look_up: Lookups, frodo: str) -> None:
    cloud.azure.feeds.head_status = 500
    assert look_up().credential is not None
    assert cloud.log.requests(method="HEAD") == []

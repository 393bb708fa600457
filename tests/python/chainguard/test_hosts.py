"""Services of Chainguard: every host below cgr.dev, over https on the default port."""

from __future__ import annotations

import pytest
from lab.chainctl import logged_in
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp, Lookups
from support.chainguard_user import AUTH_TOKEN, INDEX

OURS = [
    INDEX,
    INDEX.rstrip("/"),
    INDEX + "greetings/",
    INDEX + "greetings",
    "https://libraries.cgr.dev",
    "https://libraries.cgr.dev/",
    "https://libraries.cgr.dev/python/files/greetings-2.0-py3-none-any.whl",
    "https://libraries.cgr.dev/python/files/greetings-2.0-py3-none-any.whl?x=y#sha256=00",
    "https://libraries.cgr.dev/python-remediated/simple/",
    "https://libraries.cgr.dev/cu128/simple/",
    "https://_token@libraries.cgr.dev/python/simple/",
    "https://_token:password@libraries.cgr.dev/python/simple/",
    "https://LIBRARIES.cgr.DEV/python/simple/",
    "HTTPS://libraries.cgr.dev/python/simple/",
    "https://libraries.cgr.dev:443/python/simple/",
    "https://libraries.cgr.dev./python/simple/",
    " https://libraries.cgr.dev/python/simple/ ",
    "https://virtualapk.cgr.dev/",
    "https://a.b.c.cgr.dev/x",
    "libraries.cgr.dev",
    "libraries.cgr.dev/",
    "libraries.cgr.dev:443",
    "libraries.cgr.dev/python/simple",
    "_token@libraries.cgr.dev",
    "virtualapk.cgr.dev",
]

FOREIGN = [
    "https://cgr.dev",
    "https://cgr.dev/",
    "https://cgr.dev./chainguard/python",
    "cgr.dev",
    "cgr.dev:443",
    "http://libraries.cgr.dev/python/simple/",
    "HTTP://libraries.cgr.dev/",
    "ftp://libraries.cgr.dev/",
    "file://libraries.cgr.dev/python",
    "git+https://libraries.cgr.dev/python/simple/",
    "https://libraries.cgr.dev:8443/python/simple/",
    "https://libraries.cgr.dev:80/python/simple/",
    "https://libraries.cgr.dev:0/",
    "https://libraries.cgr.dev:99999/",
    "libraries.cgr.dev:8443",
    "https://librariescgr.dev/",
    "https://libraries-cgr.dev/",
    "https://xcgr.dev/",
    "https://libraries.cgr.dev.evil.example/",
    "https://libraries.cgr.dev@evil.example/",
    "https://libraries.cgr.dev:x@evil.example/",
    "https://evil.example/libraries.cgr.dev/",
    "https://evil.example#.cgr.dev",
    "https://evil.example?.cgr.dev",
    "https://evil.example\\.cgr.dev/",
    "https://evil.example\\@libraries.cgr.dev/",
    "https://libraries.cgr.dev\\.evil.example/",
    "https://libraries.cgr.dev%2eevil.example/",
    "https://libraries%2ecgr.dev/",
    "https://libraries\u3002cgr\u3002dev/",
    "https://libraries.cgr.d\u0435v/",
    "https://libraries.cgr.dev\t.evil.example/",
    "https://libraries.cgr.dev .evil.example/",
    "https://libraries.cgr.dev\n/",
    "https://libraries.cgr.de/",
    "https://libraries.cgr.develop/",
    "https://.cgr.dev/",
    "https://..cgr.dev/",
    "https://libraries..cgr.dev/",
    "https://issuer.enforce.dev/",
    "https://console-api.enforce.dev/",
    "https://[bad",
    "https://[bad.cgr.dev",
    "https://[::1].cgr.dev/",
    "https://",
    ".cgr.dev",
    "chainguard",
    "",
]


@pytest.fixture
def token(cloud: PracticeCloud) -> str:
    """A token for the libraries."""
    return cloud.chainguard.token()


def test_every_https_url_and_bare_host_below_cgr_dev_is_answered(
    cloud: PracticeCloud, look_up: Lookups, token: str
) -> None:
    answers = look_up.all([LookUp(service) for service in OURS], **{AUTH_TOKEN: token})
    wrong = [service for service, answer in zip(OURS, answers) if answer.credential != ("_token", token)]
    assert wrong == []
    assert cloud.log.connections() == cloud.log.refused() == []


def test_the_user_name_that_is_asked_for_does_not_matter(look_up: Lookups, token: str) -> None:
    names = [None, "", "_token", "frodo", "frodo@contoso.example", "user:name", "ü", "-"]
    services = [INDEX, "libraries.cgr.dev"]
    look_ups = [LookUp(service, name) for service in services for name in names]
    look_ups += [LookUp(service, name, method="get_password") for service in services for name in names[1:]]
    found = [answer.result for answer in look_up.all(look_ups, **{AUTH_TOKEN: token})]
    assert found == [["_token", token]] * 16 + [token] * 14


def test_foreign_service_is_none_without_log_process_or_request(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, token: str
) -> None:
    fake_programs.chainctl(logged_in(token))
    look_ups = [LookUp(service, name) for service in FOREIGN for name in (None, "_token")]
    answers = look_up.all(look_ups, RINGBEARER_STRICT="1", **{AUTH_TOKEN: token})
    assert [one.service for one, answer in zip(look_ups, answers) if answer.result or answer.error] == []
    said = [line for answer in answers for line in answer.log if line.logger.startswith("ringbearer")]
    assert said == []
    assert fake_programs.invocations() == []
    assert cloud.log.connections() == cloud.log.refused() == []


def test_url_with_an_ambiguous_host_is_not_claimed(look_up: Lookups, token: str) -> None:
    services = ["https:///libraries.cgr.dev/", "https:////libraries.cgr.dev/", "https:///libraries%2ecgr.dev/"]
    services += ["//libraries%2ecgr.dev/", "https:///x\u3002cgr.dev/", "https:////x%00.cgr.dev/"]
    answers = look_up.all([LookUp(service) for service in services], **{AUTH_TOKEN: token})
    assert [service for service, answer in zip(services, answers) if answer.credential] == []


def test_writing_is_refused_with_a_way_out(look_up: Lookups, cloud: PracticeCloud, client, home, token: str) -> None:
    program = """
import keyring, sys
from ringbearer.backends import ChainguardLibrariesKeyring
for call in (lambda: ChainguardLibrariesKeyring().set_password(sys.argv[1], "_token", "planted"),
             lambda: ChainguardLibrariesKeyring().delete_password(sys.argv[1], "_token")):
    try:
        call()
    except NotImplementedError as error:
        print(type(error).__name__, "planted" in str(error), "ringbearer store init" in str(error))
"""
    ended = client.run(["python", "-c", program, INDEX], cloud.environment(home, **{AUTH_TOKEN: token})).check()
    assert ended.stdout.splitlines() == ["ReadOnlyError False True"] * 2

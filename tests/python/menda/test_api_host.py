"""The URL of Menda's API: any base path, https only, except on loopback."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.menda import EXCHANGE, HOST
from support.menda_machines import API, COLD, INDEX, profile, served

#: A profile determines the account only if no client is set.
NO_CLIENT = {"MENDA_CLIENT_ID": "", "MENDA_CLIENT_SECRET": "", "MENDA_HOST": ""}

#: URLs to which no secret may be sent.
WRONG_HOSTS = [
    HOST.replace("https", "http"),
    HOST.replace("https", "HTTP"),
    "http://10.0.0.1",
    "http://0.0.0.0:8080",
    "http://169.254.10.10",
    "http://[::ffff:10.0.0.1]:8080",
    "http://localhost.evil.example",
    "http://127.0.0.1.evil.example",
    "http://127.0.0.1@evil.example",
    "http://localhost:x@evil.example",
    "http://evil.example#127.0.0.1",
    "http://evil.example?localhost",
    "http://evil.example/127.0.0.1",
    "http://localhost%2eevil.example",
    "ftp://127.0.0.1",
    "file:///etc/hostname",
    "data:text/plain,x",
    API,
    "//" + API,
    "https://",
    "https://:443",
    "https://user@" + API,
    "https://user:password@" + API,
    "https://:password@" + API,
    HOST + "?tenant=x",
    HOST + "#fragment",
    "https://a b.example",
    "nonsense",
    "\u202ehttps://" + API,
]


def test_base_path_is_kept_and_trailing_slashes_ignored(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    bases = {
        "": "",
        "/": "",
        "//": "",
        "/base": "/base",
        "/base/": "/base",
        "/base//": "/base",
        "/a/b": "/a/b",
        ":443/x": "/x",
        "/%61%2fb": "/%61%2fb",
    }
    menda = cloud.menda
    machine = {"auth_type": "m2m", "client_id": menda.client_id, "client_secret": menda.client_secret}
    menda.write_profile(
        home, "".join(profile(HOST + base, f"case-{number}", **machine) for number, base in enumerate(bases))
    )
    cases = [{**menda.variables, "MENDA_HOST": HOST + base} for base in bases]
    cases += [{**NO_CLIENT, "MENDA_PROFILE_ID": f"case-{number}"} for number in range(len(bases))]
    answers = look_up.all([LookUp(INDEX, environment=case) for case in cases])
    assert served(answers) == [True] * len(cases)
    asked = [(request.host, request.path) for request in cloud.log.requests()]
    assert asked == [(API, base + path) for base in [*bases.values()] * 2 for path in COLD]


@pytest.mark.parametrize("source", ["variable", "file"])
def test_unsafe_api_url_is_refused_without_a_request(
    cloud: PracticeCloud, look_up: Lookups, home: Path, source: str
) -> None:
    cloud.menda.write_login(home, cloud.menda.log_in())
    hosts = WRONG_HOSTS
    if source == "file":
        machine = {"auth_type": "m2m", "client_id": "robot", "client_secret": "planted-secret"}
        cloud.menda.write_profile(
            home, "".join(profile(host, f"case-{number}", **machine) for number, host in enumerate(hosts))
        )
        cases = [{"MENDA_PROFILE_ID": f"case-{number}"} for number in range(len(hosts))]
    else:
        cases = [{**cloud.menda.variables, "MENDA_HOST": host} for host in hosts]
    answers = look_up.all([LookUp(INDEX, environment=case) for case in cases], RINGBEARER_STRICT="1")
    assert [answer.error and answer.error.type for answer in answers] == ["MendaKeyRingError"] * len(hosts)
    named = "MENDA_HOST" if source == "variable" else "the host of profile 'case-"
    assert [answer.error.message for answer in answers if named not in answer.error.message] == []
    assert [one for one in answers if "it should read https://HOST" not in one.error.message] == []
    assert [
        host for host, one in zip(hosts, answers) if "evil" in one.error.text or "password@" in one.error.text
    ] == []
    assert cloud.log.requests() == cloud.log.connections() == []
    assert cloud.log.refused() == []


def test_loopback_api_is_asked_without_tls_and_proxy(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    menda = cloud.menda
    with menda.on_loopback(cloud.log, cloud.faults) as host:
        menda.write_profile(home, profile(host.replace("http", "HTTP") + "/of-the-file/"))
        menda.write_login(home, menda.log_in())
        cases = [
            {**menda.variables, "MENDA_HOST": host},
            {"MENDA_HOST": host + "/base/"},
            {"MENDA_HOST": host.replace("127.0.0.1", "localhost")},
            {"MENDA_HOST": host.replace("127.0.0.1", "127.1")},
            NO_CLIENT,
        ]
        answers = look_up.all(
            [LookUp(INDEX, environment=case) for case in cases],
            # Every proxy variable, and no exception.
            NO_PROXY=None,
            ALL_PROXY=cloud.proxy_url,
        )
    assert served(answers) == [True] * len(cases)
    asked = [request.path for request in cloud.log.requests("loopback")]
    assert asked == [*COLD, *("/base" + path for path in COLD), *COLD, *COLD, "/of-the-file" + EXCHANGE]
    assert {connection.kind for connection in cloud.log.connections(kind="plain")} == {"plain"}
    assert cloud.log.requests(method="CONNECT") == cloud.log.connections() == []
    assert cloud.log.refused() == []


def test_redirect_from_loopback_to_elsewhere_is_not_followed(cloud: PracticeCloud, look_up: Lookups) -> None:
    menda = cloud.menda
    with menda.on_loopback(cloud.log, cloud.faults) as host:
        cloud.faults.add(faults.sign_in_redirect("https://evil.example/", 307), "loopback")
        answer = look_up(INDEX, **{**menda.variables, "MENDA_HOST": host})
    assert answer.credential is None
    assert "returned HTTP 307" in answer.warning
    assert {request.host for request in cloud.log.requests()} == {"loopback"}
    assert cloud.log.refused() == []

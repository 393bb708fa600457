"""Proxies, certificate authorities and retries, as the environment asks for them."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
from lab import faults
from lab.authority import CertificateAuthority
from lab.cloud import PracticeCloud
from lab.look_up import Answer, LookUp, Lookups
from lab.messages import CLOSE

TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
RETRIES = "ARTIFACTS_KEYRING_NOFUSS_RETRIES"
PROXIES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR")


@pytest.fixture
def ask(cloud: PracticeCloud, look_up: Lookups):
    """Look-ups in one process, each with variables of its own and for an organisation of its own."""
    token = cloud.azure.directory.user_token(cloud.azure.frodo)

    def ask(settings: list[dict[str, str | None]], **variables: str | None) -> list[Answer]:
        names = {name for setting in settings for name in setting}
        look_ups = []
        for number, setting in enumerate(settings):
            made = cloud.azure.organisation(f"asking-{number}", cloud.azure.tenant)
            look_ups.append(LookUp(made.feed("tools").url(), environment={**dict.fromkeys(names), **setting}))
        return look_up.all(look_ups, **{TOKEN: token, **variables})

    return ask


def served(answers: list[Answer]) -> list[bool]:
    return [answer.credential is not None for answer in answers]


# -- proxies


def test_each_proxy_variable_is_honoured_and_lower_case_https_first(cloud: PracticeCloud, ask) -> None:
    nowhere = cloud.metadata.nowhere
    settings = [{name: cloud.proxy_url} for name in PROXIES]
    settings += [
        {name: cloud.proxy_url, **dict.fromkeys(PROXIES[number + 1 :], nowhere)} for number, name in enumerate(PROXIES)
    ]
    settings.append({"HTTPS_PROXY": cloud.proxy_url.replace("http://", "")})
    settings.append({"https_proxy": " ", "HTTPS_PROXY": cloud.proxy_url + "/"})
    answers = ask(settings, HTTP_PROXY=nowhere, NO_PROXY=None)
    assert served(answers) == [True] * len(settings)


def test_a_proxy_gets_the_user_name_and_password_in_its_address(cloud: PracticeCloud, ask) -> None:
    cloud.proxy.require("sam@shire", "p@ss:w/rd %41")
    assert served(ask([{"HTTPS_PROXY": cloud.proxy_url}])) == [True]


def test_a_proxy_that_refuses_is_named_and_not_asked_again(cloud: PracticeCloud, ask) -> None:
    cloud.proxy.require("sam", "right")
    wrong = cloud.proxy_url.replace("right", "wrong")
    answers = ask([{"HTTPS_PROXY": wrong}, {"HTTPS_PROXY": cloud.proxy.url_without_credentials}])
    assert served(answers) == [False, False]
    for answer in answers:
        assert "pkgs.dev.azure.com" in answer.warning and "407" in answer.warning
        assert "HTTPS_PROXY" in answer.warning
        assert "wrong" not in answer.text
    assert len(cloud.log.requests(method="CONNECT")) == 2
    assert cloud.log.bearers() == []


def test_a_proxy_that_is_not_there_or_not_a_url_is_named(cloud: PracticeCloud, ask) -> None:
    broken = [
        "http://[::bad/",
        "https://",
        "http://user:pass@word@:x",
        "ftp://127.0.0.1:1",
        "http://127.0.0.1:99999",
        "::::",
        "http://",
    ]
    settings = [{"HTTPS_PROXY": cloud.metadata.nowhere}] + [{"all_proxy": value} for value in broken]
    answers = ask(settings, **{RETRIES: "1", "HTTPS_PROXY": None, "RINGBEARER_TIMEOUT": "5"})
    assert served(answers) == [False] * len(settings)
    assert "pkgs.dev.azure.com" in answers[0].warning and "HTTPS_PROXY" in answers[0].warning
    unnamed = {value: answer.warning for value, answer in zip(broken, answers[1:]) if "all_proxy" not in answer.warning}
    assert unnamed == {}
    assert [value for value, answer in zip(broken, answers[1:]) if "word" in answer.text] == []
    assert cloud.log.requests(method="CONNECT") == []


def test_no_proxy_lets_loopback_be_asked_directly_and_nothing_else(cloud: PracticeCloud, look_up: Lookups) -> None:
    # The one thing on loopback that is asked in the way of the internet: the token of a GitHub job.
    azure = cloud.azure
    job = {
        "ACTIONS_ID_TOKEN_REQUEST_URL": cloud.metadata.imds.url + "/github?api-version=2.0",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
        "AZURE_CLIENT_ID": "an-application",
        "ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "workload_identity",
    }
    proxied = ["", "27.0.0.1", "127.0.0.1.example", "localhost"]
    lists = [*proxied, "127.0.0.1", "x.example, 127.0.0.1"]
    look_ups = []
    for number, value in enumerate(lists):
        url = azure.organisation(f"exception-{number}", azure.tenant).feed("tools").url()
        look_ups.append(LookUp(url, environment={"NO_PROXY": value}))
    answers = look_up.all(look_ups, **job, **{RETRIES: "1"})
    assert served(answers) == [False] * len(lists)
    assert cloud.log.refused() == ["127.0.0.1"] * len(proxied)
    assert len(cloud.log.requests(host="imds", path="/github")) == len(lists) - len(proxied)
    assert len(cloud.log.requests(host="pkgs.dev.azure.com")) == len(lists)


def test_metadata_services_are_never_asked_through_a_proxy(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.metadata.imds.system_assigned = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    answer = look_up(ARTIFACTS_KEYRING_NOFUSS_PROVIDER="managed_identity", NO_PROXY=None)
    assert answer.credential[0] == "bearer"
    assert cloud.log.refused() == []
    assert len(cloud.log.requests(host="imds")) == 1


# -- certificate authorities


@pytest.fixture
def other_authority():
    made = CertificateAuthority()
    yield made
    made.close()


def test_each_variable_names_the_authorities_to_trust_and_the_first_one_wins(
    cloud: PracticeCloud, look_up: Lookups, tmp_path: Path, other_authority: CertificateAuthority
) -> None:
    directories = {}
    for name, file in (("right", cloud.ca_file), ("wrong", other_authority.ca_file)):
        directory = tmp_path / name
        directory.mkdir()
        shutil.copy(file, directory / "0a1b2c3d.0")
        (directory / "README").write_text("not a certificate\n")
        (directory / "below").mkdir()
        directories[name] = str(directory)
    files = {"right": cloud.ca_file, "wrong": other_authority.ca_file}

    def place(variable: str, which: str) -> str:
        return directories[which] if variable == "SSL_CERT_DIR" else files[which]

    settings: list[tuple[dict[str, str], bool]] = []
    for number, variable in enumerate(BUNDLES):
        later = BUNDLES[number + 1 :]
        settings.append(({variable: place(variable, "right")}, True))
        settings.append(({variable: place(variable, "right"), **{one: place(one, "wrong") for one in later}}, True))
        settings.append(({variable: place(variable, "wrong"), **{one: place(one, "right") for one in later}}, False))
    # A directory where a file is usual, as requests has it; an empty value is no value.
    settings.append(({"REQUESTS_CA_BUNDLE": directories["right"]}, True))
    settings.append(({"REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": cloud.ca_file}, True))
    token = cloud.azure.directory.user_token(cloud.azure.frodo)
    look_ups = []
    for number, (setting, _) in enumerate(settings):
        url = cloud.azure.organisation(f"trust-{number}", cloud.azure.tenant).feed("tools").url()
        look_ups.append(LookUp(url, environment={**dict.fromkeys(BUNDLES), **setting}))
    answers = look_up.all(look_ups, **{TOKEN: token})
    for (setting, trusted), answer in zip(settings, answers):
        assert (answer.credential is not None) == trusted, setting
    # One attempt each: what is not trusted now will not be trusted in a second.
    assert len(cloud.log.connections()) <= 2 * len(settings)


def test_ssl_cert_dir_may_be_a_list_of_directories(
    cloud: PracticeCloud, look_up: Lookups, tmp_path: Path, other_authority: CertificateAuthority
) -> None:
    # As OpenSSL, Python and uv have it.
    directories = []
    for number, file in enumerate((other_authority.ca_file, cloud.ca_file)):
        directory = tmp_path / str(number)
        directory.mkdir()
        shutil.copy(file, directory / "authority.pem")
        directories.append(str(directory))
    variables = {**dict.fromkeys(BUNDLES), "SSL_CERT_DIR": os.pathsep.join(directories)}
    token = cloud.azure.directory.user_token(cloud.azure.frodo)
    assert look_up(**{TOKEN: token, **variables}).credential is not None


def test_a_broken_bundle_is_named_with_its_variable(cloud: PracticeCloud, ask, tmp_path: Path) -> None:
    broken = {
        "missing": None,
        "empty": b"",
        "text": b"this is not PEM\n",
        "cut": Path(cloud.ca_file).read_bytes()[:200],
        "base64": b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "der": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "key": b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "binary": bytes(range(256)) * 16,
    }
    settings = []
    for number, (name, content) in enumerate(broken.items()):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        settings.append({BUNDLES[number % 4]: str(tmp_path / name)})
    (tmp_path / "hollow").mkdir()
    settings += [{"SSL_CERT_DIR": str(tmp_path / "hollow")}, {"SSL_CERT_DIR": str(tmp_path / "no such directory")}]
    answers = ask(settings, **dict.fromkeys(BUNDLES))
    assert served(answers) == [False] * len(settings)
    assert {
        setting.popitem(): answer.warning for setting, answer in zip(settings, answers) if not _names(setting, answer)
    } == {}
    assert cloud.log.requests() == []


def _names(setting: dict[str, str | None], answer: Answer) -> bool:
    ((variable, path),) = setting.items()
    return f"{variable} names {path}" in answer.warning and "; " in answer.warning


# -- retries


def test_passing_failures_are_asked_again_and_others_are_not(cloud: PracticeCloud, ask) -> None:
    passing = [429, 500, 502, 503, 504]
    lasting = [400, 403, 404, 405, 409, 410, 501]
    for number, status in enumerate(passing + lasting):
        cloud.faults.add(faults.status(status), host="vssps.dev.azure.com", path=f"/asking-{number}/*", times=1)
    answers = ask([{}] * len(passing + lasting))
    assert served(answers) == [True] * len(passing) + [False] * len(lasting)
    for number, _ in enumerate(passing + lasting):
        sent = cloud.log.requests(host="vssps.dev.azure.com", path=f"/asking-{number}/*")
        assert len(sent) == (2 if number < len(passing) else 1)


def test_a_request_is_sent_as_often_as_the_variable_says(cloud: PracticeCloud, ask) -> None:
    expected = {"1": 1, "2": 2, "4": 4, " 2 ": 2, "": 3, "many": 3, "2.5": 3}
    cloud.faults.add(faults.status(503, {"Retry-After": "0"}))
    answers = ask([{RETRIES: value} for value in expected] + [{}])
    assert served(answers) == [False] * len(answers)
    sent = [len(cloud.log.requests(path=f"/asking-{number}/*")) for number in range(len(answers))]
    assert sent == [*expected.values(), 3]


def test_a_request_is_never_sent_more_than_ten_times_nor_less_than_once(cloud: PracticeCloud, ask) -> None:
    cloud.faults.add(faults.status(503, {"Retry-After": "0"}))
    ask([{RETRIES: "10"}, {RETRIES: "11"}, {RETRIES: "999999999999999999999"}, {RETRIES: "0"}, {RETRIES: "-1"}])
    sent = [len(cloud.log.requests(path=f"/asking-{number}/*")) for number in range(5)]
    assert sent[0] == 10
    assert all(1 <= count <= 10 for count in sent), sent


def test_retry_after_is_obeyed_within_the_limit_of_the_look_up(cloud: PracticeCloud, ask) -> None:
    cloud.faults.add(faults.status(429, {"Retry-After": "2"}), path="/asking-0/*", times=1)
    cloud.faults.add(faults.status(429, {"Retry-After": "3600"}), path="/asking-1/*", times=1)
    cloud.faults.add(faults.status(503, {"Retry-After": "18446744073709551615"}), path="/asking-2/*", times=1)
    cloud.faults.add(faults.status(503, {"Retry-After": "soon"}), path="/asking-3/*", times=1)
    cloud.faults.add(faults.status(503, {"Retry-After": "-1"}), path="/asking-4/*", times=1)
    answers = ask([{}] * 5, RINGBEARER_TIMEOUT="30")
    assert served(answers) == [True, False, False, True, True]
    first, second = cloud.log.requests(host="pkgs.dev.azure.com", path="/asking-0/*")
    assert second.time - first.time >= 2
    # Later than the look-up may last: no use to wait for it, and none to come earlier.
    for number in (1, 2):
        assert len(cloud.log.requests(path=f"/asking-{number}/*")) == 1
        assert answers[number].seconds < 2
        assert "429" in answers[number].warning or "503" in answers[number].warning


def test_connections_are_used_again(cloud: PracticeCloud, ask) -> None:
    cloud.faults.add(faults.status(503, {"Retry-After": "0"}), path="/asking-2/*", times=2)
    assert served(ask([{}] * 5)) == [True] * 5
    assert len(cloud.log.requests()) == 12
    hosts = [request.host for request in cloud.log.requests(method="CONNECT")]
    assert hosts == ["pkgs.dev.azure.com", "vssps.dev.azure.com"]


def test_a_connection_that_the_server_closes_is_made_anew(cloud: PracticeCloud, ask) -> None:
    cloud.faults.add(faults.replaced(lambda response: dataclasses.replace(response, ending=CLOSE)))
    assert served(ask([{}] * 2, **{RETRIES: "1"})) == [True, True]
    assert len(cloud.log.connections()) == 4

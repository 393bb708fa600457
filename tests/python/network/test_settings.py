"""CA bundles and retries from the environment."""

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
from support.azure_look_ups import RETRIES, TOKEN, AzureLookUps, served

BUNDLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR")

# -- certificate authorities


@pytest.fixture
def other_authority():
    made = CertificateAuthority()
    yield made
    made.close()


def test_ca_bundle_variables_are_honoured_in_order(
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
    # A directory instead of a file, as requests accepts; an empty value counts as unset.
    settings.append(({"REQUESTS_CA_BUNDLE": directories["right"]}, True))
    settings.append(({"REQUESTS_CA_BUNDLE": "", "SSL_CERT_FILE": cloud.ca_file}, True))
    token = cloud.azure.directory.user_token(cloud.azure.user)
    look_ups = []
    for number, (setting, _) in enumerate(settings):
        url = cloud.azure.organisation(f"trust-{number}", cloud.azure.tenant).feed("tools").url()
        look_ups.append(LookUp(url, environment={**dict.fromkeys(BUNDLES), **setting}))
    answers = look_up.all(look_ups, **{TOKEN: token})
    for (setting, trusted), answer in zip(settings, answers):
        assert (answer.credential is not None) == trusted, setting
    # One attempt each: a certificate that is not trusted is not retried.
    assert len(cloud.log.connections()) <= 2 * len(settings)


def test_ssl_cert_dir_may_be_a_list_of_directories(
    cloud: PracticeCloud, look_up: Lookups, tmp_path: Path, other_authority: CertificateAuthority
) -> None:
    # As in OpenSSL, Python and uv.
    directories = []
    for number, file in enumerate((other_authority.ca_file, cloud.ca_file)):
        directory = tmp_path / str(number)
        directory.mkdir()
        shutil.copy(file, directory / "authority.pem")
        directories.append(str(directory))
    variables = {**dict.fromkeys(BUNDLES), "SSL_CERT_DIR": os.pathsep.join(directories)}
    token = cloud.azure.directory.user_token(cloud.azure.user)
    assert look_up(**{TOKEN: token, **variables}).credential is not None


def test_a_broken_bundle_is_named_with_its_variable(
    cloud: PracticeCloud, azure_look_ups: AzureLookUps, short_path: Path
) -> None:
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
            (short_path / name).write_bytes(content)
        settings.append({BUNDLES[number % 4]: str(short_path / name)})
    (short_path / "hollow").mkdir()
    settings += [{"SSL_CERT_DIR": str(short_path / "hollow")}, {"SSL_CERT_DIR": str(short_path / "no such directory")}]
    answers = azure_look_ups(settings, **dict.fromkeys(BUNDLES))
    assert served(answers) == [False] * len(settings)
    assert {
        setting.popitem(): answer.warning for setting, answer in zip(settings, answers) if not _names(setting, answer)
    } == {}
    assert cloud.log.requests() == []


def _names(setting: dict[str, str | None], answer: Answer) -> bool:
    ((variable, path),) = setting.items()
    return f"{variable} names {path}" in answer.warning and "; " in answer.warning


# -- retries


def test_transient_failures_are_retried_and_others_are_not(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    passing = [429, 500, 502, 503, 504]
    lasting = [400, 403, 404, 405, 409, 410, 501]
    for number, status in enumerate(passing + lasting):
        cloud.faults.add(faults.status(status), host="vssps.dev.azure.com", path=f"/case-{number}/*", times=1)
    answers = azure_look_ups([{}] * len(passing + lasting))
    assert served(answers) == [True] * len(passing) + [False] * len(lasting)
    for number, _ in enumerate(passing + lasting):
        sent = cloud.log.requests(host="vssps.dev.azure.com", path=f"/case-{number}/*")
        assert len(sent) == (2 if number < len(passing) else 1)


def test_a_request_is_sent_as_often_as_the_variable_says(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    expected = {"1": 1, "2": 2, "4": 4, " 2 ": 2, "": 3, "many": 3, "2.5": 3}
    cloud.faults.add(faults.status(503, {"Retry-After": "0"}))
    answers = azure_look_ups([{RETRIES: value} for value in expected] + [{}])
    assert served(answers) == [False] * len(answers)
    sent = [len(cloud.log.requests(path=f"/case-{number}/*")) for number in range(len(answers))]
    assert sent == [*expected.values(), 3]


def test_request_is_sent_at_least_once_and_at_most_ten_times(
    cloud: PracticeCloud, azure_look_ups: AzureLookUps
) -> None:
    cloud.faults.add(faults.status(503, {"Retry-After": "0"}))
    azure_look_ups(
        [{RETRIES: "10"}, {RETRIES: "11"}, {RETRIES: "999999999999999999999"}, {RETRIES: "0"}, {RETRIES: "-1"}]
    )
    sent = [len(cloud.log.requests(path=f"/case-{number}/*")) for number in range(5)]
    assert sent[0] == 10
    assert all(1 <= count <= 10 for count in sent), sent


def test_retry_after_is_obeyed_within_the_limit_of_the_look_up(
    cloud: PracticeCloud, azure_look_ups: AzureLookUps
) -> None:
    cloud.faults.add(faults.status(429, {"Retry-After": "2"}), path="/case-0/*", times=1)
    cloud.faults.add(faults.status(429, {"Retry-After": "3600"}), path="/case-1/*", times=1)
    cloud.faults.add(faults.status(503, {"Retry-After": "18446744073709551615"}), path="/case-2/*", times=1)
    cloud.faults.add(faults.status(503, {"Retry-After": "soon"}), path="/case-3/*", times=1)
    cloud.faults.add(faults.status(503, {"Retry-After": "-1"}), path="/case-4/*", times=1)
    answers = azure_look_ups([{}] * 5, RINGBEARER_TIMEOUT="30")
    assert served(answers) == [True, False, False, True, True]
    first, second = cloud.log.requests(host="pkgs.dev.azure.com", path="/case-0/*")
    assert second.time - first.time >= 2
    # Beyond the limit of the lookup: neither waiting nor an earlier retry helps.
    for number in (1, 2):
        assert len(cloud.log.requests(path=f"/case-{number}/*")) == 1
        assert answers[number].seconds < 2
        assert "429" in answers[number].warning or "503" in answers[number].warning


def test_connections_are_used_again(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    cloud.faults.add(faults.status(503, {"Retry-After": "0"}), path="/case-2/*", times=2)
    assert served(azure_look_ups([{}] * 5)) == [True] * 5
    assert len(cloud.log.requests()) == 12
    hosts = [request.host for request in cloud.log.requests(method="CONNECT")]
    assert sorted(hosts) == ["pkgs.dev.azure.com", "vssps.dev.azure.com"]


def test_connection_closed_by_the_server_is_opened_again(cloud: PracticeCloud, azure_look_ups: AzureLookUps) -> None:
    cloud.faults.add(faults.replaced(lambda response: dataclasses.replace(response, ending=CLOSE)))
    assert served(azure_look_ups([{}] * 2, **{RETRIES: "1"})) == [True, True]
    assert len(cloud.log.connections()) == 4

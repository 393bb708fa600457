"""How many round trips a lookup waits for, over a relay that delays every chunk.

Three for a new host: connection, TLS and request. See `lab.relay`.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Callable

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import Lookups
from lab.registries.codeartifact.files import AwsFiles
from lab.registries.google.files import GoogleFiles, external_account, job_source

#: Milliseconds of a round trip.
FAR = 200
#: Round trips that a busy machine may add.
NOISE = 0.6
#: The most runs, far and near.
RUNS = 12
#: Azure: the feed, and meanwhile the connection to the next host; then its request.
UNKNOWN = 4.0
#: Azure, where the session knows the organisation: one host, if the kernel has a key service.
KNOWN = 3.0 if kernel_keys.can_share() else UNKNOWN
#: Menda: two requests to one host.
MENDA = 4.0
#: CodeArtifact: one request, or one to STS and meanwhile the connection to the next host; then its request.
CODEARTIFACT, CODEARTIFACT_ROLE = 3.0, 4.0
#: Google: one request; or a job's identity token, and meanwhile the connections to the next hosts; then their requests.
GOOGLE, GOOGLE_JOB = 3.0, 5.0


def assert_round_trips(cloud: PracticeCloud, seconds: Callable[[], float], expected: float) -> None:
    """The difference between far and near, of the fastest runs, is the expected number of round trips."""
    near, far = [], []
    # Other load on the machine only increases a time.
    while len(near) < RUNS:
        for milliseconds, times in ((0, near), (FAR, far)):
            cloud.round_trip_ms = milliseconds
            times.append(seconds() * 1000 / FAR)
        if min(far) - min(near) < expected + NOISE:
            break
    assert min(far) > expected - 0.1, "the relay takes as long as it says"
    assert min(far) - min(near) < expected + NOISE


def logins(cloud: PracticeCloud, home: Path) -> dict[str, dict[str, str]]:
    azure, aws = cloud.azure, cloud.codeartifact
    application = azure.directory.application("builder", azure.tenant, secret="its-secret")
    return {
        "bearer": {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": azure.directory.user_token(azure.user)},
        "client secret": {"AZURE_CLIENT_ID": application.client_id, "AZURE_CLIENT_SECRET": "its-secret"},
        "menda": dict(cloud.menda.variables),
        "access key": aws.user.variables,
        "role": {"AWS_PROFILE": write_role(cloud, home)},
        **google_logins(cloud, home),
    }


def google_logins(cloud: PracticeCloud, home: Path) -> dict[str, dict[str, str]]:
    """The credential files of Google, by the variable that names them."""
    google, job = cloud.google, cloud.azure.github_actions.job()
    provider = google.trust_job(job.subject, is_impersonating=True)
    files = {
        "google person": google.login.file,
        "google service account": google.key.file,
        "google job": external_account(provider, job_source(job, provider), google.publisher),
    }
    written = {name: GoogleFiles(home).write(content, f"{name}.json") for name, content in files.items()}
    return {name: {"GOOGLE_APPLICATION_CREDENTIALS": str(path)} for name, path in written.items()}


def url_for(cloud: PracticeCloud, login: str) -> str:
    """The index that a login is for."""
    aws, google = cloud.codeartifact.repository.url, cloud.google.repository.url
    urls = {"menda": cloud.menda.plugins.url, "access key": aws, "role": aws}
    return google if login.startswith("google ") else urls.get(login, cloud.azure.feed.url())


def write_role(cloud: PracticeCloud, home: Path) -> str:
    """Write a profile that assumes a role with an access key. Returns its name."""
    aws, files = cloud.codeartifact, AwsFiles(home)
    files.write_credentials({"ada": aws.user})
    files.write_config(
        {"profile reader": {"role_arn": aws.accounts.role("reader", aws.user).arn, "source_profile": "ada"}}
    )
    return "reader"


@pytest.mark.parametrize(
    ("login", "cache", "expected"),
    [
        ("bearer", "off", UNKNOWN),
        ("bearer", "session", KNOWN),
        ("client secret", "off", UNKNOWN),
        ("menda", "off", MENDA),
        ("access key", "off", CODEARTIFACT),
        ("role", "off", CODEARTIFACT_ROLE),
        ("google person", "off", GOOGLE),
        ("google service account", "off", GOOGLE),
        ("google job", "off", GOOGLE_JOB),
    ],
)
def test_native_keyring_waits_for_few_round_trips(
    cloud: PracticeCloud, native: Client, home: Path, login: str, cache: str, expected: float
) -> None:
    url = url_for(cloud, login)
    cloud.round_trip_ms = 0
    environment = cloud.environment(home, RINGBEARER_CACHE=cache, **logins(cloud, home)[login])

    numbers = itertools.count()

    def seconds() -> float:
        # Another login each time, which has no token yet.
        environment["AZD_AUTH_CERT"] = str(next(numbers))
        start = time.monotonic()
        ended = native.run(["keyring", "--mode", "creds", "get", url], environment).check()
        assert ended.stdout
        return time.monotonic() - start

    seconds()
    assert_round_trips(cloud, seconds, expected)


@pytest.mark.parametrize("login", ["access key", "google person"])
def test_service_is_asked_once_and_then_not_waited_for(
    cloud: PracticeCloud, native: Client, home: Path, login: str
) -> None:
    if not kernel_keys.can_share():
        pytest.skip("needs the kernel's key retention service")
    cloud.round_trip_ms = 0
    url = url_for(cloud, login)
    environment = cloud.environment(home, RINGBEARER_CACHE="session", **logins(cloud, home)[login])

    def seconds() -> float:
        start = time.monotonic()
        assert native.run(["keyring", "--mode", "creds", "get", url], environment).check().stdout
        return time.monotonic() - start

    seconds()
    assert [request.method for request in cloud.log.requests()] == ["POST"] and len(cloud.log.connections()) == 1
    assert_round_trips(cloud, seconds, 0)
    assert len(cloud.log.requests()) == 1


@pytest.mark.parametrize(("cache", "expected"), [("off", UNKNOWN + 1), ("session", KNOWN + 1)])
def test_login_waits_for_one_more_to_refresh(
    cloud: PracticeCloud, native: Client, home: Path, cache: str, expected: float
) -> None:
    if not kernel_keys.can_share():
        pytest.skip("needs the kernel's key retention service")
    cloud.round_trip_ms = 0
    cloud.entra.device_user = cloud.azure.user
    url = cloud.azure.feed.url()
    environment = cloud.environment(home, RINGBEARER_CACHE=cache, RINGBEARER_LOGIN_STORE="session")
    native.run(["ringbearer", "login", url, "--device-code"], environment).check()
    numbers = itertools.count()

    def seconds() -> float:
        environment["AZD_AUTH_CERT"] = str(next(numbers))
        start = time.monotonic()
        assert native.run(["keyring", "--mode", "creds", "get", url], environment).check().stdout
        return time.monotonic() - start

    seconds()
    assert_round_trips(cloud, seconds, expected)


@pytest.mark.parametrize(("cache", "expected"), [("off", UNKNOWN), (None, KNOWN)])
def test_wheel_waits_for_few_round_trips(
    cloud: PracticeCloud, look_up: Lookups, home: Path, cache: str | None, expected: float
) -> None:
    variables = {**logins(cloud, home)["bearer"], "RINGBEARER_CACHE": cache}
    cloud.round_trip_ms = 0

    def seconds() -> float:
        answer = look_up(**variables)
        assert answer.credential
        return answer.seconds

    seconds()
    assert_round_trips(cloud, seconds, expected)

"""The trust store of the system: its bundle and the file beside it (Linux)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from lab import namespace
from lab.authority import CertificateAuthority
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
#: As `openssl rehash` names it.
BESIDE = "/etc/ssl/certs/0a1b2c3d.0"

pytestmark = pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")


@pytest.fixture
def elsewhere() -> str:
    """The certificate of an authority unrelated to the practice cloud."""
    other = CertificateAuthority()
    try:
        return Path(other.ca_file).read_text()
    finally:
        other.close()


def ask(cloud: PracticeCloud, native: Client, home: Path, files: dict[str, str]) -> Completed:
    """A lookup where the system trusts these files, and no variable names others."""
    unset = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT", "SSL_CERT_FILE", "SSL_CERT_DIR")
    bearer = cloud.azure.directory.user_token(cloud.azure.user)
    environment = cloud.environment(home, ARTIFACTS_KEYRING_NOFUSS_TOKEN=bearer, **dict.fromkeys(unset))
    command = [*namespace.with_files(files), native.program("keyring"), "get", cloud.azure.feed.url(), "frodo"]
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=20, check=False)
    return Completed(command, ended.returncode, ended.stdout, ended.stderr, 0, ended.stdout.encode())


@pytest.fixture
def practice(cloud: PracticeCloud) -> str:
    """The certificate of the practice cloud's own authority."""
    return Path(cloud.ca_file).read_text()


def test_the_bundle_is_trusted(cloud: PracticeCloud, native: Client, home: Path, practice: str, elsewhere: str) -> None:
    ended = ask(cloud, native, home, {BUNDLE: elsewhere + practice})
    assert (ended.code, ended.stderr) == (0, ""), ended
    # One connection each for the feed and the token authority: no retry.
    assert len(cloud.log.connections()) == 2


@pytest.mark.parametrize("has_bundle", [True, False], ids=["beside a bundle", "without a bundle"])
def test_file_beside_the_bundle_is_trusted_too(
    cloud: PracticeCloud, native: Client, home: Path, practice: str, elsewhere: str, has_bundle: bool
) -> None:
    files = {BESIDE: practice, **({BUNDLE: elsewhere} if has_bundle else {})}
    ended = ask(cloud, native, home, files)
    assert (ended.code, ended.stderr) == (0, ""), ended
    # Before the bundle is found to lack the authority, a connection to each host fails.
    assert len(cloud.log.connections()) == (4 if has_bundle else 2)
    assert len(cloud.log.bearers()) == 1


def test_authority_in_neither_file_is_not_trusted(
    cloud: PracticeCloud, native: Client, home: Path, elsewhere: str
) -> None:
    ended = ask(cloud, native, home, {BUNDLE: elsewhere, BESIDE: elsewhere})
    assert (ended.code, ended.stdout) == (1, "")
    assert "the certificate of pkgs.dev.azure.com is not trusted" in ended.stderr
    assert cloud.log.requests() == []

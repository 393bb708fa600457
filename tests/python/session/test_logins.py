"""A cached token serves only the login that it was issued for."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from lab import kernel_keys, namespace
from lab.chainctl import logged_in
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer, FakePrograms, az_profile, az_token, azd_token, helper_token
from lab.registries.azure.directory import Application
from support.azure_user import AzureUser
from support.native_keyring import NativeKeyring
from support.session_keyring import SERVICE, from_another_tool, keyring_of, tokens
from support.session_keyring import get_for_another_tool as get

MOUNTED = "/run/secrets/ARTIFACTS_KEYRING_NOFUSS_TOKEN"


@pytest.fixture
def keyring(azure_user: AzureUser, native: Client) -> NativeKeyring:
    """The native `keyring`, with Frodo logged in with `az`."""
    return keyring_of(azure_user, native)


@pytest.fixture
def bearer(cloud: PracticeCloud) -> str:
    """A token of Frodo."""
    return cloud.azure.directory.user_token(cloud.azure.user)


def test_symlinked_login_is_identified_by_its_target(keyring: NativeKeyring, home: Path, tmp_path: Path) -> None:
    profile, file = home / ".azure" / "azureProfile.json", tmp_path / "profile.json"
    os.replace(profile, file)
    profile.symlink_to(file)
    first = get(keyring)
    assert get(keyring) == first
    file.write_text("{}")
    assert get(keyring) != first


@pytest.mark.parametrize("place", ["$HOME/work", "~/work", "~"])
def test_the_folder_of_az_may_be_elsewhere(keyring: NativeKeyring, home: Path, place: str) -> None:
    written = place.replace("$HOME", str(home))
    folder = Path(place.replace("$HOME", str(home)).replace("~", str(home)))
    (home / ".azure" / "azureProfile.json").unlink()
    folder.mkdir(exist_ok=True)
    (folder / "azureProfile.json").write_text("{}")
    first = get(keyring, AZURE_CONFIG_DIR=written)
    assert get(keyring, AZURE_CONFIG_DIR=written) == first
    (folder / "azureProfile.json").write_text("{ }")
    assert get(keyring, AZURE_CONFIG_DIR=written) != first


def test_relative_az_directory_is_never_cached(keyring: NativeKeyring, tmp_path: Path) -> None:
    for name in ("here", "there"):
        az_profile(tmp_path / name, f"{name}@contoso.example")
    get(keyring, AZURE_CONFIG_DIR=".azure", directory=tmp_path / "here")
    get(keyring, AZURE_CONFIG_DIR=".azure", directory=tmp_path / "there")
    assert tokens() == []


@pytest.mark.parametrize("missing", ["the profile", "the home directory"])
def test_of_an_az_that_has_its_login_elsewhere_nothing_is_kept(
    keyring: NativeKeyring, home: Path, missing: str
) -> None:
    """As az.exe under WSL, or a script that runs az in a container."""
    if missing == "the profile":
        (home / ".azure" / "azureProfile.json").unlink()
        get(keyring)
    else:
        get(keyring, HOME=None, AZURE_CONFIG_DIR=None)
    assert tokens() == []


@pytest.fixture
def azd(home: Path, fake_programs: FakePrograms, bearer: str) -> Path:
    """The directory of azd with a login; there is none of `az`."""
    fake_programs.remove("az")
    fake_programs.azd(azd_token(bearer))
    folder = home / ".azd"
    folder.mkdir()
    (folder / "auth.json").write_text('{"auth": {"account": {"currentUser": {"homeAccountId": "frodo"}}}}')
    (folder / "config.json").write_text('{"defaults": {"location": "shire"}}')
    return folder


@pytest.mark.parametrize("name", ["auth.json", "config.json"])
def test_another_login_of_azd_finds_nothing(keyring: NativeKeyring, azd: Path, name: str) -> None:
    first = get(keyring)
    assert get(keyring) == first
    (azd / name).write_text("{}")
    assert get(keyring) != first


@pytest.mark.parametrize("whose", ["nobody's", "that of az", "the editor's", "it is in the working directory"])
def test_azd_without_its_own_login_is_never_cached(keyring: NativeKeyring, azd: Path, whose: str) -> None:
    variables = {}
    if whose == "nobody's":
        (azd / "auth.json").unlink()
    elif whose == "that of az":
        (azd / "config.json").write_text('{"auth": {"useAzCliAuth": "true"}}')
    elif whose == "the editor's":
        variables["AZD_AUTH_ENDPOINT"] = "http://127.0.0.1:9"
    else:
        variables["AZD_CONFIG_DIR"] = "azd"
    get(keyring, **variables)
    assert tokens() == []


def test_provider_after_ado_auth_helper_is_never_cached(
    keyring: NativeKeyring, azd: Path, home: Path, fake_programs: FakePrograms
) -> None:
    fake_programs.ado_auth_helper(home, Answer(code=1))
    ended = keyring("get", SERVICE, "frodo").check()
    assert ended.stdout and "ado_auth_helper failed" in ended.stderr
    assert tokens() == []


def test_ado_auth_helper_token_is_never_cached(
    keyring: NativeKeyring, home: Path, fake_programs: FakePrograms, bearer: str
) -> None:
    fake_programs.remove("az")
    fake_programs.ado_auth_helper(home, helper_token(bearer))
    get(keyring)
    assert tokens() == []


@pytest.mark.parametrize("is_kept", [True, False], ids=["here", "elsewhere"])
def test_a_token_of_chainctl_is_kept_if_its_login_is_here(
    cloud: PracticeCloud, native: Client, fake_programs: FakePrograms, home: Path, is_kept: bool
) -> None:
    kernel_keys.need_sharing()
    chainguard = cloud.chainguard
    fake_programs.chainctl(logged_in(chainguard.token(subject="ada")))
    if is_kept:
        login = Path(chainguard.write_login(home))
    keyring = NativeKeyring(cloud, native, home, [fake_programs.directory])
    words = ["keyring", "get", chainguard.python.url, "_token"]
    first = from_another_tool(keyring, *words).check().stdout
    fake_programs.chainctl(logged_in(chainguard.token(subject="eve")))
    assert (from_another_tool(keyring, *words).check().stdout == first) == is_kept
    if is_kept:
        login.write_text("another-refresh-token")
        assert from_another_tool(keyring, *words).check().stdout != first
    assert bool(tokens()) == is_kept


def test_another_token_in_a_file_finds_nothing(
    cloud: PracticeCloud, keyring: NativeKeyring, tmp_path: Path, bearer: str
) -> None:
    file = tmp_path / "token"
    file.write_text(bearer)
    variables = {"ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE": str(file)}
    first = get(keyring, **variables)
    assert get(keyring, **variables) == first
    file.write_text(cloud.azure.directory.user_token(cloud.azure.user))
    assert get(keyring, **variables) != first


@pytest.mark.skipif(not namespace.AVAILABLE, reason="needs a mount namespace")
def test_another_token_that_a_container_mounts_finds_nothing(
    cloud: PracticeCloud, keyring: NativeKeyring, bearer: str
) -> None:
    another = cloud.azure.directory.user_token(cloud.azure.user)
    answers = [get(keyring, within=namespace.with_files({MOUNTED: token})) for token in (bearer, another)]
    assert answers[0] != answers[1] and len(tokens()) == 1


def test_login_keeps_one_token_however_often_its_files_change(keyring: NativeKeyring, home: Path) -> None:
    for number in range(4):
        (home / ".azure" / "msal_token_cache.json").write_text("{%s}" % (" " * number))
        get(keyring)
    assert len(tokens()) == 1


def test_nearly_expired_bearer_is_not_cached(
    cloud: PracticeCloud, keyring: NativeKeyring, fake_programs: FakePrograms, identity: Application
) -> None:
    """az returned a token issued an hour ago: its remaining lifetime is the margin for an install."""
    old = cloud.azure.directory.application_token(identity, lifetime=240, iat=int(time.time()) - 3300)
    fake_programs.az(*az_token(old))
    assert get(keyring) == old
    assert tokens() == []

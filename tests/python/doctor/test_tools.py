"""The settings of uv, pip, twine, Poetry and tox that keep them from asking keyring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, TOOLS, Doctor
from support.native_keyring import keyring_script
from support.tool_settings import folder_with, pypirc, uv_index, write


@pytest.fixture
def url(cloud: PracticeCloud, azure_user: AzureUser) -> str:
    """The index of a user who is logged in, without a user name in its URL."""
    return cloud.azure.feed.url()


@pytest.fixture
def named(url: str) -> str:
    """The same URL with a user name."""
    return with_user_name(url)


@pytest.fixture
def uv_alone(tool: Client, tmp_path: Path) -> str:
    """A directory with uv and nothing else."""
    return folder_with(tmp_path / "uv-alone", tool.program("uv"))


@pytest.fixture
def shows(doctor: Doctor, native: Client, tool: Client) -> Callable[..., None]:
    """Compares the section on tools: uv, a pip without a keyring beside it and the native `keyring` are on PATH unless
    another one is given.
    """

    def shows(name: str, *words: str, path: tuple[str, ...] = (native.bin, tool.bin), **more: object) -> None:
        doctor.assert_shows(name, *words, path=path, section=TOOLS, **{**SET_UP, **more})

    return shows


# -- uv


def test_uv_has_no_user_name(shows: Callable[..., None], url: str, native: Client, uv_alone: str) -> None:
    shows("uv-without-user-name", url, path=(native.bin, uv_alone))


def test_uv_has_no_user_name_for_an_index_that_has_a_name(
    shows: Callable[..., None], url: str, native: Client, uv_alone: str, home: Path
) -> None:
    write(home / "uv.toml", uv_index(url, "contoso-tools"))
    shows("uv-without-user-name-by-name", path=(native.bin, uv_alone))


def test_uv_has_no_keyring_provider(shows: Callable[..., None], named: str) -> None:
    shows("uv-without-provider", named, UV_KEYRING_PROVIDER=None)


def test_uv_keyring_provider_is_disabled(shows: Callable[..., None], named: str, home: Path) -> None:
    write(home / ".config" / "uv" / "uv.toml", 'keyring-provider = "disabled"\n')
    shows("uv-told-not-to-ask", named, UV_KEYRING_PROVIDER=None)


def test_uv_always_authenticates_which_is_not_enough(
    shows: Callable[..., None], url: str, native: Client, uv_alone: str, home: Path
) -> None:
    write(home / "uv.toml", uv_index(url, "contoso", 'authenticate = "always"'))
    shows("uv-always-authenticates", path=(native.bin, uv_alone))


def test_uv_has_a_password_in_the_url_of_the_index(
    shows: Callable[..., None], url: str, native: Client, uv_alone: str, home: Path
) -> None:
    write(home / "uv.toml", uv_index(url.replace("//", "//frodo:mellon@"), "contoso"))
    shows("uv-password-in-url", path=(native.bin, uv_alone))


def test_uv_has_a_password_in_a_variable(
    shows: Callable[..., None], url: str, native: Client, uv_alone: str, home: Path
) -> None:
    write(home / "uv.toml", uv_index(url, "contoso"))
    shows("uv-password-in-variable", path=(native.bin, uv_alone), UV_INDEX_CONTOSO_PASSWORD="mellon")


def test_uv_has_the_user_name_in_a_variable(
    shows: Callable[..., None], url: str, native: Client, uv_alone: str, home: Path
) -> None:
    write(home / "uv.toml", uv_index(url, "contoso.tools"))
    shows("uv-user-name-in-variable", UV_INDEX_CONTOSO_TOOLS_USERNAME="VssSessionToken", path=(native.bin, uv_alone))


def test_uv_has_a_password_of_its_own_login(
    shows: Callable[..., None], named: str, native: Client, uv_alone: str, tool: Client, doctor: Doctor
) -> None:
    words = ["uv", "auth", "login", "pkgs.dev.azure.com", "--username", "VssSessionToken", "--password", "mellon"]
    tool.run(words, doctor.environment()).check()
    shows("uv-password-of-login", named, path=(native.bin, uv_alone))


def test_uv_ignores_variables_with_a_token(
    shows: Callable[..., None], doctor: Doctor, url: str, native: Client, uv_alone: str, home: Path
) -> None:
    write(home / "uv.toml", uv_index(url, "contoso-tools"))
    tokens = {"UV_INDEX_URL_TOKEN_PKGS_DEV_AZURE_COM_": "mellon", "UV_INDEX_CONTOSO_TOOLS_TOKEN": "mellon"}
    shows("uv-token-in-variable", path=(native.bin, uv_alone), **tokens)
    found = doctor.examine(path=[uv_alone], **tokens)
    assert [one.state for one in found.findings("uv")] == ["bad", "doubtful", "doubtful"]


# -- the keyring on PATH


def test_keyring_is_not_on_path(shows: Callable[..., None], named: str, tool: Client) -> None:
    shows("keyring-missing", named, path=(tool.bin,))


def test_the_first_keyring_on_path_does_not_know_ringbearer(
    shows: Callable[..., None], named: str, native: Client, tool: Client, client_without: Client
) -> None:
    shows("keyring-without-ringbearer", named, path=(tool.bin, client_without.bin, native.bin))


def test_the_first_keyring_on_path_is_pythons_with_ringbearer(
    shows: Callable[..., None], named: str, tool: Client, client: Client
) -> None:
    shows("keyring-of-python", named, path=(tool.bin, client.bin))


def test_the_first_keyring_on_path_is_broken(
    shows: Callable[..., None], named: str, native: Client, tool: Client, tmp_path: Path
) -> None:
    broken = keyring_script(tmp_path / "broken", "echo ringbearer >&2", "exit 1")
    shows("keyring-broken", named, path=(str(broken), native.bin, tool.bin))


def test_a_variable_chooses_another_backend(shows: Callable[..., None], named: str) -> None:
    shows("backend-by-variable", named, PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")


def test_a_file_chooses_another_backend(shows: Callable[..., None], named: str, home: Path) -> None:
    text = "[backend]\ndefault-keyring = keyring.backends.null.Keyring\n"
    write(home / ".config" / "python_keyring" / "keyringrc.cfg", text)
    shows("backend-by-file", named)


def test_a_variable_chooses_the_backend_that_serves(shows: Callable[..., None], named: str) -> None:
    shows("backend-that-serves", named, PYTHON_KEYRING_BACKEND="ringbearer.backends.AzureArtifactsKeyring")


def test_netrc_entry_precedes_keyring(
    shows: Callable[..., None], url: str, native: Client, uv_alone: str, home: Path
) -> None:
    write(home / ".netrc", "machine pkgs.dev.azure.com login frodo password mellon\n")
    shows("netrc", url, path=(native.bin, uv_alone))


def test_netrc_entry_for_another_host_is_ignored(shows: Callable[..., None], named: str, home: Path) -> None:
    write(home / ".netrc", "# machine pkgs.dev.azure.com\nmachine dev.azure.com login frodo password mellon\n")
    shows("netrc-of-another-host", named)


# -- pip


def test_pip_keyring_provider_is_disabled(shows: Callable[..., None], named: str) -> None:
    shows("pip-disabled", named, PIP_KEYRING_PROVIDER="disabled")


def test_pip_keyring_provider_is_disabled_by_its_file(shows: Callable[..., None], named: str, home: Path) -> None:
    write(home / ".config" / "pip" / "pip.conf", "[global]\nkeyring-provider = disabled\n")
    shows("pip-disabled-by-file", named, PIP_KEYRING_PROVIDER=None, PIP_CONFIG_FILE=None)


def test_pip_keyring_provider_is_unknown(shows: Callable[..., None], named: str, home: Path) -> None:
    shows("pip-unknown-provider", named, PIP_KEYRING_PROVIDER="native")
    write(home / ".config" / "pip" / "pip.conf", "[global]\nkeyring-provider = native\n")
    shows("pip-unknown-provider-in-file", named, PIP_CONFIG_FILE=None)


def test_pip_has_a_password_in_the_url_of_the_index(shows: Callable[..., None], url: str, home: Path) -> None:
    index = url.replace("//", "//frodo:mellon@")
    shows("pip-password-in-variable", PIP_INDEX_URL=index)
    write(home / ".config" / "pip" / "pip.conf", f"[global]\nindex-url = {index}\n")
    shows("pip-password-in-file", PIP_CONFIG_FILE=None)


def test_each_tool_is_judged_by_its_own_settings(
    doctor: Doctor, url: str, home: Path, native: Client, tool: Client
) -> None:
    # A password for pip is none for uv, and the reverse.
    index = url.replace("//", "//frodo:mellon@")
    found = doctor.examine(path=[native.bin, tool.bin], **SET_UP, PIP_INDEX_URL=index)
    assert (found.finding("uv").state, found.finding("pip").state) == ("good", "bad")
    write(home / "uv.toml", uv_index(index, "contoso"))
    found = doctor.examine(path=[native.bin, tool.bin], **SET_UP)
    assert (found.finding("uv").state, found.finding("pip").state) == ("bad", "good")


def test_pip_without_input_does_not_ask(shows: Callable[..., None], named: str, native: Client, client: Client) -> None:
    shows("pip-without-input", named, PIP_KEYRING_PROVIDER=None, PIP_NO_INPUT="1")
    path = (native.bin, client.bin)
    shows("pip-without-input-beside-ringbearer", named, path=path, PIP_KEYRING_PROVIDER=None, PIP_NO_INPUT="1")


def test_pip_imports_the_keyring_beside_it(
    shows: Callable[..., None], named: str, native: Client, client: Client, client_without: Client
) -> None:
    shows("pip-imports", named, path=(native.bin, client.bin), PIP_KEYRING_PROVIDER="import")
    shows("pip-imports-another-keyring", named, path=(native.bin, client_without.bin), PIP_KEYRING_PROVIDER="import")


def test_an_old_pip_needs_a_user_name(
    shows: Callable[..., None], url: str, named: str, native: Client, caller: Callable[[str], Client]
) -> None:
    path = (native.bin, caller("pip-26.1").bin)
    shows("pip-26.1-without-user-name", url, path=path)
    shows("pip-26.1-with-user-name", named, path=path)


# -- twine, Poetry, tox


def test_twine_has_no_ringbearer_beside_it(
    shows: Callable[..., None], named: str, native: Client, client_without: Client
) -> None:
    shows("twine-without-ringbearer", named, path=(native.bin, client_without.bin), PIP_KEYRING_PROVIDER="subprocess")


def test_twine_has_its_own_password(
    shows: Callable[..., None], named: str, home: Path, native: Client, client: Client
) -> None:
    shows("twine-password-in-variable", named, path=(native.bin, client.bin), TWINE_PASSWORD="mellon")
    write(home / ".pypirc", pypirc(named.rpartition("simple/")[0] + "upload", "mellon"))
    shows("twine-password-in-file", named, path=(native.bin, client.bin))


def test_poetry_and_tox_have_ringbearer_beside_them(
    shows: Callable[..., None], named: str, native: Client, poetry: Client, tox: Client
) -> None:
    shows("poetry-and-tox", named, path=(native.bin, poetry.bin, tox.bin))


def test_poetry_keyring_is_disabled(
    shows: Callable[..., None], doctor: Doctor, named: str, native: Client, poetry: Client
) -> None:
    path = (native.bin, poetry.bin)
    shows("poetry-disabled-by-variable", named, path=path, POETRY_KEYRING_ENABLED="false")
    poetry.run(["poetry", "config", "keyring.enabled", "false"], doctor.environment()).check()
    shows("poetry-disabled-by-file", named, path=path)

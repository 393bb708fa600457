"""The proxy of the system's settings: Internet Settings in the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from lab.cloud import PracticeCloud
from lab.windows.user import WindowsUser
from support.windows_answers import assert_complaint

#: Of the user; of the machine, which count if the policy says so.
KEY = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Internet Settings"
MACHINE_KEY = KEY.replace("HKCU", "HKLM")
POLICIES = MACHINE_KEY.replace("\\Software\\", "\\Software\\Policies\\")
NAMES = ("ProxyEnable", "ProxyServer", "ProxyOverride", "AutoConfigURL")

Settings = Callable[..., None]


@pytest.fixture
def settings(cloud_user: WindowsUser, cloud: PracticeCloud) -> Iterator[Settings]:
    """Writes the settings. No variable names a proxy, and the user has a token."""

    def write(**values: str) -> None:
        for name, value in values.items():
            kind = "REG_DWORD" if name == "ProxyEnable" else "REG_SZ"
            reg(cloud_user, "add", KEY, "/v", name, "/t", kind, "/d", value, "/f")

    def remove() -> None:
        for name in NAMES:
            cloud_user.run(REG, "delete", KEY, "/v", name, "/f")

    cloud_user.variables.update({name: None for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")})
    cloud_user.variables["ARTIFACTS_KEYRING_NOFUSS_TOKEN"] = cloud.azure.directory.user_token(cloud.azure.user)
    cloud_user.variables["ARTIFACTS_KEYRING_NOFUSS_RETRIES"] = "1"
    cloud_user.variables["RINGBEARER_TIMEOUT"] = "20"
    remove()
    yield write
    remove()


REG = "C:\\windows\\system32\\reg.exe"


def reg(user: WindowsUser, *words: str) -> None:
    """Change the registry."""
    user.run(REG, *words).check()


def ask(user: WindowsUser, cloud: PracticeCloud, **variables: str | None):
    """A lookup that takes two requests."""
    return user.run("ringbearer", "get", cloud.azure.feed.url(), "VssSessionToken", variables=variables)


def address(cloud: PracticeCloud) -> str:
    """Host and port of the proxy of the cloud."""
    return cloud.proxy_url.removeprefix("http://").rpartition("@")[2]


@pytest.mark.parametrize("form", ["{}", "http://{}", "http=127.0.0.1:9;https={}", "ftp=127.0.0.1:9;https=http://{}"])
def test_proxy_of_the_settings_is_used(
    cloud_user: WindowsUser, cloud: PracticeCloud, settings: Settings, form: str
) -> None:
    settings(ProxyEnable="1", ProxyServer=form.format(address(cloud)))
    ask(cloud_user, cloud).check()
    assert len(cloud.log.requests(method="CONNECT")) == 2


def test_policy_replaces_the_settings_of_the_user(
    cloud_user: WindowsUser, cloud: PracticeCloud, settings: Settings
) -> None:
    settings(ProxyEnable="1", ProxyServer="127.0.0.1:9")
    try:
        reg(cloud_user, "add", POLICIES, "/v", "ProxySettingsPerUser", "/t", "REG_DWORD", "/d", "0", "/f")
        reg(cloud_user, "add", MACHINE_KEY, "/v", "ProxyEnable", "/t", "REG_DWORD", "/d", "1", "/f")
        reg(cloud_user, "add", MACHINE_KEY, "/v", "ProxyServer", "/d", address(cloud), "/f")
        ask(cloud_user, cloud).check()
    finally:
        for key, name in [
            (POLICIES, "ProxySettingsPerUser"),
            (MACHINE_KEY, "ProxyEnable"),
            (MACHINE_KEY, "ProxyServer"),
        ]:
            cloud_user.run(REG, "delete", key, "/v", name, "/f")


def test_variable_comes_before_the_settings(cloud_user: WindowsUser, cloud: PracticeCloud, settings: Settings) -> None:
    settings(ProxyEnable="1", ProxyServer="127.0.0.1:9")
    ask(cloud_user, cloud, HTTPS_PROXY=cloud.proxy_url).check()


def test_proxy_of_the_settings_that_refuses_is_named(
    cloud_user: WindowsUser, cloud: PracticeCloud, settings: Settings
) -> None:
    cloud.proxy.require("sam", "right")
    settings(ProxyEnable="1", ProxyServer=address(cloud))
    assert_complaint(ask(cloud_user, cloud), "pkgs.dev.azure.com", "407", "HTTPS_PROXY", "USER:PASSWORD@HOST:PORT")


def test_unreachable_proxy_of_the_settings_is_named(
    cloud_user: WindowsUser, cloud: PracticeCloud, settings: Settings
) -> None:
    settings(ProxyEnable="1", ProxyServer="127.0.0.1:9")
    assert_complaint(ask(cloud_user, cloud), "pkgs.dev.azure.com", "the system's proxy settings")

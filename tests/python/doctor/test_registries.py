"""The registries of Chainguard and Menda, and URLs of no registry."""

from __future__ import annotations

import pytest
from lab import chainctl
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.menda import HOST, REGISTRY_HOST
from lab.registry import Registry
from support.azure_user import AzureUser
from support.doctor import Doctor

LIBRARIES = "https://libraries.cgr.dev/python/simple/"
PLUGINS = f"https://{REGISTRY_HOST}/pypi/plugins/simple/"


# -- Chainguard


def test_chainguard_serves_from_the_file_of_chainctl(cloud: PracticeCloud, doctor: Doctor) -> None:
    cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token())
    doctor.assert_shows("chainguard-from-cache", LIBRARIES)
    assert {request.host for request in cloud.log.requests()} == {"libraries.cgr.dev"}


def test_chainguard_serves_from_chainctl(cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms) -> None:
    fake_programs.chainctl(chainctl.logged_in(cloud.chainguard.token()))
    doctor.assert_shows("chainguard-from-chainctl", LIBRARIES)


def test_chainguard_has_no_chainctl(doctor: Doctor) -> None:
    doctor.assert_shows("chainguard-without-chainctl", LIBRARIES)


def test_chainguard_has_a_token_that_has_ended(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms
) -> None:
    cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token(lifetime=-60))
    fake_programs.chainctl(chainctl.not_logged_in())
    doctor.assert_shows("chainguard-login-ended", LIBRARIES)


def test_chainguard_denies_access_to_a_known_user(cloud: PracticeCloud, doctor: Doctor) -> None:
    cloud.chainguard.unentitled.add("frodo")
    cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token())
    doctor.assert_shows("chainguard-403", LIBRARIES)


# -- Menda


def test_menda_serves_a_machine(cloud: PracticeCloud, doctor: Doctor) -> None:
    doctor.assert_shows("menda-machine", PLUGINS, **cloud.menda.variables)


def test_menda_serves_a_logged_in_user(cloud: PracticeCloud, doctor: Doctor) -> None:
    cloud.menda.write_profile(doctor.home, f"[default]\nhost = {HOST}\n")
    cloud.menda.write_login(doctor.home, cloud.menda.log_in())
    doctor.assert_shows("menda-login", PLUGINS)


def test_menda_is_half_set_up(cloud: PracticeCloud, doctor: Doctor) -> None:
    variables = {**cloud.menda.variables, "MENDA_CLIENT_SECRET": None}
    doctor.assert_shows("menda-half-set-up", PLUGINS, **variables)
    assert cloud.log.requests() == []


def test_menda_has_a_profile_and_no_login(cloud: PracticeCloud, doctor: Doctor) -> None:
    cloud.menda.write_profile(doctor.home, f"[default]\nhost = {HOST}\n")
    doctor.assert_shows("menda-without-login", PLUGINS)


def test_menda_repository_is_unknown(cloud: PracticeCloud, doctor: Doctor) -> None:
    doctor.assert_shows("menda-404", PLUGINS.replace("/plugins/", "/plugin/"), **cloud.menda.variables)


def test_menda_without_login_is_not_blamed_on_the_url(doctor: Doctor) -> None:
    found = doctor.examine(PLUGINS)
    assert (found.code, found.finding("credential").state) == (1, "bad")
    assert "menda auth login" in found.fix("credential"), found.fix("credential")


# -- every registry


def test_file_of_the_index_is_served_from_another_host(registry: Registry, doctor: Doctor) -> None:
    # Tools ask for file URLs too. Files on another host are found through a redirect.
    cloud, url = registry.cloud, registry.file_url("greetings-2.0-py3-none-any.whl")
    found = doctor.examine(url, **registry.variables)
    assert found.finding("registry").state == "good", found.finding("registry")
    assert found.code == 0
    for password in registry.passwords():
        assert cloud.log.hosts_that_saw(password) == [registry.host]


# -- addresses


def test_a_foreign_host_is_the_stores_business(cloud: PracticeCloud, doctor: Doctor) -> None:
    doctor.assert_shows("foreign", "https://registry.example/simple/")
    assert cloud.log.requests() == [] and cloud.log.requests(method="CONNECT") == []


def test_plain_http_url_gets_no_credential(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    doctor.assert_shows("plain-http", cloud.azure.feed.url().replace("https:", "http:"))
    assert cloud.log.requests() == []


def test_url_with_another_port_gets_no_credential(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    url = cloud.azure.feed.url().replace("azure.com/", "azure.com:8443/")
    doctor.assert_shows("another-port", url)
    assert cloud.log.requests() == []


def test_invalid_url_is_reported_as_invalid(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    doctor.assert_shows("no-address", "https:/pkgs.dev.azure.com\\contoso")
    assert cloud.log.requests() == []


@pytest.mark.parametrize(
    "url",
    [
        "",
        "contoso tools",
        "ftp://pkgs.dev.azure.com/contoso/",
        "https://",
        "https://[::1]/simple/",
        "https://127.0.0.1/simple/",
        "https://pkgs.dev.azure.com%2econtoso/",
        "https://pkgs.dev.azure.com\\@registry.example/",
        "https://registry.example/\x1b[31m",
        "https://r\u00e9gistry.example/",
        "https://registry.example/" + "x" * 9000,
        "file:///etc/passwd",
    ],
)
def test_no_odd_text_is_asked_for_or_shown_raw(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, url: str
) -> None:
    ended = doctor(url)
    assert ended.code == 1
    assert "FAIL  address" in ended.stdout and "https://HOST/PATH" in ended.stdout
    assert "\x1b" not in ended.output and "x" * 1000 not in ended.output
    assert cloud.log.requests() == [] and cloud.log.requests(method="CONNECT") == []

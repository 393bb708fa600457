"""Organisations on one host: uv has one password for both, and the doctor says so exactly when the real uv fails."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.packages import wheel
from lab.registries.azure.organisations import Feed
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, TOOLS, Doctor
from support.tool_settings import write

LATER, ALWAYS = "default = true", 'authenticate = "always"'


@pytest.fixture
def contoso(cloud: PracticeCloud, azure_user: AzureUser) -> Feed:
    """The feed of the first organisation; the user is logged in."""
    return cloud.azure.feed


@pytest.fixture
def fabrikam(cloud: PracticeCloud) -> Feed:
    """The feed of another organisation."""
    feed = cloud.azure.organisation("fabrikam", cloud.azure.tenant).feed("tools")
    feed.add(wheel("rare"))
    return feed


@pytest.fixture
def install(doctor: Doctor, native: Client, tool: Client) -> Callable[..., Completed]:
    """Installs a package of each organisation with uv."""

    def install(**variables: str) -> Completed:
        environment = doctor.environment([native.bin, tool.bin], UV_PYTHON=tool.python, **SET_UP, **variables)
        words = ["uv", "pip", "install", "--target", "packages", "--reinstall", "--no-cache", "greetings", "rare"]
        return tool.run(words, environment)

    return install


def two(first: str, second: str, *more: str) -> str:
    """A `uv.toml` with both indexes."""
    both = [("contoso", first, more), ("fabrikam", second, (*more, LATER))]
    return "\n".join(
        "\n".join(["[[index]]", f'name = "{name}"', f'url = "{url}"', *rest, ""]) for name, url, rest in both
    )


def written(first: str, second: str, way: str) -> tuple[str, dict[str, str]]:
    """The content of `uv.toml` and the variables that name the indexes in this way."""
    if way == "file":
        return two(with_user_name(first), with_user_name(second)), {}
    if way == "names of their own":
        return two(with_user_name(first, "contoso"), with_user_name(second, "fabrikam")), {}
    if way == "names in variables":
        return two(first, second), {"UV_INDEX_CONTOSO_USERNAME": "x", "UV_INDEX_FABRIKAM_USERNAME": "y"}
    if way == "always":
        return two(first, second, ALWAYS), {}
    if way == "old settings":
        extra, index = with_user_name(first), with_user_name(second)
        return f'index-url = "{index}"\nextra-index-url = ["{extra}"]\n', {}
    return "", {"UV_INDEX": with_user_name(first), "UV_DEFAULT_INDEX": with_user_name(second)}


WAYS = ["file", "names of their own", "names in variables", "always", "old settings", "variables"]


@pytest.mark.parametrize("way", WAYS)
def test_the_second_organisation_on_a_host_fails_until_it_moves(
    doctor: Doctor,
    native: Client,
    tool: Client,
    home: Path,
    contoso: Feed,
    fabrikam: Feed,
    install: Callable[..., Completed],
    way: str,
) -> None:
    text, variables = written(contoso.url(), fabrikam.url(), way)
    write(home / "uv.toml", text)
    assert "401 Unauthorized" in install(**variables).stderr
    found = doctor.examine(path=[native.bin, tool.bin], **SET_UP, **variables)
    [bad] = [one for one in found.findings("uv") if one.state == "bad"]
    assert "two organisations on pkgs.dev.azure.com" in bad.detail
    assert "contoso" in bad.detail and "fabrikam" in bad.detail
    # The line of one index is replaced by the fix.
    line, _, place = bad.fix.partition(" in ")
    old = re.escape(fabrikam.url() if "fabrikam.pkgs" in line else contoso.url()).replace("https://", "https://[^/]*")
    if place == str(home / "uv.toml"):
        key = re.escape(line.partition(" = ")[0])
        changed, count = re.subn(f"(?m)^{key} = .*{old}.*$", lambda _: line, text)
        assert count == 1
        write(home / "uv.toml", changed)
    else:
        variables[place] = line
    if way == "always":
        # uv does not ask for files without a user name: the fix has one.
        assert "//VssSessionToken@" in line
    ended = install(**variables)
    found = doctor.examine(path=[native.bin, tool.bin], **SET_UP, **variables)
    assert [one for one in found.findings("uv") if "two organisations" in one.detail] == []
    if way != "always":
        ended.check()
        assert [one.state for one in found.findings("uv")] == ["good", "good"]


@pytest.mark.parametrize("form", ["visualstudio.com", "dev.azure.com"])
def test_separate_hosts_and_feeds_of_one_organisation_are_well(
    doctor: Doctor,
    native: Client,
    tool: Client,
    home: Path,
    contoso: Feed,
    fabrikam: Feed,
    install: Callable[..., Completed],
    form: str,
) -> None:
    if form == "dev.azure.com":
        fabrikam = contoso.organisation.feed("more")
        fabrikam.add(wheel("rare"))
    write(home / "uv.toml", two(with_user_name(contoso.url()), with_user_name(fabrikam.url(form))))
    install().check()
    found = doctor.examine(path=[native.bin, tool.bin], **SET_UP)
    assert [one.state for one in found.findings("uv")] == ["good", "good"]


def test_one_of_two_organisations_names_the_other(
    doctor: Doctor, native: Client, tool: Client, home: Path, contoso: Feed, fabrikam: Feed
) -> None:
    write(home / "uv.toml", two(with_user_name(contoso.url()), with_user_name(fabrikam.url())))
    for url in (contoso.url(), fabrikam.url()):
        found = doctor.examine(url, path=[native.bin, tool.bin], **SET_UP).finding("uv")
        assert found.state == "bad" and "contoso and fabrikam are two organisations" in found.detail
        assert "//VssSessionToken@fabrikam.pkgs.visualstudio.com/_packaging/" in found.fix


def test_two_organisations_on_one_host_are_shown(
    doctor: Doctor, native: Client, tool: Client, home: Path, contoso: Feed, fabrikam: Feed
) -> None:
    write(home / "uv.toml", two(with_user_name(contoso.url()), with_user_name(fabrikam.url())))
    path = (native.bin, tool.bin)
    doctor.assert_shows("uv-two-organisations", path=path, section=TOOLS, **SET_UP)

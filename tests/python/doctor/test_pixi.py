"""The settings of pixi that keep it from asking keyring. pixi is not a Python package: a fake one is on PATH."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer
from support.azure_user import AzureUser, with_user_name
from support.doctor import SET_UP, TOOLS, Doctor, Finding
from support.tool_settings import write

SUBPROCESS = '[pypi-config]\nkeyring-provider = "subprocess"\n'


def options(url: str, table: str = "pypi-options") -> str:
    """The index of a project."""
    return f'[{table}]\nindex-url = "{url}"\n'


@pytest.fixture
def url(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> str:
    """The index of a user who is logged in and has pixi."""
    doctor.fake_programs.program("pixi", Answer())
    return cloud.azure.feed.url()


@pytest.fixture
def found(doctor: Doctor, native: Client) -> Callable[..., list[Finding]]:
    """Examines the machine from a project's directory, and returns the findings on pixi."""

    def found(*words: str, **variables: str) -> list[Finding]:
        directory = doctor.home / "shop"
        directory.mkdir(exist_ok=True)
        return doctor.examine(*words, path=[native.bin], directory=directory, **SET_UP, **variables).findings("pixi")

    return found


@pytest.mark.parametrize(
    "name", [".pixi/config.toml", ".config/pixi/config.toml", "shop/.pixi/config.toml", "elsewhere/config.toml"]
)
def test_pixi_asks_as_its_files_say(url: str, home: Path, found: Callable[..., list[Finding]], name: str) -> None:
    write(home / "shop" / "pixi.toml", options(with_user_name(url)))
    variables = {"PIXI_HOME": str(home / "elsewhere")} if name.startswith("elsewhere") else {}
    [before] = found(**variables)
    assert (before.state, before.detail) == ("bad", "does not ask a keyring")
    assert before.fix == "pixi config set --global pypi-config.keyring-provider subprocess"
    write(home / name, SUBPROCESS)
    [after] = found(**variables)
    assert (after.state, after.detail) == ("good", f"asks the keyring on PATH for the index in {home}/shop/pixi.toml")
    [chosen] = found(**variables, PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring")
    assert (chosen.state, chosen.detail) == ("bad", f"{after.detail}, but see keyring's choice above")
    write(home / "shop" / ".pixi" / "config.toml", SUBPROCESS.replace("subprocess", "disabled"))
    [disabled] = found(**variables)
    assert disabled.state == "bad" and disabled.detail.endswith(f"disabled by {home}/shop/.pixi/config.toml")
    assert disabled.fix == f'keyring-provider = "subprocess" below [pypi-config] in {home}/shop/.pixi/config.toml'


@pytest.mark.parametrize(
    ("file", "table"),
    [
        ("pixi.toml", "pypi-options"),
        ("pixi.toml", "feature.test.pypi-options"),
        ("pyproject.toml", "tool.pixi.pypi-options"),
        ("pyproject.toml", "tool.pixi.feature.test.pypi-options"),
    ],
)
def test_pixi_needs_a_user_name_in_the_url_and_no_password(
    url: str, home: Path, found: Callable[..., list[Finding]], file: str, table: str
) -> None:
    write(home / ".pixi" / "config.toml", SUBPROCESS)
    project = home / "shop" / file
    write(project, options(url, table))
    [nameless] = found()
    assert (nameless.state, nameless.detail) == (
        "bad",
        f"does not ask for the index: its URL in {project} has no user name",
    )
    assert nameless.fix == f'index-url = "{with_user_name(url)}" in {project}'
    write(project, options(with_user_name(url, "alice:withdrawn"), table))
    [secret] = found()
    assert secret.state == "bad" and secret.fix == f"remove the password from the URL in {project}"
    write(project, f"[{table}]\n{nameless.fix.partition(' in ')[0]}\n")
    assert [one.state for one in found()] == ["good"]


def test_pixi_asks_for_two_organisations_on_hosts_of_their_own(
    cloud: PracticeCloud, url: str, home: Path, found: Callable[..., list[Finding]]
) -> None:
    write(home / ".pixi" / "config.toml", SUBPROCESS)
    other = cloud.azure.organisation("fabrikam", cloud.azure.tenant).feed("tools")
    project = home / "shop" / "pixi.toml"
    extra = 'extra-index-urls = ["{}"]\n'
    write(project, options(with_user_name(url)) + extra.format(with_user_name(other.url())))
    first, second = found()
    assert (first.state, second.state) == ("good", "bad")
    assert "two organisations on pkgs.dev.azure.com" in second.detail
    line, _, file = second.fix.partition(" in ")
    assert line.strip() == extra.strip().format(with_user_name(other.url("visualstudio.com")))
    write(Path(file), f"{options(with_user_name(url))}{line}\n")
    assert [one.state for one in found()] == ["good", "good"]


def test_pixi_is_shown_if_it_is_on_path(doctor: Doctor, native: Client, url: str, home: Path) -> None:
    write(home / "shop" / "pixi.toml", options(url))
    more = {"path": (native.bin,), "directory": home / "shop", "section": TOOLS, **SET_UP}
    doctor.assert_shows("pixi-without-provider", url, **more)
    write(home / ".pixi" / "config.toml", SUBPROCESS)
    doctor.assert_shows("pixi-without-user-name", url, **more)

"""Several registries in one run, of which some fail: the others work, and what fails is told once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import pytest
from lab import chainctl, faults
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.messages import Request, Response
from support.registries import REGISTRIES, Registry, environment_of


@dataclass
class Trouble:
    """What is wrong with a registry, and what ringbearer says of it."""

    registry: str
    cause: Callable[[Registry], None]
    words: str


def nobody_is_logged_in(registry: Registry) -> None:
    """Nor is the program there that could log somebody in."""


def chainctl_is_logged_out(registry: Registry) -> None:
    registry.fake_programs.chainctl(chainctl.not_logged_in())


def machine_is_refused(registry: Registry) -> None:
    registry.variables = {**registry.cloud.menda.variables, "MENDA_CLIENT_SECRET": "mellon"}


def feed_is_out_of_order(registry: Registry) -> None:
    registry.log_in()
    registry.cloud.faults.add(fail_for_ringbearer, host=registry.host)


def api_is_out_of_order(registry: Registry) -> None:
    registry.log_in()
    registry.cloud.faults.add(faults.status(500), host=registry.asked[-1])


def fail_for_ringbearer(request: Request, answer: Callable[[Request], Response]) -> Response:
    """A service that asks for credentials and then does not say whose they should be."""
    return Response(500) if (request.header("User-Agent") or "").startswith("ringbearer/") else answer(request)


TROUBLES = {
    "azure-logged-out": Trouble("azure", nobody_is_logged_in, "run `az login"),
    "azure-out-of-order": Trouble("azure", feed_is_out_of_order, "HTTP 500"),
    "chainctl-missing": Trouble("chainguard", nobody_is_logged_in, "chainctl is not on PATH"),
    "chainctl-logged-out": Trouble("chainguard", chainctl_is_logged_out, "run `chainctl auth login"),
    "menda-refuses": Trouble("menda", machine_is_refused, "HTTP 401"),
    "menda-out-of-order": Trouble("menda", api_is_out_of_order, "HTTP 500"),
}
every_trouble = pytest.mark.parametrize("trouble", TROUBLES.values(), ids=list(TROUBLES))


@pytest.fixture
def registries(cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> dict[str, Registry]:
    """All of them by their names; nobody is logged in."""
    return {name: kind(cloud, fake_programs, home) for name, kind in REGISTRIES.items()}


def broken_and_working(registries: dict[str, Registry], trouble: Trouble) -> tuple[Registry, Registry]:
    """The registry in trouble, and another one that somebody is logged in to."""
    names = list(registries)
    working = registries[names[names.index(trouble.registry) - 1]]
    working.log_in()
    trouble.cause(registries[trouble.registry])
    return registries[trouble.registry], working


def warnings(ended: Completed, registry: Registry) -> list[str]:
    """What is said of a registry's host."""
    said = [line.partition("WARNING: ")[2] or line for line in ended.stderr.splitlines()]
    return [line for line in said if line.startswith(f"no credential for {registry.host}")]


def assert_installed(home: Path, ended: Completed) -> None:
    """The package and what it requires are there, and keyring was used to the end."""
    assert {path.stem for path in (home / "packages").glob("*.py")} == {"greetings", "hello_private"}
    assert "Keyring is skipped" not in ended.output, ended


def pip_install(provider: str, *urls: str) -> list[str]:
    """The first URL is the index, the others are extra ones."""
    indexes = [word for url in urls[1:] for word in ("--extra-index-url", url)]
    command = ["pip", "install", "--target", "packages", "--keyring-provider", provider]
    return [*command, "--index-url", urls[0], *indexes, "greetings"]


@every_trouble
@pytest.mark.parametrize("order", [1, -1], ids=["broken-first", "broken-last"])
def test_a_broken_registry_is_one_warning_and_pip_installs_from_the_other(
    registries: dict[str, Registry], client: Client, home: Path, trouble: Trouble, order: int
) -> None:
    broken, working = broken_and_working(registries, trouble)
    urls = [broken.index_url, working.index_url][::order]
    environment = environment_of(broken, working, ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    ended = client.run(pip_install("import", *urls), environment).check()
    assert_installed(home, ended)
    [warning] = warnings(ended, broken)
    assert trouble.words in warning
    working.assert_made(1)


@every_trouble
def test_a_broken_registry_does_not_keep_the_newest_pip_from_asking_the_command_for_the_other(
    registries: dict[str, Registry], client: Client, tool: Client, home: Path, trouble: Trouble
) -> None:
    # This pip hides what the command says.
    broken, working = broken_and_working(registries, trouble)
    urls = [broken.url_for_keyring_command, working.url_for_keyring_command]
    environment = environment_of(broken, working, path=(client.bin,), ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    ended = tool.run(pip_install("subprocess", *urls), environment).check()
    assert_installed(home, ended)
    working.assert_made(1)


@every_trouble
def test_a_broken_registry_does_not_keep_pip_26_1_from_asking_the_command_for_the_other(
    registries: dict[str, Registry], client: Client, pip_26_1: Client, home: Path, trouble: Trouble
) -> None:
    broken, working = broken_and_working(registries, trouble)
    urls = [broken.url_with_user_name, working.url_with_user_name]
    environment = environment_of(broken, working, path=(client.bin,), ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    ended = pip_26_1.run(pip_install("subprocess", *urls), environment).check()
    assert_installed(home, ended)
    # Once a process: for each package it asks for the URL, and then for the host.
    said = warnings(ended, broken)
    assert len(set(said)) == 1 and trouble.words in said[0] and len(said) <= 4, ended
    working.assert_made(1)


@every_trouble
def test_a_broken_registry_does_not_keep_uv_from_the_other(
    registries: dict[str, Registry], client: Client, tool: Client, home: Path, trouble: Trouble
) -> None:
    broken, working = broken_and_working(registries, trouble)
    # Without the last line uv stops at an index that answers 401.
    lines = ["[[index]]", f'url = "{working.url_with_user_name}"', "default = true"]
    lines += ["[[index]]", f'url = "{broken.url_with_user_name}"', 'name = "broken"', "ignore-error-codes = [401]"]
    (home / "uv.toml").write_text("\n".join(lines))
    variables = {"UV_KEYRING_PROVIDER": "subprocess", "UV_PYTHON": tool.python, "ARTIFACTS_KEYRING_NOFUSS_RETRIES": "1"}
    command = ["uv", "pip", "install", "--config-file", "uv.toml", "--target", "packages", "greetings"]
    ended = tool.run(command, environment_of(broken, working, path=(client.bin,), **variables)).check()
    assert_installed(home, ended)
    said = warnings(ended, broken)
    assert len(set(said)) == 1 and trouble.words in said[0] and len(said) <= 2, ended
    working.assert_made(1)


@pytest.mark.parametrize("name", list(REGISTRIES))
def test_two_broken_registries_are_two_warnings_and_pip_installs_from_the_third(
    registries: dict[str, Registry], client: Client, home: Path, name: str
) -> None:
    causes = {"azure": feed_is_out_of_order, "chainguard": chainctl_is_logged_out, "menda": machine_is_refused}
    broken = [registry for registry in registries.values() if registry.name != name]
    for registry in broken:
        causes[registry.name](registry)
    registries[name].log_in()
    urls = [registry.index_url for registry in registries.values()]
    environment = environment_of(*registries.values(), ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    ended = client.run(pip_install("import", *urls), environment).check()
    assert_installed(home, ended)
    assert [len(warnings(ended, registry)) for registry in registries.values()] == [
        int(registry in broken) for registry in registries.values()
    ]
    registries[name].assert_made(1)


def test_three_registries_that_work_are_asked_once_each(
    registries: dict[str, Registry], client: Client, home: Path
) -> None:
    for registry in registries.values():
        registry.log_in()
    command = pip_install("import", *(registry.index_url for registry in registries.values()))
    ended = client.run(command, environment_of(*registries.values())).check()
    assert_installed(home, ended)
    for registry in registries.values():
        registry.assert_made(1)
        registry.assert_hidden(ended)

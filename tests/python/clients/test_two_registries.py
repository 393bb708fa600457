"""Several registries in one run, some of which fail: the others work, and each failure warns once."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client, Completed
from lab.registries import REGISTRIES
from lab.registry import Failure, Registry, environment_of

#: A registry and a failure of its lookups.
FAILURES = {id: (name, one) for name, registry in REGISTRIES.items() for id, one in registry.failures.items()}
every_failure = pytest.mark.parametrize(("name", "failure"), FAILURES.values(), ids=list(FAILURES))


def broken_and_working(registries: dict[str, Registry], name: str, failure: Failure) -> tuple[Registry, Registry]:
    """The registry that fails, and another one that the user is signed in to."""
    broken = registries[name]
    others = [one for one in registries.values() if one.yields_to != name and one.name not in (name, broken.yields_to)]
    working = others[(list(registries).index(name) - 1) % len(others)]
    working.log_in()
    failure.cause(broken)
    return broken, working


def warnings(ended: Completed, registry: Registry) -> list[str]:
    """The warnings about the host of a registry."""
    said = [line.partition("WARNING: ")[2] or line for line in ended.stderr.splitlines()]
    said = [line for line in said if line.startswith(f"no credential for {registry.host}")]
    # A process that is asked for the host alone knows of the miss of another process only by a shared memory.
    return [line for line in said if kernel_keys.can_share() or "names no organisation" not in line]


def assert_installed(home: Path, ended: Completed) -> None:
    """The package and its dependency are installed, and keyring stayed in use."""
    assert {path.stem for path in (home / "packages").glob("*.py")} == {"greetings", "hello_private"}
    assert "Keyring is skipped" not in ended.output, ended


def pip_install(provider: str, *urls: str) -> list[str]:
    """The first URL is the index, the others are extra indexes."""
    indexes = [word for url in urls[1:] for word in ("--extra-index-url", url)]
    command = ["pip", "install", "--target", "packages", "--keyring-provider", provider]
    return [*command, "--index-url", urls[0], *indexes, "greetings"]


@every_failure
@pytest.mark.parametrize("order", [1, -1], ids=["broken-first", "broken-last"])
def test_broken_registry_is_one_warning_and_pip_uses_the_other(
    registries: dict[str, Registry], client: Client, home: Path, name: str, failure: Failure, order: int
) -> None:
    broken, working = broken_and_working(registries, name, failure)
    urls = [broken.index_url, working.index_url][::order]
    environment = environment_of(broken, working, ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    ended = client.run(pip_install("import", *urls), environment).check()
    assert_installed(home, ended)
    [warning] = warnings(ended, broken)
    assert failure.message in warning
    working.assert_made(1)


@every_failure
def test_broken_registry_does_not_stop_newest_pip_by_command(
    registries: dict[str, Registry], client: Client, tool: Client, home: Path, name: str, failure: Failure
) -> None:
    # This pip hides the output of the command.
    broken, working = broken_and_working(registries, name, failure)
    urls = [broken.url_for_keyring_command, working.url_for_keyring_command]
    environment = environment_of(broken, working, path=(client.bin,), ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    ended = tool.run(pip_install("subprocess", *urls), environment).check()
    assert_installed(home, ended)
    working.assert_made(1)


@every_failure
def test_broken_registry_does_not_stop_pip_26_1_by_command(
    registries: dict[str, Registry], client: Client, pip_26_1: Client, home: Path, name: str, failure: Failure
) -> None:
    broken, working = broken_and_working(registries, name, failure)
    urls = [broken.url_with_user_name, working.url_with_user_name]
    environment = environment_of(broken, working, path=(client.bin,), ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    ended = pip_26_1.run(pip_install("subprocess", *urls), environment).check()
    assert_installed(home, ended)
    # Once per process: it asks for the URL and then the host of each package.
    said = warnings(ended, broken)
    assert len(set(said)) == 1 and failure.message in said[0] and len(said) <= 4, ended
    working.assert_made(1)


@every_failure
def test_a_broken_registry_does_not_keep_uv_from_the_other(
    registries: dict[str, Registry], client: Client, tool: Client, home: Path, name: str, failure: Failure
) -> None:
    broken, working = broken_and_working(registries, name, failure)
    # Without the last line uv stops at an index that answers 401.
    lines = ["[[index]]", f'url = "{working.url_with_user_name}"', "default = true"]
    lines += ["[[index]]", f'url = "{broken.url_with_user_name}"', 'name = "broken"', "ignore-error-codes = [401]"]
    (home / "uv.toml").write_text("\n".join(lines))
    variables = {"UV_KEYRING_PROVIDER": "subprocess", "UV_PYTHON": tool.python, "ARTIFACTS_KEYRING_NOFUSS_RETRIES": "1"}
    command = ["uv", "pip", "install", "--config-file", "uv.toml", "--target", "packages", "greetings"]
    ended = tool.run(command, environment_of(broken, working, path=(client.bin,), **variables)).check()
    assert_installed(home, ended)
    said = warnings(ended, broken)
    assert len(set(said)) == 1 and failure.message in said[0] and len(said) <= 2, ended
    working.assert_made(1)


@pytest.mark.parametrize("name", [name for name, registry in REGISTRIES.items() if registry.yields_to is None])
def test_broken_registries_warn_once_each_and_pip_uses_the_rest(
    registries_apart: dict[str, Registry], client: Client, home: Path, name: str
) -> None:
    registries = registries_apart
    broken = [registry for registry in registries.values() if registry.name != name]
    for registry in broken:
        list(registry.failures.values())[-1].cause(registry)
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
    registries_apart: dict[str, Registry], client: Client, home: Path
) -> None:
    registries = registries_apart
    for registry in registries.values():
        registry.log_in()
    command = pip_install("import", *(registry.index_url for registry in registries.values()))
    ended = client.run(command, environment_of(*registries.values())).check()
    assert_installed(home, ended)
    for registry in registries.values():
        registry.assert_made(1)
        registry.assert_hidden(ended)

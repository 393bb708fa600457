"""uv with only the native `keyring` on PATH: it installs, locks, syncs and publishes."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_not_logged_in, az_token
from lab.packages import wheel as make_wheel
from lab.registries import REGISTRIES
from lab.registries.azure.organisations import READ
from lab.registry import Registry, environment_of
from support.azure_user import FORMS, AzureUser, with_user_name
from support.private_packages import assert_installed, assert_kept
from support.uv_project import Project, locked_project


def settings(tool: Client, **variables: str) -> dict[str, str]:
    """The variables of a user of uv with keyring."""
    return {"UV_KEYRING_PROVIDER": "subprocess", "UV_PYTHON": tool.python, **variables}


def packages_of(project: Project) -> Path:
    """The site-packages directory of a project's environment."""
    [found] = (project.directory / ".venv").glob("**/site-packages")
    return found


def test_uv_pip_installs_with_a_user_name_in_the_url(
    registry: Registry, native: Client, tool: Client, home: Path
) -> None:
    command = ["uv", "pip", "install", "--target", home / "packages"]
    command += ["--default-index", registry.url_with_user_name, "greetings"]
    ended = tool.run(command, registry.environment(native.bin, **settings(tool))).check()
    assert_installed(home / "packages")
    assert_kept(registry, 1, ended)


def test_uv_locks_and_syncs_with_a_user_name_in_a_variable(
    registry: Registry, native: Client, tool: Client, tmp_path: Path
) -> None:
    project = Project(tmp_path / "shop", registry.index_url)
    variables = settings(tool, UV_INDEX_CONTOSO_USERNAME=registry.user_name)
    environment = registry.environment(native.bin, **variables)
    locked = tool.run(["uv", "lock"], environment, directory=project.directory).check()
    # As on another machine: nothing that the lock fetched is cached.
    environment = registry.environment(native.bin, **variables, UV_CACHE_DIR=str(tmp_path / "other-cache"))
    synced = tool.run(["uv", "sync", "--frozen"], environment, directory=project.directory).check()
    assert_installed(packages_of(project))
    assert_kept(registry, kernel_keys.sign_ins(2), locked, synced)


def test_uv_installs_without_user_name_if_authenticate_always(
    registry: Registry, native: Client, tool: Client, tmp_path: Path
) -> None:
    project = Project(tmp_path / "shop", registry.index_url, 'authenticate = "always"')
    environment = registry.environment(native.bin, **settings(tool))
    ended = tool.run(["uv", "sync"], environment, directory=project.directory).check()
    assert_installed(packages_of(project))
    assert_kept(registry, 1, ended)


@pytest.mark.parametrize("user_name", ["in the URL", "in a variable"])
def test_uv_sync_downloads_files_that_the_lock_has_elsewhere(
    cloud: PracticeCloud, native: Client, tool: Client, azure_user: AzureUser, tmp_path: Path, user_name: str
) -> None:
    feed, variables = cloud.azure.project_feed, settings(tool)
    project = locked_project(tmp_path / "shop", cloud, tool, feed.url())
    if user_name == "in the URL":
        project.configure(with_user_name(feed.url()))
    else:
        variables["UV_INDEX_CONTOSO_USERNAME"] = "VssSessionToken"
    environment = azure_user.environment(native.bin, **variables)
    tool.run(["uv", "sync", "--frozen"], environment, directory=project.directory).check()
    assert_installed(packages_of(project))
    files = cloud.log.requests("*pkgs.*", "*.whl")
    assert files and all(f"/{feed.project_id}/_packaging/{feed.id}/" in request.path for request in files)
    azure_user.assert_look_ups(READ)


@pytest.mark.parametrize("registry", ["azure", "codeartifact", "google", "menda"], indirect=True)
def test_uv_publishes_and_installs_what_it_published(
    registry: Registry, native: Client, tool: Client, home: Path
) -> None:
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    environment = registry.environment(native.bin, **settings(tool))
    publish = ["uv", "publish", "--username", registry.user_name, "--publish-url", registry.upload_url]
    published = tool.run([*publish, package.file_name], environment).check()
    assert_kept(registry, 1, published, upload=True)
    install = ["uv", "pip", "install", "--target", home / "packages"]
    tool.run([*install, "--default-index", registry.url_with_user_name, "fresh-bread"], environment).check()
    assert (home / "packages" / "fresh_bread.py").exists()


def test_uv_reads_several_indexes_of_one_organisation_at_once(
    cloud: PracticeCloud, native: Client, tool: Client, azure_user: AzureUser, fake_programs: FakePrograms, home: Path
) -> None:
    # Slow enough that the last of the five keyrings starts before the first has its answer.
    slow = az_token(azure_user.bearer)
    for answer in slow:
        answer.delay = 0.5
    fake_programs.az(*slow)
    feeds = [cloud.azure.contoso.feed(f"feed-{number}") for number in range(4)]
    command = ["uv", "pip", "install", "--target", home / "packages", "--index-strategy", "unsafe-best-match"]
    command += ["--default-index", with_user_name(cloud.azure.feed.url()), "greetings"]
    for number, feed in enumerate(feeds):
        feed.add(make_wheel(f"rare-{number}"))
        command += ["--index", with_user_name(feed.url()), f"rare-{number}"]
    tool.run(command, azure_user.environment(native.bin, **settings(tool))).check()
    assert_installed(home / "packages")
    assert sorted(path.name for path in (home / "packages").glob("rare_*.py")) == [f"rare_{n}.py" for n in range(4)]
    # Without shared memory, each process signs in by itself.
    count = len(fake_programs.invocations("az"))
    assert count in (1, 5)
    azure_user.assert_look_ups(*[READ] * count)


def test_uv_reads_all_registries_and_each_sees_only_its_password(
    cloud: PracticeCloud, fake_programs: FakePrograms, native: Client, tool: Client, home: Path
) -> None:
    registries = [kind(cloud, fake_programs, home) for kind in REGISTRIES.values() if kind.yields_to is None]
    command = ["uv", "pip", "install", "--target", home / "packages", "--index-strategy", "unsafe-best-match"]
    for registry in registries:
        registry.log_in()
        registry.add(make_wheel(f"only-{registry.name}"))
        command += ["--index", registry.url_with_user_name, f"only-{registry.name}"]
    # The last index, instead of uv's default.
    command[-3:-1] = ["--default-index", registries[-1].url_with_user_name]
    ended = tool.run(command, environment_of(*registries, path=(native.bin,), **settings(tool))).check()
    for registry in registries:
        assert (home / "packages" / f"only_{registry.name}.py").exists()
        registry.assert_made(1)
        registry.assert_hidden(ended)


@pytest.mark.parametrize("form", FORMS)
def test_uv_reads_two_organisations_on_hosts_of_their_own(
    cloud: PracticeCloud, native: Client, tool: Client, azure_user: AzureUser, home: Path, form: str
) -> None:
    # uv keeps one password per host, and never asks for the files of the second organisation there.
    feed = cloud.azure.organisation("fabrikam", cloud.azure.tenant).feed("tools")
    feed.add(make_wheel("rare"))
    command = ["uv", "pip", "install", "--target", home / "packages", "--index-strategy", "unsafe-best-match"]
    command += ["--default-index", with_user_name(cloud.azure.feed.url()), "greetings"]
    command += ["--index", with_user_name(feed.url(form)), "rare"]
    ended = tool.run(command, azure_user.environment(native.bin, **settings(tool)))
    if form == "dev.azure.com":
        assert ended.code != 0 and "401 Unauthorized" in ended.stderr, ended
    else:
        assert ended.check() and (home / "packages" / "rare.py").exists()
        hosts = [cloud.log.hosts_that_saw(password) for password in cloud.azure.session_tokens.issued]
        assert sorted(hosts) == [["fabrikam.pkgs.visualstudio.com"], ["pkgs.dev.azure.com"]]
    azure_user.assert_look_ups(READ, READ)


def test_uv_shows_what_to_run_without_a_login(
    cloud: PracticeCloud, fake_programs: FakePrograms, native: Client, tool: Client, home: Path
) -> None:
    fake_programs.az(az_not_logged_in())
    environment = cloud.environment(home, path=[native.bin, fake_programs.directory], **settings(tool))
    command = ["uv", "pip", "install", "--target", home / "packages"]
    command += ["--default-index", with_user_name(cloud.azure.feed.url()), "greetings"]
    ended = tool.run(command, environment)
    assert ended.code != 0
    lines = [line for line in ended.stderr.splitlines() if line.startswith("ringbearer: ")]
    assert len(lines) == 1 and f"az login --tenant {cloud.azure.tenant} --allow-no-subscriptions" in lines[0], ended
    assert cloud.log.bearers() == []


def test_uv_installs_while_debug_logging_is_on(registry: Registry, native: Client, tool: Client, home: Path) -> None:
    command = ["uv", "pip", "install", "--target", home / "packages"]
    command += ["--default-index", registry.url_with_user_name, "greetings"]
    environment = registry.environment(native.bin, **settings(tool, RINGBEARER_DEBUG="1"))
    ended = tool.run(command, environment).check()
    assert_installed(home / "packages")
    assert len([line for line in ended.stderr.splitlines() if line.startswith("ringbearer.")]) > 1, ended
    assert_kept(registry, 1, ended)


def test_uv_shows_one_warning_for_an_index_without_a_login(
    cloud: PracticeCloud, native: Client, tool: Client, home: Path
) -> None:
    # uv asks for the host alone after the miss, in another process.
    command = [
        "uv",
        "pip",
        "install",
        "--target",
        "packages",
        "--default-index",
        with_user_name(cloud.azure.feed.url()),
    ]
    environment = cloud.environment(home, path=[native.bin], **settings(tool, RINGBEARER_TIMEOUT="20"))
    ended = tool.run([*command, "greetings"], environment)
    lines = [line for line in ended.stderr.splitlines() if line.startswith("ringbearer: ")]
    assert ended.code != 0 and "run `ringbearer login URL`" in lines[0], ended
    assert len(lines) == kernel_keys.sign_ins(2), ended

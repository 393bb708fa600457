"""The real pip installs from private feeds, with each keyring provider."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.messages import Request, Response
from lab.packages import wheel as make_wheel
from lab.registries.azure.organisations import READ
from support.azure_user import FORMS, AzureUser, for_keyring_command, with_user_name


def install(*options: object) -> list[object]:
    """An installation into HOME."""
    return ["pip", "install", "--target", "packages", *options]


def installed(home: Path) -> set[str]:
    """The installed modules."""
    return {path.stem for path in (home / "packages").glob("*.py")}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("feed", ["feed", "project_feed"])
def test_pip_installs_with_the_keyring_of_its_own_environment(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, home: Path, form: str, feed: str
) -> None:
    url = getattr(cloud.azure, feed).url(form)
    command = install("--keyring-provider", "import", "--index-url", url, "greetings")
    client.run(command, azure_user.environment()).check()
    assert installed(home) == {"greetings", "hello_private"}
    azure_user.assert_look_ups(READ)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("pip", ["tool", "pip_26_1"])
def test_pip_installs_with_the_keyring_of_another_environment(
    cloud: PracticeCloud,
    client: Client,
    azure_user: AzureUser,
    home: Path,
    form: str,
    pip: str,
    request: pytest.FixtureRequest,
) -> None:
    # pip 26.1 runs `keyring get URL USER`; 26.3 asks for user name and password at once, as JSON.
    url = cloud.azure.project_feed.url(form)
    url = with_user_name(url) if pip == "pip_26_1" else for_keyring_command(url)
    command = install("--keyring-provider", "subprocess", "--index-url", url, "greetings")
    request.getfixturevalue(pip).run(command, azure_user.environment(client.bin)).check()
    assert installed(home) == {"greetings", "hello_private"}
    azure_user.assert_look_ups(READ)


@pytest.mark.parametrize("pip", ["client", "tool"], ids=["by import", "by command"])
def test_pip_finds_keyring_unless_disabled(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, home: Path, pip: str, request: pytest.FixtureRequest
) -> None:
    # The default provider is `auto`, which `--no-input` would disable.
    environment = azure_user.environment(client.bin, PIP_NO_INPUT=None)
    command = install("--index-url", for_keyring_command(cloud.azure.feed.url()), "greetings")
    request.getfixturevalue(pip).run(command, environment).check()
    assert installed(home) == {"greetings", "hello_private"}
    azure_user.assert_look_ups(READ)


@pytest.mark.parametrize("user", ["VssSessionToken", "frodo%40contoso.example", "bearer"])
def test_pip_installs_with_a_user_name_in_the_url_whatever_it_is(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, home: Path, user: str
) -> None:
    url = with_user_name(cloud.azure.feed.url(), user)
    command = install("--keyring-provider", "import", "--index-url", url, "greetings")
    client.run(command, azure_user.environment()).check()
    assert installed(home) == {"greetings", "hello_private"}
    azure_user.assert_look_ups(READ)


@pytest.mark.parametrize("second_form", FORMS)
def test_two_feeds_of_one_organisation_cost_one_exchange(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, home: Path, second_form: str
) -> None:
    # In the second form pip asks again for another host, and gets the cached answer.
    second = cloud.azure.project_feed
    second.add(make_wheel("rare", requires=["greetings"]))
    urls = ["--index-url", cloud.azure.feed.url(), "--extra-index-url", second.url(second_form)]
    client.run(install("--keyring-provider", "import", *urls, "rare"), azure_user.environment()).check()
    assert installed(home) == {"rare", "greetings", "hello_private"}
    azure_user.assert_look_ups(READ)


def test_a_registry_that_fails_does_not_keep_pip_from_another(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, home: Path
) -> None:
    broken = cloud.azure.organisation("fabrikam", cloud.azure.tenant).feed("broken")
    broken.add(make_wheel("greetings", "9.0"))
    host = "fabrikam.pkgs.visualstudio.com"
    cloud.faults.add(fail_for_ringbearer, host=host)
    urls = ["--index-url", broken.url("visualstudio.com"), "--extra-index-url", cloud.azure.feed.url()]
    command = install("--keyring-provider", "import", *urls, "greetings")
    ended = client.run(command, azure_user.environment()).check()
    assert installed(home) == {"greetings", "hello_private"}
    assert len([line for line in ended.stderr.splitlines() if host in line and "HTTP 500" in line]) == 1, ended
    # After an exception, pip would not ask keyring again.
    assert "Keyring is skipped" not in ended.output
    assert cloud.log.hosts_that_saw(azure_user.bearer) == ["vssps.dev.azure.com"]
    assert len(cloud.log.requests("vssps.dev.azure.com")) == 1


def fail_for_ringbearer(request: Request, answer) -> Response:
    """A service that asks for credentials without naming an authority."""
    return Response(500) if request.header("User-Agent", "").startswith("ringbearer/") else answer(request)


def test_pip_shows_what_to_run_without_a_login(cloud: PracticeCloud, client: Client, home: Path) -> None:
    command = install("--keyring-provider", "import", "--index-url", cloud.azure.feed.url(), "greetings")
    ended = client.run(command, cloud.environment(home))
    assert ended.code != 0
    lines = [line for line in ended.stderr.splitlines() if "pkgs.dev.azure.com/contoso" in line]
    assert len(lines) == 1 and "run `ringbearer login URL`" in lines[0], ended
    assert cloud.log.bearers() == []


def test_pip_stdout_has_nothing_from_ringbearer(cloud: PracticeCloud, client: Client, azure_user: AzureUser) -> None:
    source = ["--keyring-provider", "import", "--index-url", cloud.azure.feed.url()]
    ended = client.run(["pip", "index", "versions", "--json", *source, "greetings"], azure_user.environment()).check()
    assert json.loads(ended.stdout)["versions"] == ["2.0"]
    assert [request.method for request in cloud.log.sent_by_ringbearer()] == ["GET", "POST"]


def test_pip_shows_what_to_add_to_a_direct_url(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser, home: Path
) -> None:
    # pip asks for the host alone, which names the organisation in one of the two forms.
    feed = cloud.azure.feed
    package = feed.packages["hello-private"][0]
    command = install("--keyring-provider", "import", "--no-index")
    ended = client.run([*command, feed.file_url(package)], azure_user.environment())
    assert ended.code != 0
    [line] = [line for line in ended.stderr.splitlines() if "no credential for pkgs.dev.azure.com" in line]
    assert "--index-url https://pkgs.dev.azure.com/ORG/" in line
    client.run([*command, feed.file_url(package, "visualstudio.com")], azure_user.environment()).check()
    assert installed(home) == {"hello_private"}

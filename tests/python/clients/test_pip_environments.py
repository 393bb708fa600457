"""pip that changes its own environment, and pip that builds in an isolated one."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import sdist
from lab.registries.azure.organisations import READ
from support.azure_user import AzureUser, for_keyring_command

# Since 26.3 pip refuses imports once it has begun to install. This does the same, from the moment on that keyring has
# its backends, and is as strict on every Python.
NO_LATE_IMPORTS = """
import os, sys
import keyring

feed, broken = sys.argv[1:]
keyring.get_keyring()
late = []
sys.addaudithook(lambda event, arguments: late.append(arguments[0]) if event == "import" else None)
found = keyring.get_credential(feed, None)
missed = keyring.get_credential(broken, None)
try:
    keyring.set_password(feed, "frodo", "ring")
except Exception as error:
    raised = type(error).__name__
os.environ["RINGBEARER_STRICT"] = "1"
try:
    keyring.get_credential(broken, None)
except Exception as error:
    raised += " " + type(error).__name__
print(late, found is not None, missed, raised)
"""


@pytest.fixture
def own_pip(tmp_path: Path, client: Client, tool: Client, home: Path, cloud: PracticeCloud) -> Client:
    """An environment to install into that also has the client's packages: pip changes its own environment."""
    directory = tmp_path / "own_pip"
    command = ["uv", "venv", "--quiet", "--no-project", "--python", client.python, directory]
    tool.run(command, cloud.environment(home)).check()
    made = Client(str(directory))
    paths = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own, clients = (
        one.run(["python", "-c", paths], cloud.environment(home)).check().stdout.strip() for one in (made, client)
    )
    (Path(own) / "client.pth").write_text(clients + "\n")
    return made


def test_pip_reinstalls_its_own_environment(cloud: PracticeCloud, own_pip: Client, azure_user: AzureUser) -> None:
    source = ["--keyring-provider", "import", "--index-url", cloud.azure.feed.url()]
    for options in (["hello-private==1.0"], ["--force-reinstall", "greetings"]):
        ended = own_pip.run(["python", "-m", "pip", "install", *source, *options], azure_user.environment()).check()
        assert "Blocked import" not in ended.output and "Unsafe import" not in ended.output, ended
    assert "Successfully uninstalled hello-private-1.0" in ended.stdout
    program = "import greetings, hello_private; print(hello_private.greeting)"
    ended = own_pip.run(["python", "-c", program], azure_user.environment()).check()
    assert ended.stdout == "hello from hello-private 1.1\n"
    azure_user.assert_look_ups(READ, READ)


def test_nothing_is_imported_once_keyring_has_its_backends(
    cloud: PracticeCloud, client: Client, azure_user: AzureUser
) -> None:
    # An answer, a warning, and two kinds of exception.
    fabrikam = cloud.azure.organisation("fabrikam", cloud.azure.tenant)
    fabrikam.exchange.refuse = "TF401444"
    urls = [cloud.azure.feed.url(), fabrikam.feed("tools").url()]
    ended = client.run(["python", "-c", NO_LATE_IMPORTS, *urls], azure_user.environment()).check()
    assert ended.stdout == "[] True None NoStoreError AuthenticationError\n"


@pytest.mark.parametrize("provider", ["import", "subprocess"])
def test_pip_installs_build_requirements(
    cloud: PracticeCloud, client: Client, tool: Client, azure_user: AzureUser, home: Path, provider: str
) -> None:
    # A build has an environment of its own, which inherits variables but no options.
    cloud.azure.project_feed.add(sdist("second-breakfast", build_requires=["hello-private"]))
    url = for_keyring_command(cloud.azure.project_feed.url())
    environment = azure_user.environment(client.bin, PIP_KEYRING_PROVIDER=provider, PIP_INDEX_URL=url)
    pip = client if provider == "import" else tool
    pip.run(["pip", "install", "--target", "packages", "second-breakfast"], environment).check()
    assert (home / "packages" / "second_breakfast.py").exists()
    azure_user.assert_look_ups(READ, READ)

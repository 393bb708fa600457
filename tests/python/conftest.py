"""Fixtures: a practice cloud for every test, and the real clients."""

from __future__ import annotations

import functools
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.authority import CertificateAuthority
from lab.chromium import CannotStart, Chromium
from lab.clients import Client, ClientEnvironments
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.known_store import KnownStore
from lab.look_up import Lookups
from lab.pythons import Python, PythonEnvironments
from lab.registries import REGISTRIES
from lab.registries.azure.directory import Application
from lab.registry import Registry
from lab.ssh import Agent, Key, make_key
from lab.store import PUBLISHED, StoreUser
from support.azure_look_ups import AzureLookUps
from support.azure_user import AzureUser
from support.browser import Browser
from support.doctor import Doctor
from support.fault_summary import pytest_terminal_summary as pytest_terminal_summary
from support.login_user import LoginUser
from support.provider_programs import ProviderPrograms
from support.start_program import StartProgram, starting

ROOT = Path(__file__).resolve().parents[2]

# On Windows, OpenSSH's agent is a system service: a test cannot start one of its own. `windows` tests the store there.
collect_ignore = ["store"] if os.name == "nt" else []
# The native programs for Windows, under wine: `make windows-test` sets the variable.
if not os.environ.get("RINGBEARER_WINDOWS_PROGRAMS"):
    collect_ignore.append("windows")


@pytest.fixture(autouse=True)
def own_login_session() -> None:
    """Each test has its own login session, so cached tokens reach neither other tests nor the developer's programs."""
    kernel_keys.new_session()


@pytest.fixture(scope="session")
def authority() -> Iterator[CertificateAuthority]:
    """The certificate authority that all clouds share."""
    made = CertificateAuthority()
    yield made
    made.close()


@pytest.fixture
def cloud(authority: CertificateAuthority) -> Iterator[PracticeCloud]:
    """A new practice cloud."""
    with PracticeCloud(authority) as made:
        yield made


@pytest.fixture
def browser(cloud: PracticeCloud) -> Browser:
    """A plain client of the cloud."""
    return Browser(cloud)


@pytest.fixture
def chromium(cloud: PracticeCloud) -> Iterator[Chromium]:
    """A real browser at the cloud; skips where there is none."""
    try:
        made = Chromium(cloud)
    except CannotStart as reason:
        pytest.skip(str(reason))
    yield made
    made.close()


@pytest.fixture
def short_path() -> Iterator[Path]:
    """An empty directory with a short path, which a warning does not cut."""
    with tempfile.TemporaryDirectory(dir=None if os.name == "nt" else "/tmp") as made:
        yield Path(made)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory."""
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def fake_programs(tmp_path: Path) -> Iterator[FakePrograms]:
    """A PATH directory for scripted command-line tools, empty at first."""
    made = FakePrograms(tmp_path / "programs")
    yield made
    made.close()


@pytest.fixture(scope="session")
def client_environments() -> ClientEnvironments:
    """Builds and keeps the environments of the clients."""
    return ClientEnvironments(os.environ.get("RINGBEARER_TEST_ENVIRONMENTS") or ROOT / "target" / "test-environments")


@pytest.fixture(scope="session")
def wheel() -> str:
    """The wheel under test, which RINGBEARER_WHEEL names; `make test` sets it."""
    path = os.environ.get("RINGBEARER_WHEEL")
    if not path:
        pytest.fail("RINGBEARER_WHEEL does not name a wheel; run `make python-test`")
    return os.path.abspath(path)


@pytest.fixture(scope="session")
def cli_wheel() -> str:
    """The wheel with the native programs, which RINGBEARER_CLI_WHEEL names; `make test` sets it."""
    path = os.environ.get("RINGBEARER_CLI_WHEEL")
    if not path:
        pytest.fail("RINGBEARER_CLI_WHEEL does not name a wheel; run `make python-test`")
    return os.path.abspath(path)


@pytest.fixture(scope="session")
def native(client_environments: ClientEnvironments, cli_wheel: str) -> Client:
    """The native programs only: with its `bin` on PATH, `keyring` runs without Python."""
    return client_environments.native(cli_wheel)


@pytest.fixture(scope="session")
def caller(client_environments: ClientEnvironments) -> Callable[[str], Client]:
    """Clients that have no keyring in their own environment, by their names in `lab.versions.CALLERS`."""
    return client_environments.caller


@pytest.fixture(scope="session")
def client(client_environments: ClientEnvironments, wheel: str) -> Client:
    """keyring, pip and twine with ringbearer beside them."""
    return client_environments.client(wheel)


@pytest.fixture(scope="session", params=["native", "client"])
def either(request: pytest.FixtureRequest) -> Client:
    """`ringbearer`, as the native program and then from the wheel."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def look_up(cloud: PracticeCloud, client: Client, home: Path, fake_programs: FakePrograms) -> Lookups:
    """Asks keyring in a separate process, with the fake programs on PATH."""
    return Lookups(cloud, client, home, [fake_programs.directory])


@pytest.fixture
def azure_look_ups(cloud: PracticeCloud, look_up: Lookups) -> AzureLookUps:
    """Azure lookups with different settings, in one process."""
    return AzureLookUps(cloud, look_up)


@pytest.fixture
def azure_user(cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> AzureUser:
    """The practice cloud's user, logged in with a fake `az`."""
    return AzureUser(cloud, fake_programs, home)


@pytest.fixture
def login_user(native: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> LoginUser:
    """A person who can sign in with the native `ringbearer`, and has not done so."""
    return LoginUser(native, cloud, home, fake_programs)


@pytest.fixture
def on(python: Python, client_environments: ClientEnvironments, wheel: str) -> Client:
    """keyring and ringbearer on that Python."""
    if python.is_free_threaded:
        pytest.skip("the wheel does not support free-threaded Pythons")
    return PythonEnvironments(client_environments, python).beside(wheel)


@pytest.fixture
def start_program() -> Iterator[StartProgram]:
    """Starts a program that the test inspects while it runs."""
    with starting() as start:
        yield start


@pytest.fixture
def registries(cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> dict[str, Registry]:
    """All registries, by name; the user is signed in to none."""
    return {name: kind(cloud, fake_programs, home) for name, kind in REGISTRIES.items()}


@pytest.fixture
def registries_apart(registries: dict[str, Registry]) -> dict[str, Registry]:
    """The same, without those whose hosts another one answers for."""
    return {name: one for name, one in registries.items() if one.yields_to is None}


@pytest.fixture
def logins(registries: dict[str, Registry]) -> dict[str, str]:
    """Variables by which the user is signed in to every registry."""
    return {name: value for one in registries.values() for name, value in one.login_by_variables()[1].items()}


@pytest.fixture(params=list(REGISTRIES))
def registry(request: pytest.FixtureRequest, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Registry:
    """Each registry in turn, with the user signed in."""
    made = REGISTRIES[request.param](cloud, fake_programs, home)
    made.log_in()
    return made


@pytest.fixture
def provider_programs(look_up: Lookups, fake_programs: FakePrograms, home: Path) -> ProviderPrograms:
    """Scripts the program of a provider, and asks only that provider."""
    return ProviderPrograms(look_up, fake_programs, home)


@pytest.fixture
def bearer(cloud: PracticeCloud) -> str:
    """The Entra token of the practice cloud's user."""
    return cloud.azure.directory.user_token(cloud.azure.user)


@pytest.fixture
def identity(cloud: PracticeCloud) -> Application:
    """A managed identity that every endpoint except IMDS issues tokens for."""
    made = cloud.azure.directory.managed_identity("service", cloud.azure.tenant)
    metadata = cloud.metadata
    for endpoint in (metadata.app_service, metadata.arc, metadata.azure_ml, metadata.cloud_shell):
        endpoint.system_assigned = made
    return made


@pytest.fixture
def doctor(
    cloud: PracticeCloud,
    native: Client,
    client: Client,
    home: Path,
    fake_programs: FakePrograms,
    client_environments: ClientEnvironments,
) -> Doctor:
    """Runs `ringbearer doctor` as each of the three programs."""
    if os.name == "nt":
        pytest.skip("the expected output has Unix paths and programs")
    return Doctor(cloud, native, client, home, fake_programs, client_environments.directory)


@pytest.fixture(scope="session")
def client_without(client_environments: ClientEnvironments) -> Client:
    """The same without ringbearer."""
    return client_environments.client()


@pytest.fixture(scope="session")
def tool(client_environments: ClientEnvironments) -> Client:
    """uv and a pip that have neither keyring nor ringbearer in their own environment."""
    return client_environments.tool()


@pytest.fixture(scope="session")
def pip_26_1(client_environments: ClientEnvironments, wheel: str) -> Client:
    """A pip that still asks with ``keyring get SERVICE USER``."""
    return client_environments.pip_26_1(wheel)


@pytest.fixture(scope="session")
def poetry(client_environments: ClientEnvironments, wheel: str) -> Client:
    """Poetry with ringbearer beside it."""
    return client_environments.poetry(wheel)


@pytest.fixture(scope="session")
def pdm(client_environments: ClientEnvironments, wheel: str) -> Client:
    """PDM with ringbearer beside it."""
    return client_environments.pdm(wheel)


@pytest.fixture(scope="session")
def tox(client_environments: ClientEnvironments, wheel: str) -> Client:
    """tox with ringbearer beside it."""
    return client_environments.tox(wheel)


@pytest.fixture(scope="session")
def tox_3(client_environments: ClientEnvironments, wheel: str) -> Client:
    """tox 3, with ringbearer beside it."""
    return client_environments.tox_3(wheel)


@pytest.fixture(scope="session")
def old_tox(client_environments: ClientEnvironments, wheel: str) -> Client:
    """A tox of early 2025 with ringbearer beside it."""
    return client_environments.old_tox(wheel)


@pytest.fixture(scope="session")
def tox_uv(client_environments: ClientEnvironments, wheel: str) -> Client:
    """tox that installs with uv, and ringbearer beside it."""
    return client_environments.tox_uv(wheel)


@pytest.fixture(scope="session")
def flit(client_environments: ClientEnvironments, wheel: str) -> Client:
    """flit with ringbearer beside it."""
    return client_environments.flit(wheel)


@pytest.fixture(scope="session")
def beside(client_environments: ClientEnvironments, wheel: str) -> Callable[..., Client]:
    """keyring, ringbearer and other packages with backends, by their names in `lab.clients.PEERS`."""
    return functools.partial(client_environments.beside, wheel)


@pytest.fixture(scope="session")
def suite(client_environments: ClientEnvironments, wheel: str) -> Client:
    """keyring, ringbearer and pytest."""
    return client_environments.suite(wheel)


@pytest.fixture(scope="session")
def azure_cli(client_environments: ClientEnvironments) -> Client:
    """The real Azure CLI."""
    if os.environ.get("RINGBEARER_WITHOUT_AZURE_CLI"):
        pytest.skip("RINGBEARER_WITHOUT_AZURE_CLI is set")
    if sys.version_info < (3, 10):
        pytest.skip("the Azure CLI needs Python 3.10")
    return client_environments.azure_cli()


@pytest.fixture(scope="session")
def boto3(client_environments: ClientEnvironments) -> Client:
    """AWS's own client, and keyrings.codeartifact."""
    return client_environments.boto3()


@pytest.fixture(scope="session")
def google_auth(client_environments: ClientEnvironments) -> Client:
    """Google's own library, and keyrings.google-artifactregistry-auth."""
    return client_environments.google_auth()


@pytest.fixture
def agent() -> Iterator[Agent]:
    """A new ssh-agent without keys."""
    if os.name == "nt":
        pytest.skip("OpenSSH's agent is a system service: a test cannot start one of its own")
    made = Agent()
    yield made
    made.close()


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Key]:
    """A key of each type that OpenSSH makes without hardware."""
    directory = tmp_path_factory.mktemp("keys")
    return {kind: make_key(directory, kind, name=kind) for kind in ("ed25519", "rsa", "ecdsa")}


@pytest.fixture
def store(client: Client, home: Path, agent: Agent, keys: dict[str, Key]) -> StoreUser:
    """A user with an ed25519 key in an agent; the store does not exist yet."""
    agent.add(keys["ed25519"])
    return StoreUser(client, home, agent.socket)


@pytest.fixture(scope="session", params=["0.2.0", "0.6.0"])
def published_client(request: pytest.FixtureRequest, client_environments: ClientEnvironments) -> Client:
    """A published version of ssh-agent-keyring, which this store replaces."""
    if sys.version_info < (3, 10):
        pytest.skip("ssh-agent-keyring needs Python 3.10")
    return client_environments.ssh_agent_keyring(request.param)


@pytest.fixture
def published(store: StoreUser, published_client: Client) -> StoreUser:
    """The same user with the published package."""
    return store.with_client(published_client, PUBLISHED)


@pytest.fixture
def known_store(client: Client, home: Path, agent: Agent) -> KnownStore:
    """A user whose store has known keys; the store does not exist yet."""
    return KnownStore(client, home, agent)

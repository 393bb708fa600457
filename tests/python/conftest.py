"""Fixtures: a practice cloud for every test, and the real clients."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asking import Asking
from browser import Browser
from commands import Commands
from doctor import Doctor
from fault_summary import pytest_terminal_summary as pytest_terminal_summary
from lab import kernel_keys
from lab.authority import CertificateAuthority
from lab.azure.directory import Application
from lab.cli_stand_ins import StandIns
from lab.clients import Client, Workshop
from lab.cloud import PracticeCloud
from lab.known_store import KnownStore
from lab.look_up import Lookups
from lab.pythons import Python, WorkshopOf
from lab.ssh import Agent, Key, make_key
from lab.store import PUBLISHED, StoreUser
from person import Person
from registries import REGISTRIES, Registry
from start_program import StartProgram, starting

ROOT = Path(__file__).resolve().parents[2]

# The agent of Windows' OpenSSH is a service of the machine's: no test can have one of its own there.
collect_ignore_glob = ["test_store*.py"] if os.name == "nt" else []


@pytest.fixture(autouse=True)
def session_of_its_own() -> None:
    """What ringbearer keeps in a login session is not seen by other tests, nor by the developer's own programs."""
    kernel_keys.new_session()


@pytest.fixture(scope="session")
def authority() -> Iterator[CertificateAuthority]:
    """The certificate authority that all clouds share."""
    made = CertificateAuthority()
    yield made
    made.close()


@pytest.fixture
def cloud(authority: CertificateAuthority) -> Iterator[PracticeCloud]:
    """A practice cloud of the test's own."""
    with PracticeCloud(authority) as made:
        yield made


@pytest.fixture
def browser(cloud: PracticeCloud) -> Browser:
    """A plain client of the cloud."""
    return Browser(cloud)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home directory."""
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture
def stand_ins(tmp_path: Path) -> Iterator[StandIns]:
    """A PATH directory for scripted command-line tools, empty at first."""
    made = StandIns(tmp_path / "stand-ins")
    yield made
    made.close()


@pytest.fixture(scope="session")
def workshop() -> Workshop:
    """Where the clients' environments are built and kept."""
    return Workshop(os.environ.get("RINGBEARER_TEST_ENVIRONMENTS") or ROOT / "target" / "test-environments")


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
def native(workshop: Workshop, cli_wheel: str) -> Client:
    """The native programs alone: its `bin` on PATH brings a `keyring` without Python behind it."""
    return workshop.native(cli_wheel)


@pytest.fixture(scope="session")
def caller(workshop: Workshop) -> Callable[[str], Client]:
    """Clients that have no keyring in their own environment, by their names in `lab.versions.CALLERS`."""
    return workshop.caller


@pytest.fixture(scope="session")
def client(workshop: Workshop, wheel: str) -> Client:
    """keyring, pip and twine with ringbearer beside them."""
    return workshop.client(wheel)


@pytest.fixture(scope="session", params=["native", "client"])
def either(request: pytest.FixtureRequest) -> Client:
    """`ringbearer`, the native program and then the wheel's."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def look_up(cloud: PracticeCloud, client: Client, home: Path, stand_ins: StandIns) -> Lookups:
    """Asks keyring in a process of its own, with the stand-ins on PATH."""
    return Lookups(cloud, client, home, [stand_ins.directory])


@pytest.fixture
def ask(cloud: PracticeCloud, look_up: Lookups) -> Asking:
    """Tries many settings in one process."""
    return Asking(cloud, look_up)


@pytest.fixture
def frodo(cloud: PracticeCloud, stand_ins: StandIns, home: Path) -> Person:
    """The practice cloud's user, logged in with a stand-in for `az`."""
    return Person(cloud, stand_ins, home)


@pytest.fixture
def on(python: Python, workshop: Workshop, wheel: str) -> Client:
    """keyring and ringbearer on that Python."""
    if python.is_free_threaded:
        pytest.skip("the wheel is not for Pythons without a lock")
    return WorkshopOf(workshop, python).beside(wheel)


@pytest.fixture
def start_program() -> Iterator[StartProgram]:
    """Starts a program that the test looks at while it runs."""
    with starting() as start:
        yield start


@pytest.fixture(params=list(REGISTRIES))
def registry(request: pytest.FixtureRequest, cloud: PracticeCloud, stand_ins: StandIns, home: Path) -> Registry:
    """A registry that the user is logged in to."""
    made = REGISTRIES[request.param](cloud, stand_ins, home)
    made.log_in()
    return made


@pytest.fixture
def commands(look_up: Lookups, stand_ins: StandIns, home: Path) -> Commands:
    """Scripts the program of a provider, and asks that provider alone."""
    return Commands(look_up, stand_ins, home)


@pytest.fixture
def bearer(cloud: PracticeCloud) -> str:
    """The Entra token of the practice cloud's user."""
    return cloud.azure.directory.user_token(cloud.azure.frodo)


@pytest.fixture
def identity(cloud: PracticeCloud) -> Application:
    """A managed identity that every endpoint hands out but that of virtual machines."""
    made = cloud.azure.directory.managed_identity("service", cloud.azure.tenant)
    metadata = cloud.metadata
    for endpoint in (metadata.app_service, metadata.arc, metadata.azure_ml, metadata.cloud_shell):
        endpoint.system_assigned = made
    return made


@pytest.fixture
def doctor(
    cloud: PracticeCloud, native: Client, client: Client, home: Path, stand_ins: StandIns, workshop: Workshop
) -> Doctor:
    """Runs `ringbearer doctor` in each of the ways that there are."""
    if os.name == "nt":
        pytest.skip("what is expected has paths and programs as Unix has them")
    return Doctor(cloud, native, client, home, stand_ins, workshop.directory)


@pytest.fixture(scope="session")
def client_without(workshop: Workshop) -> Client:
    """The same without ringbearer."""
    return workshop.client()


@pytest.fixture(scope="session")
def tool(workshop: Workshop) -> Client:
    """uv and a pip that have neither keyring nor ringbearer in their own environment."""
    return workshop.tool()


@pytest.fixture(scope="session")
def pip_26_1(workshop: Workshop, wheel: str) -> Client:
    """A pip that still asks with ``keyring get SERVICE USER``."""
    return workshop.pip_26_1(wheel)


@pytest.fixture(scope="session")
def poetry(workshop: Workshop, wheel: str) -> Client:
    """Poetry with ringbearer beside it."""
    return workshop.poetry(wheel)


@pytest.fixture(scope="session")
def pdm(workshop: Workshop, wheel: str) -> Client:
    """PDM with ringbearer beside it."""
    return workshop.pdm(wheel)


@pytest.fixture(scope="session")
def tox(workshop: Workshop, wheel: str) -> Client:
    """tox with ringbearer beside it."""
    return workshop.tox(wheel)


@pytest.fixture(scope="session")
def tox_3(workshop: Workshop, wheel: str) -> Client:
    """tox 3, with ringbearer beside it."""
    return workshop.tox_3(wheel)


@pytest.fixture(scope="session")
def old_tox(workshop: Workshop, wheel: str) -> Client:
    """A tox of early 2025 with ringbearer beside it."""
    return workshop.old_tox(wheel)


@pytest.fixture(scope="session")
def tox_uv(workshop: Workshop, wheel: str) -> Client:
    """tox that installs with uv, and ringbearer beside it."""
    return workshop.tox_uv(wheel)


@pytest.fixture(scope="session")
def flit(workshop: Workshop, wheel: str) -> Client:
    """flit with ringbearer beside it."""
    return workshop.flit(wheel)


@pytest.fixture(scope="session")
def beside(workshop: Workshop, wheel: str) -> Callable[..., Client]:
    """keyring and ringbearer beside other packages with backends, which are called as in `lab.clients.PEERS`."""
    return functools.partial(workshop.beside, wheel)


@pytest.fixture(scope="session")
def suite(workshop: Workshop, wheel: str) -> Client:
    """keyring, ringbearer and pytest."""
    return workshop.suite(wheel)


@pytest.fixture(scope="session")
def azure_cli(workshop: Workshop) -> Client:
    """The real Azure CLI."""
    if os.environ.get("RINGBEARER_WITHOUT_AZURE_CLI"):
        pytest.skip("RINGBEARER_WITHOUT_AZURE_CLI is set")
    if sys.version_info < (3, 10):
        pytest.skip("the Azure CLI needs Python 3.10")
    return workshop.azure_cli()


@pytest.fixture
def agent() -> Iterator[Agent]:
    """An ssh-agent of the test's own, empty at first."""
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
    """A user with an ed25519 key in an agent, and no store yet."""
    agent.add(keys["ed25519"])
    return StoreUser(client, home, agent.socket)


@pytest.fixture(scope="session", params=["0.2.0", "0.6.0"])
def published_client(request: pytest.FixtureRequest, workshop: Workshop) -> Client:
    """A published version of ssh-agent-keyring, which this store replaces."""
    if sys.version_info < (3, 10):
        pytest.skip("ssh-agent-keyring needs Python 3.10")
    return workshop.ssh_agent_keyring(request.param)


@pytest.fixture
def published(store: StoreUser, published_client: Client) -> StoreUser:
    """The same user with the published package."""
    return store.with_client(published_client, PUBLISHED)


@pytest.fixture
def known_store(client: Client, home: Path, agent: Agent) -> KnownStore:
    """A user whose store's keys the test knows, and no store yet."""
    return KnownStore(client, home, agent)

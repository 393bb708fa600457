"""uv and pip install one package that is in the last of three feeds of one organisation."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable

from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.packages import wheel

from .comparison import NATIVE, PEER, WHEEL, Comparison
from .environments import Environments, peer
from .look_ups import FAR, NEAR, Desk
from .spawned import Command
from .store import Stage

_PACKAGE = "rare"
_UV, _PIP, _IMPORTING_PIP = "uv pip install", "pip install, keyring as a command", "pip install, keyring imported"


class Shop:
    """The three feeds, with a new home for each installation."""

    def __init__(self, environments: Environments, cloud: PracticeCloud, directory: str) -> None:
        desk = Desk(environments, cloud, directory)
        feeds = [cloud.azure.contoso.feed(f"feed-{number}") for number in range(3)]
        feeds[-1].add(wheel(_PACKAGE))
        self._urls = [feed.url() for feed in feeds]
        self._cloud, self._directory, self._variables = cloud, directory, {**desk.trust, **desk.azure_variables}
        self._tool = environments.tool
        self._count = 0

    def home(self) -> str:
        """A home without any cache."""
        self._count += 1
        made = os.path.join(self._directory, f"home-{self._count}")
        os.mkdir(made)
        return made

    def uv(self, home: str, keyring: Client) -> float:
        """Milliseconds of an installation by uv, with nothing in its own cache, and this keyring on PATH."""
        first, second, last = (url.replace("//", "//VssSessionToken@", 1) for url in self._urls)
        words = [self._tool.program("uv"), "pip", "install", "--target", "packages", "--keyring-provider", "subprocess"]
        words += ["--index", first, "--index", second, "--default-index", last, _PACKAGE]
        return self._install(home, words, keyring, UV_PYTHON=self._tool.python)

    def pip(self, home: str, keyring: Client, provider: str = "subprocess") -> float:
        """Milliseconds of an installation by pip; it imports the keyring of its own environment, or runs this one."""
        pip = keyring if provider == "import" else self._tool
        first, second, last = self._urls
        words = [pip.program("pip"), "install", "--target", "packages", "--keyring-provider", provider]
        words += ["--index-url", first, "--extra-index-url", second, "--extra-index-url", last, _PACKAGE]
        return self._install(home, words, keyring)

    def _install(self, home: str, words: list[str], keyring: Client, **variables: str) -> float:
        for left in ("packages", os.path.join(".cache", "uv")):
            shutil.rmtree(os.path.join(home, left), ignore_errors=True)
        environment = self._cloud.environment(home, path=[keyring.bin], **self._variables, **variables)
        taken = Command(words, environment).milliseconds()
        assert os.path.exists(os.path.join(home, "packages", f"{_PACKAGE}.py")), words
        return taken


def measure_installs(environments: Environments, near: int, far: int) -> list[Comparison]:
    """With low and high latency."""
    found = []
    ours, nofuss = environments.with_pip()
    with tempfile.TemporaryDirectory() as directory, PracticeCloud() as cloud:
        shop = Shop(environments, cloud, directory)
        commands = {NATIVE: environments.native, WHEEL: environments.ours, PEER: environments.peers["nofuss"]}
        imported = {WHEEL: ours, PEER: nofuss}

        def import_keyring(home: str, client: Client) -> float:
            return shop.pip(home, client, "import")

        for latency, runs in ((NEAR, near), (FAR, far)):
            cloud.faults.latency = latency / 1000
            for name, install, clients in (
                (_UV, shop.uv, commands),
                (_PIP, shop.pip, commands),
                (_IMPORTING_PIP, import_keyring, imported),
            ):
                # pip asks once, and finds the second time what uv finds.
                is_repeated = latency == NEAR or name == _UV
                found += _in_turn(f"{name}, {latency} ms away", runs, shop, install, clients, is_repeated)
    return found


def _in_turn(
    name: str,
    runs: int,
    shop: Shop,
    install: Callable[[str, Client], float],
    clients: dict[str, Client],
    is_repeated: bool,
) -> list[Comparison]:
    """In a new home, then again in the same one with ringbearer's session cache."""
    stage, first, again = Stage(name, runs), {side: [] for side in clients}, {side: [] for side in clients}
    for number in range(-1, runs):
        for side, client in clients.items():
            home = shop.home()
            times = [install(home, client) for _ in range(1 + is_repeated)]
            shutil.rmtree(home)
            if number >= 0:
                first[side].append(times[0])
                again[side] += times[1:]
        if number >= 0:
            stage.step()
    rival = peer("nofuss")
    found = [Comparison(name, rival, first)]
    return [*found, Comparison(f"{name}, again", rival, again, is_charted=False)] if is_repeated else found

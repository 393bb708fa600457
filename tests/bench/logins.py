"""A cold ``keyring get`` after `ringbearer login`, beside the same after `az login`, by the time of a round trip and
by the place of the login.
``python -m bench.logins --wheel PATH --cli-wheel PATH``.

Both refresh a login and exchange the token: of az, the access tokens are removed before each run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.ssh import Agent, make_key
from lab.versions import AZURE_CLI

from . import machine
from .comparison import NATIVE, PEER, WHEEL, Comparison
from .environments import Environments, title
from .report import comparison_table
from .spawned import Command, in_turn

#: Milliseconds of a round trip.
DISTANCES = (0, 80)
#: Values of RINGBEARER_LOGIN_STORE, and how the results name these places.
PLACES = {"session": "in the session's memory", "store": "in the ssh-agent store"}

_PEER = f"{title(AZURE_CLI)} and ringbearer, native"


def measure_logins(environments: Environments, runs: int) -> list[Comparison]:
    """Times by distance."""
    if not kernel_keys.can_share():
        raise SystemExit("this benchmark keeps a login in the kernel's key retention service, which is missing here")
    kernel_keys.new_session()
    found = []
    with tempfile.TemporaryDirectory() as directory, PracticeCloud() as cloud, contextlib.closing(Agent()) as agent:
        cloud.round_trip_ms = 0
        # Enters every device code at once.
        cloud.entra.device_user = cloud.azure.user
        agent.add(make_key(directory))
        sides: dict[str, Callable[[], float]] = {PEER: _by_az(environments, cloud, directory)}
        for place in PLACES:
            sides.update(_by_ringbearer(environments, cloud, directory, place, agent))
        for distance in DISTANCES:
            cloud.round_trip_ms = distance
            figures = in_turn(f"Azure, a login, {distance} ms", runs, sides)
            for place, words in PLACES.items():
                of_place = {side: figures[_side(place, side)] for side in (NATIVE, WHEEL)}
                name = f"Azure, a login {words}, {distance} ms"
                found.append(Comparison(name, _PEER, {**of_place, PEER: figures[PEER]}))
    return found


def _by_ringbearer(
    environments: Environments, cloud: PracticeCloud, directory: str, place: str, agent: Agent
) -> dict[str, Callable[[], float]]:
    """One login, which both programs use."""
    home = _home(directory, place)
    variables = {"SSH_AUTH_SOCK": agent.socket, "RINGBEARER_LOGIN_STORE": place}
    ringbearer = environments.native.program("ringbearer")
    if place == "store":
        _run([ringbearer, "store", "init"], cloud.environment(home, **variables))
    _run([ringbearer, "login", cloud.azure.feed.url(), "--device-code"], cloud.environment(home, **variables))
    return {
        _side(place, side): _get(client, cloud, cloud.environment(home, path=[client.bin], **variables)).milliseconds
        for side, client in ((NATIVE, environments.native), (WHEEL, environments.ours))
    }


def _side(place: str, side: str) -> str:
    return f"{place}: {side}"


def _by_az(environments: Environments, cloud: PracticeCloud, directory: str) -> Callable[[], float]:
    """The native program, which runs az."""
    home, az = _home(directory, "az"), environments.client_environments.azure_cli()
    environment = cloud.environment(home, path=[environments.native.bin, az.bin])
    _run([az.program("az"), "login", "--use-device-code", "--output", "none"], environment)
    command = _get(environments.native, cloud, environment)

    def measure() -> float:
        _forget_access_tokens(Path(home))
        return command.milliseconds()

    return measure


def _get(client: Client, cloud: PracticeCloud, environment: dict[str, str]) -> Command:
    words = [client.program("keyring"), "get", cloud.azure.feed.url(), "VssSessionToken"]
    return Command(words, {**environment, "RINGBEARER_CACHE": "off"})


def _forget_access_tokens(home: Path) -> None:
    file = home / ".azure" / "msal_token_cache.json"
    content = json.loads(file.read_text())
    content["AccessToken"] = {}
    file.write_text(json.dumps(content))


def _home(directory: str, name: str) -> str:
    made = os.path.join(directory, name)
    os.mkdir(made)
    return made


def _run(command: list[str], environment: dict[str, str]) -> None:
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {ended.returncode}: {ended.stderr.strip()}")


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="bench.logins", description=__doc__)
    parser.add_argument("--wheel", required=True, help="the built wheel of ringbearer")
    parser.add_argument("--cli-wheel", required=True, help="the built wheel of ringbearer-cli")
    parser.add_argument("--runs", type=int, default=15, help="counted runs of each (default: %(default)s)")
    arguments = parser.parse_args()
    print(machine.describe())
    found = measure_logins(Environments(arguments.wheel, arguments.cli_wheel), arguments.runs)
    print(comparison_table("A cold lookup with a login", found).text())
    return 0


if __name__ == "__main__":
    sys.exit(main())

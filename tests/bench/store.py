"""The ssh-agent store beside ssh-agent-keyring 0.6.0, which it replaces. ``python -m bench.store --wheel PATH``.

Both answer in turn, each in a long-lived process, with the same records and the same real ssh-agent.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from lab.clients import KEYRING, Client, ClientEnvironments
from lab.known_store import KnownStore
from lab.ssh import Agent
from lab.store import PUBLISHED, RINGBEARER, StoreUser

from .chart import Row, chart

_ENVIRONMENTS = os.path.join("target", "test-environments")
_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "store_program.py")
_VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "ssh-agent" / "ed25519"

#: Numbers of records, and the number of calls for each.
RUNS = {1: 201, 1000: 101, 10000: 31, 50000: 9}
COMMAND_RUNS = 15
MEMORY_RUNS = 3
OURS, THEIRS = "ringbearer", "ssh-agent-keyring 0.6.0"


@dataclass
class Side:
    """One of the two packages: its programs, and its stores by number of records."""

    name: str
    user: StoreUser
    directory: str
    stores: dict[int, str] = field(default_factory=dict)

    def copy(self, source: str, records: int) -> None:
        """A separate copy of a store."""
        self.stores[records] = os.path.join(self.directory, f"{records}.json")
        shutil.copyfile(source, self.stores[records])

    def start(self) -> Process:
        """A process with the backend loaded."""
        return Process(self)


class Process:
    """A child that times calls."""

    def __init__(self, side: Side) -> None:
        command = [side.user.client.python, _PROGRAM, side.user.backend]
        pipe = subprocess.PIPE
        self._child = subprocess.Popen(command, stdin=pipe, stdout=pipe, env=side.user.environment(), text=True)
        self._stores = side.stores

    def ask(self, call: str, records: int, **members: str) -> float:
        """One call."""
        request = {"call": call, "store": self._stores[records], "password": os.urandom(9).hex(), **members}
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            raise SystemExit(f"{self._child.args[-1]} failed")
        return float(answer)

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.stdin.close()
        self._child.wait(10)
        self._child.stdout.close()


class Stage:
    """Progress on stderr: a bar on a terminal, lines elsewhere."""

    def __init__(self, what: str, runs: int) -> None:
        self._what, self._runs, self._done = what, runs, 0
        if not sys.stderr.isatty():
            print(f"{what} ...", file=sys.stderr, flush=True)

    def step(self) -> None:
        """Count one run."""
        self._done += 1
        if sys.stderr.isatty():
            filled = 30 * self._done // self._runs
            end = "\r\033[K" if self._done == self._runs else ""
            bar = f"[{'#' * filled}{'.' * (30 - filled)}]"
            print(f"\r{bar} {self._what} {self._done}/{self._runs}", end=end, file=sys.stderr, flush=True)


def measure_calls(sides: list[Side], runs_of: dict[int, int] = RUNS) -> list[Row]:
    """get and set in process."""
    rows = []
    for records, runs in runs_of.items():
        times: dict[str, list[tuple[float, float]]] = {"get": [], "set": []}
        stage = Stage(f"get and set with {records:,} records", runs)
        with sides[0].start() as ours, sides[1].start() as theirs:
            for call in times:  # The first call of each triggers lazy imports.
                ours.ask(call, records), theirs.ask(call, records)
            for _ in range(runs):
                for call, pairs in times.items():
                    pairs.append((ours.ask(call, records) * 1000, theirs.ask(call, records) * 1000))
                stage.step()
        rows += [Row(f"{call}, {records:,} record{'s'[: records > 1]}", pairs) for call, pairs in times.items()]
    return sorted(rows, key=lambda row: row.name[:3])


def measure_round_trip(side: Side) -> Row:
    """get of one record, beside a bare request to the agent in the same process."""
    message = sign_request().hex()
    runs = RUNS[1]
    stage, pairs = Stage("get beside the bare agent", runs), []
    with side.start() as process:
        process.ask("get", 1), process.ask("agent", 1, message=message)
        for _ in range(runs):
            pairs.append((process.ask("get", 1) * 1000, process.ask("agent", 1, message=message) * 1000))
            stage.step()
    return Row("get, 1 record / bare agent", pairs)


def sign_request() -> bytes:
    """The agent request that unlocks the store."""
    expected = json.loads((_VECTORS / "expected-fixed-rng.json").read_text(encoding="utf-8"))
    blob, data = base64.b64decode(expected["public_key"].split()[1]), bytes.fromhex(expected["sshsig_tbs_hex"])
    body = b"\x0d" + b"".join(len(part).to_bytes(4, "big") + part for part in (blob, data)) + bytes(4)
    return len(body).to_bytes(4, "big") + body


def measure_command(sides: list[Side]) -> tuple[Row, float]:
    """`keyring get` as a command, and with a backend that does nothing, as the lower bound."""
    stage, pairs, floors = Stage("keyring get as a command", COMMAND_RUNS), [], []
    for number in range(-1, COMMAND_RUNS):
        times = [milliseconds_of_command(side) for side in sides]
        floor = milliseconds_of_command(sides[0], "-b", "keyring.backends.null.Keyring")
        if number >= 0:  # The first run fills the caches: byte code, files.
            pairs.append((times[0], times[1]))
            floors.append(floor)
            stage.step()
    return Row("keyring get, command", pairs), statistics.median(floors)


def milliseconds_of_command(side: Side, *options: str) -> float:
    """The wall time of one run, with the backend named in keyringrc.cfg unless an option names another."""
    words = [side.user.client.program("keyring"), *options, "get", "service", "user 0"]
    environment = side.user.environment(
        SSH_AGENT_KEYRING_STORE_PATH=side.stores[1], XDG_CONFIG_HOME=os.path.join(side.directory, "config")
    )
    started = time.perf_counter()
    ended = subprocess.run(words, env=environment, stdout=subprocess.PIPE, check=False)
    elapsed = time.perf_counter() - started
    assert bool(ended.stdout.strip()) != bool(options), words
    return elapsed * 1000


def measure_memory(sides: list[Side]) -> dict[str, list[float]]:
    """Peak memory of one call with the largest store, in multiples of its file size; a new process each."""
    records = max(RUNS)
    stage, found = Stage(f"memory with {records:,} records", 3 * MEMORY_RUNS), {}
    for call in ("get", "miss", "set"):
        taken: list[list[float]] = [[], []]
        for _ in range(MEMORY_RUNS):
            for side, peaks in zip(sides, taken):
                with side.start() as process:
                    process.ask(call, 1)
                    peaks.append(process.ask("peak", records, of=call) / os.path.getsize(side.stores[records]))
            stage.step()
        found[call] = [statistics.median(peaks) for peaks in taken]
    return found


def show(rows: list[Row], round_trip: Row, floor: float, memory: dict[str, list[float]]) -> None:
    """The table, then the targets."""
    print(f"\n{'ms, medians of alternated runs':30} {OURS:>12} {THEIRS:>26}    ratio (pairs)")
    for row in rows:
        print(f"  {row.name:28} {row.ours:12.3f} {row.theirs:26.3f} {row.ratio:7.1f}x {len(row.pairs):7}")
    for call, (ours, theirs) in memory.items():
        print(f"  {f'{call}, {max(RUNS):,}: memory / file':28} {ours:12.2f} {theirs:26.2f} {theirs / ours:7.1f}x")
    print(f"\nget of one record {round_trip.ours:.3f} ms, the bare agent {round_trip.theirs:.3f} ms")
    print(f"keyring get with a backend that does nothing {floor:.0f} ms")
    ratios = {row.name: row.ratio for row in rows}
    targets = [
        ("get, 10,000 records: times faster", ratios["get, 10,000 records"], "at least", 5),
        ("set, 10,000 records: times faster", ratios["set, 10,000 records"], "at least", 5),
        ("keyring get: times faster", ratios["keyring get, command"], "at least", 2),
        ("get, 1 record: times the bare agent", 1 / round_trip.ratio, "at most", 1.2),
        *((f"{call}, 50,000 records: times the file", ours, "at most", 3) for call, (ours, _) in memory.items()),
    ]
    print("\ntargets")
    for name, value, kind, limit in targets:
        is_met = value >= limit if kind == "at least" else value <= limit
        print(f"  {'met   ' if is_met else 'MISSED'} {name:38} {value:7.2f}, {kind} {limit}")


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="bench.store", description=__doc__)
    parser.add_argument("--wheel", required=True, help="the built wheel of ringbearer")
    parser.add_argument("--chart", help="where to draw the times, as SVG")
    parser.add_argument("--directory", help="where the stores are, which decides what fsync costs (default: target)")
    arguments = parser.parse_args()
    client_environments = ClientEnvironments(os.environ.get("RINGBEARER_TEST_ENVIRONMENTS") or _ENVIRONMENTS)
    # Only keyring and the backend in either, since a command scans all installed packages.
    clients = [
        client_environments._client("bench-store", [KEYRING], os.path.abspath(arguments.wheel)),
        client_environments.ssh_agent_keyring("0.6.0"),
    ]
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}, ", end="")
    print(f"{os.cpu_count()} processors")
    place = arguments.directory or os.path.dirname(client_environments.directory)
    agent = Agent()
    try:
        with tempfile.TemporaryDirectory(prefix="bench-store-", dir=place) as directory:
            sides = make_sides(clients, directory, agent)
            rows = measure_calls(sides)
            command, floor = measure_command(sides)
            rows.append(command)
            round_trip = measure_round_trip(sides[0])
            memory = measure_memory(sides) if sys.platform == "linux" else {}
    finally:
        agent.close()
    show(rows, round_trip, floor, memory)
    if arguments.chart:
        Path(arguments.chart).parent.mkdir(parents=True, exist_ok=True)
        Path(arguments.chart).write_text(chart(rows, (OURS, THEIRS)), encoding="utf-8")
    return 0


def make_sides(
    clients: list[Client], directory: str, agent: Agent, numbers: Collection[int] = tuple(RUNS)
) -> list[Side]:
    """Two homes with the same stores."""
    sides = []
    for name, client, backend in zip((OURS, THEIRS), clients, (RINGBEARER, PUBLISHED)):
        home = os.path.join(directory, name)
        config = os.path.join(home, "config", "python_keyring")
        os.makedirs(config)
        Path(config, "keyringrc.cfg").write_text(f"[backend]\ndefault-keyring={backend}\n", encoding="utf-8")
        sides.append(Side(name, StoreUser(client, home, agent.socket, backend), home))
    known = KnownStore(clients[0], os.path.join(directory, "known"), agent)
    stage = Stage("making stores", len(numbers))
    for records in numbers:
        known.fill(("service", f"user {number}", f"password {number} {'x' * 20}") for number in range(records))
        for side in sides:
            side.copy(known.path, records)
        stage.step()
    return sides


if __name__ == "__main__":
    sys.exit(main())

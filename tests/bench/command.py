"""The commands that tools and people run: the native ``keyring``, and ``ringbearer`` through Python, beside Python's
``keyring``. ``python -m bench.command --wheel PATH --cli-wheel PATH``.

Both sides of each row are run in turn, A B A B ..., against the same practice cloud on loopback.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import tempfile
import time
from pathlib import Path

from lab.clients import KEYRING, Client, ClientEnvironments
from lab.cloud import PracticeCloud
from lab.versions import PEERS

from .chart import Row, chart
from .store import Stage

_ENVIRONMENTS = os.path.join("target", "test-environments")

OURS, THEIRS = "ringbearer", "Python's keyring"


def milliseconds(words: list[str], environment: dict[str, str], expected: int) -> float:
    """Wall time of one run, from the start of the process to its exit."""
    nowhere = [(os.POSIX_SPAWN_OPEN, place, os.devnull, os.O_RDWR, 0) for place in (0, 1, 2)]
    start = time.perf_counter()
    child = os.posix_spawn(words[0], words, environment, file_actions=nowhere)
    _, status = os.waitpid(child, 0)
    elapsed = (time.perf_counter() - start) * 1000
    assert os.waitstatus_to_exitcode(status) == expected, words
    return elapsed


def compare(name: str, runs: int, sides: list[tuple[list[str], dict[str, str]]], expected: int = 0) -> Row:
    """Two commands in turn, which end with the expected exit code."""
    stage, pairs = Stage(name, runs), []
    for number in range(-2, runs):
        pair = tuple(milliseconds(words, environment, expected) for words, environment in sides)
        if number >= 0:  # The first two runs fill the caches: byte code, files.
            pairs.append(pair)
            stage.step()
    return Row(name, pairs)


def measure(runs: int, native: Client, client: Client, plain: Client, nofuss: Client) -> list[Row]:
    """Every row, against a practice cloud without latency."""
    with tempfile.TemporaryDirectory() as home, PracticeCloud() as cloud:
        bearer = cloud.azure.directory.user_token(cloud.azure.user)
        cloud.chainguard.write_cache(home, cloud.chainguard.token())

        def run_in(where: Client, program: str, *words: str) -> tuple[list[str], dict[str, str]]:
            # Every run is cold; `bench.peers` measures the cache between processes.
            variables = {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": bearer, "RINGBEARER_CACHE": "off", **cloud.menda.variables}
            environment = cloud.environment(home, **variables)
            # Only its own programs, so there is no next keyring.
            return [where.program(program), *words], {**environment, "PATH": where.bin}

        def get(where: Client, service: str, program: str = "keyring") -> tuple[list[str], dict[str, str]]:
            return run_in(where, program, "get", service, "VssSessionToken")

        foreign, azure = "https://index.example/simple/", cloud.azure.feed.url()
        menda, chainguard = cloud.menda.plugins.url, cloud.chainguard.python.url
        return [
            compare("foreign service, native", runs, [get(native, foreign), get(plain, foreign)], expected=1),
            compare("Azure, native / nofuss 1.3.3", runs, [get(native, azure), get(nofuss, azure)]),
            compare("Azure, native / our wheel", runs, [get(native, azure), get(client, azure)]),
            compare("Menda, native / our wheel", runs, [get(native, menda), get(client, menda)]),
            compare("Chainguard, native / our wheel", runs, [get(native, chainguard), get(client, chainguard)]),
            compare("ringbearer get / keyring get", runs, [get(client, azure, "ringbearer"), get(client, azure)]),
        ]


def show(rows: list[Row]) -> None:
    """The table, then the targets."""
    print(f"\n{'ms, medians of alternated runs':32} {OURS:>12} {THEIRS:>18}    ratio (pairs)")
    for row in rows:
        print(f"  {row.name:30} {row.ours:12.2f} {row.theirs:18.2f} {row.ratio:7.1f}x {len(row.pairs):7}")
    foreign, azure, console = rows[0], rows[1], rows[5]
    targets = [
        ("foreign service, native: ms", foreign.ours, "at most", 5),
        ("foreign service, native: times faster", foreign.ratio, "at least", 20),
        ("Azure: times faster than nofuss 1.3.3", azure.ratio, "at least", 8),
        ("ringbearer get: times faster", console.ratio, "at least", 4),
    ]
    show_targets(targets)


def show_targets(targets: list[tuple[str, float, str, float]]) -> None:
    """Each with its name, its figure, ``at least`` or ``at most``, and the limit."""
    print("\ntargets")
    for name, value, kind, limit in targets:
        is_met = value >= limit if kind == "at least" else value <= limit
        print(f"  {'met   ' if is_met else 'MISSED'} {name:38} {value:7.2f}, {kind} {limit}")


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="bench.command", description=__doc__)
    parser.add_argument("--wheel", required=True, help="the built wheel of ringbearer")
    parser.add_argument("--cli-wheel", required=True, help="the built wheel of ringbearer-cli")
    parser.add_argument("--runs", type=int, default=31, help="counted runs of each (default: %(default)s)")
    parser.add_argument("--chart", help="where to draw the times, as SVG")
    arguments = parser.parse_args()
    client_environments = ClientEnvironments(os.environ.get("RINGBEARER_TEST_ENVIRONMENTS") or _ENVIRONMENTS)
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}, ", end="")
    print(f"{os.cpu_count()} processors")
    rows = measure(
        arguments.runs,
        client_environments.native(os.path.abspath(arguments.cli_wheel)),
        # Only keyring and the backend, since a command scans all installed packages.
        client_environments._client("bench-store", [KEYRING], os.path.abspath(arguments.wheel)),
        client_environments._client("bench-plain", [KEYRING]),
        client_environments._client("bench-nofuss", [KEYRING, PEERS["nofuss"]]),
    )
    show(rows)
    if arguments.chart:
        Path(arguments.chart).parent.mkdir(parents=True, exist_ok=True)
        Path(arguments.chart).write_text(chart(rows, (OURS, THEIRS)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""What ringbearer costs a program that uses keyring: time, memory, size. ``python -m bench --wheel PATH``.

Two environments that differ in nothing but ringbearer are asked in turn, A B A B ..., so that a machine whose speed
drifts slows both alike. Medians and the median of the differences pair by pair are what to quote.
"""

from __future__ import annotations

import argparse
import email
import os
import platform
import statistics
import sys
import tempfile
import time
import zipfile

from lab.clients import Client, ClientEnvironments
from lab.cloud import PracticeCloud
from lab.registries import REGISTRIES
from lab.registries.google.files import GoogleFiles

_ENVIRONMENTS = os.path.join("target", "test-environments")

#: What every program does that uses keyring: find the backends.
_FIND_BACKENDS = "import keyring; keyring.get_keyring()"

_FOREIGN_LOOKUPS = f"""
import time
from ringbearer import backends
services = ["https://index.example/simple/", "python-poetry-check", ""]
for name in {[registry.backend for registry in REGISTRIES.values()]!r}:
    backend = getattr(backends, name)()
    for service in services:
        backend.get_credential(service, None)
    start = time.perf_counter()
    for _ in range(10000):
        for service in services:
            backend.get_credential(service, None)
    print((time.perf_counter() - start) / 30000)
"""


#: One lookup in a practice cloud: cold, then warm, and the memory that the process held by then.
_LOOK_UP = """
import sys, time, keyring
keyring.get_keyring()
for _ in range(2):
    start = time.perf_counter()
    assert keyring.get_credential(sys.argv[1], None)
    print((time.perf_counter() - start) * 1000)
"""

#: Prints the most memory that the process held, in KiB. The operating system's account of an ended child would not
#: do: on Linux it begins with what its parent held when it was forked.
_PEAK = """
for line in open("/proc/self/status"):
    if line.startswith("VmHWM:"):
        print(line.split()[1])
"""


def milliseconds(client: Client, environment: dict[str, str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    child = os.posix_spawn(client.python, [client.python, "-c", _FIND_BACKENDS], environment)
    _, status = os.waitpid(child, 0)
    if status:
        raise SystemExit(f"the program failed: {_FIND_BACKENDS}")
    return (time.perf_counter() - start) * 1000


def peak_mebibytes(client: Client, environment: dict[str, str]) -> float:
    """Peak memory of one run."""
    ended = client.run(["python", "-c", _FIND_BACKENDS + "\n" + _PEAK], environment).check()
    return int(ended.stdout) / 1024


def compare(runs: int, client: Client, without: Client) -> None:
    """Time and memory with ringbearer and without, in turn."""
    measures = [("ms", milliseconds)]
    if sys.platform == "linux":
        measures.append(("MiB", peak_mebibytes))
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "PATH": os.defpath}
        for unit, measure in measures:
            pairs = []
            for number in range(-2, runs):
                pair = measure(client, environment), measure(without, environment)
                if number >= 0:  # The first two runs fill the caches: byte code, files.
                    pairs.append(pair)
                    show_progress(number + 1, runs)
            show_pairs(pairs, unit)


def show_pairs(pairs: list[tuple[float, float]], unit: str) -> None:
    """Both columns and their difference."""
    columns = [list(column) for column in zip(*pairs)]
    longest = max(map(statistics.median, columns))
    print(f"\n{_FIND_BACKENDS}: {unit}, median (minimum to maximum) of {len(pairs)} alternated runs")
    for name, column in zip(("with ringbearer", "without"), columns):
        bar = "█" * round(40 * statistics.median(column) / longest)
        print(f"  {name:16} {statistics.median(column):8.2f} {unit} ({min(column):.2f} to {max(column):.2f})  {bar}")
    difference = statistics.median(a - b for a, b in pairs)
    print(f"  {'difference':16} {difference:8.2f} {unit}, ratio {statistics.median(a / b for a, b in pairs):.3f}")


def show_progress(done: int, total: int) -> None:
    """A progress bar on a terminal, nothing elsewhere."""
    if sys.stderr.isatty():
        filled = 40 * done // total
        end = "\r\033[K" if done == total else ""
        print(f"\r[{'#' * filled}{'.' * (40 - filled)}] {done}/{total}", end=end, file=sys.stderr, flush=True)


def show_look_ups(runs: int, client: Client, without: Client) -> None:
    """Time of a lookup for each registry, and the memory that it adds to finding the backends."""
    print(f"\na lookup against the practice cloud on loopback, medians of {runs} runs:")
    with tempfile.TemporaryDirectory() as home, PracticeCloud() as cloud:
        cloud.chainguard.write_cache(home, cloud.chainguard.token())
        bearer = cloud.azure.directory.user_token(cloud.azure.user)
        login = {"GOOGLE_APPLICATION_CREDENTIALS": str(GoogleFiles(home).write(cloud.google.login.file))}
        registries = [
            ("Azure, one GET and one POST", cloud.azure.feed.url(), {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": bearer}),
            ("Menda, two POSTs", cloud.menda.plugins.url, cloud.menda.variables),
            ("CodeArtifact, one POST", cloud.codeartifact.repository.url, cloud.codeartifact.user.variables),
            ("Google, one POST", cloud.google.repository.url, login),
            ("Chainguard, from chainctl's cache", cloud.chainguard.python.url, {}),
        ]
        for name, url, variables in registries:
            environment = cloud.environment(home, **variables)
            cold, warm, added = [], [], []
            for number in range(runs):
                ended = client.run(["python", "-c", _LOOK_UP + _PEAK, url], environment).check()
                times_and_peak = ended.stdout.split()
                cold.append(float(times_and_peak[0]))
                warm.append(float(times_and_peak[1]))
                added.append(int(times_and_peak[2]) / 1024 - peak_mebibytes(without, environment))
                show_progress(number + 1, runs)
            print(
                f"  {name:34} cold {statistics.median(cold):5.2f} ms, warm {statistics.median(warm):5.2f} ms; ", end=""
            )
            print(f"{statistics.median(added):.2f} MiB more than keyring without ringbearer")


def show_foreign_cost(client: Client) -> None:
    """Time of a lookup of a foreign service."""
    with tempfile.TemporaryDirectory() as home:
        ended = client.run(["python", "-c", _FOREIGN_LOOKUPS], {"HOME": home, "PATH": os.defpath}).check()
    costs = ", ".join(f"{float(cost) * 1e6:.2f}" for cost in ended.stdout.split())
    print(f"\na service that is not ours: {costs} µs a question for each index backend, means of 30000")


def show_size(wheel: str) -> None:
    """Size and dependencies of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        installed = sum(entry.file_size for entry in archive.infolist())
        name = next(entry for entry in archive.namelist() if entry.endswith(".dist-info/METADATA"))
        needs = email.message_from_bytes(archive.read(name)).get_all("Requires-Dist") or []
    print(f"\n{os.path.basename(wheel)}: {os.path.getsize(wheel) / 1e6:.2f} MB, installed {installed / 1e6:.2f} MB")
    print(f"needs: {', '.join(needs)}")


def main() -> int:
    """Measure and show."""
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("--wheel", required=True, help="the built wheel of ringbearer")
    parser.add_argument("--runs", type=int, default=31, help="counted runs of each (default: %(default)s)")
    arguments = parser.parse_args()
    if not hasattr(os, "posix_spawn"):
        raise SystemExit("this benchmark needs os.posix_spawn, which Windows lacks")
    client_environments = ClientEnvironments(os.environ.get("RINGBEARER_TEST_ENVIRONMENTS") or _ENVIRONMENTS)
    wheel = os.path.abspath(arguments.wheel)
    client = client_environments.client(wheel)
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.platform()}, ", end="")
    print(f"{os.cpu_count()} processors")
    compare(arguments.runs, client, client_environments.client())
    if sys.platform == "linux":
        show_look_ups(arguments.runs, client, client_environments.client())
    show_foreign_cost(client)
    show_size(wheel)
    return 0


if __name__ == "__main__":
    sys.exit(main())

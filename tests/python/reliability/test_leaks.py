"""Thousands of lookups in one process leak no thread, file or memory."""

from __future__ import annotations

import json
import os
import sys

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the threads and files of a process")

#: Makes lookups in rounds, and prints the resources of the process after each.
ROUNDS = """
import json, keyring, os, sys, time
from ringbearer.backends import AzureArtifactsKeyring
service, times, pause = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
backend = AzureArtifactsKeyring()
def has():
    with open("/proc/self/status") as stream:
        lines = dict(line.split(":", 1) for line in stream)
    return {
        "threads": int(lines["Threads"]),
        "files": len(os.listdir("/proc/self/fd")),
        "memory": int(lines["VmRSS"].split()[0]) // 1024,
    }
rounds = []
for number in range(4):
    for time_ in range(times):
        # Never the same: nothing is answered from memory.
        os.environ["AZURE_DEVOPS_EXT_PAT"] = f"pat-{number}-{time_}"
        if "{}" in service:
            os.environ.pop("AZURE_DEVOPS_EXT_PAT")
        backend.get_credential(service.format(f"{number}-{time_}"), None)
    time.sleep(pause)
    rounds.append(has())
json.dump(rounds, sys.stdout)
"""


@pytest.fixture
def rounds(client: Client, cloud: PracticeCloud, home, fake_programs: FakePrograms):
    """The resources of a process after each round of lookups."""

    def ask(service: str, times: int, pause: float, **variables: str) -> list[dict[str, int]]:
        environment = cloud.environment(home, path=[fake_programs.directory], **variables)
        command = ["python", "-c", ROUNDS, service, str(times), str(pause)]
        return json.loads(client.run(command, environment, 30).check().stdout)

    return ask


def test_thousands_of_answers_leave_nothing_behind(cloud: PracticeCloud, rounds) -> None:
    first, *others = rounds(cloud.azure.feed.url(), 1000, 0.1)
    assert {one["threads"] for one in others} == {1}
    assert {one["files"] for one in others} == {first["files"]}
    # Megabytes. A thousand cached answers are small.
    assert others[-1]["memory"] - first["memory"] <= 3, others


def test_failures_and_broken_connections_leave_nothing_behind(cloud: PracticeCloud, rounds) -> None:
    cloud.faults.add(faults.reset())
    service = "https://pkgs.dev.azure.com/org-{}/_packaging/f/pypi/simple/"
    first, *others = rounds(service, 25, 0.3, ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    assert len(cloud.log.requests(host="pkgs.dev.azure.com")) == 100
    assert {one["threads"] for one in others} == {1}
    assert others[-1]["files"] <= first["files"] + 1
    assert others[-1]["memory"] - first["memory"] <= 3, others


#: Interrupts lookups, and prints the number of threads then and after their limit.
GIVEN_UP = """
import keyring, os, signal, sys, time
keyring.get_keyring()
def threads():
    return len(os.listdir("/proc/self/task"))
class Alarm(Exception): pass
def ring(*_): raise Alarm
signal.signal(signal.SIGALRM, ring)
for service in sys.argv[1:]:
    signal.setitimer(signal.ITIMER_REAL, 0.03)
    try:
        keyring.get_credential(service, None)
    except Alarm:
        pass
print(threads())
end = time.monotonic() + 5
while threads() > 1 and time.monotonic() < end:
    time.sleep(0.05)
print(threads(), len([one for one in os.listdir("/proc/self/fd")]) < 12)
"""


def test_threads_of_cancelled_look_ups_end_at_their_deadline(cloud: PracticeCloud, client: Client, home) -> None:
    cloud.faults.add(faults.silence())
    services = [f"https://pkgs.dev.azure.com/org-{number}/_packaging/f/pypi/simple/" for number in range(20)]
    environment = cloud.environment(home, RINGBEARER_TIMEOUT="1")
    ended = client.run(["python", "-c", GIVEN_UP, *services], environment, 20).check()
    before, after = ended.stdout.splitlines()
    assert int(before) > 1
    assert after == "1 True", os.linesep.join([before, after])

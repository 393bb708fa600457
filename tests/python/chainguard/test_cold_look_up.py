"""The cost of the first lookup with a fresh token in the cache of chainctl: one file."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from lab import strace
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp, Lookups
from support.chainguard_user import INDEX, SOURCES, User

pytestmark = pytest.mark.skipif(strace.MISSING is not None, reason=f"nothing else sees system calls: {strace.MISSING}")

MAKING = ("fork", "vfork", "clone", "clone3")
TALKING = ("socket", "socketpair", "connect", "bind", "sendto", "sendmsg", "sendmmsg")
OPENING = ("open", "openat", "openat2")
WATCHED = ",".join((*MAKING, *TALKING, *OPENING, "execve", "execveat"))

_CALL = re.compile(r"\d+ +(?P<name>\w+)\((?P<arguments>.*)")


@pytest.fixture
def user(cloud: PracticeCloud, fake_programs: FakePrograms, tmp_path: Path) -> User:
    """A user with a login for each source."""
    return User(cloud, fake_programs, tmp_path)


class Seen:
    """The system calls of a lookup."""

    def __init__(self, calls: list[re.Match[str]]) -> None:
        #: Programs that were started.
        self.programs = [_quoted(call) for call in calls if call["name"].startswith("execve")]
        made = [call for call in calls if call["name"] in MAKING]
        self.threads = [call[0] for call in made if "CLONE_THREAD" in call["arguments"]]
        #: Processes that were created.
        self.processes = [call[0] for call in made if "CLONE_THREAD" not in call["arguments"]]
        self.sockets = [call[0] for call in calls if call["name"] in TALKING]
        self.files = [_quoted(call) for call in calls if call["name"] in OPENING]


def _quoted(call: re.Match[str]) -> str:
    return re.findall(r'"([^"]*)"', call["arguments"])[0]


@pytest.fixture
def watched(look_up: Lookups, user: User, tmp_path: Path):
    """Makes a lookup with one configured source. Returns its answer and its system calls."""

    def watched(service: str, source: str) -> tuple[tuple[str, str] | None, Seen]:
        log, before, after = tmp_path / "log", str(tmp_path / "before"), str(tmp_path / "after")
        command = [shutil.which("strace"), "-f", "-qq", "-s", "300", "-o", str(log), "-e", f"trace={WATCHED}"]
        # What Python and keyring do to find their backends is done in the first lookup; the files that are written
        # before the others show in the log where these begin.
        foreign = "https://index.example/simple/"
        look_ups = [LookUp(foreign), LookUp(service, files={before: ""}), LookUp(foreign, files={after: ""})]
        _, answer, _ = look_up.all(look_ups, before=command, **user.with_sources(source))
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
        calls = [call for call in map(_CALL.match, lines) if call]
        [first] = [number for number, call in enumerate(calls) if f'"{before}"' in call["arguments"]]
        [last] = [number for number, call in enumerate(calls) if f'"{after}"' in call["arguments"]]
        return answer.credential, Seen(calls[first + 1 : last])

    return watched


def test_fresh_cache_file_needs_no_process_and_no_socket(
    cloud: PracticeCloud, user: User, fake_programs: FakePrograms, watched
) -> None:
    credential, seen = watched(INDEX, "chainctl_cache")
    assert credential == user.credentials["chainctl_cache"]
    assert (seen.programs, seen.processes, seen.sockets) == ([], [], [])
    assert [Path(path).name for path in seen.files] == ["oidc-token"]
    assert fake_programs.invocations() == []
    assert cloud.log.connections() == cloud.log.refused() == []


def test_foreign_look_up_opens_and_starts_nothing(watched) -> None:
    for service in ("https://index.example/simple/", "https://cgr.dev/", "http://libraries.cgr.dev/", "https://[bad"):
        credential, seen = watched(service, "chainctl_cache")
        assert credential is None
        assert vars(seen) == {"programs": [], "processes": [], "threads": [], "sockets": [], "files": []}


@pytest.mark.parametrize("source", SOURCES)
def test_each_source_starts_and_connects_only_what_it_needs(
    cloud: PracticeCloud, user: User, watched, source: str
) -> None:
    # This also proves that the tests above would see what they assert is absent.
    credential, seen = watched(INDEX, source)
    assert credential == (user.credentials.get(source) or user.issued())
    runs = [path for path in seen.programs if path.endswith("/chainctl")]
    assert len(runs) == {"chainctl": 1, "new_pull_token": 2}.get(source, 0)
    assert bool(seen.processes) == bool(seen.programs) == bool(runs)
    assert bool(seen.sockets) == (source == "oidc") == bool(cloud.log.connections())
    assert len(seen.threads) >= 1

"""`ringbearer token`: the token for an index URL, on standard output or in a private file."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
import tempfile
import threading
from pathlib import Path

import pytest
from lab import strace
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.command_line import GIVEN, CommandLine, assert_complaint, names_in

FILE = "ARTIFACTS_KEYRING_NOFUSS_TOKEN_FILE"

where_files_have_modes = pytest.mark.skipif(
    os.name == "nt", reason="permissions differ on Windows, and it has no FIFOs"
)
where_calls_are_seen = pytest.mark.skipif(strace.MISSING is not None, reason=str(strace.MISSING))


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program."""
    return CommandLine(either, cloud, home, fake_programs)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty directory for the file."""
    made = tmp_path / "folder"
    made.mkdir()
    return made


@pytest.fixture
def azure(cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Registry:
    """A feed whose user is logged in with `az`."""
    made = REGISTRIES["azure"](cloud, fake_programs, home)
    made.log_in()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def what_it_is(path: Path) -> tuple[int, ...]:
    """Metadata that writing changes and reading does not."""
    found = os.lstat(path)
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns


def test_the_token_is_printed_and_nothing_else(ringbearer: CommandLine, registry: Registry) -> None:
    ended = ringbearer("token", registry.index_url, **registry.variables).check()
    [token] = registry.passwords()
    assert (ended.stdout, ended.stderr) == (token + "\n", "")
    registry.assert_ways(1)
    # No host has seen the token yet, and only token services have seen the login.
    assert ringbearer.log.hosts_that_saw(token) == []
    assert all(set(ringbearer.log.hosts_that_saw(login)) <= set(registry.api_hosts[-1:]) for login in registry.logins())


def test_output_file_has_exactly_the_token_and_stdout_nothing(
    ringbearer: CommandLine, registry: Registry, folder: Path
) -> None:
    ended = ringbearer("token", "--output-file", folder / "token", registry.index_url, **registry.variables).check()
    [token] = registry.passwords()
    assert (folder / "token").read_bytes() == token.encode()
    assert ended.output == "" and names_in(folder) == ["token"]


@where_files_have_modes
@pytest.mark.parametrize("umask", [0o000, 0o027, 0o177], ids=oct)
def test_the_file_is_its_owners_alone_whatever_the_mask(ringbearer: CommandLine, folder: Path, umask: int) -> None:
    before = ("/bin/sh", "-c", f'umask {umask:o} && exec "$0" "$@"')
    ringbearer.with_token("token", ringbearer.url, "--output-file=token", before=before, directory=folder).check()
    assert mode(folder / "token") == 0o600


@where_files_have_modes
@pytest.mark.parametrize("before", [0o400, 0o644, 0o666, 0o4755], ids=oct)
def test_output_file_that_others_can_read_is_replaced(ringbearer: CommandLine, folder: Path, before: int) -> None:
    path = folder / "token"
    path.write_text("something that is longer than a token" * 40)
    path.chmod(before)
    with path.open() as opened_by_another:
        ringbearer.with_token("token", ringbearer.url, "--output-file", path).check()
        # A process that had it open still reads the old content.
        assert ringbearer.token not in opened_by_another.read()
    assert path.read_text() == ringbearer.token and mode(path) == 0o600
    assert names_in(folder) == ["token"]


@where_files_have_modes
def test_hard_link_of_the_output_file_keeps_its_content(ringbearer: CommandLine, folder: Path) -> None:
    path, other = folder / "token", folder / "other"
    path.write_text("old")
    os.link(path, other)
    ringbearer.with_token("token", ringbearer.url, "--output-file", path).check()
    assert (path.read_text(), other.read_text()) == (ringbearer.token, "old")


@where_files_have_modes
def test_symlink_is_kept_and_leads_to_the_token(ringbearer: CommandLine, folder: Path) -> None:
    target, link = folder / "target", folder / "link"
    target.write_text("old")
    target.chmod(0o644)
    link.symlink_to("target")
    ringbearer.with_token("token", ringbearer.url, "--output-file", link).check()
    assert link.is_symlink() and target.read_text() == ringbearer.token and mode(target) == 0o600
    assert names_in(folder) == ["link", "target"]


@where_files_have_modes
@pytest.mark.parametrize("shared", [0o777, 0o1777], ids=oct)
@pytest.mark.parametrize("link", ["planted", "dangling", "directory"])
def test_link_that_others_may_have_planted_is_refused(
    ringbearer: CommandLine, folder: Path, tmp_path: Path, shared: int, link: str
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "token").write_text("old")
    folder.chmod(shared)
    target = {"planted": own / "token", "dangling": own / "new", "directory": own}[link]
    (folder / link).symlink_to(target)
    path = folder / link / "token" if link == "directory" else folder / link
    ended = ringbearer.with_token("token", ringbearer.url, "--output-file", path)
    assert_complaint(ended, f"{path} cannot be written: ", "that others may write; name its target")
    assert (names_in(own), (own / "token").read_text()) == (["token"], "old")
    ringbearer.with_token("token", ringbearer.url, "--output-file", folder / "plain").check()
    assert (folder / "plain").read_text() == ringbearer.token


@where_files_have_modes
def test_anything_but_a_regular_file_is_refused(ringbearer: CommandLine, folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    (folder / "directory").mkdir()
    (folder / "nowhere").symlink_to("not-there")
    (folder / "null").symlink_to("/dev/null")
    before = {name: what_it_is(folder / name) for name in names_in(folder)}
    # Paths of sockets are short.
    with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(short + "/socket")
        names = [*before, "directory/", "not-there/token", "fifo/token", ".", "", "/dev/null", "/dev/stdout"]
        for name in [*names, short + "/socket"]:
            ended = ringbearer.with_token("token", ringbearer.url, "--output-file", name, directory=folder)
            assert_complaint(ended, "cannot be written: ", name)
            assert ringbearer.token not in ended.output
        assert names_in(Path(short)) == ["socket"]
    assert {name: what_it_is(folder / name) for name in names_in(folder)} == before


@where_files_have_modes
def test_a_reader_never_sees_half_a_token(ringbearer: CommandLine, folder: Path) -> None:
    path = folder / "token"
    tokens = ["short", "long" * 4000]
    path.write_text(tokens[0])
    seen, is_over = set(), threading.Event()

    def read() -> None:
        while not is_over.is_set():
            seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for token in tokens * 4:
            ringbearer("token", ringbearer.url, "--output-file", path, **{GIVEN: token}).check()
            assert path.read_text() == token
    finally:
        is_over.set()
        reader.join()
    assert seen == set(tokens)


def test_several_that_write_at_once_all_succeed(ringbearer: CommandLine, folder: Path) -> None:
    path = folder / "token"
    words = ["ringbearer", "token", ringbearer.url, "--output-file", path]
    tokens = [f"token-{number}" for number in range(8)]
    processes = [ringbearer.program.start(words, ringbearer.environment(**{GIVEN: token})) for token in tokens]
    ended = [(process.communicate(timeout=10)[1], process.returncode) for process in processes]
    assert ended == [(b"", 0)] * len(tokens)
    assert path.read_text() in tokens and names_in(folder) == ["token"]


@where_calls_are_seen
@pytest.mark.parametrize("there", [True, False], ids=["replaced", "new"])
@pytest.mark.parametrize("failure", ["fsync:error=EIO:when=1", f"{strace.RENAMING},linkat,link:error=ENOSPC"])
def test_failing_disk_leaves_the_old_file_and_nothing_else(
    ringbearer: CommandLine, home: Path, folder: Path, tmp_path: Path, failure: str, there: bool
) -> None:
    # The file is synced before its directory.
    (home / ".cache" / "ringbearer").mkdir(parents=True)
    path = folder / "token"
    if there:
        path.write_text("old")
    before = (*strace.tracing(tmp_path / "log"), "-e", f"trace={failure.partition(':')[0]}", "-e", f"inject={failure}")
    ended = ringbearer.with_token("token", ringbearer.url, "--output-file", path, before=before)
    assert_complaint(ended, "cannot be written: ", str(path))
    assert {entry.name: entry.read_text() for entry in folder.iterdir()} == ({"token": "old"} if there else {})


@pytest.mark.parametrize("name", list(REGISTRIES))
def test_without_a_token_it_fails_and_touches_no_file(
    ringbearer: CommandLine, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path, folder: Path, name: str
) -> None:
    registry = REGISTRIES[name](cloud, fake_programs, home)
    path = folder / "token"
    path.write_text("old")
    before = what_it_is(path)
    assert_complaint(ringbearer("token", registry.index_url), registry.host)
    assert_complaint(ringbearer("token", registry.index_url, "--output-file", path), registry.host)
    assert_complaint(ringbearer("token", registry.index_url, "--output-file", folder / "new"), registry.host)
    assert what_it_is(path) == before and path.read_text() == "old" and names_in(folder) == ["token"]


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/simple/",
        "http://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/",
        "https://pkgs.dev.azure.com:8443/contoso/_packaging/tools/pypi/simple/",
        "https://pkgs.dev.azure.com.example/contoso/_packaging/tools/pypi/simple/",
        "not a URL",
        "",
    ],
)
def test_refused_output_file_costs_no_sign_in(ringbearer: CommandLine, azure: Registry, folder: Path, url: str) -> None:
    path = folder / "token"
    assert_complaint(ringbearer("token", url, "--output-file", path), "not an index that ringbearer serves over https")
    ringbearer.assert_no_sign_in()
    assert not path.exists()


def test_a_password_in_the_url_is_not_shown(ringbearer: CommandLine) -> None:
    for url in ("https://somebody:s3cr3t@example.com/simple/", ringbearer.url.replace("//", "//somebody:s3cr3t@")):
        ended = ringbearer("token", url)
        assert_complaint(ended)
        assert "s3cr3t" not in ended.stderr and "somebody" not in ended.stderr


@pytest.mark.parametrize(
    "words", ["", "URL URL", "URL --json", "URL --output-file", "--output-file token", "URL --write"]
)
def test_wrong_arguments_show_the_usage(ringbearer: CommandLine, words: str) -> None:
    ended = ringbearer.with_token("token", *(ringbearer.url if word == "URL" else word for word in words.split()))
    assert_complaint(ended, "usage: ringbearer token URL", code=2)
    ringbearer.assert_no_sign_in()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /dev/full")
def test_standard_output_that_takes_nothing_is_a_failure(ringbearer: CommandLine) -> None:
    before = ("/bin/sh", "-c", 'exec "$0" "$@" >/dev/full')
    ended = ringbearer.with_token("token", ringbearer.url, before=before)
    assert_complaint(ended, "standard output")
    assert ringbearer.token not in ended.stderr


@where_calls_are_seen
def test_closed_stdout_means_the_token_is_written_nowhere(
    ringbearer: CommandLine, azure: Registry, tmp_path: Path
) -> None:
    # The next file or connection that a program opens gets the number of standard output.
    log = tmp_path / "log"
    before = (shutil.which("strace"), "-f", "-yy", "-s", "9999", "-o", log, "-e", "trace=write,writev,sendto,sendmsg")
    before += ("/bin/sh", "-c", 'exec "$0" "$@" >&-')
    ringbearer("token", azure.index_url, before=before)
    [token] = azure.passwords()
    written = [line for line in log.read_text(errors="replace").splitlines() if token in line]
    assert all("/dev/null" in line for line in written), [line.partition('"')[0] for line in written]


def test_the_file_serves_the_pip_of_another_environment(
    ringbearer: CommandLine, azure: Registry, client: Client, folder: Path, tmp_path: Path
) -> None:
    path = folder / "token"
    ringbearer("token", azure.index_url, "--output-file", path).check()
    azure.assert_ways(1)
    ringbearer.log.clear()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    options = ["--target", elsewhere / "packages", "--keyring-provider", "import", "--index-url", azure.index_url]
    environment = ringbearer.cloud.environment(elsewhere, **{FILE: str(path)})
    client.run(["pip", "install", *options, "greetings"], environment).check()
    assert (elsewhere / "packages" / "hello_private.py").exists()
    assert {password for _, _, password in ringbearer.log.basics()} == {path.read_text()}
    # No further exchange, and so no POST.
    assert {request.method for request in ringbearer.log.requests()} <= {"GET", "HEAD"}

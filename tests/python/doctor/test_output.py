"""The interface for programs: exit code and JSON; the doctor changes nothing."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from lab import executions, faults, strace
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_not_logged_in, az_token
from lab.messages import Request, Response
from support.azure_user import AzureUser, with_user_name
from support.doctor import LINE, SET_UP, Doctor
from support.tool_settings import uv_index, write

PROGRAMS = ["native", "console script", "module"]
STATES = {"good": "ok", "bad": "FAIL", "doubtful": "warn", "off": "skip", "note": "-"}

with_each_program = pytest.mark.parametrize("program", PROGRAMS)


def refused_with(code: int) -> faults.Fault:
    """The answer to requests with credentials."""

    def respond(request: Request, answer) -> Response:
        return faults.status(code)(request, answer) if request.basic else answer(request)

    return respond


# -- the exit code


@pytest.mark.parametrize(
    ("code", "expected"), [(200, 0), (401, 1), (403, 1), (404, 1), (203, 1), (302, 1), (405, 0), (500, 0), (429, 0)]
)
def test_success_is_a_credential_that_was_not_refused(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, code: int, expected: int
) -> None:
    # A server error is not a refusal.
    if code != 200:
        cloud.faults.add(refused_with(code), host="pkgs.dev.azure.com")
    found = doctor.examine(cloud.azure.feed.url(), ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    assert found.code == expected
    assert found.document["ok"] is (expected == 0)
    assert found.document["sections"][0]["status"] == code


def test_silent_index_is_reported_and_the_credential_stays_good(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser
) -> None:
    def respond(request: Request, answer) -> Response:
        return faults.reset()(request, answer) if request.basic else answer(request)

    cloud.faults.add(respond, host="pkgs.dev.azure.com")
    found = doctor.examine(cloud.azure.feed.url(), ARTIFACTS_KEYRING_NOFUSS_RETRIES="1")
    assert (found.code, found.finding("registry").state) == (0, "doubtful")
    assert "status" not in found.document["sections"][0]


@with_each_program
def test_wrong_arguments_have_their_own_line_and_exit_code(doctor: Doctor, program: str) -> None:
    for words in (["a", "b"], ["--jsno"], ["--json", "a", "b"], ["--verbose", "https://registry.example/"]):
        ended = doctor(*words, program=program)
        assert (ended.code, ended.stdout) == (2, ""), ended
        assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, ended
    ended = doctor("https://registry.example/\udcff", program=program)
    assert ended.code in (1, 2) and "Traceback" not in ended.stderr, ended


# -- the document


@pytest.mark.parametrize("well", [True, False], ids=["well", "not logged in"])
def test_json_has_the_same_findings_as_the_text(
    cloud: PracticeCloud,
    doctor: Doctor,
    azure_user: AzureUser,
    fake_programs: FakePrograms,
    native: Client,
    client: Client,
    well: bool,
) -> None:
    if not well:
        fake_programs.az(az_not_logged_in())
    url, path = with_user_name(cloud.azure.feed.url()), [native.bin, client.bin]
    shown = doctor(url, path=path, **SET_UP).stdout
    for program in PROGRAMS:
        found = doctor.examine(url, path=path, program=program, **SET_UP)
        lines = []
        for section in found.document["sections"]:
            lines += [section["title"]] if not lines else ["", section["title"]]
            for one in section["findings"]:
                time = f"{one['milliseconds']} ms" if one["milliseconds"] else ""
                lines.append(f"  {STATES[one['state']]:4}  {one['name']:18}  {time:>8}  {one['detail']}")
                lines += [f"{'':38}-> {one['fix']}"] if one["fix"] else []
        lines += ["", found.document["summary"], ""]
        assert doctor.normalised("\n".join(lines)) == doctor.normalised(shown)


def test_the_document_has_the_facts(cloud: PracticeCloud, doctor: Doctor, client: Client) -> None:
    path = cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token(subject="frodo", lifetime=7200))
    found = doctor.examine("https://libraries.cgr.dev/python/simple/", AZURE_TENANT_ID="x", CHAINCTL_PARENT="contoso")
    section = found.document["sections"][0]
    version = client.run(["python", "-c", "import ringbearer; print(ringbearer.__version__)"], doctor.environment())
    assert found.document["ringbearer"] == version.stdout.strip()
    assert section["backend"] == "ChainguardLibrariesKeyring"
    assert {"CHAINCTL_PARENT", "HTTPS_PROXY"} <= set(section["variables"])
    assert not {"AZURE_TENANT_ID", "HOME", "PATH"} & set(section["variables"])
    assert section["files"] == [path]
    assert section["status"] == 200
    assert set(section["credential"]) == {"username", "owner", "expires"}
    assert (section["credential"]["username"], section["credential"]["owner"]) == ("_token", "frodo")
    assert section["credential"]["expires"].endswith("Z")


def test_json_is_ascii_and_has_full_names(cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser) -> None:
    folder = write(doctor.home / "größe \u202e" / "uv.toml", uv_index(cloud.azure.feed.url(), "Smeagol")).parent
    ended = doctor("--json", directory=folder)
    assert ended.raw_stdout.isascii()
    assert "größe" in json.loads(ended.stdout)["sections"][0]["findings"][0]["detail"]


@with_each_program
def test_stdout_has_only_the_document_while_steps_are_logged(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, program: str
) -> None:
    ended = doctor(cloud.azure.feed.url(), "--json", program=program, RINGBEARER_DEBUG="1")
    assert json.loads(ended.stdout)["ok"] is True
    assert "exchange: done" in ended.stderr
    assert not any(LINE.match(line) for line in ended.output.splitlines())


# -- what is left alone


@pytest.mark.parametrize("logged_in", [True, False])
def test_nothing_is_written_to_disk(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms, native: Client, tool: Client, logged_in: bool
) -> None:
    token = cloud.azure.directory.user_token(cloud.azure.user)
    fake_programs.az(*(az_token(token) if logged_in else [az_not_logged_in()]))
    environment = doctor.environment([native.bin, tool.bin], **SET_UP)
    before = tree(doctor.home)
    for words in ([], ["--json"]):
        native.run(["ringbearer", "doctor", with_user_name(cloud.azure.feed.url()), *words], environment)
    assert tree(doctor.home) == before


def tree(directory: Path) -> dict[str, tuple[int, int]]:
    """Files and directories below a directory, with size and modification time."""
    found = {}
    for path in directory.rglob("*"):
        status = path.lstat()
        found[str(path)] = (status.st_size, status.st_mtime_ns)
    return found


@pytest.mark.skipif(sys.platform != "linux" or bool(strace.MISSING), reason="needs strace")
def test_no_shell_and_nothing_of_the_working_directory_is_run(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, native: Client, tool: Client, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    hostile_directory(here)
    environment = doctor.environment([native.bin, tool.bin], **SET_UP)
    environment["PATH"] = os.pathsep.join(["", ".", environment["PATH"]])
    command = [*executions.watching(tmp_path / "log"), native.program("ringbearer"), "doctor", cloud.azure.feed.url()]
    native.run(command, environment, directory=here).check()
    begun = executions.programs(tmp_path / "log")
    assert os.path.join(native.bin, "keyring") in begun
    assert [program for program in begun if not os.path.isabs(program) or program.startswith(str(here))] == []


# Python itself imports from the working directory first, so `python -m` is excluded.
@pytest.mark.parametrize("program", ["native", "console script"])
def test_nothing_of_the_working_directory_decides_the_look_up(
    cloud: PracticeCloud,
    doctor: Doctor,
    azure_user: AzureUser,
    native: Client,
    tool: Client,
    tmp_path: Path,
    program: str,
) -> None:
    here = tmp_path / "here"
    hostile_directory(here)
    url, path = with_user_name(cloud.azure.feed.url()), [native.bin, tool.bin]
    elsewhere = doctor(url, path=path, **SET_UP)
    ended = doctor(url, path=["", ".", "bin", *path], directory=here, program=program, **SET_UP)
    assert doctor.normalised(ended.output) == doctor.normalised(elsewhere.output)
    assert not (here / "was-run").exists()
    assert cloud.log.hosts_that_saw(azure_user.bearer) == ["vssps.dev.azure.com"]


def hostile_directory(here: Path) -> None:
    """A directory with everything that a lookup reads elsewhere."""
    for name in ("az", "azd", "keyring", "uv", "pip", "twine", "python", "python3", "ado-auth-helper"):
        for folder in (here, here / "bin"):
            program = write(folder / name, f"#!/bin/sh\necho x >{here}/was-run\n")
            program.chmod(0o755)
    for name in ("csv", "email", "json", "ringbearer", "keyring", "pip", "importlib"):
        write(here / f"{name}.py", f"open({str(here / 'was-run')!r}, 'w')\n")
    write(here / ".env", "AZURE_DEVOPS_EXT_PAT=of-the-directory\n")
    write(here / ".netrc", "machine pkgs.dev.azure.com login x password y\n")
    write(
        here / ".pypirc",
        "[distutils]\nindex-servers = x\n[x]\nrepository = https://pkgs.dev.azure.com/\npassword = y\n",
    )
    write(here / "keyringrc.cfg", "[backend]\ndefault-keyring = keyring.backends.null.Keyring\n")
    write(here / "pip.conf", "[global]\nkeyring-provider = disabled\n")
    write(here / ".azure" / "azureProfile.json", "{}")

"""Colours on a terminal, and escaping of foreign text."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from lab import gcloud
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_not_logged_in, az_token
from lab.registries.google.files import GoogleFiles
from lab.screen import COLOUR, Seen, seen
from support.azure_user import AzureUser
from support.doctor import DETAIL, LINE, SET_UP, TOOLS, Doctor
from support.tool_settings import uv_index, write

PROGRAMS = ["native", "console script", "module"]
GREEN, RED, YELLOW, DIM, BOLD, PLAIN = (f"\x1b[{number}m" for number in (32, 31, 33, 2, 1, 0))
COLOURS = {"ok": GREEN, "FAIL": RED, "warn": YELLOW, "skip": DIM, "-": DIM}

#: Colours, a title, a C1 control sequence, the start of a line, a deletion, a change of direction, and a forged line.
TRICKS = "\x1b[31m\x1b]0;title\x07\x9b2J\rstart\x7f\x08\u202edrow\u2066\n  ok    uv   all is well\u2028end"


def on_terminal(doctor: Doctor, *words: str, program: str = "native", path: list[str], **variables: str | None) -> Seen:
    """The terminal output."""
    client, command = doctor.programs[program]
    environment = doctor.environment(path, **{"TERM": "xterm-256color", **SET_UP, **variables})
    words = [client.program(command[0]), *command[1:], "doctor", *words]
    return seen(words, environment, doctor.home)


@pytest.fixture
def path(native: Client, tool: Client) -> list[str]:
    """With every state: keyring is well, uv is not, twine is absent."""
    return [native.bin, tool.bin]


@pytest.mark.parametrize("program", PROGRAMS)
def test_terminal_output_has_colours_and_the_same_text(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms, path: list[str], program: str
) -> None:
    fake_programs.az(az_not_logged_in())
    url = cloud.azure.feed.url()
    shown = on_terminal(doctor, url, program=program, path=[path[1]])
    plain = doctor(url, path=[path[1]], **SET_UP, TERM="xterm-256color")
    assert (shown.code, doctor.normalised(shown.plain)) == (plain.code, doctor.normalised(plain.stdout))
    lines = [line for line in shown.text.splitlines() if LINE.match(COLOUR.sub("", line))]
    for line in lines:
        word = line.split()[0]
        state = COLOUR.sub("", word).strip()
        assert line.startswith(f"  {COLOURS[state]}{state:4}{PLAIN}  "), repr(line)
    assert {COLOUR.sub("", line).split()[0] for line in lines} == {"ok", "FAIL", "warn", "skip", "-"}
    assert f"{BOLD}{url}{PLAIN}\n" in shown.text and f"\n{BOLD}{TOOLS}{PLAIN}\n" in shown.text
    # Colours end before the line does.
    for line in shown.text.splitlines():
        found = COLOUR.findall(line)
        assert found[1::2] == [PLAIN] * (len(found) // 2) and len(found) % 2 == 0, repr(line)


@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1"}, {"NO_COLOR": "0"}, {"TERM": "dumb"}], ids=["NO_COLOR", "NO_COLOR=0", "dumb"]
)
@pytest.mark.parametrize("program", PROGRAMS)
def test_escape_sequences_can_be_disabled(
    cloud: PracticeCloud,
    doctor: Doctor,
    azure_user: AzureUser,
    path: list[str],
    program: str,
    variables: dict[str, str],
) -> None:
    shown = on_terminal(doctor, cloud.azure.feed.url(), program=program, path=path, **variables)
    assert "FAIL  uv" in shown.text and "\x1b" not in shown.text


def test_empty_no_color_counts_as_unset(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, path: list[str]
) -> None:
    assert GREEN in on_terminal(doctor, cloud.azure.feed.url(), path=path, NO_COLOR="").text


def test_a_document_has_no_escape_sequences_on_a_terminal_either(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, path: list[str]
) -> None:
    shown = on_terminal(doctor, cloud.azure.feed.url(), "--json", path=path)
    assert "\x1b" not in shown.text and json.loads(shown.text)["ok"] is True


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_pipe_gets_no_escape_sequences(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, path: list[str], program: str
) -> None:
    for variables in ({}, {"TERM": "xterm-256color"}, {"TERM": "xterm", "CLICOLOR_FORCE": "1"}):
        ended = doctor(cloud.azure.feed.url(), path=path, program=program, **SET_UP, **variables)
        assert "\x1b" not in ended.output


@pytest.mark.parametrize("is_coloured", [True, False])
def test_the_columns_align(
    cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms, path: list[str], is_coloured: bool
) -> None:
    token = cloud.azure.directory.user_token(cloud.azure.user)
    fake_programs.az(*az_token(token))
    cloud.faults.add_latency(0.12, host="vssps.dev.azure.com")
    cloud.azure.contoso.exchange.refuse = "TF401444"
    variables = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring", "UV_KEYRING_PROVIDER": "disabled"}
    write(doctor.home / ".netrc", "machine pkgs.dev.azure.com login x password y\n")
    colour = None if is_coloured else "1"
    shown = on_terminal(doctor, cloud.azure.feed.url(), path=path, NO_COLOR=colour, **variables)
    lines = shown.plain.splitlines()
    findings = [line for line in lines if line.startswith("  ") and "->" not in line[:DETAIL]]
    assert {"client_certificate", "keyring's choice"} <= {line[8:26].rstrip() for line in findings}
    assert any(re.search(r" \d\d\d ms  $", line[:DETAIL]) for line in findings)
    column = re.compile(r"  (ok  |FAIL|warn|skip|-   )  \S.{17}  ( {8}| *\d+ ms)  \S")
    fixes = [line for line in findings if line.startswith(" " * DETAIL)]
    assert fixes and all(line[DETAIL:].startswith("-> ") for line in fixes)
    assert [line for line in findings if line not in fixes and not column.match(line)] == []


# -- what others wrote


def assert_harmless(text: str) -> None:
    """No control characters, no change of text direction, no forged line."""
    kinds = {"Cc", "Cf", "Zl", "Zp"}
    found = [character for character in text if unicodedata.category(character) in kinds and character != "\n"]
    assert found == [], text
    assert "\n  ok    uv   all is well" not in text


def toml(text: str) -> str:
    """A text as a TOML basic string."""
    return "".join(f"\\u{ord(letter):04x}" if ord(letter) < 32 or ord(letter) > 126 else letter for letter in text)


def test_names_in_a_projects_settings_do_not_act_on_the_terminal(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, path: list[str]
) -> None:
    # The author of a cloned project controls these.
    folder = doctor.home / "project"
    write(folder / "uv.toml", uv_index(cloud.azure.feed.url(), "contoso " + toml(TRICKS)))
    assert_harmless(doctor(directory=folder, path=path, **SET_UP).stdout)


def test_settings_of_a_project_do_not_act_on_the_terminal(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, path: list[str]
) -> None:
    folder = doctor.home / "project"
    write(folder / "uv.toml", f'keyring-provider = "{toml(TRICKS)}"\n')
    assert_harmless(doctor(cloud.azure.feed.url(), directory=folder, path=path).stdout)


def test_the_name_of_a_directory_does_not_act_on_the_terminal(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, path: list[str]
) -> None:
    folder = doctor.home / TRICKS.replace("/", "")
    text = 'keyring-provider = "disabled"\n' + uv_index(cloud.azure.feed.url(), "contoso")
    write(folder / "uv.toml", text)
    assert_harmless(doctor(directory=folder, path=path).stdout)


def test_paths_of_files_and_programs_are_escaped(
    cloud: PracticeCloud, doctor: Doctor, azure_user: AzureUser, native: Client, path: list[str]
) -> None:
    odd = doctor.home / TRICKS
    odd.mkdir()
    (odd / "keyring").symlink_to(native.program("keyring"))
    write(odd / "netrc", "machine pkgs.dev.azure.com login x password y\n")
    write(odd / "pip.conf", "[global]\nkeyring-provider = disabled\n")
    write(odd / "pypoetry" / "config.toml", "[keyring]\nenabled = false\n")
    for variables in (
        {"NETRC": str(odd / "netrc")},
        {"PIP_CONFIG_FILE": str(odd / "pip.conf")},
        {"XDG_CONFIG_HOME": str(odd)},
        {"PYTHON_KEYRING_BACKEND": TRICKS},
    ):
        ended = doctor(cloud.azure.feed.url(), path=[str(odd), *path], UV_KEYRING_PROVIDER="subprocess", **variables)
        assert_harmless(ended.stdout)


def test_owner_in_a_token_is_escaped(cloud: PracticeCloud, doctor: Doctor, fake_programs: FakePrograms) -> None:
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user, upn=TRICKS, unique_name=TRICKS)))
    cloud.chainguard.write_cache(doctor.home, cloud.chainguard.token(subject=TRICKS))
    pulled = {"CHAINGUARD_PYTHON_IDENTITY_ID": TRICKS, "CHAINGUARD_PYTHON_TOKEN": "token"}
    machine = {**cloud.menda.variables, "MENDA_CLIENT_ID": TRICKS}
    fake_programs.gcloud(*gcloud.logged_in(cloud.google.tokens.issue("ada@contoso.example").text))
    key = {**cloud.google.key.file, "client_email": TRICKS}
    named = {"GOOGLE_APPLICATION_CREDENTIALS": str(GoogleFiles(doctor.home).write(key))}
    for url, variables in (
        (cloud.azure.feed.url(), {}),
        (cloud.chainguard.python.url, {}),
        (cloud.chainguard.python.url, pulled),
        (cloud.menda.plugins.url, machine),
        (cloud.google.repository.url, {"CLOUDSDK_CORE_ACCOUNT": TRICKS}),
        (cloud.google.repository.url, named),
        (cloud.azure.feed.url(), {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": TRICKS}),
        (cloud.azure.feed.url(), {"REQUESTS_CA_BUNDLE": TRICKS}),
        (f"https://registry.example/{TRICKS}", {}),
        (TRICKS, {}),
    ):
        ended = doctor(url, RINGBEARER_DEBUG="1", **variables)
        assert "tools on this machine" in ended.stdout
        assert_harmless(ended.output)

"""Programs that ringbearer starts: their variables, arguments, exit codes and end."""

from __future__ import annotations

import pytest
from lab.clients import Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import Answer
from lab.registry import Registry
from lab.windows.fake_programs import WindowsPrograms
from lab.windows.user import WindowsUser
from support.windows_answers import assert_complaint

GIVEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"


@pytest.fixture
def exec_words(cloud_user: WindowsUser, cloud: PracticeCloud) -> list[str]:
    """`ringbearer exec` with a token in a variable."""
    cloud_user.variables[GIVEN] = cloud.azure.contoso.personal_access_token()
    return ["exec", cloud.azure.feed.url(), "--"]


def environment_of(ended: Completed) -> dict[str, str]:
    """The output of `set`."""
    return dict(line.split("=", 1) for line in ended.check().stdout.splitlines() if "=" in line)


def test_command_gets_the_token_and_the_same_environment(cloud_user: WindowsUser, signed_in: Registry) -> None:
    odd = {"With Space": "a b", "Symbols": "a&b|c^d%e!f", "Unicode": "\u00e9\U0001f600"}
    cloud_user.variables.update(odd)
    before = environment_of(cloud_user.run("cmd", "/c", "set"))
    after = environment_of(cloud_user.run("ringbearer", "exec", signed_in.index_url, "--", "cmd", "/c", "set"))
    [token] = signed_in.passwords()
    assert after == {**before, signed_in.exec_variable: token}


def test_variable_is_replaced_whatever_its_spelling(
    cloud_user: WindowsUser, cloud: PracticeCloud, exec_words: list[str]
) -> None:
    words = ["exec", cloud.azure.feed.url(), "--variable", "Corp_Token", "--", "cmd", "/c", "set"]
    after = environment_of(cloud_user.run("ringbearer", *words, variables={"CORP_TOKEN": "old"}))
    token = cloud_user.variables[GIVEN]
    assert [value for name, value in after.items() if name.upper() == "CORP_TOKEN"] == [token]


@pytest.mark.parametrize("code", [256, 70000, 0xC0000005, 0xFFFFFFFF], ids=hex)
def test_exit_code_has_32_bits(
    cloud_user: WindowsUser, exec_words: list[str], fake_programs: WindowsPrograms, code: int
) -> None:
    command = fake_programs.command("tool", Answer(code=code))
    assert cloud_user.run("ringbearer", *exec_words, *command).code == code


def test_arguments_of_a_program_arrive_unchanged(
    cloud_user: WindowsUser, exec_words: list[str], fake_programs: WindowsPrograms
) -> None:
    odd = ["", " ", "a b", '"', "'", "\\", "a\\", "a b\\", '\\"', "%PATH%", "^", "&", "*", "--", "--help", "\u00e9"]
    cloud_user.run("ringbearer", *exec_words, *fake_programs.command("tool", Answer()), *odd).check()
    [call] = fake_programs.invocations("tool")
    assert call.arguments == odd


def test_arguments_of_a_batch_file_arrive_or_are_refused(
    cloud_user: WindowsUser, exec_words: list[str], fake_programs: WindowsPrograms
) -> None:
    fake_programs.program("tool", Answer())
    plain = ["a b", "a=b", "a&b", "a|b", "<a>", "(a)", "a,b;c", "C:\\a b\\c", "--query", "[?a=='b']"]
    cloud_user.run("ringbearer", *exec_words, "tool", *plain).check()
    [call] = fake_programs.invocations("tool")
    assert call.arguments == plain


def test_no_argument_of_a_batch_file_runs_a_command(
    cloud_user: WindowsUser, exec_words: list[str], fake_programs: WindowsPrograms
) -> None:
    fake_programs.program("tool", Answer("ran\n"))
    ended = cloud_user.run("ringbearer", *exec_words, "tool", 'a" & echo injected & "').check()
    assert ended.stdout.splitlines() == ["ran"], ended


def test_line_break_for_a_batch_file_is_refused(
    cloud_user: WindowsUser, exec_words: list[str], fake_programs: WindowsPrograms
) -> None:
    fake_programs.program("tool", Answer("ran\n"))
    ended = cloud_user.run("ringbearer", *exec_words, "tool", "a\r\nb")
    assert_complaint(ended, "line break", code=126)
    assert fake_programs.invocations("tool") == []


@pytest.mark.parametrize("name", ["tool", "TOOL", "tool.cmd", "Tool.CMD"])
def test_batch_file_is_found_whatever_the_case(
    cloud_user: WindowsUser, exec_words: list[str], fake_programs: WindowsPrograms, name: str
) -> None:
    fake_programs.program("tool", Answer("ran\n"))
    assert cloud_user.run("ringbearer", *exec_words, name).check().stdout == "ran\n"


def test_extension_in_capitals_is_found(
    cloud_user: WindowsUser, exec_words: list[str], fake_programs: WindowsPrograms
) -> None:
    path = fake_programs.program("tool", Answer("ran\n"))
    fake_programs.rename(path, "TOOL.CMD")
    assert cloud_user.run("ringbearer", *exec_words, "tool").check().stdout == "ran\n"


def test_child_of_az_ends_at_the_limit_too(
    cloud_user: WindowsUser, cloud: PracticeCloud, fake_programs: WindowsPrograms
) -> None:
    fake_programs.az(Answer(hang="child"))
    variables = {"RINGBEARER_TIMEOUT": "3"}
    words = ["get", cloud.azure.feed.url(), "VssSessionToken"]
    # A child that is left behind keeps the standard streams open.
    ended = cloud_user.run("ringbearer", *words, variables=variables, timeout=15)
    assert_complaint(ended, "az")
    fake_programs.wait_for_beat("az")
    assert not fake_programs.beats("az")


def test_az_that_prints_too_much_is_ended(
    cloud_user: WindowsUser, cloud: PracticeCloud, fake_programs: WindowsPrograms
) -> None:
    fake_programs.az(Answer("x" * (2 * 1024 * 1024)))
    ended = cloud_user.run("ringbearer", "get", cloud.azure.feed.url(), "VssSessionToken")
    assert_complaint(ended, "az printed more than 1024 KiB")


def test_az_gets_no_standard_input(cloud_user: WindowsUser, azure: Registry, fake_programs: WindowsPrograms) -> None:
    fake_programs.az(Answer("unused", code=1, read_stdin=True))
    words = ["get", azure.index_url, "VssSessionToken"]
    # Its standard input stays open: az would wait for its end.
    started = cloud_user.start("ringbearer", *words, input="")
    started.process.wait(20)
    assert started.wait().code == 1

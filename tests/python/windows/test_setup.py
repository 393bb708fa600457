"""`ringbearer setup` and `completions` on Windows."""

from __future__ import annotations

from pathlib import Path

from lab.windows.user import WindowsUser
from support.tool_settings import write

URL = "https://libraries.cgr.dev/python/simple/"
NAMED = "https://_token@libraries.cgr.dev/python/simple/"


def test_setup_pip_names_the_file_that_pip_reads(user: WindowsUser) -> None:
    ended = user.run("ringbearer", "setup", "pip", URL).check()
    path = user.wine.path(user.app_data / "pip" / "pip.ini")
    assert ended.stdout.splitlines()[:2] == [f"# {path}", "[global]"]


def test_setup_pip_writes_the_file_that_pip_reads(user: WindowsUser) -> None:
    path = user.app_data / "pip" / "pip.ini"
    ended = user.run("ringbearer", "setup", "pip", URL, "--write").check()
    assert f"wrote {user.wine.path(path)}" in ended.stderr
    text = path.read_text(encoding="utf-8")
    assert f"index-url = {NAMED}" in text and "keyring-provider = subprocess" in text
    again = user.run("ringbearer", "setup", "pip", URL, "--write").check()
    assert again.stdout.strip() == f"{user.wine.path(path)}: nothing to change"


def test_setup_pip_writes_the_file_of_the_variable(user: WindowsUser, tmp_path: Path) -> None:
    path = write(tmp_path / "corp.ini", "[global]\ntimeout = 5\n")
    named = {"PIP_CONFIG_FILE": user.wine.path(path)}
    user.run("ringbearer", "setup", "pip", URL, "--write", variables=named).check()
    assert NAMED in path.read_text(encoding="utf-8")
    assert not (user.app_data / "pip").exists()


def test_setup_keeps_the_line_ends_of_windows(user: WindowsUser) -> None:
    path = user.app_data / "pip" / "pip.ini"
    path.parent.mkdir()
    path.write_bytes(b"[global]\r\ntimeout = 5\r\n")
    user.run("ringbearer", "setup", "pip", URL, "--write").check()
    lines = path.read_bytes().split(b"\n")
    assert len(lines) == 5 and all(line.endswith(b"\r") for line in lines[:-1]), lines


def test_setup_uv_writes_the_project_in_the_working_directory(user: WindowsUser, tmp_path: Path) -> None:
    ended = user.run("ringbearer", "setup", "uv", URL, "--write", directory=tmp_path).check()
    assert "wrote pyproject.toml" in ended.stderr
    assert NAMED in (tmp_path / "pyproject.toml").read_text(encoding="utf-8")


def test_setup_tox_writes_the_file_in_the_working_directory(user: WindowsUser, tmp_path: Path) -> None:
    user.run("ringbearer", "setup", "tox", URL, "--write", directory=tmp_path).check()
    assert NAMED in (tmp_path / "tox.ini").read_text(encoding="utf-8")


def test_setup_poetry_writes_the_project(user: WindowsUser, tmp_path: Path) -> None:
    user.run("ringbearer", "setup", "poetry", URL, "--write", directory=tmp_path).check()
    assert URL in (tmp_path / "pyproject.toml").read_text(encoding="utf-8")


def test_setup_names_files_with_the_separators_of_windows(user: WindowsUser, tmp_path: Path) -> None:
    ended = user.run("ringbearer", "setup", "github-actions", URL).check()
    assert ended.stdout.splitlines()[0] == "# .github\\workflows\\private-index.yml"
    ended = user.run("ringbearer", "setup", "pip", URL, "--file", "sub/pip.ini", "--write", directory=tmp_path).check()
    assert "wrote sub\\pip.ini" in ended.stderr
    assert (tmp_path / "sub" / "pip.ini").exists()


def test_a_file_that_cannot_be_changed_is_named(user: WindowsUser, tmp_path: Path) -> None:
    path = write(tmp_path / "pip.ini", "[global]\nindex-url = https://index.example/simple\n")
    ended = user.run("ringbearer", "setup", "pip", URL, "--write", "--file", user.wine.path(path))
    assert ended.code == 1
    assert f"{user.wine.path(path)} cannot be changed: it has another index-url already" in ended.stderr


def test_completions_for_powershell_are_a_script(user: WindowsUser) -> None:
    ended = user.run("ringbearer", "completions", "powershell").check()
    assert "Register-ArgumentCompleter -Native -CommandName ringbearer -ScriptBlock {" in ended.stdout
    assert "'doctor' = '" in ended.stdout and ended.stdout.count("{") == ended.stdout.count("}")


def test_help_shows_how_to_keep_the_completions(user: WindowsUser) -> None:
    ended = user.run("ringbearer", "completions", "--help").check()
    assert "$PROFILE" in ended.stdout and "| Out-String | Invoke-Expression" in ended.stdout

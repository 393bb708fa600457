"""Each tool shows the warning of a miss once, on one line of at most 320 characters, with what to run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lab.clients import Client
from lab.packages import wheel as make_wheel
from lab.registry import Registry
from support.poetry_project import poetry_project

#: What each registry's warning of a login that does not work tells the user to run or to check.
ADVICE = {
    "azure": "run `az login --tenant ",
    "chainguard": "run `chainctl auth login --audience=libraries.cgr.dev`",
    "codeartifact": "check the secret of access key AKIA",
    "google": "run `gcloud auth application-default login`",
    "menda": "check MENDA_HOST, MENDA_CLIENT_ID and MENDA_CLIENT_SECRET",
}

#: A program with each kind of logging handler, with none, or with logging disabled.
PROGRAM = """\
import logging, sys
import keyring
case, service = sys.argv[1:]
if case != "none":
    handler = logging.NullHandler() if case == "silent" else logging.StreamHandler(sys.stderr)
    if case == "filter":
        handler.addFilter(logging.Filter("other"))
    if case == "level":
        handler.setLevel(logging.ERROR)
    logging.basicConfig(handlers=[handler], format="logged: %(message)s")
if case == "replaced":
    logging.Logger.callHandlers = lambda logger, record: print("taken:", record.getMessage())
if case == "disabled":
    logging.disable(logging.WARNING)
assert keyring.get_credential(service, None) is None
"""


def the_line(output: str, registry: Registry) -> str:
    """The only line about the miss."""
    [line] = [line for line in output.splitlines() if "no credential for" in line]
    assert registry.host in line and ADVICE[registry.name] in line
    return line


# pip 26.2 and later show nothing that the keyring command prints.
@pytest.mark.parametrize("command", ["pip", "uv", "keyring", "native keyring"])
def test_miss_is_one_short_line_with_advice(
    registry: Registry, client: Client, tool: Client, native: Client, command: str
) -> None:
    registry.break_login()
    install = ["install", "--target", "packages", "--keyring-provider"]
    if command == "pip":
        words = ["pip", *install, "import", "--index-url", registry.index_url, "greetings"]
        ended = client.run(words, registry.environment())
    elif command == "uv":
        words = ["uv", "pip", *install, "subprocess", "--default-index", registry.url_with_user_name, "greetings"]
        ended = tool.run(words, registry.environment(native.bin, UV_PYTHON=tool.python))
        # It runs keyring for the URL, then for the host.
        ended.stderr = "\n".join(dict.fromkeys(ended.stderr.splitlines()))
    else:
        caller = client if command == "keyring" else native
        ended = caller.run(["keyring", "get", registry.index_url, registry.user_name], registry.environment())
    assert ended.code != 0
    line = the_line(ended.output, registry)
    assert len(line) <= 320, f"{len(line)} characters: {line}"


def test_poetry_shows_the_warning_once(registry: Registry, poetry: Client, home: Path) -> None:
    # Its handler rejects records of other packages, unless it is very verbose.
    registry.break_login()
    shop = home / "shop"
    shop.mkdir()
    (shop / "pyproject.toml").write_text(poetry_project(registry.index_url))
    environment = registry.environment(POETRY_NO_INTERACTION="1", COLUMNS="1000")
    for options in ([], ["-vv"]):
        ended = poetry.run(["poetry", "lock", *options], environment, directory=shop)
        assert ended.code != 0
        assert "no credential for" not in ended.stdout
        the_line(ended.stderr, registry)


@pytest.mark.parametrize("registry", ["azure"], indirect=True)
def test_twine_shows_the_warning_once(registry: Registry, client: Client, home: Path) -> None:
    registry.break_login()
    package = make_wheel("fresh-bread", "3.0")
    (home / package.file_name).write_bytes(package.content)
    upload = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
    ended = client.run(
        [*upload, "--repository-url", registry.upload_url, package.file_name], registry.environment(COLUMNS="1000")
    )
    assert ended.code != 0
    # twine wraps lines.
    the_line(re.sub(r"\s+", " ", ended.output), registry)


@pytest.mark.parametrize("registry", ["azure"], indirect=True)
@pytest.mark.parametrize(
    "case, start",
    [
        ("all", "logged: "),
        ("filter", ""),
        ("level", ""),
        ("none", ""),
        ("replaced", "taken: "),
        ("silent", None),
        ("disabled", None),
    ],
)
def test_warning_goes_to_stderr_if_no_handler_takes_it(
    registry: Registry, client: Client, case: str, start: str | None
) -> None:
    registry.break_login()
    ended = client.run(["python", "-c", PROGRAM, case, registry.index_url], registry.environment()).check()
    if start is None:
        assert ended.output == ""
    else:
        assert the_line(ended.output, registry).startswith(f"{start}no credential for ")
        assert ended.output.count("\n") == 1


@pytest.mark.parametrize("registry", ["azure"], indirect=True)
def test_pytest_captures_the_warning_and_stderr_has_none(registry: Registry, suite: Client, home: Path) -> None:
    registry.break_login()
    (home / "test_it.py").write_text(
        "import keyring\n\n"
        "def test_it(caplog, capfd):\n"
        f"    assert keyring.get_credential({registry.index_url!r}, None) is None\n"
        "    [record] = [record for record in caplog.records if record.levelname == 'WARNING']\n"
        "    assert record.name == 'ringbearer' and record.getMessage().startswith('no credential for ')\n"
        "    assert record.filename == 'backends.py' and capfd.readouterr().err == ''\n"
    )
    suite.run(["python", "-m", "pytest", "-q", "test_it.py"], registry.environment(), directory=home).check()

"""`ringbearer setup --write`: adds lines to existing files and keeps the rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from support.command_line import CommandLine
from support.setup_files import Setup, added, read_pip, read_toml, read_tox

PROJECT = '[project]\nname = "shop" # no other\nversion = "0.1"\n'
URL = "https://pkgs.dev.azure.com/contoso/_packaging/tools/pypi/simple/"
NAMED = URL.replace("//", "//VssSessionToken@")
THEIRS = '[[tool.uv.index]]\nname = "theirs"\nurl = "https://packages.example.com/simple/"\n'

#: Files to which uv's settings can be added.
UV = {
    "nothing": "",
    "a project": PROJECT,
    "no end of the last line": PROJECT.rstrip(),
    "empty lines at the end": PROJECT + "\n\n\n",
    "comments": "# one\n\n" + PROJECT + "# two\n[tool.ruff] # three\n\n# four",
    "the table": PROJECT + "[tool.uv]\npackage = false\n\n[tool.ruff]\nline-length = 120\n",
    "the table, empty": "[tool.uv]",
    "the table with a comment": "[tool.uv] # [tool.uv]\npackage = false\n",
    "the table, indented": "  [tool.uv]  \n  package = false\n",
    "a table below alone": PROJECT + "[tool.uv.sources]\nhello = { index = 'theirs' }\n",
    "a table below it": "[tool.uv.sources]\n[tool.uv]\npackage = false\n[tool.uv.pip]\nno-cache = true\n",
    "other indexes": PROJECT + THEIRS + THEIRS.replace("theirs", "theirs2"),
    "other indexes and the table": THEIRS + "[tool.uv]\npackage = false\n" + THEIRS.replace("theirs", "theirs2"),
    "the provider alone": '[tool.uv]\nkeyring-provider = "subprocess"\n',
    "the index alone": f'[[tool.uv.index]]\nurl = "{NAMED}"\nname = "corp"\n',
    "what looks like the table": "[tool]\nname = '''\n[tool.uv.x]\n'''\n# [tool.uv]\n[tool.uv-x]\na = 1\n",
    "the table within a text": "[tool.x]\na = '''\n[tool.uv]\n'''\n",
    "dotted keys": "[tool]\nuv.package = false\n",
    "dotted keys at the top": "tool.uv.package = false\n",
    "other alphabets": PROJECT.replace("shop", "магазин é 店") + "[tool.uv]\n",
}

#: Files to which they cannot, with a part of the reason.
UV_REFUSED = {
    "no TOML": ("[tool.uv\n", "not valid TOML"),
    "no TOML at the end": (PROJECT + "name =\n", "not valid TOML"),
    "the same key twice": (PROJECT + 'version = "0.2"\n', "not valid TOML"),
    "another provider": ('[tool.uv]\nkeyring-provider = "disabled"\n', 'keyring-provider = "disabled"'),
    "an index of that name": (THEIRS.replace("theirs", "private"), "choose another with --name"),
    "an inline table": ("[tool]\nuv = { package = false }\n", "no line can be added"),
    "an inline table of it all": ("tool = { uv = { package = false } }\n", "no line can be added"),
    "a list of indexes": ('[tool.uv]\nindex = [{ name = "a", url = "https://a.example/" }]\n', "no line can be added"),
    "a provider that is no text": ("[tool.uv]\nkeyring-provider = 1\n", "no line can be added"),
    "something else of that name": ("[tool]\nuv = 1\n", "no line can be added"),
    "not UTF-8": (b'[project]\nname = "\xff"\n', "not UTF-8"),
    "UTF-16": (PROJECT.encode("utf-16"), "not UTF-8"),
}

POETRY = {
    "nothing": "",
    "a project": PROJECT.rstrip(),
    "the table": PROJECT + "[tool.poetry]\npackage-mode = false\n\n# the rest\n[tool.ruff]\n",
    "other sources": PROJECT + '[[tool.poetry.source]]\nname = "theirs"\nurl = "https://packages.example.com/"\n',
    "an inline table elsewhere": "[tool]\nruff = { line-length = 120 }\n",
}

POETRY_REFUSED = {
    "no TOML": ("]\n", "not valid TOML"),
    "a source of that name": ('[[tool.poetry.source]]\nname = "private"\n', "choose another with --name"),
    "a list of sources": ('[tool.poetry]\nsource = [{ name = "a", url = "https://a/" }]\n', "no line can be added"),
    "an inline table": ("[tool]\npoetry = { package-mode = false }\n", "no line can be added"),
    "not UTF-8": (b"# \xe9\n", "not UTF-8"),
}

PIP = {
    "nothing": "",
    "the section": "[global]\ntimeout = 60\n",
    "no end of the last line": "[global]\ntimeout = 60",
    "other sections": "# mine\n[install]\nno-compile = yes\n\n[freeze]\ntimeout = 10\n",
    "the section between others": "[install]\nuser = no\n[global]\n; why\ntimeout = 60\n[list]\nformat = json\n",
    "several lines": "[global]\nfind-links =\n    https://a.example/\n    https://b.example/\n\nretries = 3\n",
    "the index alone": f"[global]\nindex-url = {NAMED}\n",
    "the provider alone": "[global]\nkeyring-provider: subprocess\n",
    "a comment behind the section": "[global] # for all\ntimeout = 60\n",
    "what looks like the section": "# [global]\n[install]\nconstraint =\n    [global]\n",
}

PIP_REFUSED = {
    "another index": ("[global]\nindex-url = https://packages.example.com/simple/\n", "another index-url"),
    "the index without a user name": (f"[global]\nindex-url = {URL}\n", "another index-url"),
    "another index in pip's other spelling": ("[global]\nindex_url = https://a.example/\n", "another index-url"),
    "another index with capitals": ("[global]\nIndex-URL = https://a.example/\n", "another index-url"),
    "another index for installing": ("[install]\nindex-url = https://a.example/\n", "another index-url"),
    "another provider": ("[global]\nkeyring-provider = import\n", "another keyring-provider"),
    "another provider for installing": ("[install]\nkeyring-provider = disabled\n", "another keyring-provider"),
    "not UTF-8": (b"[global]\n# \xe9\n", "not UTF-8"),
}

TOX = {
    "nothing": "",
    "both sections": "[tox]\nenv_list = py\n[testenv]\ndeps = pytest\n",
    "requires on a line": "[tox]\nrequires = tox>=4\nenv_list = py\n[testenv]\ndeps = pytest\n",
    "requires on several": "[tox]\nrequires =\n    tox>=4\n    # why\n    tox-uv\nenv_list = py\n",
    "requires with a colon": "[tox]\nrequires: tox>=4\n",
    "requires of this": "[tox]\nrequires =\n    tox>=4\n    ringbearer\n[testenv]\nset_env =\n    A = 1\n",
    "set_env on a line": "[testenv]\nset_env = A = 1\ndeps = pytest\n",
    "set_env on several": "[testenv]\ndeps = pytest\nset_env =\n  A = 1\n  B = 2\n",
    "the older name": "[testenv]\nsetenv =\n    A = 1\n",
    "settings of another environment": f"[testenv:lint]\nset_env =\n    PIP_INDEX_URL = {NAMED}\n[testenv]\ndeps =\n",
    "this package among the dependencies": "[tox]\nenv_list = py\n[testenv]\ndeps =\n    ringbearer\n    pytest\n",
    "this package in a comment": "[tox]\nenv_list = py\n[testenv]\n#\n# ringbearer\n",
    "a section for an environment alone": "[testenv:lint]\nskip_install = true\n",
    "no end of the last line": "[testenv]\ncommands =\n    pytest",
}

#: Files that are not changed: the setting has another value, or the file is not an INI file.
TOX_REFUSED = {
    "another index": ("[testenv]\nset_env =\n    PIP_INDEX_URL = https://a.example/\n", "PIP_INDEX_URL"),
    "another index on a line": ("[testenv]\nset_env = PIP_INDEX_URL=https://a.example/\n", "PIP_INDEX_URL"),
    "not UTF-8": (b"# \xe9\n", "not UTF-8"),
}


@pytest.fixture
def setup(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms, tmp_path: Path) -> Setup:
    """Either program, on files in a temporary directory."""
    (tmp_path / "files").mkdir()
    return Setup(CommandLine(either, cloud, home, fake_programs), tmp_path / "files")


def assert_uv(text: str, before: str, name: str = "private") -> None:
    new, old = read_toml(text), read_toml(before)
    uv = new["tool"]["uv"]
    assert uv["keyring-provider"] == "subprocess"
    there = old.get("tool", {}).get("uv", {}).get("index", [])
    if NAMED not in [index["url"] for index in there]:
        there = [*there, {"name": name, "url": NAMED}]
    assert uv["index"] == there
    for document in (new, old):
        table = document.setdefault("tool", {}).setdefault("uv", {})
        table.pop("index", None)
        table.pop("keyring-provider", None)
    assert new == old


def assert_poetry(text: str, before: str) -> None:
    new, old = read_toml(text), read_toml(before)
    old.setdefault("tool", {}).setdefault("poetry", {}).setdefault("source", [])
    old["tool"]["poetry"]["source"].append({"name": "private", "url": URL, "priority": "primary"})
    assert new == old


def assert_pip(text: str, before: str) -> None:
    new, old = read_pip(text), read_pip(before)
    old.read_dict({"global": {"index-url": NAMED, "keyring-provider": "subprocess"}})
    assert {name: dict(new[name]) for name in new} == {name: dict(old[name]) for name in old}


def assert_tox(text: str, before: str) -> None:
    new, old = read_tox(text), read_tox(before)
    old.read_dict({name: {} for name in ("tox", "testenv") if not old.has_section(name)})
    key = "setenv" if "setenv" in old["testenv"] else "set_env"
    for section, name, line in (("tox", "requires", "ringbearer"), ("testenv", key, f"PIP_INDEX_URL = {NAMED}")):
        lines = new[section].pop(name).strip().splitlines()
        there = old[section].pop(name, "").strip().splitlines()
        assert sorted(lines) == sorted({*there, line}) and [one for one in lines if one in there] == there
    assert {name: dict(new[name]) for name in new} == {name: dict(old[name]) for name in old}


CHECKS = {"uv": assert_uv, "poetry": assert_poetry, "pip": assert_pip, "tox": assert_tox}
FILES = {"uv": UV, "poetry": POETRY, "pip": PIP, "tox": TOX}
REFUSED = {"uv": UV_REFUSED, "poetry": POETRY_REFUSED, "pip": PIP_REFUSED, "tox": TOX_REFUSED}


def each(table: dict[str, dict]) -> list:
    """A case for each file of each tool."""
    return [pytest.param(tool, what, id=f"{tool}, {what}") for tool, files in table.items() for what in files]


@pytest.mark.parametrize(("tool", "what"), each(FILES))
def test_edit_keeps_existing_text_and_is_idempotent(setup: Setup, tool: str, what: str) -> None:
    before = FILES[tool][what]
    change = setup(tool, before).assert_made()
    CHECKS[tool](change.after, before)
    setup(tool, change.after).assert_needless()


@pytest.mark.parametrize(("tool", "what"), each(REFUSED))
def test_impossible_edit_is_refused_and_the_file_is_unchanged(setup: Setup, tool: str, what: str) -> None:
    before, reason = REFUSED[tool][what]
    setup(tool, before).assert_refused(reason)


@pytest.mark.parametrize("tool", list(FILES))
def test_missing_file_gets_exactly_the_printed_settings(setup: Setup, tool: str) -> None:
    change = setup(tool, None).assert_made()
    CHECKS[tool](change.after, "")
    assert change.after == "".join(setup.printed(tool).splitlines(keepends=True)[1:])


@pytest.mark.parametrize("tool", list(FILES))
def test_new_lines_have_the_line_endings_of_the_file(setup: Setup, tool: str) -> None:
    begin = {"uv": PROJECT, "poetry": PROJECT, "pip": "[global]\n", "tox": "[tox]\n[testenv]\n"}[tool]
    content = begin.replace("\n", "\r\n").encode()
    change = setup(tool, content).assert_made()
    assert {line[-2:] for line in added(content, change.path.read_bytes())} == {b"\r\n"}
    setup(tool, change.path.read_bytes()).assert_needless()


@pytest.mark.parametrize(
    ("tool", "before"),
    [
        ("pip", "[global]\n  timeout = 60\n  retries = 3\n"),
        ("pip", "[global]\n\ttimeout = 60\n"),
        ("pip", "[global]\nindex-url =\ntimeout = 60\n"),
        ("tox", "[testenv]\n  deps = pytest\n  set_env =\n    A = 1\n"),
        ("tox", "[tox]\n  requires =\n      tox>=4\n  env_list = py\n"),
    ],
)
def test_indented_or_empty_keys_are_kept_or_the_edit_is_refused(setup: Setup, tool: str, before: str) -> None:
    change = setup(tool, before)
    if change.ended.code:
        change.assert_refused()
    else:
        CHECKS[tool](change.assert_made().after, before)

"""`ringbearer setup`: its output for each tool and URL, and the files that it writes."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.command_line import CommandLine, assert_complaint, names_in
from support.setup_files import FILES, Setup, read_pip, read_toml, read_tox

TOOLS = [*FILES, "github-actions"]
WORKFLOW = ".github/workflows/private-index.yml"

where_files_have_modes = pytest.mark.skipif(os.name == "nt", reason="permissions and links differ on Windows")


@pytest.fixture
def ringbearer(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> CommandLine:
    """Either program."""
    return CommandLine(either, cloud, home, fake_programs)


@pytest.fixture
def setup(ringbearer: CommandLine, tmp_path: Path) -> Setup:
    """`ringbearer setup` on files in a temporary directory."""
    (tmp_path / "files").mkdir()
    return Setup(ringbearer, tmp_path / "files")


@pytest.fixture(params=list(REGISTRIES))
def registry(request: pytest.FixtureRequest, cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Registry:
    """A registry without a login."""
    return REGISTRIES[request.param](cloud, fake_programs, home)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_printed_settings_suffice_and_nothing_is_written(
    ringbearer: CommandLine, registry: Registry, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    texts = {}
    for tool, place in FILES.items():
        ended = ringbearer("setup", tool, registry.index_url, "--name", "corp", directory=project).check()
        shown = str(ringbearer.home / place) if tool == "pip" else place
        assert ended.stdout.splitlines()[0] == f"# {shown}"
        # Further advice is not part of the file.
        assert ended.stderr.strip() and ended.stderr.strip() not in ended.stdout
        texts[tool] = ended.stdout
    uv = {"keyring-provider": "subprocess", "index": [{"name": "corp", "url": registry.url_with_user_name}]}
    assert read_toml(texts["uv"]) == {"tool": {"uv": uv}}
    source = {"name": "corp", "url": registry.index_url, "priority": "primary"}
    assert read_toml(texts["poetry"]) == {"tool": {"poetry": {"source": [source]}}}
    pip = {"index-url": registry.url_with_user_name, "keyring-provider": "subprocess"}
    assert dict(read_pip(texts["pip"])["global"]) == pip
    tox = read_tox(texts["tox"])
    assert {name: dict(tox[name]) for name in tox.sections()} == {
        "tox": {"requires": "\nringbearer"},
        "testenv": {"set_env": f"\nPIP_INDEX_URL = {registry.url_with_user_name}"},
    }
    assert names_in(project) == [] and set(names_in(ringbearer.home)) <= {"tmp"}
    ringbearer.assert_no_sign_in()


@pytest.mark.parametrize("tool", TOOLS)
def test_it_writes_where_the_tool_looks(ringbearer: CommandLine, tmp_path: Path, tool: str) -> None:
    project = tmp_path / "project"
    project.mkdir()
    ended = ringbearer("setup", tool, ringbearer.url, "--write", directory=project).check()
    place = FILES.get(tool, WORKFLOW)
    path = (ringbearer.home if tool == "pip" else project) / place
    shown = ringbearer("setup", tool, ringbearer.url, directory=project).check().stdout
    assert shown.split("\n", 1)[1] == path.read_text()
    assert f"wrote {path if tool == 'pip' else Path(place)}\n" in ended.stderr
    again = ringbearer("setup", tool, ringbearer.url, "--write", directory=project).check()
    assert again.stdout.endswith(": nothing to change\n") and again.stderr == ""
    ringbearer.assert_no_sign_in()


@where_files_have_modes
@pytest.mark.parametrize("variable", ["XDG_CONFIG_HOME", "HOME"])
def test_the_file_of_pip_is_where_pip_itself_would_write(
    ringbearer: CommandLine, client: Client, tmp_path: Path, variable: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    variables = {variable: str(tmp_path / "elsewhere"), "PIP_CONFIG_FILE": None}
    ringbearer("setup", "pip", ringbearer.url, "--write", **variables).check()
    environment = ringbearer.environment(**variables)
    ended = client.run(["pip", "config", "--user", "get", "global.keyring-provider"], environment, directory=tmp_path)
    assert ended.check().stdout == "subprocess\n"


def test_without_a_home_directory_it_asks_for_a_file(ringbearer: CommandLine) -> None:
    ended = ringbearer("setup", "pip", ringbearer.url, HOME=None, USERPROFILE=None, APPDATA=None)
    assert_complaint(ended, "home directory", "--file")


@where_files_have_modes
@pytest.mark.parametrize("before", [0o600, 0o640, 0o644, 0o755, 0o400], ids=oct)
def test_a_file_keeps_its_permissions(setup: Setup, tmp_path: Path, before: int) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_text("[project]\n")
    path.chmod(before)
    setup.again("uv", path).check()
    assert mode(path) == before and "subprocess" in path.read_text()


@where_files_have_modes
def test_a_new_file_and_its_folders_have_the_permissions_of_any(ringbearer: CommandLine, tmp_path: Path) -> None:
    before = ("/bin/sh", "-c", 'umask 027 && exec "$0" "$@"')
    words = ["setup", "github-actions", ringbearer.url, "--write"]
    ringbearer(*words, before=before, directory=tmp_path).check()
    path = tmp_path / WORKFLOW
    assert mode(path) == 0o640
    assert [oct(mode(folder)) for folder in (path.parent, path.parent.parent)] == [oct(0o750)] * 2


@where_files_have_modes
def test_symlink_is_kept_and_its_target_changes(setup: Setup, tmp_path: Path) -> None:
    target, link = tmp_path / "dotfiles" / "pip.conf", tmp_path / "pip.conf"
    target.parent.mkdir()
    target.write_text("[global]\n")
    link.symlink_to("dotfiles/pip.conf")
    setup.again("pip", link).check()
    assert link.is_symlink() and read_pip(target.read_text())["global"]["keyring-provider"] == "subprocess"
    assert names_in(target.parent) == ["pip.conf"]


@where_files_have_modes
@pytest.mark.parametrize("shared", [0o777, 0o1777], ids=oct)
def test_link_that_others_may_have_planted_is_refused(setup: Setup, tmp_path: Path, shared: int) -> None:
    own, folder = tmp_path / "own", tmp_path / "shared"
    own.mkdir()
    (own / "pip.conf").write_text("[global]\n")
    folder.mkdir()
    folder.chmod(shared)
    (folder / "pip.conf").symlink_to(own / "pip.conf")
    (folder / "pip").symlink_to(own)
    for path in (folder / "pip.conf", folder / "pip" / "pip.conf", folder / "pip" / "new"):
        assert_complaint(setup.again("pip", path), f"{path} cannot be changed: ", "that others may write; name its")
    assert (names_in(own), (own / "pip.conf").read_text()) == (["pip.conf"], "[global]\n")


@where_files_have_modes
def test_anything_but_a_regular_file_is_refused(setup: Setup, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "nowhere").symlink_to("not-there")
    (tmp_path / "text").write_text("")
    before = names_in(tmp_path)
    for tool in ("uv", "pip"):
        for name in ("fifo", "files", "nowhere", "text/below", "fifo/below"):
            assert_complaint(setup.again(tool, tmp_path / name), str(tmp_path / name), "cannot be changed: ")
        for name in ("/dev/null", "/dev/zero"):
            assert_complaint(setup.again(tool, name), "cannot be changed: ")
    assert names_in(tmp_path) == before and names_in(tmp_path / "files") == []


@where_files_have_modes
def test_read_only_directory_is_reported(ringbearer: CommandLine, tmp_path: Path) -> None:
    before: tuple[str, ...] = ()
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv") or pytest.skip("root can write everywhere, and setpriv is not installed")
        before = (setpriv, "--bounding-set=-all", "--inh-caps=-all")
    path = tmp_path / "folder" / "tox.ini"
    path.parent.mkdir()
    path.write_text("[tox]\n")
    path.parent.chmod(0o555)
    ended = ringbearer("setup", "tox", ringbearer.url, "--write", "--file", path, before=before)
    path.parent.chmod(0o755)
    assert ended.code == 1 and ended.stderr == f"ringbearer: {path} cannot be changed: permission denied\n", ended
    assert names_in(path.parent) == ["tox.ini"] and path.read_text() == "[tox]\n"


def test_a_file_too_large_to_be_settings_is_left_alone(setup: Setup) -> None:
    setup("uv", "#" * (5 * 1024 * 1024)).assert_refused("larger than")


def test_an_index_that_is_not_served_is_refused(setup: Setup) -> None:
    urls = ["https://packages.example.com/simple/", setup.url.replace("https", "http"), "", "a b", "file:///simple/"]
    urls += [setup.url.replace("dev.azure.com", "dev.azure.com.example"), setup.url + "\nx", "https://[::1]/"]
    for number, url in enumerate(urls):
        for words in ([], ["--write"]):
            ended = setup.ringbearer("setup", TOOLS[number % len(TOOLS)], url, *words)
            assert_complaint(ended, "no index that ringbearer serves", "ringbearer doctor URL", code=2)
    setup.ringbearer.assert_no_sign_in()


def test_url_is_written_without_credentials_and_query(setup: Setup) -> None:
    plain = setup.printed("uv"), setup.printed("poetry")
    setup.url = setup.url.replace("https://pkgs", "HTTPS://somebody:s3cr3t@PKGS") + "?query=s3cr3t#fragment"
    assert (setup.printed("uv"), setup.printed("poetry")) == plain


def test_a_url_that_a_file_would_say_otherwise_is_refused(setup: Setup) -> None:
    url = setup.url
    for tool in TOOLS:
        for odd in ("'", "\\", "$X", "${X}"):
            for words in ([], ["--write"]):
                given = url.replace("tools", "to" + odd + "ols")
                assert_complaint(setup.ringbearer("setup", tool, given, *words), code=2)


def test_a_url_that_means_the_same_everywhere_is_written(setup: Setup) -> None:
    plain = setup.url
    for odd in ("~", ";", ",", "=", ":", "@", "+", "!", "(x)", "[x]", "&", "*", "|", "^"):
        url = setup.url = plain.replace("tools", f"to{odd}ols")
        named = url.replace("//", "//VssSessionToken@")
        assert read_toml(setup.printed("poetry"))["tool"]["poetry"]["source"][0]["url"] == url
        assert read_toml(setup.printed("uv"))["tool"]["uv"]["index"][0]["url"] == named
        assert read_pip(setup.printed("pip"))["global"]["index-url"] == named
        assert read_tox(setup.printed("tox"))["testenv"]["set_env"] == f"\nPIP_INDEX_URL = {named}"


def test_a_project_with_a_blank_in_its_name_is_written(setup: Setup) -> None:
    # Such names are usual in Azure DevOps; all of these files take `%20` literally.
    url = setup.url = setup.url.replace("_packaging", "My%20Project/_packaging")
    named = url.replace("//", "//VssSessionToken@")
    assert read_toml(setup.printed("uv"))["tool"]["uv"]["index"][0]["url"] == named
    assert read_toml(setup.printed("poetry"))["tool"]["poetry"]["source"][0]["url"] == url
    assert read_pip(setup.printed("pip"))["global"]["index-url"] == named
    assert read_tox(setup.printed("tox"))["testenv"]["set_env"] == f"\nPIP_INDEX_URL = {named}"


def test_a_name_that_a_file_would_say_otherwise_is_refused(setup: Setup) -> None:
    for name in ("", "a b", 'a"', "a]", "é", "a\nb", "a=b", "$(a)"):
        assert_complaint(setup.ringbearer("setup", "uv", setup.url, "--name", name), "the name of an index", code=2)


def test_wrong_arguments_show_the_usage(ringbearer: CommandLine, tmp_path: Path) -> None:
    for words in ("", "uv", "URL", "conda URL", "uv URL URL", "uv URL --json", "uv URL --name", "UV URL", "uv URL -w"):
        given = [ringbearer.url if word == "URL" else word for word in words.split()]
        ended = ringbearer("setup", *given, directory=tmp_path)
        assert_complaint(ended, "usage: ringbearer setup uv|pip|poetry|tox|github-actions URL", code=2)


@pytest.mark.parametrize(("tool", "name"), [("uv", "uv.toml"), ("tox", "tox.toml"), ("tox", "pyproject.toml")])
def test_file_in_another_format_stays_readable(setup: Setup, tool: str, name: str) -> None:
    # uv reads `uv.toml` without `tool.uv`; tox has settings in TOML too.
    before = 'no-cache = true\n[[index]]\nname = "a"\nurl = "https://a.example/"\n' if tool == "uv" else "[tox]\n"
    change = setup(tool, before, name=name)
    if change.ended.code == 0:
        assert "tool" not in read_toml(change.assert_made().after) or name == "pyproject.toml"
    else:
        change.assert_refused()

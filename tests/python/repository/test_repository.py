"""The rules of the repository: workflows, versions, licences, and no trace of one machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

# Spelled in two halves, so that this file passes its own test.
REGISTRY_HOSTS = [
    "py" + "pi.org",
    "files.python" + "hosted.org",
    "index.crates" + ".io",
    "static.crates" + ".io",
    "registry.npm" + "js.org",
    "deb.debian" + ".org",
]

# Written by cargo, which names the registry in every entry.
GENERATED = {"Cargo.lock", "fuzz/Cargo.lock"}


def tracked_files() -> list[Path]:
    """Every file that is, or would be, committed."""
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    names = [name for name in os.fsdecode(listing.stdout).split("\0") if name]
    return [ROOT / name for name in names if name not in GENERATED and (ROOT / name).is_file()]


def tracked_texts() -> list[tuple[str, str]]:
    """Name and text of each tracked file; binary ones are left out."""
    texts = []
    for path in tracked_files():
        content = path.read_bytes()
        if b"\0" not in content:
            texts.append((path.relative_to(ROOT).as_posix(), content.decode("utf-8", "replace")))
    return texts


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def load_toml(name: str) -> dict:
    if sys.version_info < (3, 11):
        pytest.skip("tomllib came with Python 3.11")
    import tomllib

    return tomllib.loads(read(name))


def job_blocks(workflow: str) -> dict[str, str]:
    """The text of each job, by its key. Workflows are indented by two spaces, which the linter checks."""
    jobs = workflow.split("\njobs:\n", 1)[1]
    parts = re.split(r"^  ([a-z-]+):\n", jobs, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def test_no_file_names_a_package_registry_host():
    found = [f"{name}: {host}" for name, text in tracked_texts() for host in REGISTRY_HOSTS if host in text]
    assert found == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on():
    # Placeholder names.
    anybody = r"(?!(?:ada|app|eve|me|nobody|runner|someone|user|vscode)\b)"
    homes = re.compile(rf"(?<![\w.$}}])/(?:home|Users)/{anybody}\w+|[A-Z]:\\+Users\\+{anybody}\w+")
    here = str(ROOT)
    # A checkout directly below the root is too short a path to look for.
    needles = [here] if len(ROOT.parts) > 2 else []
    found = []
    for name, text in tracked_texts():
        found += [f"{name}: {match.group()}" for match in homes.finditer(text)]
        found += [f"{name}: {needle}" for needle in needles if needle in text]
    assert found == []


def test_test_names_have_at_most_60_characters():
    files = [*(ROOT / "tests").rglob("test_*.py"), *(ROOT / "tests").glob("*.rs"), *(ROOT / "src").rglob("*.rs")]
    names = [re.findall(r"(?:def|fn) (\w{61,})\(", path.read_text(encoding="utf-8")) for path in files]
    assert [name for of_file in names for name in of_file] == []


def test_workflows_are_ci_and_release():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit_with_their_version(path):
    uses = re.findall(r"^\s*(?:- )?uses:\s*(.+?)\s*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert uses
    loose = [line for line in uses if not re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", line)]
    assert loose == []


def test_one_action_has_one_pin():
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: ([\w./-]+)@(\S+ # \S+)", path.read_text(encoding="utf-8")):
            pins.setdefault(action, set()).add(pin)
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_workflow_permissions_are_per_job_and_explained(path):
    text = path.read_text(encoding="utf-8")
    assert re.search(r"^permissions: \{\}$", text, flags=re.MULTILINE)
    for job, block in job_blocks(text).items():
        grants = re.search(r"^    permissions:\n((?:      .+\n)+)", block, flags=re.MULTILINE)
        assert grants, f"job {job} has no permissions"
        unexplained = [line for line in grants.group(1).splitlines() if not re.search(r": (?:read|write) # \w", line)]
        assert unexplained == [], f"job {job}"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_checkout_leaves_no_credentials_behind(path):
    text = path.read_text(encoding="utf-8")
    checkouts = re.findall(r"uses: actions/checkout@.*\n(?:        .*\n)*", text)
    assert checkouts
    assert all("persist-credentials: false" in checkout for checkout in checkouts)


def test_ci_checks_the_oldest_rust_that_the_manifest_promises():
    rust_version = load_toml("Cargo.toml")["package"]["rust-version"]
    assert re.findall(r'^\s*MSRV: "([^"]+)"', read(".github/workflows/ci.yml"), flags=re.MULTILINE) == [rust_version]
    assert load_toml("clippy.toml")["msrv"] == rust_version


def test_ci_runs_the_oldest_python_that_the_package_promises():
    oldest = load_toml("pyproject.toml")["project"]["requires-python"]
    versions = re.search(r"^\s*python: \[(.+)\]", read(".github/workflows/ci.yml"), flags=re.MULTILINE)
    assert versions
    assert ">=" + versions.group(1).split(",")[0].strip('" ') == oldest
    pyo3 = load_toml("Cargo.toml")["dependencies"]["pyo3"]
    assert "abi3-py" + oldest.replace(">=", "").replace(".", "") in pyo3["features"]


def test_release_builds_with_the_maturin_of_the_tests():
    pinned = re.search(r"^maturin==(\S+)", read("tests/requirements.txt"), flags=re.MULTILINE)
    assert pinned
    assert f"MATURIN_VERSION: v{pinned.group(1)} " in read(".github/workflows/release.yml")


def test_manifest_forbids_unsafe_and_sets_the_release_profile():
    manifest = load_toml("Cargo.toml")
    assert manifest["lints"]["rust"]["unsafe_code"] == "forbid"
    release = manifest["profile"]["release"]
    wanted = {"lto": "fat", "codegen-units": 1, "strip": True, "overflow-checks": True}
    assert {key: release.get(key) for key in wanted} == wanted
    for profile in manifest["profile"].values():
        assert profile.get("panic", "unwind") == "unwind", "a panic must stay an exception"


def test_keyring_is_the_only_python_dependency():
    dependencies = load_toml("pyproject.toml")["project"]["dependencies"]
    assert [re.split(r"[^\w.-]", dependency)[0] for dependency in dependencies] == ["keyring"]


def test_licences_are_present_and_named():
    project = load_toml("pyproject.toml")["project"]
    assert project["license"] == load_toml("Cargo.toml")["package"]["license"] == "MIT OR Apache-2.0"
    assert sorted(project["license-files"]) == ["LICENSE-APACHE", "LICENSE-MIT"]
    assert "Permission is hereby granted" in read("LICENSE-MIT")
    assert "ringbearer contributors" in read("LICENSE-MIT")
    assert "Version 2.0, January 2004" in read("LICENSE-APACHE")


def test_changelog_opens_with_unreleased_or_this_version():
    headings = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), flags=re.MULTILINE)
    assert headings[0] in {"Unreleased", load_toml("Cargo.toml")["package"]["version"]}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no executable bits")
def test_ci_script_is_executable_and_calls_make_test():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert read(".ci/run").rstrip().endswith("make test")

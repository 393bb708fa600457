"""The variables that the tox plugin passes: exactly those that the backends read."""

from __future__ import annotations

import json
import re
import sys
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.menda import Menda
from support.tox_project import ToxProject

ROOT = Path(__file__).resolve().parents[3]

#: Variables that no backend reads.
CANARIES = [
    "AWS_LAMBDA_FUNCTION_NAME",
    "CI_JOB_TOKEN",
    "CLOUDSDK_CORE_PROJECT",
    "DATABASE_PASSWORD",
    "GITHUB_TOKEN",
    "GOOGLE_API_KEY",
    "GOOGLE_CLOUD_PROJECT",
    "GOOGLE_GHA_CREDS_PATH",
    "MENDACITY",
    "XMENDA_TOKEN",
]

#: Where az, azd, chainctl and gcloud look for their logins; azd has one of the editor that started it, too.
PROGRAMS = [
    "AZD_AUTH_CERT",
    "AZD_AUTH_ENDPOINT",
    "AZD_AUTH_KEY",
    "AZD_CONFIG_DIR",
    "AZURE_CONFIG_DIR",
    "CHAINCTL_CONFIG",
    "CLOUDSDK_ACTIVE_CONFIG_NAME",
    "CLOUDSDK_CONFIG",
    "CLOUDSDK_PYTHON",
    "XDG_CACHE_HOME",
]

#: Allows the credential file of Google to name a program, which has other variables of this kind.
ALLOW = "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"

#: Variables that hold a password or a token.
SECRETS = [
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "ARTIFACTS_CREDENTIALPROVIDER_ACCESSTOKEN",
    "ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS",
    "ARTIFACTS_KEYRING_NOFUSS_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AZD_AUTH_KEY",
    "AZURE_CLIENT_SECRET",
    "AZURE_DEVOPS_EXT_PAT",
    "CHAINCTL_AUTH_TOKEN",
    "CHAINGUARD_PYTHON_TOKEN",
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "IDENTITY_HEADER",
    "MENDA_CLIENT_SECRET",
    "MSI_SECRET",
    "SYSTEM_ACCESSTOKEN",
    "VSS_NUGET_ACCESSTOKEN",
    "VSS_NUGET_EXTERNAL_FEED_ENDPOINTS",
]


def passed(project: ToxProject) -> list[str]:
    """The patterns of the plugin."""
    program = "import json; from ringbearer.tox_plugin import PASSED; print(json.dumps(PASSED))"
    return json.loads(project.tox.run(["python", "-c", program], project.environment).check().stdout)


def matching(names: set[str], patterns: list[str]) -> set[str]:
    """The names that match a pattern, case-insensitively as in tox."""
    return {name for name in names if any(fnmatchcase(name.upper(), pattern.upper()) for pattern in patterns)}


def read_by_the_core() -> set[str]:
    """The names of variables in the Rust code, tests aside. The command line and the settings of tools, which a sign-in
    at a terminal reads, know many more, and are not part of what pip asks.
    """
    files = [path for path in (ROOT / "src").glob("**/*.rs") if path.stem not in ("fake", "fuzz", "tests")]
    files = [path for path in files if not {"cli", "tools"} & set(path.relative_to(ROOT).parts)]
    code = "".join(path.read_text(encoding="utf-8").split("#[cfg(test)]")[0] for path in files)
    names = {name for name in re.findall(r'"([A-Z][A-Z0-9]+(?:_[A-Z0-9]+)+)"', code) if not name.startswith("CARGO_")}
    # Set for other programs, read by the command line only, or of no use to pip.
    set_for_others = {name for name in names if name.startswith(("AZURE_CORE_", "CLOUDSDK_CORE_DISABLE_"))}
    set_for_others |= {name for name in names if name.startswith("GOOGLE_EXTERNAL_ACCOUNT_")} - {ALLOW}
    error_codes = {"INSUFFICIENT_PERMISSIONS"}
    return names - set_for_others - error_codes - {"RINGBEARER_INDEXES_ASKED", "XDG_CONFIG_DIRS", "XDG_RUNTIME_DIR"}


def read_by_keyring(tox: Client) -> set[str]:
    """The names of variables in the code of keyring itself."""
    [package] = [path for path in Path(tox.directory).glob("**/site-packages/keyring") if path.is_dir()]
    code = "".join(path.read_text(encoding="utf-8") for path in package.glob("**/*.py") if "testing" not in path.parts)
    return set(re.findall(r"environ(?:\.get\(|\[)'(\w+)'", code))


@pytest.fixture
def project(cloud: PracticeCloud, fake_programs: FakePrograms, tox: Client, home: Path) -> ToxProject:
    """A project without any login."""
    return ToxProject(home / "shop", tox, cloud.environment(home, path=[fake_programs.directory]))


def test_variables_of_the_backends_and_no_others_are_passed(project: ToxProject, home: Path) -> None:
    patterns = passed(project)
    variables = {pattern.replace("*", "CANARY"): str(home / "value") for pattern in patterns}
    variables.update({name: "canary" for name in CANARIES})
    lines = [f"commands = {project.look}", "[testenv:plain]", "ringbearer = false"]
    project.configure(*lines, core=("no_package = true", "env_list = plain, check"))
    project.run(**variables).check()
    plain, seen = project.seen("plain"), project.seen()
    there = set(project.environment) | set(variables)
    added = matching(there, patterns) - set(plain)
    assert len(added) > 20
    assert set(seen) - set(plain) == added | {"PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"}
    assert all(seen[name] == {**project.environment, **variables}[name] for name in added)
    assert set(seen) & set(CANARIES) == set()


def test_variables_read_by_the_code_are_passed_by_plugin_or_tox(project: ToxProject, tox: Client) -> None:
    project.configure()
    shown = project.run("config", "-e", "check", "-k", "pass_env").check().stdout
    own = [line.strip() for line in shown.partition("pass_env =")[2].splitlines() if line.strip()]
    names = read_by_the_core() | read_by_keyring(tox) | set(PROGRAMS)
    assert len(names) > 50 and {"MENDA_CLIENT_SECRET", "PYTHON_KEYRING_BACKEND", "XDG_DATA_HOME"} <= names
    # tox passes it where it is used: on Windows.
    assert names - {"USERPROFILE"} - matching(names, own + passed(project)) == set()


def test_ca_variables_are_passed_by_tox_uv(project: ToxProject, tox_uv: Client, cloud: PracticeCloud) -> None:
    project.tox = tox_uv
    project.configure(f"commands = {project.look}")
    project.run().check()
    assert project.seen().get("PIP_CERT") == cloud.ca_file


@pytest.mark.parametrize("name", ["PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"])
def test_keyring_provider_of_the_user_is_not_overridden(project: ToxProject, name: str) -> None:
    other = ({"PIP_KEYRING_PROVIDER", "UV_KEYRING_PROVIDER"} - {name}).pop()
    project.configure("set_env =", f"  {name} = disabled", f"commands = {project.look}")
    project.run().check()
    assert (project.seen()[name], project.seen()[other]) == ("disabled", "subprocess")
    (project.directory / "settings.env").write_text(f"{name}=disabled\n")
    project.configure("set_env = file|settings.env", f"commands = {project.look}")
    project.run().check()
    assert (project.seen()[name], project.seen()[other]) == ("disabled", "subprocess")
    project.configure(f"commands = {project.look}")
    project.run(**{name: "disabled"}).check()
    assert project.seen().get(name, "disabled") == "disabled" and project.seen()[other] == "subprocess"


def test_uv_inside_uses_the_keyring_provider_from_outside(
    cloud: PracticeCloud, fake_programs: FakePrograms, tox: Client, tool: Client, home: Path
) -> None:
    # Users of uv have `export UV_KEYRING_PROVIDER=subprocess` in their profile.
    menda = Menda(cloud, fake_programs, home)
    menda.log_in()
    project = ToxProject(home / "shop", tox, menda.environment(tool.bin, UV_KEYRING_PROVIDER="subprocess"))
    install = f"uv pip install --default-index {menda.url_with_user_name} greetings"
    project.configure("allowlist_externals = uv", f"commands = {install}")
    project.run().check()
    assert project.has_installed("check", "greetings", "hello_private")
    menda.assert_made(1)


@pytest.mark.skipif(sys.version_info < (3, 10), reason="the newest tox needs Python 3.10")
def test_variables_that_the_user_excludes_are_not_passed(project: ToxProject) -> None:
    project.configure("disallow_pass_env = MENDA_CLIENT_SECRET", f"commands = {project.look}")
    project.run(MENDA_CLIENT_SECRET="mellon", MENDA_CLIENT_ID="robot").check()
    assert {name for name in project.seen() if name.startswith("MENDA_")} == {"MENDA_CLIENT_ID"}


@pytest.mark.parametrize("which", ["tox", "old_tox"])
def test_secrets_are_in_no_file_that_tox_leaves(
    project: ToxProject, which: str, request: pytest.FixtureRequest
) -> None:
    project.tox = request.getfixturevalue(which)
    project.configure("commands = python -c 0")
    secrets = {name: f"secret-{name.lower()}" for name in SECRETS}
    ended = project.run("-vvv", "--result-json", "result.json", **secrets).check()
    written = b"\n".join(project.files().values()) + ended.output.encode()
    assert sorted(name for name, secret in secrets.items() if secret.encode() in written) == []

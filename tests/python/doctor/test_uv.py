"""The doctor's verdict on uv is what the real uv does with the same settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from support.azure_user import AzureUser, with_user_name
from support.doctor import Doctor
from support.tool_settings import uv_index, write

NATIVE, ALONE = ("native", "tool"), ("tool",)
SUBPROCESS = {"UV_KEYRING_PROVIDER": "subprocess"}
BACKEND = "PYTHON_KEYRING_BACKEND"
CREDENTIALS = ".local/share/uv/credentials/credentials.toml"
NETRC = "machine pkgs.dev.azure.com\n  login {}\n  password withdrawn\n"


def stored(service: str, username: str) -> dict[str, str]:
    """A password for a service, as `uv auth login` stores it."""
    lines = ["[[credential]]", f'service = "{service}"', f'username = "{username}"', 'password = "withdrawn"']
    return {CREDENTIALS: "\n".join([*lines, 'scheme = "basic"', ""])}


@dataclass
class Case:
    """How uv is set up, and whether it installs."""

    name: str
    installs: bool
    #: The user information in the URL of the index.
    user: str = "VssSessionToken"
    #: More of the index's settings.
    more: tuple[str, ...] = ()
    #: More settings of uv.
    settings: str = ""
    variables: dict[str, str | None] = field(default_factory=lambda: dict(SUBPROCESS))
    path: tuple[str, ...] = NATIVE
    #: Files in the home directory.
    files: dict[str, str] = field(default_factory=dict)


CASES = [
    Case("user name in the URL", True),
    Case("another user name in the URL", True, user="frodo%40contoso.example"),
    Case("user name in a variable", True, user="", variables={**SUBPROCESS, "UV_INDEX_CONTOSO_USERNAME": "x"}),
    Case("no user name", False, user=""),
    Case("password in the URL", False, user="frodo:withdrawn"),
    Case("empty password in the URL", True, user="VssSessionToken:"),
    Case("password in a variable", False, user="", variables={**SUBPROCESS, "UV_INDEX_CONTOSO_PASSWORD": "withdrawn"}),
    Case(
        "password and user name in variables",
        False,
        user="",
        variables={**SUBPROCESS, "UV_INDEX_CONTOSO_PASSWORD": "withdrawn", "UV_INDEX_CONTOSO_USERNAME": "frodo"},
    ),
    # uv itself ignores it then.
    Case(
        "password in a variable, user name in the URL",
        True,
        variables={**SUBPROCESS, "UV_INDEX_CONTOSO_PASSWORD": "withdrawn"},
    ),
    Case("never authenticates", False, more=('authenticate = "never"',)),
    Case("always authenticates, with a user name", True, more=('authenticate = "always"',)),
    Case("no provider", False, variables={}),
    Case("disabled", False, variables={"UV_KEYRING_PROVIDER": "disabled"}),
    Case("provider in the file", True, variables={}, settings='keyring-provider = "subprocess"\n'),
    Case(
        "a variable against the file",
        False,
        variables={"UV_KEYRING_PROVIDER": "disabled"},
        settings='keyring-provider = "subprocess"\n',
    ),
    Case("an unknown provider", False, variables={"UV_KEYRING_PROVIDER": "import"}),
    Case("no keyring", False, path=ALONE),
    Case("a keyring without ringbearer", False, path=("client_without", "tool")),
    Case("a keyring without ringbearer in front", False, path=("client_without", "native", "tool")),
    Case("Python's keyring", True, path=("client", "tool")),
    Case("another backend", False, variables={**SUBPROCESS, BACKEND: "keyring.backends.null.Keyring"}),
    Case(
        "another index's backend",
        False,
        variables={**SUBPROCESS, BACKEND: "ringbearer.backends.MendaCodeArtifactKeyring"},
    ),
    Case("the store", False, variables={**SUBPROCESS, BACKEND: "ringbearer.backends.SSHAgentKeyring"}),
    Case("its own backend", True, variables={**SUBPROCESS, BACKEND: "ringbearer.backends.AzureArtifactsKeyring"}),
    Case("all backends", True, variables={**SUBPROCESS, BACKEND: "keyring.backends.chainer.ChainerBackend"}),
    Case("netrc of nobody in particular", False, user="", files={".netrc": NETRC.format("frodo")}),
    Case("netrc of the same user", False, files={".netrc": NETRC.format("VssSessionToken")}),
    Case("netrc of another user", True, files={".netrc": NETRC.format("frodo")}),
    Case("netrc for every host", False, user="", files={".netrc": "default login frodo password withdrawn\n"}),
    Case(
        "netrc with a word that is a password", True, files={".netrc": "machine a.example login b password default\n"}
    ),
    Case("stored for the user", False, files=stored("https://pkgs.dev.azure.com/", "VssSessionToken")),
    Case("stored for another user", True, files=stored("https://pkgs.dev.azure.com/", "frodo")),
    Case("stored for the organisation", False, files=stored("https://pkgs.dev.azure.com/contoso", "VssSessionToken")),
    Case("stored for another organisation", True, files=stored("https://pkgs.dev.azure.com/cont", "VssSessionToken")),
    Case(
        "stored for any user",
        False,
        user="",
        more=('authenticate = "always"',),
        files=stored("https://pkgs.dev.azure.com", "frodo"),
    ),
    Case(
        "stored elsewhere",
        True,
        variables={**SUBPROCESS, "UV_CREDENTIALS_DIR": "/nowhere"},
        files=stored("https://pkgs.dev.azure.com/", "VssSessionToken"),
    ),
    Case(
        "netrc that is elsewhere and not there",
        False,
        variables={**SUBPROCESS, "NETRC": "/nowhere/netrc"},
        files={".netrc": NETRC.format("VssSessionToken")},
    ),
]


@pytest.fixture
def on_path(request: pytest.FixtureRequest) -> Callable[[tuple[str, ...]], list[str]]:
    """The program directories of clients, by name."""
    return lambda names: [request.getfixturevalue(name).bin for name in names]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_uv_installs_if_the_doctor_says_so_and_only_then(
    cloud: PracticeCloud,
    doctor: Doctor,
    azure_user: AzureUser,
    tool: Client,
    home: Path,
    on_path: Callable[[tuple[str, ...]], list[str]],
    case: Case,
) -> None:
    url = cloud.azure.feed.url()
    index = uv_index(with_user_name(url, case.user) if case.user else url, "contoso", *case.more)
    write(home / "uv.toml", case.settings + index)
    for name, text in case.files.items():
        write(home / name, text)
    path = on_path(case.path)
    environment = doctor.environment(path, UV_PYTHON=tool.python, **case.variables)
    ended = tool.run(["uv", "pip", "install", "--target", "packages", "greetings"], environment)
    assert (ended.code == 0) is case.installs, ended
    # pip skips a keyring in its own directory.
    provider = "import" if case.path[:1] == ("client",) else "subprocess"
    found = doctor.examine(path=path, PIP_KEYRING_PROVIDER=provider, **case.variables)
    assert found.titles == [url]
    said = [one for name in ("keyring's choice", "keyring", "netrc", "uv") for one in found.findings(name)]
    assert all(one.state == "good" or one.state == "note" for one in said) is case.installs, said
    # A tool that cannot ask is counted in the summary.
    assert found.code == 0
    assert ("would not ask" in found.document["summary"]) is not case.installs, found.document["summary"]

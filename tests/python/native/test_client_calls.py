"""The arguments with which the real clients call `keyring`; other tests use them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.registries.chainguard import Chainguard
from support.keyring_calls import CALLS, PDM_PROJECT, SECOND_CALLS, Recorder, words

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the recorder is a shell script")

PIP = ["pip", "install", "--target", "packages", "--keyring-provider", "subprocess", "--index-url"]
UV = ["uv", "pip", "install", "--target", "packages", "--keyring-provider", "subprocess"]

#: Each of them installs or locks `greetings`.
CLIENTS = [
    pytest.param("pip", marks=pytest.mark.skipif(sys.version_info < (3, 10), reason="pip 26.2 needs Python 3.10")),
    pytest.param(
        "pip with a user name",
        marks=pytest.mark.skipif(sys.version_info < (3, 10), reason="pip 26.2 needs Python 3.10"),
    ),
    *(name for name in CALLS if name not in ("pip", "pip with a user name")),
]


@pytest.fixture
def recorder(tmp_path: Path, native: Client) -> Recorder:
    """Records the calls."""
    return Recorder(tmp_path, native)


@pytest.fixture
def registry(cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> Chainguard:
    """A registry without a login that also answers for its bare host."""
    return Chainguard(cloud, fake_programs, home)


@pytest.fixture
def run(
    registry: Chainguard, recorder: Recorder, tool: Client, caller: Callable[[str], Client], home: Path
) -> Callable[[str], Completed]:
    """Runs a client."""

    def run(name: str) -> Completed:
        url = (
            registry.url_with_user_name
            if "with a user name" in name or name in ("uv", "pip 26.1")
            else registry.index_url
        )
        environment = registry.environment(recorder.bin, UV_PYTHON=tool.python, PDM_CHECK_UPDATE="0")
        if name.startswith("PDM"):
            shop = home / "shop"
            shop.mkdir()
            (shop / "pyproject.toml").write_text(PDM_PROJECT.format(url))
            return caller("pdm").run(["pdm", "lock"], environment, directory=shop)
        if name == "uv without a user name":
            (home / "uv.toml").write_text(f'[[index]]\nurl = "{url}"\ndefault = true\nauthenticate = "always"\n')
            return tool.run([*UV, "greetings"], environment)
        if name == "uv":
            return tool.run([*UV, "--default-index", url, "greetings"], environment)
        pip = caller("pip-26.1") if name == "pip 26.1" else tool
        return pip.run([*PIP, url, "greetings"], environment)

    return run


@pytest.mark.parametrize("name", CLIENTS)
def test_each_client_calls_once_where_it_gets_an_answer(
    registry: Chainguard, recorder: Recorder, run: Callable[[str], Completed], name: str
) -> None:
    registry.log_in()
    run(name).check()
    assert recorder.calls == [words(CALLS[name], registry)]
    registry.assert_made(1)


@pytest.mark.parametrize("name", CLIENTS)
def test_clients_ask_for_the_host_after_a_miss(
    registry: Chainguard, recorder: Recorder, run: Callable[[str], Completed], name: str
) -> None:
    ended = run(name)
    assert ended.code != 0
    assert recorder.calls == [words(call, registry) for call in [CALLS[name], *SECOND_CALLS[name]]]

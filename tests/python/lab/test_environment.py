"""The practice cloud: the environments of child processes and of `python -m lab`."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.environment import home_variables
from support.browser import with_password

TESTS = str(Path(__file__).resolve().parents[2])


def test_environment_never_leads_to_the_real_metadata_service(cloud: PracticeCloud, home: Path) -> None:
    host = cloud.environment(home)["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    assert host == cloud.metadata.imds.url
    with pytest.raises(ValueError, match="metadata"):
        cloud.environment(home, AZURE_POD_IDENTITY_AUTHORITY_HOST=None)


def test_nothing_of_the_machine_is_in_an_environment() -> None:
    program = """
import json, tempfile
from lab.cloud import PracticeCloud
with tempfile.TemporaryDirectory() as home, PracticeCloud() as cloud:
    print(json.dumps(cloud.environment(home, NO_PROXY=None, MORE="yes")))
"""
    variables = {**os.environ, "PYTHONPATH": TESTS, "PRACTICE_LEAK": "1"}
    ended = subprocess.run([sys.executable, "-c", program], env=variables, stdout=subprocess.PIPE, check=True)
    environment = json.loads(ended.stdout)
    assert "PRACTICE_LEAK" not in environment
    assert "NO_PROXY" not in environment
    assert environment["MORE"] == "yes"


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals for one process")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_foreground_cloud_prints_a_working_environment(tool: Client, tmp_path: Path, number: int) -> None:
    temporary, home = tmp_path / "temporary", tmp_path / "home"
    temporary.mkdir()
    home.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "lab"],
        env={**os.environ, "PYTHONPATH": TESTS, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        lines = []
        while not lines or not lines[-1].startswith("# packages"):
            lines.append(process.stdout.readline())
            assert lines[-1], lines
        printed = dict(shlex.split(line)[1].split("=", 1) for line in lines if line.startswith("export "))
        assert "PIP_NO_INPUT" not in printed
        index = next(line.split()[-1] for line in lines if line.startswith("# azure:"))
        url = with_password(index, printed["AZURE_DEVOPS_EXT_PAT"])
        environment = {**printed, **home_variables(home), "PATH": os.defpath}
        command = ["pip", "install", "--target", home / "packages", "--index-url", url, "greetings"]
        tool.run(command, environment).check()
        assert os.listdir(temporary) != []
        process.send_signal(number)
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.communicate()
    assert os.listdir(temporary) == []

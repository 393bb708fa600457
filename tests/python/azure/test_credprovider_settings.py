"""The settings of artifacts-credprovider, which artifacts-keyring passes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud


@pytest.mark.parametrize(("level", "is_printed"), [("Debug", True), ("verbose", True), ("Information", False)])
def test_verbosity_of_artifacts_keyring_prints_every_step(
    cloud: PracticeCloud, client: Client, home: Path, level: str, is_printed: bool
) -> None:
    variables = {"ARTIFACTS_KEYRING_VERBOSITY": level, "AZURE_DEVOPS_EXT_PAT": "personal"}
    environment = {**cloud.environment(home), **variables}
    ended = client.run(["keyring", "get", cloud.azure.feed.url(), "VssSessionToken"], environment).check()
    assert ended.stdout == "personal\n"
    assert ("the token in AZURE_DEVOPS_EXT_PAT" in ended.stderr) == is_printed and "personal" not in ended.stderr

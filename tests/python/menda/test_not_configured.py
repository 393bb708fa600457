"""Menda without configuration is silent; incomplete configuration is reported."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.menda import HOST, REGISTRY_HOST
from support.menda_machines import INDEX

NEIGHBOUR = """
from keyring.backend import KeyringBackend
from keyring.credentials import SimpleCredential

class Neighbour(KeyringBackend):
    priority = 1

    def set_password(self, service, username, password):
        raise NotImplementedError

    def get_password(self, service, username):
        return "of the neighbour"

    def get_credential(self, service, username):
        return SimpleCredential("aws", "of the neighbour")
"""


def test_unconfigured_menda_is_silent(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    (home / ".menda").mkdir()
    empty = {"MENDA_CLIENT_ID": "", "MENDA_CLIENT_SECRET": " ", "MENDA_PROFILE_ID": "", "MENDA_CONFIG_FILE": ""}
    cases: list[dict[str, str | None]] = [{}, {"MENDA_HOST": HOST}, dict(empty), {"HOME": None}, {"HOME": "relative"}]
    cases += [{"HOME": "/dev/null"}, {"HOME": str(home / "nowhere")}]
    look_ups = [LookUp(INDEX, environment=case) for case in cases]
    look_ups += [LookUp(INDEX, "aws", "get_password"), LookUp(REGISTRY_HOST)]
    for strict in ("0", "1"):
        answers = look_up.all(look_ups, RINGBEARER_STRICT=strict)
        assert [answer.result for answer in answers] == [None] * len(look_ups)
        assert [answer.error for answer in answers] == [None] * len(look_ups)
        lines = [line for answer in answers for line in answer.log if line.logger.startswith("ringbearer")]
        assert {line.level for line in lines} == {"DEBUG"}
        assert (answers[0].stdout, answers[0].stderr) == ("", "")
    assert cloud.log.requests() == cloud.log.connections() == []


def test_other_backend_answers_if_menda_is_unconfigured_or_fails(
    cloud: PracticeCloud, look_up: Lookups, home: Path, tmp_path: Path
) -> None:
    (tmp_path / "neighbour.py").write_text(NEIGHBOUR)
    metadata = tmp_path / "neighbour-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: neighbour\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[keyring.backends]\nneighbour = neighbour\n")
    refused = {**cloud.menda.variables, "MENDA_CLIENT_SECRET": "not-the-one"}
    cases = [{}, refused, cloud.menda.variables]
    look_ups = [LookUp(INDEX, "aws", ask, case) for case in cases for ask in ("get_credential", "get_password")]
    answers = look_up.all(look_ups, PYTHONPATH=str(tmp_path))
    found = [answer.result[1] if isinstance(answer.result, list) else answer.result for answer in answers]
    assert found == ["of the neighbour"] * 4 + cloud.menda.registry_tokens * 2
    assert [len(answer.warnings) for answer in answers] == [0, 0, 1, 0, 0, 0]


@pytest.mark.parametrize("names", [["MENDA_CLIENT_ID"], ["MENDA_CLIENT_SECRET"], ["MENDA_CLIENT_ID", "MENDA_HOST"]])
def test_half_of_the_variables_without_a_file_is_reported(
    cloud: PracticeCloud, look_up: Lookups, names: list[str]
) -> None:
    answer = look_up(INDEX, **{name: value for name, value in cloud.menda.variables.items() if name in names})
    missing = [name for name in cloud.menda.variables if name not in names]
    assert answer.credential is None
    assert f"without {' and '.join(missing)}" in answer.warning
    assert cloud.menda.client_secret not in answer.text
    assert cloud.log.requests() == []


def test_profile_without_a_file_is_reported(cloud: PracticeCloud, look_up: Lookups) -> None:
    answer = look_up(INDEX, MENDA_PROFILE_ID="ci", RINGBEARER_STRICT="1")
    assert answer.error.type == "MendaKeyRingError"
    assert "Menda config file not found at ~/.menda/mendacfg. Run 'menda auth configure' first" in answer.error.message

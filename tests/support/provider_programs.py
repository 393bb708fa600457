"""Fake programs of the three providers that run one."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.fake_programs import Answer, FakePrograms, az_token, azd_token, helper_token
from lab.look_up import Answer as Outcome
from lab.look_up import Lookups

PROVIDER = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER"
PROGRAMS = {"azure_cli": "az", "ado_auth_helper": "ado-auth-helper", "azd": "azd"}

every_program = pytest.mark.parametrize("provider", list(PROGRAMS))


class ProviderPrograms:
    """Scripts the program of a provider, and asks only that provider."""

    def __init__(self, look_up: Lookups, fake_programs: FakePrograms, home: Path) -> None:
        self.look_up = look_up
        self.fake_programs = fake_programs
        self.home = home

    def script(self, provider: str, *answers: Answer) -> str:
        if provider == "ado_auth_helper":
            return self.fake_programs.ado_auth_helper(self.home, *answers)
        return self.fake_programs.program(PROGRAMS[provider], *answers)

    def ask(self, provider: str, **variables: str) -> Outcome:
        return self.look_up(**{PROVIDER: provider}, **variables)


def token_answers(provider: str, token: str) -> list[Answer]:
    if provider == "azure_cli":
        return az_token(token)
    return [azd_token(token) if provider == "azd" else helper_token(token)]

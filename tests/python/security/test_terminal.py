"""Hostile text does not reach the terminal: no escape sequences, no forged lines."""

from __future__ import annotations

import json
import unicodedata

from lab import faults
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups

#: Colours, a title, a C1 control sequence, the start of a line, a deletion, and a forged line.
TRICKS = "\x1b[31m\x1b]0;title\x07\x9b2J\rstart\x7f\x08\nWARNING: all is well\u2028\x00"
TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"


def tricky(**members: str) -> faults.Fault:
    return faults.status(401, {"Content-Type": "application/json"}, json.dumps(members).encode())


def assert_harmless(text: str) -> None:
    found = [character for character in text if unicodedata.category(character) == "Cc" and character != "\n"]
    assert found == []
    assert "\nWARNING: all is well" not in text


def test_control_characters_of_a_server_are_not_shown_or_logged(cloud: PracticeCloud, look_up: Lookups) -> None:
    azure = cloud.azure
    names = ["exchange", "entra", "account", "tenant", "authority"]
    organisations = {name: azure.organisation(name, azure.tenant) for name in names}
    bearer = azure.directory.user_token(azure.user)
    tricky_bearer = azure.directory.user_token(azure.user, upn="frodo" + TRICKS, unique_name=TRICKS)
    cloud.faults.add(tricky(message="TF400813 " + TRICKS * 300), host="vssps.dev.azure.com", path="/exchange/*")
    cloud.faults.add(tricky(error="no", error_description=TRICKS), host="login.microsoftonline.com")
    written = "https://login.windows.net/\u009b31m\u00e9"
    organisations["tenant"].challenge.authorization_uri = written
    organisations["authority"].challenge.authorization_endpoints = ["https://\u009b31m.evil.example/"]
    environments = {
        "exchange": {TOKEN: bearer},
        "entra": {TOKEN: "", "AZURE_CLIENT_ID": "an-application", "AZURE_CLIENT_SECRET": "secret"},
        "account": {TOKEN: tricky_bearer},
        "tenant": {TOKEN: bearer},
        "authority": {TOKEN: bearer},
    }
    look_ups = [
        LookUp(organisations[name].feed("tools").url(), environment=environment)
        for name, environment in environments.items()
    ]
    for variables in ({}, {"RINGBEARER_DEBUG": "1"}):
        answers = look_up.all(look_ups, **variables)
        assert answers[0].credential is None and answers[1].credential is None
        assert_harmless(answers[0].stderr)
        for name, answer in zip(environments, answers):
            for line in answer.log:
                assert "\n" not in line.message, name
                assert_harmless(line.message)


def test_a_long_message_of_a_server_is_cut(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.faults.add(tricky(message="TF400813 " + "words " * 100_000), host="vssps.dev.azure.com")
    warning = look_up(**{TOKEN: cloud.azure.directory.user_token(cloud.azure.user)}).warning
    assert "TF400813" in warning
    assert len(warning) < 2000

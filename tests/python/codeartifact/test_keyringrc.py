"""The sections of keyring's configuration file that keyrings.codeartifact reads, with additions."""

from __future__ import annotations

import os

import pytest
from lab.look_up import LookUp
from support.aws_user import API, AwsUser, assumed


@pytest.fixture
def user(ada: AwsUser) -> AwsUser:
    """Ada with profiles of several users, and two more domains."""
    names = ("plain", "by-domain", "by-account", "by-region", "by-name", "by-two")
    ada.files.write_credentials({name: ada.aws.accounts.user(name) for name in names})
    ada.aws.add_repository(ada.aws.add_domain("other"), "python")
    ada.aws.add_repository(ada.aws.add_domain("practice", region="us-east-1"), "python")
    return ada


SECTIONS = """
[backend]
default-keyring = keyring.backends.chainer.ChainerBackend

[codeartifact account=000000000000]
profile_name = missing

[codeartifact]
profile_name = plain

[codeartifact domain="practice"]
profile_name = by-domain   # the first of two that fit

[codeartifact account="111122223333"]
profile_name = by-account

[codeartifact region='us-east-1' domain='practice']
profile_name = by-region

[codeartifact name="special" domain="practice" account="111122223333"]
profile_name = by-name

[codeartifact domain="practice" name="absent" region="eu-central-1" account="111122223333"]
profile_name = missing
"""

#: Parts of the URL to replace, and the user whose profile serves.
CHOICES = {
    "the first of those with one qualifier": ((), "by-domain"),
    "another qualifier": ((("practice", "other"),), "by-account"),
    "two qualifiers": ((("eu-central-1", "us-east-1"),), "by-region"),
    "the repository": ((("/python/", "/special/"),), "by-name"),
}


def test_section_with_most_qualifiers_that_all_match_wins(user: AwsUser) -> None:
    user.write_keyringrc(SECTIONS)
    look_ups = []
    for replaced, _ in CHOICES.values():
        url = user.url
        for old, new in replaced:
            url = url.replace(old, new)
        look_ups.append(LookUp(url))
    look_ups.append(LookUp(user.aws.repository.host))
    # No section fits the keys in the environment: they come after the file.
    answers = user.look_up.all(look_ups, **user.key.variables)
    callers = [caller.rpartition("/")[2] for caller in user.callers(answers)]
    assert callers == [*(name for _, name in CHOICES.values()), "by-domain"]
    assert [answer.warnings for answer in answers] == [[]] * len(answers)


def test_plain_section_is_for_everything_else(user: AwsUser) -> None:
    user.write_keyringrc(
        '[codeartifact domain="other"]\nprofile_name = by-domain\n[codeartifact]\nprofile_name = plain\n'
    )
    assert user.caller(user.ask(**user.key.variables)).endswith(":user/plain")


def test_section_of_another_domain_is_not_used(user: AwsUser) -> None:
    user.write_keyringrc('[codeartifact domain="other"]\nprofile_name = by-domain\n')
    assert user.caller(user.ask(**user.key.variables)) == user.key.caller


def test_keys_in_a_section_serve_with_their_session(ada: AwsUser) -> None:
    for key in (ada.key, ada.aws.accounts.session_of_user(ada.key, 3600)):
        ada.write_keyringrc("\n".join(["[codeartifact]", *(f"{name}={value}" for name, value in key.settings.items())]))
        answer = ada.ask(AWS_PROFILE="missing")
        assert ada.caller(answer) == key.caller and answer.warnings == []
        assert key.secret not in answer.text


def test_role_of_a_section_is_assumed_with_any_source(user: AwsUser) -> None:
    users = [user.key, user.aws.accounts.user("keys")]
    role = user.aws.accounts.role("reader", *users, external_id="contoso")
    section = f"[codeartifact]\nrole_arn = {role.arn}\nrole_session_name = ada\nexternal_id = contoso\n"
    user.files.write_credentials({"default": user.key})
    user.write_keyringrc(section)
    answers = user.ask_each({}, users[1].variables)
    user.write_keyringrc(section + "profile_name = default\n")
    answers += user.ask_each(users[1].variables)
    assert user.callers(answers) == [assumed("reader")] * 3
    signers = [one.header("Authorization") for one in user.cloud.log.requests("sts.*")]
    assert [users[1].id in signer for signer in signers] == [False, True, False]


#: Text of the file, and words of the warning.
BAD_SECTIONS = {
    "missing profile": ("[codeartifact]\nprofile_name = nobody\n", "nobody"),
    "half a key": ("[codeartifact]\naws_access_key_id = AKIA\n", "aws_secret_access_key"),
    "an indented secret": ("[codeartifact]\nprofile_name = corp\n  aws_secret_access_key = planted\n", "several lines"),
    "no ARN": ("[codeartifact]\nrole_arn = reader\n", "role_arn"),
    "no file of authorities": ("[codeartifact]\nverify = /nowhere/ca.pem\n", "/nowhere/ca.pem"),
}


@pytest.mark.parametrize("case", BAD_SECTIONS)
def test_section_that_cannot_be_used_is_one_warning(user: AwsUser, case: str) -> None:
    text, words = BAD_SECTIONS[case]
    user.write_keyringrc(text)
    answer = user.ask(**user.key.variables)
    assert answer.credential is None
    assert words in answer.warning and "; " in answer.warning, answer.warning
    assert "planted" not in answer.text
    assert user.cloud.log.requests() == []


@pytest.mark.parametrize("value", ["false", "no", "0", "OFF"])
def test_verification_is_never_turned_off(ada: AwsUser, value: str) -> None:
    ada.write_keyringrc(f"[codeartifact]\nverify = {value}\n")
    answer = ada.ask(**ada.key.variables)
    assert ada.caller(answer) == ada.key.caller
    assert "AWS_CA_BUNDLE" in answer.warning, answer.warning
    ada.cloud.distrust(API)
    answer = ada.ask(**ada.key.variables, RINGBEARER_CACHE="off")
    assert answer.credential is None and len(answer.warnings) == 2


#: The value of the file and of the variable, the duration that is asked for, and whether there is a
#: warning: one for each of the two in a process.
DURATIONS = [
    (None, None, "3600", False),
    ("900", None, "900", False),
    ("43200", "1800", "1800", False),
    ("0", None, "0", False),
    (None, "0", "0", False),
    ("899", None, "3600", True),
    ("43201", None, "3600", False),
    ("an hour", None, "3600", False),
    ("900", "-1", "900", True),
]


def test_duration_is_that_of_the_setting_if_it_is_possible(ada: AwsUser) -> None:
    session = ada.aws.accounts.session_of_user(ada.key, 3600)
    path = ada.write_keyringrc("")
    look_ups = [
        LookUp(
            ada.url,
            environment={"RINGBEARER_CODEARTIFACT_DURATION": variable, "AWS_CREDENTIAL_EXPIRATION": f"number {number}"},
            files={str(path): f"[codeartifact]\ntoken_duration = {value}\n" if value else ""},
        )
        for number, (value, variable, _, _) in enumerate(DURATIONS)
    ]
    answers = ada.look_up.all(look_ups, **session.variables)
    assert ada.callers(answers) == [session.caller] * len(DURATIONS)
    asked = [one.parameters["duration"] for one in ada.cloud.log.requests(API)]
    assert asked == [duration for _, _, duration, _ in DURATIONS]
    assert [bool(answer.warnings) for answer in answers] == [warns for _, _, _, warns in DURATIONS]


def test_file_that_everyone_may_write_decides_nothing(ada: AwsUser) -> None:
    path = ada.write_keyringrc("[codeartifact]\nprofile_name = corp\n")
    os.chmod(path, 0o666)
    warning = ada.ask(**ada.key.variables).warning
    assert "chmod o-w" in warning, warning
    path.write_text("[backend]\n")
    assert ada.caller(ada.ask(**ada.key.variables)) == ada.key.caller


def test_missing_file_makes_no_noise(ada: AwsUser) -> None:
    answer = ada.ask(**ada.key.variables)
    assert answer.messages("INFO", "WARNING", "ERROR") == [] and answer.stderr == ""

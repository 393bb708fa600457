"""The configuration of Menda: three variables, or a profile of the Menda CLI."""

from __future__ import annotations

import configparser
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.look_up import Answer, LookUp, Lookups
from lab.registries.menda import HOST
from support.menda_machines import API, COLD, INDEX, paths, profile, served

NAMES = ["MENDA_CLIENT_ID", "MENDA_CLIENT_SECRET", "MENDA_HOST", "MENDA_PROFILE_ID", "MENDA_CONFIG_FILE"]


def ask(look_up: Lookups, cases: list[dict[str, str]], **variables: str) -> list[Answer]:
    """One lookup per case, in one process, each with the variables of its own case only."""
    return look_up.all([LookUp(INDEX, environment={**dict.fromkeys(NAMES), **case}) for case in cases], **variables)


def signed_in(cloud: PracticeCloud) -> list[tuple[str, str]]:
    """The names and secrets by which machines signed in, in order."""
    found = [request.parameters for request in cloud.log.requests(API, "*oauth2/token")]
    return [(one["client_id"], one["client_secret"]) for one in found]


def machine_profile(cloud: PracticeCloud, client_id: str, client_secret: str = "mellon", **more: str) -> str:
    """The profile of one more machine."""
    cloud.menda.machine(client_id, client_secret)
    return profile(auth_type="m2m", client_id=client_id, client_secret=client_secret, **more)


def test_the_three_variables_beat_the_file(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    cloud.menda.write_profile(home, machine_profile(cloud, "of-the-file"))
    named = cloud.menda.write_profile(home, machine_profile(cloud, "of-the-named-file"), "another")
    more = [{}, {"MENDA_CONFIG_FILE": named}, {"MENDA_PROFILE_ID": "nowhere"}]
    assert served(ask(look_up, [{**cloud.menda.variables, **one} for one in more])) == [True] * 3
    assert {name for name, _ in signed_in(cloud)} == {cloud.menda.client_id}


def test_the_host_alone_is_ignored_if_there_is_a_file(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    cloud.menda.write_profile(home, machine_profile(cloud, "of-the-file"))
    blank = {"MENDA_CLIENT_ID": "", "MENDA_CLIENT_SECRET": "  "}
    answers = ask(look_up, [{}, {"MENDA_HOST": HOST}, {"MENDA_HOST": HOST, **blank}])
    assert served(answers) == [True] * 3
    assert [answer.warnings for answer in answers] == [[]] * 3
    assert signed_in(cloud) == [("of-the-file", "mellon")] * 3


def test_incomplete_variables_are_reported_despite_a_file(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    cloud.menda.write_profile(home, machine_profile(cloud, "of-the-file"))
    full = cloud.menda.variables
    cases = [{name: full[name]} for name in full if name != "MENDA_HOST"]
    cases += [{name: value for name, value in full.items() if name != missing} for missing in full]
    cases += [{**full, blank: value} for blank in full for value in ("", "  ")]
    # In one process, the same warning is given once.
    answers = [look_up(INDEX, **case) for case in cases]
    assert served(answers) == [False] * len(cases)
    for case, answer in zip(cases, answers):
        missing = [name for name in full if not case.get(name, "").strip()]
        begun = next(name for name in full if name not in missing)
        assert f"{begun} is set without {' and '.join(missing)}" in answer.warning
        assert answer.warning.endswith(f"or unset {begun}")
    assert cloud.log.requests() == []


def test_the_profile_is_the_named_one_or_the_one_named_default(
    cloud: PracticeCloud, look_up: Lookups, home: Path
) -> None:
    names = ["default", "ci", "Ci", "two words", "a.b:c=d", "DEFAULT"]
    profiles = [machine_profile(cloud, f"robot-{number}", name=name) for number, name in enumerate(names)]
    cloud.menda.write_profile(home, "\n".join(profiles))
    answers = ask(look_up, [{}, {"MENDA_PROFILE_ID": " "}, *({"MENDA_PROFILE_ID": name} for name in names)])
    assert served(answers) == [True] * (2 + len(names))
    assert [name for name, _ in signed_in(cloud)] == ["robot-0"] * 2 + [f"robot-{number}" for number in range(6)]


def test_missing_profile_values_come_from_the_default_section(
    cloud: PracticeCloud, look_up: Lookups, home: Path
) -> None:
    cloud.menda.machine("robot-1", "mellon")
    text = f"[DEFAULT]\nhost = {HOST}\nauth_type = m2m\nclient_id = robot-1\nclient_secret = wrong\n"
    cloud.menda.write_profile(home, text + "[default]\nclient_secret = mellon\n[ci]\nclient_secret = mellon\nhost=\n")
    assert served(ask(look_up, [{}, {"MENDA_PROFILE_ID": "ci"}])) == [True, True]


def test_named_configuration_file_replaces_the_usual_one(
    cloud: PracticeCloud, look_up: Lookups, home: Path, tmp_path: Path
) -> None:
    cloud.menda.write_profile(home, machine_profile(cloud, "of-the-file"))
    # A directory name with unusual characters.
    (tmp_path / "of Ærøskøbing").mkdir()
    named = tmp_path / "of Ærøskøbing" / "menda.cfg"
    named.write_text(machine_profile(cloud, "of-the-named-file", name="ci"), encoding="utf-8")
    variables = {"MENDA_CONFIG_FILE": str(named), "MENDA_PROFILE_ID": "ci"}
    usual, found, not_in_it = ask(look_up, [{}, variables, {"MENDA_CONFIG_FILE": str(named)}])
    assert served([usual, found, not_in_it]) == [True, True, False]
    assert f"No profile 'default' in {named}" in not_in_it.warning
    assert [name for name, _ in signed_in(cloud)] == ["of-the-file", "of-the-named-file"]


def test_the_kind_of_login_is_read_in_any_case(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    kinds = ["m2m", "M2M", "M2m", "u2m", "U2M", "u2M"]
    machine = {"client_id": cloud.menda.client_id, "client_secret": cloud.menda.client_secret}
    cloud.menda.write_profile(home, "".join(profile(name=kind, auth_type=kind, **machine) for kind in kinds))
    answers = ask(look_up, [{"MENDA_PROFILE_ID": kind} for kind in kinds])
    assert served(answers) == [True] * 3 + [False] * 3
    assert len(signed_in(cloud)) == 3
    assert all("No valid cached token" in answer.warning for answer in answers[3:])


#: Characters that forms, query strings, shells and INI files treat specially.
ODD_SECRETS = ["50%", "%", "%61", "%(host)s", "%%s%", "a=b", "=", "a:b", "a#b", "#a", ";a", "a ; b # c", "a+b", "a&b=c"]
ODD_SECRETS += ["a b", "a  b", "a\tb", "ä€\U0001d11e", "e\u0301", "'a'", '"a"', "a\\n", "a\\", "$HOME", "${x}", "[a]"]
ODD_SECRETS += ["a/b?c#d", "a\u00a0b", "a\u200eb", "<&amp;>", "x" * 3000, "\U0001f600" * 500]


def test_odd_secrets_in_variables_arrive_unchanged(cloud: PracticeCloud, look_up: Lookups) -> None:
    secrets = [*ODD_SECRETS, "%%", "50%%", "a\nb"]
    cases = [cloud.menda.machine(f"robot {number}+&=%41", secret) for number, secret in enumerate(secrets)]
    answers = ask(look_up, cases)
    missed = [secret for secret, answer in zip(secrets, answers) if answer.credential is None]
    assert missed == []
    assert [secret for _, secret in signed_in(cloud)] == secrets


def test_odd_secrets_in_the_file_are_read_as_configparser_does(
    cloud: PracticeCloud, look_up: Lookups, home: Path
) -> None:
    # There, configparser reads one as the value of another key.
    written = [(secret, secret) for secret in ODD_SECRETS if secret != "%(host)s"] + [
        ("%%", "%"),
        ("50%%", "50%"),
        ("%%61%%", "%61%"),
    ]
    # As Python's configparser writes it, with percent signs doubled.
    written += [(secret.replace("%", "%%"), secret) for secret in ODD_SECRETS if "%" in secret]
    text = ""
    for number, (as_written, secret) in enumerate(written):
        cloud.menda.machine(f"robot-{number}", secret)
        text += profile(name=f"case-{number}", auth_type="m2m", client_id=f"robot-{number}", client_secret=as_written)
    cloud.menda.write_profile(home, text)
    answers = ask(look_up, [{"MENDA_PROFILE_ID": f"case-{number}"} for number in range(len(written))])
    missed = [one for one, answer in zip(written, answers) if answer.credential is None]
    assert missed == []
    assert [secret for _, secret in signed_in(cloud)] == [secret for _, secret in written]


#: Spellings of the same file, with a placeholder for the host.
FORMS = {
    "colons": "[default]\nhost: {host}\nauth_type: m2m\nclient_id: robot\nclient_secret: s:e=c\n",
    "without blanks": "[default]\nhost={host}\nauth_type=m2m\nclient_id=robot\nclient_secret=s:e=c\n",
    "capitals": "[default]\nHost = {host}\nAUTH_TYPE = m2m\nClient_ID = robot\nCLIENT_SECRET = s:e=c\n",
    "DOS": "[default]\r\nhost = {host}\r\nauth_type = m2m\r\nclient_id = robot\r\nclient_secret = s:e=c\r\n",
    "comments": "# x\n[default]\nhost = {host}\n# y = z\n; z\n\nauth_type = m2m\nclient_id = robot\n  # w\n"
    "client_secret = s:e=c\n",
    "blanks": "\n\n[default]  \n\nhost   =   {host}  \nauth_type\t=\tm2m\t\nclient_id = robot\nclient_secret=  s:e=c ",
    "neighbours": "[a]\nclient_secret = no\n[default]\nhost = {host}\nauth_type = m2m\nclient_id = robot\n"
    "client_secret = s:e=c\n[z]\nclient_secret = no\nhost = https://evil.example\n",
    "indented": "[default]\n  host = {host}\n  auth_type = m2m\n  client_id = robot\n  client_secret = s:e=c\n",
    "tabs": "[default]\n\thost = {host}\n\tauth_type = m2m\n\tclient_id = robot\n\tclient_secret = s:e=c\n",
    "all indented": "  [default]\n  host = {host}\n  auth_type = m2m\n  client_id = robot\n  client_secret = s:e=c\n",
    "ever less": "[default]\n   host = {host}\n  auth_type = m2m\n client_id = robot\nclient_secret = s:e=c\n",
}


@pytest.mark.parametrize("form", FORMS)
def test_file_formats_of_configparser_are_all_read(
    cloud: PracticeCloud, look_up: Lookups, home: Path, form: str
) -> None:
    text = FORMS[form].format(host=HOST)
    published = configparser.ConfigParser(interpolation=None)
    published.read_string(text)
    values = published["default"]
    cloud.menda.machine(values["client_id"], values["client_secret"], values["host"])
    assert (values["host"], values["auth_type"]) == (HOST, "m2m")
    cloud.menda.write_profile(home, text)
    # A login, which must not be needed.
    cloud.menda.write_login(home, cloud.menda.log_in(), "another")
    (answer,) = ask(look_up, [{}])
    assert answer.credential is not None
    assert signed_in(cloud) == [("robot", "s:e=c")]
    assert paths(cloud) == COLD

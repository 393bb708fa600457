"""`ringbearer token`, `exec` and `setup` for a repository of Google, and its variables in tox."""

from __future__ import annotations

import json
from typing import Callable

import pytest
from lab import gcloud
from lab.clients import Client, Completed
from support.google_user import OAUTH, GoogleUser
from support.setup_files import FILES, READERS
from support.tox_project import ToxProject

TOKEN = "CLOUDSDK_AUTH_ACCESS_TOKEN"
TOKEN_FILE = "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE"

Run = Callable[..., Completed]


@pytest.fixture
def run(ada: GoogleUser, either: Client) -> Run:
    """Runs `ringbearer`, as the native program and from the wheel."""

    def run(*words: object, **variables: str | None) -> Completed:
        environment = ada.cloud.environment(ada.home, [either.bin, ada.fake_programs.directory], **variables)
        return either.run(["ringbearer", *words], environment, directory=ada.home)

    return run


def test_token_prints_the_bare_token(ada: GoogleUser, run: Run) -> None:
    ended = run("token", ada.url, **ada.use(ada.google.login.file)).check()
    assert ended.stdout.splitlines() == ada.google.tokens.issued
    assert ended.stderr == ""


def test_exec_gives_the_token_in_the_variable_of_gcloud(ada: GoogleUser, run: Run) -> None:
    variables = ada.use(ada.google.login.file)
    ended = run("exec", ada.url, "--", "env", **variables).check()
    [token] = ada.google.tokens.issued
    assert f"{TOKEN}={token}" in ended.stdout.splitlines()


def test_program_inside_exec_uses_its_token_alone(ada: GoogleUser, run: Run) -> None:
    inner = ["keyring", "get", ada.url, "oauth2accesstoken"]
    ended = run("exec", ada.url, "--", *inner, **ada.use(ada.google.key.file)).check()
    assert ended.stdout.split() == ada.google.tokens.issued
    # The key is still named inside, and has one token.
    assert ada.hosts() == [OAUTH]


def test_exec_without_a_login_runs_nothing(run: Run, ada: GoogleUser) -> None:
    ended = run("exec", ada.url, "--", "env")
    assert ended.code != 0 and ended.stdout == ""
    assert "gcloud auth application-default login" in ended.stderr and "GOOGLE_APPLICATION_CREDENTIALS" in ended.stderr


def test_token_is_given_to_a_container_by_variable_or_file(ada: GoogleUser, run: Run) -> None:
    made = run("token", ada.url, **ada.use(ada.google.key.file)).check().stdout
    path = ada.files.write(made, "token")
    ada.cloud.log.clear()
    # Without the key, and without a request.
    for variables in ({TOKEN: made.strip()}, {TOKEN_FILE: str(path)}):
        assert run("token", ada.url, **variables).check().stdout == made
    assert ada.hosts() == []


@pytest.mark.parametrize("tool", FILES)
def test_setup_writes_the_user_name_where_the_tool_needs_it(ada: GoogleUser, run: Run, tool: str) -> None:
    (ada.home / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    run("setup", tool, ada.url, "--name", "contoso", "--write").check()
    text = (ada.home / FILES[tool]).read_text()
    READERS[tool](text)
    # Poetry asks keyring for every source; the others only with a user name.
    assert (ada.url if tool == "poetry" else ada.url.replace("https://", "https://oauth2accesstoken@")) in text, text
    assert ada.hosts() == []


def test_workflow_signs_in_by_federation_without_a_stored_secret(ada: GoogleUser, run: Run) -> None:
    text = run("setup", "github-actions", ada.url).check().stdout
    assert "id-token: write" in text and "oauth2accesstoken" in text
    assert "uses: google-github-actions/auth@" in text
    assert "workload_identity_provider: ${{ vars.GOOGLE_WORKLOAD_IDENTITY_PROVIDER }}" in text
    assert "secrets." not in text and "credentials_json" not in text


@pytest.mark.parametrize("source", ["application default", "gcloud"])
def test_doctor_shows_source_and_account_in_json(ada: GoogleUser, run: Run, source: str) -> None:
    if source == "gcloud":
        ada.files.write_configuration("default", core__account="ada@contoso.example")
        token = ada.google.tokens.issue("ada@contoso.example")
        ada.fake_programs.gcloud(*gcloud.logged_in(token.text))
    else:
        ada.files.write_application_default(ada.google.login.file)
    ada.google.repository.readers.add("ada@contoso.example")
    document = json.loads(run("doctor", ada.url, "--json").check().stdout)
    [section, *_] = document["sections"]
    served = [one["name"] for one in section["findings"] if one["detail"] == "served"]
    assert served == [source.replace(" ", "_")]
    assert "ada@contoso.example" in json.dumps(section)


def test_installs_in_tox_use_the_file_that_a_variable_names(ada: GoogleUser, tox: Client) -> None:
    variables = {**ada.use(ada.google.login.file), "PIP_INDEX_URL": ada.url.replace("//", "//oauth2accesstoken@")}
    project = ToxProject(ada.home / "shop", tox, ada.cloud.environment(ada.home, **variables))
    project.configure("deps = greetings", "pass_env = PIP_INDEX_URL", "commands = python -c 'import hello_private'")
    project.run().check()
    assert project.has_installed("check", "greetings", "hello_private")
    [token] = ada.google.tokens.issued
    assert ada.cloud.log.hosts_that_saw(token) == [ada.google.repository.host]


def test_installs_in_tox_use_gcloud_with_its_configuration(ada: GoogleUser, tox: Client) -> None:
    ada.fake_programs.gcloud(*gcloud.logged_in(ada.google.tokens.issue("ada@contoso.example").text))
    variables = {
        "CLOUDSDK_ACTIVE_CONFIG_NAME": "work",
        "CLOUDSDK_CONFIG": str(ada.home / "sdk"),
        "PIP_INDEX_URL": ada.url.replace("//", "//oauth2accesstoken@"),
    }
    environment = ada.cloud.environment(ada.home, [ada.fake_programs.directory], **variables)
    project = ToxProject(ada.home / "shop", tox, environment)
    project.configure("deps = greetings", "pass_env = PIP_INDEX_URL", "commands = python -c 'import hello_private'")
    project.run().check()
    [called] = ada.fake_programs.invocations("gcloud")
    assert called.environment["CLOUDSDK_ACTIVE_CONFIG_NAME"] == "work"
    assert called.environment["CLOUDSDK_CONFIG"] == str(ada.home / "sdk")

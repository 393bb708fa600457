"""`ringbearer token`, `exec` and `setup` for a repository of CodeArtifact."""

from __future__ import annotations

import json

import pytest
from lab.clients import Client, Completed
from lab.registries.menda import REGISTRY_HOST
from support.aws_user import API, AwsUser, assumed
from support.setup_files import FILES, READERS


@pytest.fixture
def run(ada: AwsUser, either: Client):
    """Runs `ringbearer`, as the native program and from the wheel."""

    def run(*words: object, **variables: str | None) -> Completed:
        environment = ada.cloud.environment(ada.home, [either.bin], **variables)
        return either.run(["ringbearer", *words], environment, directory=ada.home)

    return run


def test_token_prints_the_bare_token(ada: AwsUser, run) -> None:
    ended = run("token", ada.url, **ada.key.variables).check()
    assert ended.stdout == ada.aws.authorization_tokens.issued[-1] + "\n"


def test_exec_gives_the_bare_token_in_the_variable_of_aws(ada: AwsUser, run) -> None:
    ended = run("exec", ada.url, "--", "env", **ada.key.variables).check()
    token = ada.aws.authorization_tokens.issued[-1]
    assert f"CODEARTIFACT_AUTH_TOKEN={token}" in ended.stdout.splitlines()
    # A program inside it uses that.
    ada.cloud.log.clear()
    inner = ["keyring", "get", ada.url, "aws"]
    ended = run("exec", ada.url, "--", *inner, **ada.key.variables).check()
    assert ended.stdout.split() == [ada.aws.authorization_tokens.issued[-1]]
    assert len(ada.cloud.log.requests(API)) <= 1


def test_exec_without_a_login_runs_nothing(ada: AwsUser, run) -> None:
    ended = run("exec", ada.url, "--", "env")
    assert ended.code != 0 and ended.stdout == "" and "aws" in ended.stderr


@pytest.mark.parametrize("tool", FILES)
def test_setup_writes_the_user_name_where_the_tool_needs_it(ada: AwsUser, run, tool: str) -> None:
    (ada.home / "pyproject.toml").write_text('[project]\nname = "shop"\nversion = "1"\n')
    run("setup", tool, ada.url, "--name", "contoso", "--write").check()
    text = (ada.home / FILES[tool]).read_text()
    READERS[tool](text)
    # Poetry asks keyring for every source; the others only with a user name.
    assert (ada.url if tool == "poetry" else ada.url.replace("https://", "https://aws@")) in text, text


@pytest.mark.parametrize("has_menda", [False, True])
def test_workflow_of_a_menda_host_is_for_what_is_configured(ada: AwsUser, run, has_menda: bool) -> None:
    url = f"https://{REGISTRY_HOST}/pypi/plugins/simple/"
    variables = ada.cloud.menda.variables if has_menda else {}
    text = run("setup", "github-actions", url, **variables).check().stdout
    assert ("MENDA_CLIENT_SECRET" in text) == has_menda, text
    assert ("AWS_ROLE_ARN: ${{ vars.AWS_ROLE_ARN }}" in text) == (not has_menda), text
    assert ("id-token: write" in text) == (not has_menda), text


def test_workflow_has_the_role_and_the_permission(ada: AwsUser, run) -> None:
    text = run("setup", "github-actions", ada.url).check().stdout
    assert "AWS_ROLE_ARN: ${{ vars.AWS_ROLE_ARN }}" in text and "id-token: write" in text
    assert "aws-actions" not in text


def test_doctor_shows_the_caller_in_json(ada: AwsUser, run) -> None:
    ada.profile_with_role()
    document = json.loads(run("doctor", ada.url, "--json", AWS_PROFILE="corp").check().stdout)
    assert document["sections"][0]["caller"] == assumed("reader")

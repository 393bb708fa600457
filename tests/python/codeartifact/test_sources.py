"""The sources of access keys, in their order: the first that is configured decides, also if it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.fake_programs import Answer, FakePrograms
from lab.look_up import LookUp
from support.aws_user import AwsUser, assumed


class Sources:
    """Every source is set up at once; `variables` are in the order of the sources that they turn on."""

    def __init__(self, ada: AwsUser, directory: Path) -> None:
        aws = ada.aws
        self._ada = ada
        users = {name: aws.accounts.user(name) for name in ("section", "variables", "named", "default")}
        self.keys = users
        pods, jobs = aws.accounts.role("pods"), aws.accounts.role("jobs")
        pods.trust_identity("https://gitlab.example", "pod")
        jobs.trust_identity("https://gitlab.example", "job")
        (directory / "pod").write_text(aws.identity_token("pod", issuer="https://gitlab.example"))
        job = aws.identity_token("job", issuer="https://gitlab.example")
        aws.container.key = aws.accounts.session_of_role(aws.accounts.role("tasks"), "task", 3600)
        aws.ec2.key = aws.accounts.session_of_role(aws.accounts.role("builders"), "i-0", 3600)
        ada.files.write_credentials({"named": users["named"]})
        role = {"AWS_ROLE_SESSION_NAME": "ada"}
        #: Source, its variables, and its caller.
        self.table: list[tuple[str, dict[str, str | None], str]] = [
            ("token", {"CODEARTIFACT_AUTH_TOKEN": "ready-token"}, "ready-token"),
            ("environment", users["variables"].variables, users["variables"].caller),
            ("named profile", {"AWS_PROFILE": "named"}, users["named"].caller),
            (
                "web identity",
                {"AWS_WEB_IDENTITY_TOKEN_FILE": str(directory / "pod"), "AWS_ROLE_ARN": pods.arn, **role},
                assumed("pods"),
            ),
            ("job", {"RINGBEARER_AWS_OIDC_TOKEN": job, "AWS_ROLE_ARN": jobs.arn, **role}, assumed("jobs")),
            ("container", aws.container.variables, assumed("tasks", "task")),
            ("instance", aws.ec2.variables, assumed("builders", "i-0")),
        ]

    def from_one_on(self) -> list[dict[str, str | None]]:
        """Variables of each source and of all after it."""
        cases = []
        for number in range(len(self.table)):
            case: dict[str, str | None] = {}
            for _, variables, _ in reversed(self.table[number:]):
                case.update(variables)
            cases.append(case)
        return cases

    def callers(self) -> list[str]:
        """Their callers."""
        return [caller for _, _, caller in self.table]


@pytest.fixture
def sources(ada: AwsUser, tmp_path: Path) -> Sources:
    """All sources."""
    return Sources(ada, tmp_path)


def test_first_configured_source_serves(ada: AwsUser, sources: Sources) -> None:
    answers = ada.ask_each(*sources.from_one_on())
    assert ada.callers(answers) == sources.callers()
    assert [answer.warnings for answer in answers] == [[]] * len(answers)


def test_default_profile_comes_after_jobs_and_before_containers(ada: AwsUser, sources: Sources) -> None:
    ada.files.write_credentials({"default": sources.keys["default"], "named": sources.keys["named"]})
    found = ada.callers(ada.ask_each(*sources.from_one_on()))
    assert found[:5] == sources.callers()[:5]
    assert found[5:] == [sources.keys["default"].caller] * 2


def test_section_comes_after_the_ready_token_only(ada: AwsUser, sources: Sources) -> None:
    ada.files.write_credentials({"default": sources.keys["section"], "named": sources.keys["named"]})
    ada.write_keyringrc("[codeartifact]\nprofile_name = default\n")
    found = ada.callers(ada.ask_each(*sources.from_one_on()))
    assert found == ["ready-token"] + [sources.keys["section"].caller] * 6


def test_failing_source_ends_the_search(ada: AwsUser, sources: Sources, tmp_path: Path) -> None:
    key = sources.keys["variables"]
    (tmp_path / "foreign").write_text(ada.aws.identity_token("other", issuer="https://gitlab.example"))
    broken = {
        "environment": {"AWS_SECRET_ACCESS_KEY": key.wrong_secret()},
        "named profile": {"AWS_PROFILE": "missing"},
        "web identity": {"AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "foreign")},
        "job": {"RINGBEARER_AWS_OIDC_TOKEN": (tmp_path / "foreign").read_text()},
        "container": {"AWS_CONTAINER_CREDENTIALS_FULL_URI": ada.aws.container.url + "/v1/other"},
        "instance": {"AWS_EC2_METADATA_SERVICE_ENDPOINT": ada.cloud.metadata.nowhere},
    }
    cases = [{**case, **broken.get(name, {})} for (name, _, _), case in zip(sources.table, sources.from_one_on())]
    answers = ada.ask_each(*cases[1:])
    assert ada.callers(answers) == [None] * len(broken)
    for name, answer in zip(broken, answers):
        assert answer.warning, name
    # The request of the container's case is wrong on purpose.
    assert ada.aws.mistakes == ["container: GET /v1/other"]
    ada.aws.mistakes.clear()


def test_ready_token_is_used_without_a_request(ada: AwsUser) -> None:
    answers = ada.ask_each(
        {"CODEARTIFACT_AUTH_TOKEN": "eyJ.ready"}, {"CODEARTIFACT_AUTH_TOKEN": " two words "}, **ada.key.variables
    )
    assert answers[0].credential == ("aws", "eyJ.ready")
    assert answers[1].credential is None and "CODEARTIFACT_AUTH_TOKEN" in answers[1].warning
    assert ada.cloud.log.requests() == []


def test_keys_in_the_environment_hide_a_profile_and_say_so(ada: AwsUser, sources: Sources) -> None:
    key = sources.keys["variables"]
    answer = ada.ask(AWS_PROFILE="named", RINGBEARER_DEBUG="1", **key.variables)
    assert ada.caller(answer) == key.caller and answer.warnings == []
    assert "the access key in the environment comes before AWS_PROFILE=named" in answer.stderr


def test_nothing_configured_is_none_without_a_word(ada: AwsUser) -> None:
    answers = ada.ask_each({}, {"RINGBEARER_STRICT": "1"}, {"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": ""})
    for answer in answers:
        assert answer.credential is None
        assert answer.messages("INFO", "WARNING", "ERROR") == []
        assert answer.stderr == answer.stdout == ""
    assert ada.cloud.log.requests() == ada.cloud.log.connections() == []


def test_program_of_a_profile_is_run_only_in_its_turn(ada: AwsUser, fake_programs: FakePrograms) -> None:
    program = fake_programs.program("print-keys", Answer(json.dumps(ada.key.process_output)))
    ada.files.write_config({"default": {"credential_process": program}})
    found = ada.callers(ada.ask_each({"CODEARTIFACT_AUTH_TOKEN": "ready-token"}, ada.key.variables, {}))
    assert found == ["ready-token", ada.key.caller, ada.key.caller]
    assert len(fake_programs.invocations()) == 1


def test_repaired_login_works_in_the_process_at_once(ada: AwsUser) -> None:
    ada.files.write_credentials({"default": ada.key})
    path = ada.files.directory / "credentials"
    good = path.read_text()
    bad = good.replace(ada.key.secret, ada.key.wrong_secret())
    answers = ada.look_up.all([LookUp(ada.url, files={str(path): text}) for text in (bad, good)])
    assert ada.callers(answers) == [None, ada.key.caller]

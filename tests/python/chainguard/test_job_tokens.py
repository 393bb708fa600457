"""The identity token of a CI job: from GitHub Actions, or from a file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from lab import faults, tokens
from lab.cloud import PracticeCloud
from lab.faults import Fault
from lab.look_up import Lookups
from lab.registries.azure.oidc import GITHUB_ISSUER, WorkflowJob
from support.chainguard_user import GITLAB, IDENTITY, INDEX, ISSUER, TOKEN_FILE, ask_each, reported

GITHUB = "pipelines.actions.githubusercontent.com"
URL = "ACTIONS_ID_TOKEN_REQUEST_URL"
REQUEST_TOKEN = "ACTIONS_ID_TOKEN_REQUEST_TOKEN"
AUDIENCE = "https://issuer.enforce.dev"


@pytest.fixture
def job(cloud: PracticeCloud) -> WorkflowJob:
    """A job whose repository the identity trusts."""
    made = cloud.azure.github_actions.job()
    cloud.chainguard.trust(GITHUB_ISSUER, made.subject)
    return made


@pytest.fixture
def variables(cloud: PracticeCloud, job: WorkflowJob) -> dict[str, str]:
    """The variables of the job."""
    return {IDENTITY: cloud.chainguard.identity, **job.variables}


def body(content: bytes) -> Fault:
    """A fault that answers with this instead of GitHub."""
    return faults.status(200, {"Content-Type": "application/json"}, content)


# -- GitHub Actions


def test_github_job_exchanges_a_token_for_the_issuer(
    cloud: PracticeCloud, look_up: Lookups, job: WorkflowJob, variables: dict[str, str]
) -> None:
    answer = look_up(INDEX, **variables)
    assert answer.credential == ("_token", cloud.chainguard.issued[0]) and answer.served == "oidc"
    github, exchange = cloud.log.requests()
    # The URL already has a query.
    assert (github.method, github.url) == ("GET", job.url + "&audience=https%3A%2F%2Fissuer.enforce.dev")
    assert github.parameters["audience"] == AUDIENCE
    assert (tokens.read(exchange.bearer) or {})["aud"] == AUDIENCE
    assert cloud.log.hosts_that_saw(job.request_token) == [GITHUB]
    assert cloud.log.hosts_that_saw(exchange.bearer) == [ISSUER]
    assert cloud.log.hosts_that_saw(cloud.chainguard.issued[0]) == []
    secrets = [job.request_token, exchange.bearer, cloud.chainguard.issued[0], "refresh-"]
    assert [secret for secret in secrets if secret in answer.text] == []


def test_without_an_identity_github_is_not_asked(
    cloud: PracticeCloud, look_up: Lookups, variables: dict[str, str]
) -> None:
    answer = look_up(INDEX, **{**variables, IDENTITY: ""})
    assert answer.skipped["oidc"] == f"no {IDENTITY}"
    assert cloud.log.connections() == []


def test_a_token_file_is_taken_before_github(
    cloud: PracticeCloud, look_up: Lookups, variables: dict[str, str], tmp_path: Path
) -> None:
    cloud.chainguard.trust(*GITLAB)
    (tmp_path / "proof").write_text(cloud.chainguard.proof(*GITLAB))
    assert look_up(INDEX, **variables, **{TOKEN_FILE: str(tmp_path / "proof")}).served == "oidc"
    assert cloud.log.requests(GITHUB) == []


def test_github_job_without_permission_learns_which_to_add(
    cloud: PracticeCloud, look_up: Lookups, job: WorkflowJob
) -> None:
    # Without `id-token: write` the runner sets neither variable.
    answer = look_up(INDEX, GITHUB_ACTIONS="true", **{IDENTITY: cloud.chainguard.identity})
    assert "oidc failed (this job may not ask GitHub for its identity token)" in reported(answer)
    assert "; give the job `permissions: id-token: write`; 4 other sources" in answer.warning
    elsewhere, half = ask_each(look_up, {}, {URL: job.url}, **{IDENTITY: cloud.chainguard.identity})
    assert elsewhere.skipped["oidc"] == f"no {TOKEN_FILE}, no {URL}"
    assert half.skipped["oidc"] == f"no {TOKEN_FILE}, no {REQUEST_TOKEN}"
    assert cloud.log.connections() == []


def test_identity_denied_to_the_job_is_reported_with_advice(
    cloud: PracticeCloud, look_up: Lookups, variables: dict[str, str]
) -> None:
    cloud.chainguard.trust(GITHUB_ISSUER, "repo:contoso/another:ref:refs/heads/main")
    answer = look_up(INDEX, **variables)
    assert f"oidc failed ({ISSUER} exchanged no token (HTTP 403)" in reported(answer)
    assert f"let {IDENTITY} trust this job: issuer, subject, audience https://issuer.enforce.dev" in answer.warning


def test_github_failure_is_reported_and_nothing_exchanged(
    cloud: PracticeCloud, look_up: Lookups, variables: dict[str, str]
) -> None:
    wrong: list[tuple[Fault, str]] = [
        (faults.status(401), f"GitHub gave this job no identity token ({GITHUB}: HTTP 401)"),
        (faults.status(403), f"GitHub gave this job no identity token ({GITHUB}: HTTP 403)"),
        (faults.html(), f"{GITHUB} sent a web page instead of JSON"),
        (faults.garbage_json(), f"{GITHUB} sent something else instead of JSON"),
        (faults.huge(None), f"{GITHUB} sent more than 1024 KiB"),
        (body(b"[]"), f"{GITHUB} sent JSON of an unexpected form"),
        (body(b"{}"), "GitHub answered without an identity token"),
        (body(b'{"value": null, "planted": "planted"}'), "GitHub answered without an identity token"),
        (body(b'{"value": ["planted"]}'), "GitHub answered without an identity token"),
        (body(b'{"value": " "}'), "GitHub answered without an identity token"),
    ]
    places = ["https://evil.example/x", "https://issuer.enforce.dev/sts/exchange", "http://" + GITHUB]
    for code, place in zip((301, 302, 307, 308), [*places, "/other"]):
        refusal = f"GitHub gave this job no identity token ({GITHUB}: HTTP {code})"
        wrong.append((faults.sign_in_redirect(place, code), refusal))
    for fault, _ in wrong:
        cloud.faults.add(fault, host=GITHUB, times=1)
    answers = ask_each(look_up, *[variables] * len(wrong))
    assert [(problem, reported(one)) for (_, problem), one in zip(wrong, answers) if problem not in reported(one)] == []
    assert all("oidc failed (" in reported(one) and "planted" not in one.text for one in answers)
    assert cloud.log.hosts_that_saw(variables[REQUEST_TOKEN]) == [GITHUB]
    assert cloud.log.requests(ISSUER) == [] and cloud.log.refused() == []


def test_a_passing_failure_of_github_is_tried_again(
    cloud: PracticeCloud, look_up: Lookups, variables: dict[str, str]
) -> None:
    cloud.faults.add(faults.status(503), host=GITHUB, times=2)
    assert look_up(INDEX, **variables).served == "oidc"
    assert [request.status for request in cloud.log.requests(GITHUB)] == [503, 503, 200]


def test_the_request_token_is_never_sent_in_the_clear_or_shown(
    cloud: PracticeCloud, look_up: Lookups, variables: dict[str, str]
) -> None:
    url = variables[URL]
    addresses = [url.replace("https:", "http:"), "planted", "planted://planted", "https://", "file:///planted"]
    answers = ask_each(look_up, *({**variables, URL: address} for address in addresses))
    assert "use https" in reported(answers[0])
    assert all("oidc failed (" in reported(one) for one in answers)
    assert all(variables[REQUEST_TOKEN] not in one.text for one in answers)
    assert cloud.log.connections() == cloud.log.refused() == []


# -- a token file


def test_unusable_token_file_is_named_with_the_cause(cloud: PracticeCloud, look_up: Lookups, tmp_path: Path) -> None:
    for name, content in {"empty": b"", "blank": b" \n\t\n", "binary": b"\xff\xfe", "large": b"A" * 262145}.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "directory").mkdir()
    problems = {
        "missing": "cannot be read: ",
        "empty": "holds nothing",
        "blank": "holds nothing",
        "binary": "holds something that is not a token",
        "large": "cannot be read: larger than 262144 bytes",
        "directory": "cannot be read: not a regular file",
    }
    cases = [{IDENTITY: cloud.chainguard.identity, TOKEN_FILE: str(tmp_path / name)} for name in problems]
    for answer, (name, problem) in zip(ask_each(look_up, *cases), problems.items()):
        assert f"oidc failed ({TOKEN_FILE} names {tmp_path / name}, which {problem}" in reported(answer)
        assert f"; correct or unset {TOKEN_FILE}" in reported(answer)
    assert cloud.log.connections() == []


def test_token_file_that_is_a_token_or_relative_is_not_quoted(
    cloud: PracticeCloud, look_up: Lookups, home: Path
) -> None:
    proof = cloud.chainguard.proof()
    (home / "planted").write_text(proof)
    values = [proof, "/" + proof, f"/a\n{proof}", "planted", "./planted", "~/planted", "$HOME/planted"]
    answers = ask_each(look_up, *({IDENTITY: cloud.chainguard.identity, TOKEN_FILE: value} for value in values))
    for answer in answers:
        assert f"oidc failed ({TOKEN_FILE} does not hold the absolute path of a file)" in reported(answer)
        assert "; name the file by its absolute path" in reported(answer)
        assert proof not in answer.text and "planted" not in answer.text
    assert cloud.log.connections() == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has no FIFOs")
def test_endless_token_file_does_not_block(cloud: PracticeCloud, look_up: Lookups, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    paths = [str(tmp_path / "fifo"), "/dev/zero", "/dev/null"]
    answers = ask_each(look_up, *({IDENTITY: "i", TOKEN_FILE: path} for path in paths))
    assert all("which cannot be read: not a regular file" in reported(one) for one in answers)
    assert max(one.seconds for one in answers) < 2


def test_job_token_unfit_for_a_header_is_reported_and_not_sent(
    cloud: PracticeCloud, look_up: Lookups, tmp_path: Path
) -> None:
    proof = cloud.chainguard.proof()
    contents = [f"{proof}\n{proof}\n", f"{proof} {proof}", f"a\r\n{proof}", f"{proof}\x01", f"t\u00f6ken.{proof}"]
    cases = []
    for number, content in enumerate(contents):
        (tmp_path / str(number)).write_text(content, encoding="utf-8")
        cases.append({IDENTITY: cloud.chainguard.identity, TOKEN_FILE: str(tmp_path / str(number))})
    answers = ask_each(look_up, *cases)
    wrong = [reported(one) for one in answers if f"oidc failed ({TOKEN_FILE} names {tmp_path}" not in reported(one)]
    assert wrong == []
    assert all(proof not in one.text for one in answers)
    assert cloud.log.connections() == []


def test_github_token_unfit_for_a_header_is_blamed_on_github(
    cloud: PracticeCloud, look_up: Lookups, variables: dict[str, str]
) -> None:
    for value in ("planted planted", "planted\\nplanted", "pl\\u00e4nted"):
        cloud.faults.add(body(f'{{"value": "{value}"}}'.encode()), host=GITHUB, times=1)
    answers = ask_each(look_up, *[variables] * 3)
    assert ["oidc failed (GitHub answered " in reported(one) for one in answers] == [True] * 3
    assert all("planted" not in one.text for one in answers)
    assert cloud.log.connections(ISSUER) == []

"""The token issuers of CI systems: GitHub Actions and Azure Pipelines."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from ... import tokens
from ...messages import Request, Response, json_response, not_found
from ...sites import Sites
from .directory import TOKEN_EXCHANGE_AUDIENCE, identifier

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"


@dataclass(eq=False)
class WorkflowJob:
    """A GitHub Actions job with ``permissions: id-token: write``."""

    subject: str
    request_token: str
    url: str

    @property
    def variables(self) -> dict[str, str]:
        """The variables that the runner sets."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": self.url,
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.request_token,
        }


class GitHubActions:
    """``pipelines.actions.githubusercontent.com`` and its regional names."""

    def __init__(self, sites: Sites) -> None:
        self._jobs: list[WorkflowJob] = []
        sites.add("*.actions.githubusercontent.com", self.answer)

    def job(self, subject: str = "repo:contoso/ring:ref:refs/heads/main") -> WorkflowJob:
        """Start a job."""
        number = len(self._jobs) + 1
        # The URL already has a query.
        url = f"https://pipelines.actions.githubusercontent.com/serviceHosts/{number}/oidctoken?api-version=2.0"
        request_token = tokens.mint({"iss": "practice", "orch_id": f"job-{number}"})
        started = WorkflowJob(subject, request_token, url)
        self._jobs.append(started)
        return started

    def answer(self, request: Request) -> Response:
        """``GET {ACTIONS_ID_TOKEN_REQUEST_URL}&audience=...``."""
        job = next((one for one in self._jobs if one.url.partition("?")[0] == request.url.partition("?")[0]), None)
        if job is None or request.method != "GET" or request.parameters.get("api-version") != "2.0":
            return not_found()
        if request.bearer != job.request_token:
            return json_response({"message": "the request token is not valid"}, 401)
        audience = request.parameters.get("audience") or "https://github.com/contoso"
        claims = {"iss": GITHUB_ISSUER, "sub": job.subject, "aud": audience, "jti": secrets.token_hex(8)}
        return json_response({"count": 1, "value": tokens.mint(claims, 300)})


@dataclass(eq=False)
class PipelineJob:
    """A job of Azure Pipelines with a service connection by workload identity federation."""

    organisation: str
    access_token: str
    connection_id: str
    connection_name: str
    url: str

    @property
    def issuer(self) -> str:
        """The issuer of its tokens."""
        return "https://vstoken.dev.azure.com/" + identifier("organisation " + self.organisation)

    @property
    def subject(self) -> str:
        """The subject of its tokens."""
        return "sc://{}/{}/{}".format(self.organisation, "platform", self.connection_name)


class AzurePipelines:
    """``POST {SYSTEM_OIDCREQUESTURI}?api-version=7.1&serviceConnectionId=...`` on dev.azure.com."""

    def __init__(self, sites: Sites) -> None:
        self._jobs: list[PipelineJob] = []
        sites.add("dev.azure.com", self.answer)
        sites.add("vstoken.dev.azure.com", self.answer)

    def job(self, organisation: str, access_token: str, connection_name: str = "artifacts") -> PipelineJob:
        """Start a job; its access token is the organisation's `pipeline_token`."""
        url = "https://dev.azure.com/{}/{}/_apis/distributedtask/hubs/build/plans/{}/jobs/{}/oidctoken".format(
            organisation, identifier("project"), identifier("plan"), identifier(f"job {len(self._jobs)}")
        )
        connection_id = identifier("service connection " + connection_name)
        started = PipelineJob(organisation, access_token, connection_id, connection_name, url)
        self._jobs.append(started)
        return started

    def answer(self, request: Request) -> Response:
        """Sign a token for the requested service connection."""
        job = next((one for one in self._jobs if one.url == request.url.partition("?")[0]), None)
        if job is None:
            return not_found()
        if request.method != "POST":
            return Response(405)
        if request.bearer != job.access_token:
            return json_response({"message": "the access token is not valid"}, 401)
        if not request.parameters.get("api-version"):
            return json_response({"message": "No api-version was supplied for the POST request."}, 400)
        if request.parameters.get("serviceConnectionId") != job.connection_id:
            return json_response({"message": "the service connection does not exist"}, 404)
        claims = {"iss": job.issuer, "sub": job.subject, "aud": TOKEN_EXCHANGE_AUDIENCE, "jti": secrets.token_hex(8)}
        return json_response({"oidcToken": tokens.mint(claims, 600)})

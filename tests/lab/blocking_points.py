"""The points at which a lookup blocks: every stage of each request, and each program.

They are derived from the requests that a successful lookup sends.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from . import chainctl, faults
from .cloud import PracticeCloud
from .fake_programs import Answer, FakePrograms, az_token
from .faults import Fault
from .interruptible import eventually
from .messages import CLOSE, Request, Response
from .registries.azure.directory import Directory
from .registries.azure.oidc import GITHUB_ISSUER
from .registries.google.files import GoogleFiles, executable_source, external_account, job_source

PROVIDER = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER"
#: Requests whose wait is too short to interrupt, by host, method and number.
_BRIEF = {("google-metadata", "GET", 0)}


@dataclass
class Flow:
    """A way to get a credential, for another organisation or user each time."""

    name: str
    variables: dict[str, str] = field(default_factory=dict)
    #: The index; if None, a new Azure organisation.
    service: str | None = None


@dataclass
class BlockingPoint:
    """A point at which a lookup blocks."""

    name: str
    service: str
    variables: dict[str, str]
    #: Breaks the request or program. Returns a function that says whether the lookup is blocked.
    begin: Callable[[], Callable[[], object]]


class BlockingPoints:
    """The blocking points, one after the other; each is repaired before the next."""

    def __init__(self, cloud: PracticeCloud, fake_programs: FakePrograms, directory: Path, home: Path) -> None:
        self.cloud = cloud
        self._fake_programs = fake_programs
        self._directory = directory
        self._home = home
        self._numbers = itertools.count()
        self._over = threading.Event()
        self._seen: set[tuple[object, ...]] = set(_BRIEF)

    def close(self) -> None:
        """Release the connections that are kept waiting."""
        self._over.set()

    def flows(self) -> list[Flow]:
        """Every flow that sends requests, with everything it needs to succeed."""
        azure, chainguard, metadata = self.cloud.azure, self.cloud.chainguard, self.cloud.metadata
        aws = self.cloud.codeartifact
        directory: Directory = azure.directory
        self._fake_programs.az(*az_token(directory.user_token(azure.user)))
        application = directory.application("waiting", azure.tenant, secret="its-secret")
        machine = directory.managed_identity("machine", azure.tenant)
        for endpoint in (metadata.imds, metadata.app_service, metadata.azure_ml, metadata.cloud_shell):
            endpoint.system_assigned = machine
        job = azure.github_actions.job()
        application.trust(GITHUB_ISSUER, job.subject)
        chainguard.trust("https://gitlab.example", "project:ring")
        proof = self._directory / "proof"
        proof.write_text(chainguard.proof())
        secret = {"AZURE_CLIENT_ID": application.client_id, "AZURE_CLIENT_SECRET": "its-secret"}
        managed = {PROVIDER: "managed_identity"}
        oidc = {
            "RINGBEARER_CHAINGUARD_IDENTITY": chainguard.identity,
            "RINGBEARER_CHAINGUARD_OIDC_TOKEN_FILE": str(proof),
        }
        return [
            Flow("azure_cli", {PROVIDER: "azure_cli"}),
            Flow("client_secret", {PROVIDER: "client_secret", **secret}),
            Flow("github", {PROVIDER: "workload_identity", "AZURE_CLIENT_ID": application.client_id, **job.variables}),
            Flow("virtual machine", managed),
            Flow("app service", {**managed, **metadata.app_service.variables}),
            Flow("cloud shell", {**managed, **metadata.cloud_shell.variables}),
            Flow("chainguard", oidc, chainguard.python.url),
            Flow("menda", self.cloud.menda.variables, self.cloud.menda.plugins.url),
            Flow("codeartifact", aws.user.variables, aws.repository.url),
            *self._flows_of_google(),
        ]

    def _flows_of_google(self) -> Iterator[Flow]:
        google, job = self.cloud.google, self.cloud.azure.github_actions.job()
        google.metadata.account = google.robot
        provider = google.trust_job(job.subject, is_impersonating=True)
        federated = external_account(provider, job_source(job, provider), google.publisher)
        yield Flow("google person", self._google_file("person", google.login.file), google.repository.url)
        yield Flow("google job", self._google_file("job", federated), google.repository.url)
        yield Flow("google machine", google.metadata.names | {"NO_GCE_CHECK": ""}, google.repository.url)

    def _google_file(self, name: str, content: Mapping[str, object]) -> dict[str, str]:
        path = GoogleFiles(self._home).write(content, f"{name}.json")
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}

    def of_requests(self, flow: Flow, requests: list[Request]) -> Iterator[BlockingPoint]:
        """Every stage of every request of a flow, except requests of earlier flows."""
        stages: dict[str, Fault] = {
            "the header": faults.silence(),
            "the body": self._stalled_body,
            "the pause before it is sent again": faults.status(429, {"Retry-After": "60"}),
        }
        of_tunnels: dict[str, Fault] = {"the proxy": faults.silence(), "the handshake": self._stalled_handshake}
        seen: dict[tuple[str, str], int] = {}
        for request in requests:
            sort = (request.host, request.method)
            after = seen[sort] = seen.get(sort, -1) + 1
            tunnel = request.method == "CONNECT"
            if (*sort, after) in self._seen:
                continue
            self._seen.add((*sort, after))
            for stage, fault in (of_tunnels if tunnel else stages).items():
                name = f"{flow.name}: {request.method} {request.host} ({after + 1}), {stage}"
                yield self._wait(
                    name, flow, lambda fault=fault, sort=sort, after=after: self._break(fault, sort, after)
                )

    def of_connecting(self, flow: Flow) -> Iterator[BlockingPoint]:
        """Hosts and proxies that never answer a connection attempt."""
        hole = self.cloud.metadata.black_hole
        names = {"virtual machine": "AZURE_POD_IDENTITY_AUTHORITY_HOST"}
        # The wait cannot be observed from outside.
        for name in ("HTTPS_PROXY", names.get(flow.name)):
            if name and (flow.service, name) not in self._seen:
                self._seen.add((flow.service, name))
                wait = self._wait(f"{flow.name}: connecting to {name}", flow, lambda: lambda: not _pause(0.2))
                wait.variables[name] = hole
                yield wait

    def of_programs(self) -> Iterator[BlockingPoint]:
        """Every program that a lookup runs, and a child of it."""
        index, google = self.cloud.chainguard.python.url, self.cloud.google
        source = executable_source(self._fake_programs.program("subject-token"))
        federated = self._google_file("program", external_account(google.providers.workload("program"), source))
        allowed = {"GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES": "1"}
        programs = [
            Flow("az", {PROVIDER: "azure_cli"}),
            Flow("azd", {PROVIDER: "azd"}),
            Flow("ado-auth-helper", {PROVIDER: "ado_auth_helper"}),
            Flow("chainctl auth token", {}, index),
            Flow("chainctl auth pull-token", {"CHAINCTL_PARENT": "contoso"}, index),
            Flow("gcloud", {}, google.repository.url),
            Flow("subject-token", {**federated, **allowed}, google.repository.url),
        ]
        for flow, hang in itertools.product(programs, (True, "child")):
            yield self._wait(
                f"{flow.name}, {'a child' if hang == 'child' else 'itself'}", flow, self._hanging(flow, hang)
            )

    def _hanging(self, flow: Flow, hang: bool | str) -> Callable[[], Callable[[], object]]:
        program, _, words = flow.name.partition(" ")

        def begin() -> Callable[[], object]:
            earlier = set(self._fake_programs.running())
            answers = [Answer(hang=hang, when=(words,) if words else ())]
            if program == "ado-auth-helper":
                self._fake_programs.ado_auth_helper(self._home, *answers)
            else:
                self._fake_programs.program(program, *answers, chainctl.not_logged_in())
            return lambda: set(self._fake_programs.running()) - earlier

        return begin

    def _wait(self, name: str, flow: Flow, begin: Callable[[], Callable[[], object]]) -> BlockingPoint:
        return BlockingPoint(name, *self.fresh(flow), begin)

    def fresh(self, flow: Flow) -> tuple[str, dict[str, str]]:
        """Service and variables of a flow, with an empty cache."""
        number = str(next(self._numbers))
        # Parts of the cache key without any other effect here. A Menda login would be asked about CodeArtifact too.
        names = ["AZD_AUTH_CERT", "CHAINCTL_CONFIG", "AWS_CREDENTIAL_EXPIRATION", "CLOUDSDK_CORE_ACCOUNT"]
        names += ["MENDA_PROFILE_ID"] if flow.name == "menda" else []
        logins = dict.fromkeys(names, number)
        variables = {**flow.variables, **logins}
        azure = self.cloud.azure
        return flow.service or azure.organisation(f"waiting-{number}", azure.tenant).feed("tools").url(), variables

    def _break(self, fault: Fault, sort: tuple[str, str], after: int) -> Callable[[], object]:
        self.cloud.faults.clear()
        # Open connections would need neither the proxy nor a handshake.
        self.cloud.hang_up()
        host, method = sort
        rule = self.cloud.faults.add(fault, host=host, method=method, after=after)
        return lambda: rule.met and not _pause(0.02)

    def _stalled_body(self, request: Request, answer: faults.Answer) -> Response:
        true = answer(request)
        headers = [pair for pair in true.headers if pair[0].lower() != "content-length"]
        return Response(true.status, [*headers, ("Content-Length", "1000")], self._stalled(b"{"), CLOSE)

    def _stalled_handshake(self, request: Request, answer: faults.Answer) -> Response:
        return Response(200, [], self._stalled(b""), CLOSE)

    def _stalled(self, begin: bytes) -> Iterator[bytes]:
        yield begin
        self._over.wait(30)


def _pause(seconds: float) -> bool:
    return eventually(lambda: False, seconds)

"""The flows and their requests, into which the fault matrix injects faults."""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from lab import kernel_keys, namespace, tokens
from lab.authority import CertificateAuthority
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.messages import CLOSE, Response
from lab.registries.azure.directory import TOKEN_EXCHANGE_AUDIENCE, Application
from lab.registries.azure.oidc import GITHUB_ISSUER
from lab.registries.codeartifact.accounts import ACCOUNT
from lab.registries.codeartifact.files import AwsFiles
from lab.registries.codeartifact.identity_center import START_URL
from lab.registries.codeartifact.site import EKS_ISSUER, REGION
from lab.registries.google.accounts import GCLOUD
from lab.registries.google.files import GoogleFiles, external_account, job_source
from lab.registries.menda import EXCHANGE, SIGN_IN
from lab.sign_in_page import deliver, sign_in
from support import chainguard_user
from support.azure_cli_files import AzureCliFiles
from support.menda_machines import API, INDEX, profile

PROVIDER = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER"
FEEDS, LOGIN, AUTHORITY = "pkgs.dev.azure.com", "login.microsoftonline.com", "vssps.dev.azure.com"
GITHUB, PIPELINES = "pipelines.actions.githubusercontent.com", "dev.azure.com"
AWS_API, STS = f"codeartifact.{REGION}.amazonaws.com", f"sts.{REGION}.amazonaws.com"
PORTAL, OIDC = f"portal.sso.{REGION}.amazonaws.com", f"oidc.{REGION}.amazonaws.com"
AWS_SIGN_IN = f"{REGION}.signin.aws.amazon.com"
ROLES = "/latest/meta-data/iam/security-credentials/"
OAUTH, GOOGLE_STS, IAM = "oauth2.googleapis.com", "sts.googleapis.com", "iamcredentials.googleapis.com"
GOOGLE_ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"
AGENT_KEY = "/var/opt/azcmagent/tokens/practice.key"


class Situation:
    """A cloud, a home and programs for one lookup, isolated from all others."""

    def __init__(self, authority: CertificateAuthority, directory: Path) -> None:
        self.cloud = PracticeCloud(authority)
        self.home = directory / "home"
        self.home.mkdir(parents=True)
        self._directory = directory
        self._fake_programs: FakePrograms | None = None
        self.service = self.cloud.azure.feed.url()
        #: Variables of the lookup.
        self.variables: dict[str, str | None] = {}
        #: Secrets other than JSON Web Tokens, by name.
        self.secrets: dict[str, str] = {}
        #: A command prefix for the lookup.
        self.before: list[str] = []

    @property
    def fake_programs(self) -> FakePrograms:
        """The fake programs on PATH, created on first use."""
        if self._fake_programs is None:
            self._fake_programs = FakePrograms(self._directory / "programs")
        return self._fake_programs

    def file(self, name: str, text: str) -> str:
        """Write a file into the home. Returns its path."""
        path = self.home / name
        path.write_text(text)
        return str(path)

    def environment(self, **variables: str | None) -> dict[str, str]:
        """The environment of the lookup, without caches."""
        merged = {"RINGBEARER_CACHE": "off", **self.variables, **variables}
        path = [self._fake_programs.directory] if self._fake_programs else []
        return self.cloud.environment(self.home, path=path, **merged)

    def close(self) -> None:
        """Stop the cloud and all programs."""
        if self._fake_programs is not None:
            self._fake_programs.close()
        self.cloud.close()


@dataclass(frozen=True)
class Step:
    """One request of a flow."""

    flow: str
    name: str
    #: The host in the log; without TLS, the name of the loopback service.
    host: str
    #: A warning names one of these.
    blamed: tuple[str, ...]
    path: str | None = None
    #: The path of the previous request, if it goes to the same host.
    follows: str | None = None
    #: The number of earlier requests to the same URL.
    after: int = 0
    #: The variable with the address of the loopback service.
    address: str | None = None
    #: How often it is sent if it fails for a transient reason.
    attempts: int = 3
    #: A header that every answer of the service has, its failures included.
    header: tuple[str, str] | None = None

    @property
    def label(self) -> str:
        """Its name in test ids."""
        return f"{self.flow}: {self.name}"

    @property
    def has_tls(self) -> bool:
        """Whether it goes through the proxy."""
        return self.address is None


@dataclass(frozen=True)
class Flow:
    """A way to get a credential."""

    name: str
    prepare: Callable[[Situation], None]
    steps: list[Step] = field(default_factory=list)
    #: Whether an earlier lookup of the session has left what discovery said.
    is_known: bool = False
    #: Whether a person has signed in with `ringbearer login`.
    signs_in: bool = False

    def begin(self, made: Situation, native: Client) -> None:
        """Everything before the lookup."""
        self.prepare(made)
        if self.is_known:
            native.run(["keyring", "--mode", "creds", "get", made.service], made.environment()).check()
        if self.signs_in:
            _sign_in(made, native)

    def step(self, name: str, host: str, *blamed: str, **more: object) -> Flow:
        """The same with one more request."""
        made = Step(self.name, name, host, blamed or (host,), **more)  # type: ignore[arg-type]
        return dataclasses.replace(self, steps=[*self.steps, made])


def _application(made: Situation, **more: object) -> Application:
    azure = made.cloud.azure
    application = azure.directory.application("builder", azure.tenant, **more)  # type: ignore[arg-type]
    made.variables["AZURE_CLIENT_ID"] = application.client_id
    return application


def _client_secret(made: Situation) -> None:
    made.secrets["client secret"] = "mellon & more=+%"
    _application(made, secret=made.secrets["client secret"])
    made.variables["AZURE_CLIENT_SECRET"] = made.secrets["client secret"]


def _client_certificate(made: Situation) -> None:
    certificate = _application(made).certificate()
    made.variables["AZURE_CLIENT_CERTIFICATE_PATH"] = made.file("certificate.pem", certificate.pem)
    made.secrets["private key"] = certificate.key_pem.splitlines()[3]


def _feed_identity(made: Situation) -> None:
    azure = made.cloud.azure
    application = azure.directory.application("builder", azure.tenant)
    certificate = application.certificate()
    path = made.file("certificate.pem", certificate.pem)
    endpoint = {"endpoint": made.service, "clientId": application.client_id, "clientCertificateFilePath": path}
    made.variables["ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS"] = json.dumps({"endpointCredentials": [endpoint]})
    made.secrets["private key"] = certificate.key_pem.splitlines()[3]


def _workload_file(made: Situation) -> None:
    _application(made).trust("https://oidc.example/", "system:serviceaccount:ci:builder")
    claims = {"iss": "https://oidc.example/", "sub": "system:serviceaccount:ci:builder"}
    proof = tokens.mint({**claims, "aud": TOKEN_EXCHANGE_AUDIENCE})
    made.variables["AZURE_FEDERATED_TOKEN_FILE"] = made.file("proof", proof + "\n")


def _workload_github(made: Situation) -> None:
    job = made.cloud.azure.github_actions.job()
    _application(made).trust(GITHUB_ISSUER, job.subject)
    made.variables.update(job.variables)


def _pipelines(made: Situation) -> None:
    azure = made.cloud.azure
    access = azure.contoso.pipeline_token()
    job = azure.pipelines.job("contoso", access)
    application = azure.directory.application("builder", azure.tenant)
    application.trust(job.issuer, job.subject)
    made.variables.update(
        {
            "SYSTEM_OIDCREQUESTURI": job.url,
            "SYSTEM_ACCESSTOKEN": access,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": job.connection_id,
            "AZURESUBSCRIPTION_CLIENT_ID": application.client_id,
            "AZURESUBSCRIPTION_TENANT_ID": azure.tenant.id,
            PROVIDER: "azure_pipelines",
        }
    )


def _managed(name: str) -> Callable[[Situation], None]:
    def prepare(made: Situation) -> None:
        cloud = made.cloud
        endpoint = getattr(cloud.metadata, name)
        endpoint.lifetime = 3600
        endpoint.system_assigned = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
        made.variables.update(getattr(endpoint, "variables", {}))
        if hasattr(endpoint, "secret"):
            made.secrets["endpoint's secret"] = endpoint.secret
        if name == "cloud_shell":
            endpoint.user = cloud.azure.user
        if name == "arc":
            endpoint.key_content = made.secrets["content of the key file"] = "arc-key-content"
            endpoint.realm = AGENT_KEY
            made.before = namespace.with_files({AGENT_KEY: endpoint.key_content})

    return prepare


def _person(made: Situation) -> None:
    azure = made.cloud.azure
    made.fake_programs.az(*az_token(azure.directory.user_token(azure.user)))


def _person_in_session(made: Situation) -> None:
    _person(made)
    # The token of an az without its files is not cached: the next lookup signs in again.
    made.variables["RINGBEARER_CACHE"] = "session"


def _person_with_refused_token(made: Situation) -> None:
    files = AzureCliFiles(made.cloud, made.home)
    azure = made.cloud.azure
    files.token["secret"] = azure.directory.user_token(azure.user, aud="https://elsewhere.example")
    files.write()
    _person(made)


def _chainguard(made: Situation) -> None:
    chainguard = made.cloud.chainguard
    job = made.cloud.azure.github_actions.job()
    chainguard.trust(GITHUB_ISSUER, job.subject)
    made.service = chainguard_user.INDEX
    made.variables.update({chainguard_user.IDENTITY: chainguard.identity, **job.variables})


def _menda(made: Situation) -> None:
    menda = made.cloud.menda
    made.service = INDEX
    end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
    menda.more = {"expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _menda_machine(made: Situation) -> None:
    _menda(made)
    made.variables.update(made.cloud.menda.variables)
    made.secrets["client secret"] = made.cloud.menda.client_secret


def _menda_login(made: Situation) -> None:
    _menda(made)
    menda = made.cloud.menda
    menda.write_profile(made.home, profile())
    menda.write_login(made.home, menda.log_in())


def _aws_key(made: Situation) -> None:
    aws = made.cloud.codeartifact
    made.service = aws.repository.url
    made.variables.update(aws.user.variables)


def _aws_profile(made: Situation, sections: dict[str, dict[str, object]]) -> AwsFiles:
    made.service = made.cloud.codeartifact.repository.url
    made.variables["AWS_PROFILE"] = "corp"
    files = AwsFiles(made.home)
    files.write_config(sections)
    return files


def _aws_role(made: Situation) -> None:
    aws = made.cloud.codeartifact
    role = aws.accounts.role("reader", aws.user)
    profile = {"role_arn": role.arn, "role_session_name": "ada", "source_profile": "base"}
    _aws_profile(made, {"profile corp": profile}).write_credentials({"base": aws.user})


def _aws_sso(lifetime: float) -> Callable[[Situation], None]:
    def prepare(made: Situation) -> None:
        center = made.cloud.codeartifact.identity_center
        center.assign("Reader")
        session = center.log_in(lifetime)
        # An answer that is lost takes no token with it.
        session.rotates = False
        profile = {"sso_session": "work", "sso_account_id": ACCOUNT, "sso_role_name": "Reader"}
        portal = {"sso_start_url": START_URL, "sso_region": REGION}
        _aws_profile(made, {"profile corp": profile, "sso-session work": portal}).write_session(session, "work")
        made.secrets["client secret"] = session.client_secret

    return prepare


def _aws_login(made: Situation) -> None:
    aws = made.cloud.codeartifact
    login = aws.sign_in.log_in(aws.user, lifetime=-60)
    _aws_profile(made, {"profile corp": {"login_session": login.arn, "region": REGION}}).write_login(login)
    made.secrets["private key"] = login.pem.splitlines()[2]


def _aws_web_identity(made: Situation) -> None:
    aws = made.cloud.codeartifact
    role = aws.accounts.role("pod")
    role.trust_identity(EKS_ISSUER, "system:serviceaccount:default:builder")
    made.service = aws.repository.url
    token = made.file("identity-token", aws.identity_token())
    made.variables.update(
        {"AWS_ROLE_ARN": role.arn, "AWS_ROLE_SESSION_NAME": "pod", "AWS_WEB_IDENTITY_TOKEN_FILE": token}
    )


def _aws_machine(name: str) -> Callable[[Situation], None]:
    def prepare(made: Situation) -> None:
        aws = made.cloud.codeartifact
        endpoint = getattr(aws, name)
        endpoint.key = aws.accounts.session_of_role(aws.accounts.role("builders"), "machine", 3600)
        made.service = aws.repository.url
        made.variables.update(endpoint.variables)

    return prepare


def _google_file(made: Situation, content: Mapping[str, object]) -> None:
    made.service = made.cloud.google.repository.url
    made.variables["GOOGLE_APPLICATION_CREDENTIALS"] = str(GoogleFiles(made.home).write(content))


def _google_person(made: Situation) -> None:
    login = made.cloud.google.login
    _google_file(made, login.file)
    made.secrets["client secret"] = login.client.secret


def _google_key(made: Situation) -> None:
    key = made.cloud.google.key
    _google_file(made, key.file)
    made.secrets["private key"] = key.private_key.splitlines()[4]


def _google_job(made: Situation) -> None:
    job = made.cloud.azure.github_actions.job()
    provider = made.cloud.google.trust_job(job.subject, is_impersonating=True)
    _google_file(made, external_account(provider, job_source(job, provider), made.cloud.google.publisher))


def _gcloud_login(made: Situation) -> None:
    login = made.cloud.google.accounts.log_in("ada", GCLOUD)
    GoogleFiles(made.home).write_login(login)
    made.service = made.cloud.google.repository.url
    made.secrets["client secret"] = login.client.secret


def _google_machine(made: Situation) -> None:
    metadata = made.cloud.google.metadata
    metadata.account = made.cloud.google.robot
    made.service = made.cloud.google.repository.url
    made.variables.update(metadata.variables)


def _sign_in(made: Situation, native: Client) -> None:
    # The session of this thread: other situations have a login of the same person.
    kernel_keys.new_session()
    person = made.cloud.entra.add_user("ada@contoso.example")
    process = native.start(["ringbearer", "login", made.service, "--browser", "--json"], made.environment())
    deliver(sign_in(made.cloud, json.loads(process.stdout.readline())["url"], person))
    process.communicate(timeout=20)
    assert process.returncode == 0
    made.cloud.log.clear()


_ON_LOOPBACK = ("127.0.0.1", "managed_identity failed")
_OF_GITHUB = (GITHUB, "GitHub")
_API, _STS = (AWS_API, AWS_API, "CodeArtifact refuses"), (STS, STS, "STS refused")
_METADATA = ("google-metadata", "127.0.0.1", "metadata server of Google", "metadata failed")
_OF_METADATA = {"address": "GCE_METADATA_HOST", "header": ("Metadata-Flavor", "Google")}
_EC2_ADDRESS = "AWS_EC2_METADATA_SERVICE_ENDPOINT"
_EC2 = ("ec2", "127.0.0.1", "metadata service of EC2", _EC2_ADDRESS)

FLOWS = [
    Flow("client_secret", _client_secret).step("discovery", FEEDS).step("token", LOGIN, path="*/token"),
    Flow("client_certificate", _client_certificate).step("token", LOGIN, path="*/token"),
    Flow("feed_identity", _feed_identity).step("token", LOGIN, path="*/token"),
    Flow("workload_identity by a file", _workload_file).step("token", LOGIN, path="*/token"),
    Flow("workload_identity on GitHub", _workload_github)
    .step("job token", GITHUB, *_OF_GITHUB)
    .step("token", LOGIN, path="*/token"),
    Flow("azure_pipelines", _pipelines)
    .step("job token", PIPELINES, PIPELINES, "Azure Pipelines")
    .step("token", LOGIN, path="*/token"),
    Flow("virtual machine", _managed("imds")).step(
        "token", "imds", *_ON_LOOPBACK, "none of the 14 sources is set up", address="AZURE_POD_IDENTITY_AUTHORITY_HOST"
    ),
    Flow("App Service", _managed("app_service")).step(
        "token", "app-service", *_ON_LOOPBACK, address="IDENTITY_ENDPOINT"
    ),
    Flow("Azure ML", _managed("azure_ml")).step("token", "azure-ml", *_ON_LOOPBACK, address="MSI_ENDPOINT"),
    Flow("Cloud Shell", _managed("cloud_shell"))
    .step("token", "cloud-shell", *_ON_LOOPBACK, address="MSI_ENDPOINT")
    .step("exchange", AUTHORITY),
    Flow("az", _person).step("discovery", FEEDS).step("exchange", AUTHORITY),
    Flow("az of a known organisation", _person_in_session, is_known=True).step("exchange", AUTHORITY),
    Flow("az after a refusal", _person_with_refused_token).step("exchange", AUTHORITY, follows="*", after=1),
    Flow("Chainguard", _chainguard).step("job token", GITHUB, *_OF_GITHUB).step("exchange", chainguard_user.ISSUER),
    Flow("Menda's machine", _menda_machine)
    .step("sign-in", API, path="*" + SIGN_IN)
    .step("exchange", API, path="*" + EXCHANGE, follows="*" + SIGN_IN),
    Flow("Menda's login", _menda_login).step("exchange", API, path="*" + EXCHANGE),
    Flow("AWS access key", _aws_key).step("token", *_API),
    Flow("AWS role", _aws_role).step("assume", *_STS).step("token", *_API),
    Flow("AWS SSO", _aws_sso(28800)).step("portal", PORTAL),
    Flow("AWS SSO after its end", _aws_sso(-60)).step("refresh", OIDC).step("portal", PORTAL),
    Flow("AWS login", _aws_login).step("refresh", AWS_SIGN_IN),
    Flow("AWS web identity", _aws_web_identity).step("assume", *_STS),
    Flow("AWS container", _aws_machine("container")).step(
        "key", "container", "127.0.0.1", address="AWS_CONTAINER_CREDENTIALS_FULL_URI"
    ),
    Flow("AWS machine", _aws_machine("ec2"))
    .step("session", *_EC2, path="/latest/api/token", address=_EC2_ADDRESS)
    .step("role", *_EC2, path=ROLES, address=_EC2_ADDRESS)
    .step("key", *_EC2, path=ROLES + "*", after=1, address=_EC2_ADDRESS),
    Flow("Google person", _google_person).step("token", OAUTH),
    Flow("Google service account", _google_key).step("token", OAUTH),
    Flow("Google job", _google_job)
    .step("subject token", GITHUB, *_OF_GITHUB)
    .step("federation", GOOGLE_STS)
    .step("impersonation", IAM),
    Flow("login of gcloud", _gcloud_login).step("token", OAUTH),
    Flow("Google machine", _google_machine)
    .step("account", *_METADATA, path=GOOGLE_ACCOUNT + "email", attempts=1, **_OF_METADATA)
    .step("token", *_METADATA, path=GOOGLE_ACCOUNT + "token", **_OF_METADATA),
]

if kernel_keys.can_share():
    # The exchange refuses a token of a clock that is behind.
    FLOWS.append(Flow("login", lambda made: None, signs_in=True).step("token", LOGIN, LOGIN, AUTHORITY, path="*/token"))
if namespace.AVAILABLE and os.name != "nt":
    FLOWS.append(
        Flow("Azure Arc", _managed("arc"))
        .step("challenge", "arc", *_ON_LOOPBACK, address="IDENTITY_ENDPOINT")
        .step("token", "arc", *_ON_LOOPBACK, address="IDENTITY_ENDPOINT", after=1)
    )


def close_before(made: Situation, step: Step, then: Callable[[], None]) -> None:
    """Close the connection after the previous request to the same host, then run an action: otherwise this request
    would not connect, and could not meet a fault while connecting."""
    if step.follows is None:
        then()
        return

    def respond(request, answer) -> Response:
        response = answer(request)
        then()
        return dataclasses.replace(response, ending=CLOSE)

    made.cloud.faults.add(respond, host=step.host, path=step.follows, times=1)

"""``keyring get`` for each registry, cold and warm, near and far; and the memory of a process that did one lookup."""

from __future__ import annotations

import glob
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab import chainctl
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.environment import TRUST_VARIABLES
from lab.fake_programs import FakePrograms
from lab.registries.codeartifact.files import AwsFiles
from lab.registries.google.files import GoogleFiles, external_account, file_source, job_source
from lab.registries.google.repositories import USER_NAME

from .comparison import ALL_FOUR, NATIVE, PEER, WHEEL, Comparison
from .environments import FOUR, Environments, peer
from .spawned import UNCOUNTED, Command, in_turn
from .store import Stage

#: Milliseconds that each request takes, or chainctl instead of its requests.
NEAR, FAR = 0, 100

#: menda-keyring has the priority of keyring's chainer; which of them is chosen differs between runs.
CHAINER = {"PYTHON_KEYRING_BACKEND": "keyring.backends.chainer.ChainerBackend"}

#: Prints the time of the first and the second lookup of a process.
_TWICE = """
import sys, time, keyring
keyring.get_keyring()
for _ in range(2):
    start = time.perf_counter()
    assert keyring.get_password(*sys.argv[1:])
    print((time.perf_counter() - start) * 1000)
"""


#: Seconds that the identity token in a file lasts: longer than a measurement.
_LIFETIME = 24 * 3600


@dataclass
class Registry:
    """A registry with a login that both ringbearer and the peer support."""

    name: str
    #: The package that ringbearer replaces there, by its name in `PEERS`.
    rival: str
    url: str
    user: str
    #: The variables of the user.
    variables: dict[str, str] = field(default_factory=dict)
    #: In front of PATH.
    path: tuple[str, ...] = ()


class Desk:
    """A practice cloud, a home directory, and the commands to measure."""

    def __init__(self, environments: Environments, cloud: PracticeCloud, directory: str) -> None:
        self.environments = environments
        self.cloud = cloud
        self._directory = directory
        self._fake_programs = FakePrograms(directory)
        self._token = cloud.chainguard.token()
        cloud.chainguard.write_login(directory)
        #: The CA bundle: that of a usual machine and the practice cloud's, since reading a large one takes time.
        self.trust = dict.fromkeys(TRUST_VARIABLES, self._write_bundle())
        bearer = cloud.azure.directory.user_token(cloud.azure.user)
        self.azure_variables = {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": bearer}
        aws = cloud.codeartifact
        azure, menda, chainguard = cloud.azure.feed.url(), cloud.menda.plugins.url, cloud.chainguard.python.url
        self.registries = [
            Registry("Azure", "nofuss", azure, "VssSessionToken", self.azure_variables),
            Registry("Chainguard", "chainguard", chainguard, "_token", path=(self._fake_programs.directory,)),
            Registry("Menda", "menda", menda, "aws", cloud.menda.variables),
            Registry("CodeArtifact", "codeartifact", aws.repository.url, "aws", aws.user.variables),
            self._google("person", cloud.google.login.file),
        ]
        #: The same index of CodeArtifact, with a role.
        self.with_role = replace(self.registries[3], variables={"AWS_PROFILE": self._write_role()})
        #: The same index of Google, with a service account's key, and with a job's token for a service account.
        self.with_key = self._google("key", cloud.google.key.file)
        self.with_token_file = self._google("token-file", self._token_in_a_file())
        self.with_job = self._google("job", self._job())
        #: The same, and no login.
        self.without_login = replace(self.registries[-1], variables={})

    def named(self, beginning: str) -> list[Registry]:
        """The registries whose names begin so."""
        return [registry for registry in self.registries if registry.name.startswith(beginning)]

    def be_far(self, latency: int) -> None:
        """Delay each request, and each chainctl, by this many milliseconds."""
        self.cloud.faults.latency = latency / 1000
        answer = chainctl.logged_in(self._token)
        answer.delay = latency / 1000
        self._fake_programs.chainctl(answer)

    def environment(self, registry: Registry, client: Client, **variables: str) -> dict[str, str]:
        """The variables of a user. PATH has only the client's programs, so there is no next keyring."""
        path = [client.bin, *registry.path]
        return self.cloud.environment(self._directory, path=path, **self.trust, **registry.variables, **variables)

    def get(self, registry: Registry, client: Client, **variables: str) -> Command:
        """``keyring get``."""
        words = [client.program("keyring"), "get", registry.url, registry.user]
        return Command(words, self.environment(registry, client, **variables))

    def commands(self, registry: Registry, cache: str) -> dict[str, Command]:
        """``keyring get`` of each side."""
        made, off = self.environments, {"RINGBEARER_CACHE": cache} if cache else {}
        sides = {
            NATIVE: self.get(registry, made.native, **off),
            WHEEL: self.get(registry, made.ours, **off),
            PEER: self.get(registry, made.peers[registry.rival]),
        }
        if registry.rival in FOUR:
            sides[ALL_FOUR] = self.get(registry, made.all_four, **CHAINER)
        return sides

    def _write_role(self) -> str:
        """Write a profile that assumes a role with an access key. Returns its name."""
        aws = self.cloud.codeartifact
        files, role = AwsFiles(self._directory), aws.accounts.role("reader", aws.user)
        files.write_credentials({"ada": aws.user})
        files.write_config({"profile reader": {"role_arn": role.arn, "source_profile": "ada"}})
        return "reader"

    def _google(self, name: str, content: Mapping[str, object]) -> Registry:
        """Google's index, with a credential file."""
        path = GoogleFiles(self._directory).write(content, f"{name}.json")
        variables = {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}
        return Registry("Google", "google", self.cloud.google.repository.url, USER_NAME, variables)

    def _token_in_a_file(self) -> dict[str, object]:
        """Credentials of a job that wrote its identity token into a file, and impersonates a service account."""
        google, subject = self.cloud.google, "project:ring"
        provider = google.providers.workload("gitlab", subjects={subject})
        google.publisher.impersonators.add(provider.principal(subject))
        path = GoogleFiles(self._directory).write(provider.subject_token(subject, lifetime=_LIFETIME), "token")
        return external_account(provider, file_source(path), google.publisher)

    def _job(self) -> dict[str, object]:
        """What google-github-actions/auth writes in a job that impersonates a service account."""
        google, job = self.cloud.google, self.cloud.azure.github_actions.job()
        provider = google.trust_job(job.subject, is_impersonating=True)
        return external_account(provider, job_source(job, provider), google.publisher)

    def _write_bundle(self) -> str:
        usual = glob.glob(
            os.path.join(self.environments.peers["nofuss"].directory, "lib", "*", "*", "certifi", "*.pem")
        )
        path = os.path.join(self._directory, "authorities.pem")
        with open(path, "wb") as bundle:
            for part in (*usual, self.cloud.ca_file):
                bundle.write(Path(part).read_bytes())
        return path

    def twice(self, registry: Registry, client: Client) -> tuple[float, float]:
        """Milliseconds that the first lookup of a process takes, and the second."""
        words = ["python", "-c", _TWICE, registry.url, registry.user]
        ended = client.run(words, self.environment(registry, client)).check()
        first, second = ended.stdout.split()
        return float(first), float(second)


def measure_look_ups(environments: Environments, near: int, far: int, only: str = "") -> list[Comparison]:
    """Every registry whose name begins with `only`, with this many runs at low and at high latency."""
    found = []
    with tempfile.TemporaryDirectory() as directory, PracticeCloud() as cloud:
        desk = Desk(environments, cloud, directory)
        for registry in desk.named(only):
            for latency, runs in ((NEAR, near), (FAR, far)):
                desk.be_far(latency)
                found += _commands(desk, registry, latency, runs)
                found += _calls(desk, registry, latency, runs)
    return found


def _commands(desk: Desk, registry: Registry, latency: int, runs: int) -> list[Comparison]:
    """A new process each: without a cache, then with one."""
    where, rival, is_far = _where(registry, latency), peer(registry.rival), latency == FAR
    cold = {side: command.milliseconds for side, command in desk.commands(registry, "off").items()}
    # The uncounted runs fill the cache.
    warm = {side: command.milliseconds for side, command in desk.commands(registry, "").items()}
    warm.pop(ALL_FOUR, None)
    return [
        Comparison(f"{where}: keyring get, cold", rival, in_turn(f"{where}, cold", runs, cold)),
        Comparison(f"{where}: keyring get, again", rival, in_turn(f"{where}, again", runs, warm), is_charted=is_far),
    ]


def _calls(desk: Desk, registry: Registry, latency: int, runs: int) -> list[Comparison]:
    """Two lookups in one process, through keyring's functions."""
    where, rival = _where(registry, latency), peer(registry.rival)
    clients = {WHEEL: desk.environments.ours, PEER: desk.environments.peers[registry.rival]}
    stage, pairs = Stage(f"{where}, in one process", runs), {side: [] for side in clients}
    for number in range(-UNCOUNTED, runs):
        for side, client in clients.items():
            pair = desk.twice(registry, client)
            if number >= 0:
                pairs[side].append(pair)
        if number >= 0:
            stage.step()
    first, second = ({side: [pair[place] for pair in found] for side, found in pairs.items()} for place in (0, 1))
    return [
        Comparison(f"{where}: first lookup in a process", rival, first, is_charted=False),
        Comparison(f"{where}: second lookup in a process", rival, second, is_charted=False),
    ]


def measure_silence(environments: Environments, runs: int) -> list[Comparison]:
    """A ``keyring get`` without a login where Google's metadata server should be, and nothing answers."""
    with tempfile.TemporaryDirectory() as directory, PracticeCloud() as cloud:
        desk = Desk(environments, cloud, directory)
        metadata = cloud.google.metadata
        metadata.is_silent = True
        sides = {}
        for side, command in desk.commands(desk.without_login, "off").items():
            command = command.with_variables(**metadata.names, NO_GCE_CHECK="")
            command.code = 1
            sides[side] = command.milliseconds
        figures = in_turn("Google, a silent metadata server", runs, sides, uncounted=1)
    return [Comparison("Google, a silent metadata server", peer("google"), figures, is_charted=False)]


def _where(registry: Registry, latency: int) -> str:
    return f"{registry.name}, {latency} ms away"


def measure_memory(environments: Environments, runs: int, only: str = "") -> list[Comparison]:
    """Peak memory of a cold ``keyring get``, for every registry whose name begins with `only`."""
    found = []
    with tempfile.TemporaryDirectory() as directory, PracticeCloud() as cloud:
        desk = Desk(environments, cloud, directory)
        desk.be_far(NEAR)
        for registry in desk.named(only):
            sides = {side: command.mebibytes for side, command in desk.commands(registry, "off").items()}
            figures = in_turn(f"memory, {registry.name}", runs, sides, uncounted=1)
            found.append(Comparison(f"{registry.name}: keyring get, cold", peer(registry.rival), figures, "MiB"))
    return found

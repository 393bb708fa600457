"""Lookups for Menda registries: many machines in one process, and their requests in the log."""

from __future__ import annotations

from urllib.parse import unquote, unquote_plus

from lab.cloud import PracticeCloud
from lab.faults import Fault
from lab.look_up import Answer, LookUp, Lookups
from lab.messages import Request
from lab.registries.menda import EXCHANGE, HOST, REGISTRY_HOST, SIGN_IN

INDEX = f"https://{REGISTRY_HOST}/pypi/plugins/simple/"
API = HOST.partition("//")[2]

#: The requests of a machine that signs in, and of a user with a login.
COLD, WITH_LOGIN = [SIGN_IN, EXCHANGE], [EXCHANGE]


def paths(cloud: PracticeCloud, base: str = "") -> list[str]:
    """The requests to the API below a base path."""
    return [one.path[len(base) :] for one in cloud.log.requests(API) if one.path.startswith(base + "/api/")]


def bearer(request: Request) -> str:
    """The access token of an exchange."""
    scheme, _, token = (request.header("authorizationToken") or "").partition(" ")
    assert scheme == "Bearer"
    return token


def bearers(cloud: PracticeCloud) -> list[str]:
    """The access tokens that were exchanged, in order."""
    return [bearer(request) for request in cloud.log.requests(API, "*" + EXCHANGE)]


def profile(host: str = HOST, name: str = "default", **values: str) -> str:
    """A section of the Menda CLI's configuration file."""
    return "\n".join([f"[{name}]", f"host = {host}", *(f"{key} = {value}" for key, value in values.items())]) + "\n"


def served(answers: list[Answer]) -> list[bool]:
    """Whether each lookup has a credential; the user name is always the same."""
    found = [answer.credential for answer in answers]
    assert {one[0] for one in found if one} <= {"aws"}
    return [one is not None for one in found]


def is_shown(secret: str, place: str) -> bool:
    """Whether a text contains a secret in any encoding."""
    return any(secret in reading for reading in (place, unquote(place), unquote_plus(place)))


def assert_hidden(hidden: list[str], *places: str) -> None:
    """None of the texts contains a secret."""
    found = [f"{secret!r} is in {place!r}" for place in places for secret in hidden if is_shown(secret, place)]
    assert found == [], found


class Machines:
    """Machines that ask one after the other in one process. Each has its own base path at Menda, by which faults select
    its requests, and its own registry, which the messages name.
    """

    def __init__(self, cloud: PracticeCloud, look_up: Lookups) -> None:
        self._cloud = cloud
        self._look_up = look_up
        self.look_ups: list[LookUp] = []
        self.bases: list[str] = []
        self.registries: list[str] = []

    def add(
        self, sign_in: Fault | None = None, exchange: Fault | None = None, times: int | None = None, **variables: str
    ) -> None:
        """One more machine, whose sign-in or exchange meets a fault."""
        number = len(self.look_ups)
        base = f"/base-{number}"
        for fault, path in ((sign_in, SIGN_IN), (exchange, EXCHANGE)):
            if fault is not None:
                self._cloud.faults.add(fault, API, base + path, times=times)
        known = {**self._cloud.menda.variables, "MENDA_HOST": HOST + base, **variables}
        registry = REGISTRY_HOST.replace("menda-private", f"registry-{number}")
        self.look_ups.append(LookUp(f"https://{registry}/pypi/plugins/simple/", environment=known))
        self.bases.append(base)
        self.registries.append(registry)

    def ask(self, **variables: str | None) -> list[Answer]:
        """One lookup for each."""
        return self._look_up.all(self.look_ups, **variables)

    def paths(self) -> list[list[str]]:
        """The requests of each machine."""
        return [paths(self._cloud, base) for base in self.bases]

    def assert_each_is_one_warning(self, answers: list[Answer]) -> None:
        """Each failed with one line that names the registry and says what to do next."""
        for registry, answer in zip(self.registries, answers):
            assert answer.credential is None, registry
            assert registry in answer.warning, answer.warning
            assert "\n" not in answer.warning, answer.warning
        without_advice = [answer.warning for answer in answers if "; " not in answer.warning]
        assert without_advice == [], without_advice

"""Lookups through the real keyring and the shipped wheel, in a child process.

With the fixture ``look_up`` a test writes::

    answer = look_up(AZURE_DEVOPS_EXT_PAT="secret")             # the feed of the practice cloud
    assert answer.credential == ("VssSessionToken", "secret")
    assert answer.warnings == []

    first, second = look_up.all([LookUp(url), LookUp(other, environment={"AZURE_CLIENT_ID": None})])

All lookups of one call are made one after the other in one process, so the second sees the cache of the first.
"""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from .clients import Client, Completed
from .cloud import PracticeCloud
from .environment import check_loopback

#: The limit of a warning, in characters; with what pip puts before it the line has at most 320.
LONGEST_WARNING = 308

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "look_up_program.py")


@dataclass
class LookUp:
    """One question to keyring."""

    service: str
    username: str | None = None
    #: ``get_credential`` or ``get_password``.
    method: str = "get_credential"
    #: Set in the process from this lookup on; None unsets.
    environment: dict[str, str | None] = field(default_factory=dict)
    #: Files written before the lookup: text by path.
    files: dict[str, str] = field(default_factory=dict)
    #: The number of threads that ask at the same moment.
    threads: int = 1
    #: Seconds to wait first.
    pause: float = 0


@dataclass
class Line:
    """A log record of Python's logging."""

    logger: str
    level: str
    message: str


@dataclass
class Failure:
    """An exception that keyring raised."""

    type: str
    #: The names of its class and all base classes.
    bases: list[str]
    message: str
    #: The repr and the traceback.
    text: str = field(repr=False)


@dataclass
class Answer:
    """The outcome of a lookup."""

    #: The result of the method; a credential is (user name, password).
    result: object
    error: Failure | None
    seconds: float
    log: list[Line]
    #: Outcomes of the other threads; their log records are in `log`.
    others: list[Answer]
    #: Output of the whole process.
    stdout: str = ""
    stderr: str = ""

    @property
    def credential(self) -> tuple[str, str] | None:
        """User name and password; an exception fails the test."""
        assert self.error is None, self.error.text
        return None if self.result is None else tuple(self.result)

    @property
    def warnings(self) -> list[str]:
        """The messages at WARNING and above; fails the test if one is too long for a terminal."""
        messages = self.messages("WARNING", "ERROR", "CRITICAL")
        assert all(len(message) <= LONGEST_WARNING for message in messages), messages
        return messages

    @property
    def warning(self) -> str:
        """The only message at WARNING and above; fails the test if there is not exactly one."""
        assert len(self.warnings) == 1, self.warnings
        return self.warnings[0]

    @property
    def asked(self) -> list[str]:
        """The providers that were asked, in order."""
        return [name for name, _ in self._outcomes()]

    @property
    def served(self) -> str | None:
        """The provider that served."""
        return next((name for name, outcome in self._outcomes() if outcome == "served"), None)

    @property
    def skipped(self) -> dict[str, str]:
        """The providers that are not set up, with the reason."""
        start = "skipped, "
        return {name: outcome[len(start) :] for name, outcome in self._outcomes() if outcome.startswith(start)}

    def _outcomes(self) -> list[tuple[str, str]]:
        messages = [line.message for line in self.log if line.logger == "ringbearer.auth.chain"]
        return [(name, rest.lstrip()) for name, _, rest in (message.partition(":") for message in messages)]

    @property
    def text(self) -> str:
        """All output except the result: log, exception, stdout, stderr. To search for secrets."""
        parts = [line.message for line in self.log] + [self.stdout, self.stderr]
        return "\n".join(parts + ([self.error.text] if self.error else []) + [other.text for other in self.others])

    def messages(self, *levels: str) -> list[str]:
        """The log messages of the levels."""
        return [line.message for line in self.log if line.level in levels]


class Lookups:
    """Makes lookups in the practice cloud."""

    def __init__(self, cloud: PracticeCloud, client: Client, home: object, path: Iterable[object] = ()) -> None:
        self._cloud = cloud
        self._client = client
        self.home = str(home)
        #: Directories before the few system programs on PATH.
        self.path = [str(entry) for entry in path]
        #: How the last process ended.
        self.completed: Completed | None = None

    def __call__(self, service: str | None = None, timeout: float = 60, **variables: str | None) -> Answer:
        """One lookup in a process of its own, by default for the practice cloud's feed."""
        return self.all([LookUp(service or self._cloud.azure.feed.url())], timeout=timeout, **variables)[0]

    def each(self, *cases: dict[str, str], service: str | None = None, **variables: str | None) -> list[Answer]:
        """One lookup per case, in one process: each sees the variables of its own case only.

        ``variables`` apply to all cases. Lookups with different variables share no cache entry.
        """
        names = {name for case in cases for name in case}
        usual = self._cloud.environment(self.home, path=self.path, **variables)
        return self.all(
            [
                LookUp(
                    service or self._cloud.azure.feed.url(),
                    environment={name: case.get(name, usual.get(name)) for name in sorted(names)},
                )
                for case in cases
            ],
            **variables,
        )

    def all(
        self,
        look_ups: Sequence[LookUp],
        timeout: float = 60,
        environment: dict[str, str] | None = None,
        directory: object | None = None,
        before: Sequence[str] = (),
        **variables: str | None,
    ) -> list[Answer]:
        """Several lookups in one process.

        ``environment`` replaces the whole environment (``variables`` then only add to it), ``directory`` is the working
        directory if not HOME, and ``before`` a command that starts the process, for instance in a namespace.
        """
        if environment is None:
            environment = self._cloud.environment(self.home, path=self.path, **variables)
        self._check_loopback(environment, look_ups)
        with tempfile.TemporaryDirectory(prefix="lab-lookup-") as exchange:
            requests, answers = os.path.join(exchange, "requests"), os.path.join(exchange, "answers")
            with open(requests, "w", encoding="utf-8") as stream:
                json.dump([dataclasses.asdict(one) for one in look_ups], stream)
            command = [*before, self._client.python, _PROGRAM, requests, answers]
            ended = self._client.run(command, environment, timeout, directory=directory).check()
            self.completed = ended
            with open(answers, encoding="utf-8") as stream:
                return [_answer(one, ended) for one in json.load(stream)]

    def _check_loopback(self, environment: dict[str, str], look_ups: Sequence[LookUp]) -> None:
        changed: dict[str, str | None] = {**environment}
        for one in look_ups:
            changed.update(one.environment)
            check_loopback(changed, one.environment.keys() & self._cloud.loopback_variables().keys())


def _answer(found: dict, ended: Completed) -> Answer:
    return Answer(
        found["result"],
        Failure(**found["error"]) if found["error"] else None,
        found["seconds"],
        [Line(**line) for line in found.get("log", ())],
        [_answer(other, ended) for other in found.get("others", ())],
        ended.stdout,
        ended.stderr,
    )

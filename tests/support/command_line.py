"""The command `ringbearer` for a user of a registry, and its error messages."""

from __future__ import annotations

import os
from pathlib import Path

from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.log import RequestLog

#: The variable of a token that is used unchanged, without a request.
GIVEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"


class CommandLine:
    """Runs `ringbearer`, native or from the wheel, with the fake programs on PATH."""

    def __init__(self, program: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> None:
        self.program = program
        self.cloud = cloud
        self.home = home
        self.fake_programs = fake_programs
        #: The feed of the practice cloud, and a valid token for it.
        self.url = cloud.azure.feed.url()
        self.token = cloud.azure.contoso.personal_access_token()

    def environment(self, *path: object, **variables: str | None) -> dict[str, str]:
        """Its environment; ``path`` comes first on PATH."""
        return self.cloud.environment(self.home, path=[*path, self.fake_programs.directory], **variables)

    def __call__(
        self,
        *words: object,
        before: tuple[object, ...] = (),
        stdin: str | bytes | None = None,
        directory: object | None = None,
        **variables: str | None,
    ) -> Completed:
        """Run it with a short limit. ``before`` is a command prefix."""
        command = [*before, self.program.program("ringbearer"), *words]
        return self.program.run(command, self.environment(**variables), 20, stdin, directory)

    def with_token(self, *words: object, **more: object) -> Completed:
        """The same with the token in the environment."""
        return self(*words, **{GIVEN: self.token, **more})

    @property
    def log(self) -> RequestLog:
        """The log of the cloud."""
        return self.cloud.log

    def assert_no_sign_in(self) -> None:
        """No request was sent, and no login program was run."""
        assert self.log.requests() == [] and self.log.requests(method="CONNECT") == [], self.log
        assert self.fake_programs.invocations() == []


def assert_complaint(ended: Completed, *parts: str, code: int = 1) -> None:
    """It failed with one line on standard error and nothing on standard output."""
    assert (ended.code, ended.stdout) == (code, ""), ended
    assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, ended
    for part in parts:
        assert part in ended.stderr, (part, ended)


def names_in(directory: Path) -> list[str]:
    """The names in a directory."""
    return sorted(os.listdir(directory))

"""The command `ringbearer` of somebody who uses a registry, and what its complaints look like."""

from __future__ import annotations

import os
from pathlib import Path

from lab.clients import Client, Completed
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.log import RequestLog

#: The variable with a token that is taken as it is, without a request.
GIVEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"


class CommandLine:
    """Runs `ringbearer`, the native program or the wheel's, for somebody with `az` and its like on PATH."""

    def __init__(self, program: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> None:
        self.program = program
        self.cloud = cloud
        self.home = home
        self.fake_programs = fake_programs
        #: The feed of the practice cloud, and a token for it that the cloud takes.
        self.url = cloud.azure.feed.url()
        self.token = cloud.azure.contoso.personal_access_token()

    def environment(self, *path: object, **variables: str | None) -> dict[str, str]:
        """What it is run with: ``path`` comes first."""
        return self.cloud.environment(self.home, path=[*path, self.fake_programs.directory], **variables)

    def __call__(
        self,
        *words: object,
        before: tuple[object, ...] = (),
        stdin: str | bytes | None = None,
        directory: object | None = None,
        **variables: str | None,
    ) -> Completed:
        """How it ends, within a few seconds. ``before`` is a command that starts it."""
        command = [*before, self.program.program("ringbearer"), *words]
        return self.program.run(command, self.environment(**variables), 20, stdin, directory)

    def with_token(self, *words: object, **more: object) -> Completed:
        """The same with the token in the environment."""
        return self(*words, **{GIVEN: self.token, **more})

    @property
    def log(self) -> RequestLog:
        """What the cloud saw."""
        return self.cloud.log

    def assert_nobody_was_asked(self) -> None:
        """No request was sent, and no program was run for a token."""
        assert self.log.requests() == [] and self.log.requests(method="CONNECT") == [], self.log
        assert self.fake_programs.invocations() == []


def assert_complaint(ended: Completed, *parts: str, code: int = 1) -> None:
    """It failed, printed nothing on standard output, and said why in a line."""
    assert (ended.code, ended.stdout) == (code, ""), ended
    assert ended.stderr.startswith("ringbearer: ") and ended.stderr.count("\n") == 1, ended
    for part in parts:
        assert part in ended.stderr, (part, ended)


def names_in(directory: Path) -> list[str]:
    """What is in a directory."""
    return sorted(os.listdir(directory))

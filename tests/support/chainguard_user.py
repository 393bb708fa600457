"""A user of Chainguard Libraries with every source of tokens."""

from __future__ import annotations

import os
from pathlib import Path

from lab.chainctl import logged_in, makes_pull_tokens, not_logged_in
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.look_up import Answer, Lookups

PULL_IDENTITY = "CHAINGUARD_PYTHON_IDENTITY_ID"
PULL_TOKEN = "CHAINGUARD_PYTHON_TOKEN"
AUTH_TOKEN = "CHAINCTL_AUTH_TOKEN"
IDENTITY = "RINGBEARER_CHAINGUARD_IDENTITY"
TOKEN_FILE = "RINGBEARER_CHAINGUARD_OIDC_TOKEN_FILE"
PARENT = "CHAINCTL_PARENT"
CACHE = "XDG_CACHE_HOME"

#: The sources in the order in which they are asked.
SOURCES = ["pull_token", "token_variable", "chainctl_cache", "oidc", "chainctl", "new_pull_token"]

INDEX = "https://libraries.cgr.dev/python/simple/"
ISSUER = "issuer.enforce.dev"
LOGIN = "`chainctl auth login --audience=libraries.cgr.dev`"

#: Issuer and subject of the practice cloud's `proof`.
GITLAB = ("https://gitlab.example", "project:ring")


def ask_each(look_up: Lookups, *cases: dict[str, str], **variables: str | None) -> list[Answer]:
    """One lookup of the index for each case, in one process; none is answered from the cache of another."""
    # A part of the cache key without any other effect here.
    numbered = [{**case, "CHAINCTL_CONFIG": str(number)} for number, case in enumerate(cases)]
    return look_up.each(*numbered, service=INDEX, **variables)


def passwords(answers: list[Answer]) -> list[str | None]:
    """The password of each lookup; the user name must be the one for tokens."""
    found = [answer.credential for answer in answers]
    assert all(one is None or one[0] == "_token" for one in found), found
    return [one and one[1] for one in found]


def reported(answer: Answer) -> str:
    """The message of a failed lookup: a warning, or a line at DEBUG if it is a repetition."""
    assert answer.credential is None
    (line,) = [line for line in answer.log if line.logger == "ringbearer"]
    return line.message


def files_below(directory: Path) -> dict[str, bytes]:
    """The files below a directory, with their content."""
    found = {}
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            found[str(path)] = path.read_bytes()
    return found


class User:
    """A user who can get a token from each source.

    Without `settings` there is only a chainctl without a login on PATH.
    """

    def __init__(self, cloud: PracticeCloud, fake_programs: FakePrograms, directory: Path) -> None:
        chainguard = cloud.chainguard
        self.cloud = cloud
        self._fake_programs = fake_programs
        self._directory = directory
        pull_identity, pull_token = chainguard.pull_token()
        _, new_token = chainguard.pull_token()
        #: The credential of each source; that of the exchange is `issued`.
        self.credentials = {
            "pull_token": (pull_identity, pull_token),
            "token_variable": ("_token", chainguard.token(subject="variable")),
            "chainctl_cache": ("_token", chainguard.token(subject="cache")),
            "chainctl": ("_token", chainguard.token(subject="login")),
            "new_pull_token": (chainguard.identity, new_token),
        }
        chainguard.trust(*GITLAB)
        self.proof = chainguard.proof(*GITLAB)
        pulls = makes_pull_tokens(chainguard.identity, new_token)
        fake_programs.chainctl(not_logged_in(), pulls)
        #: The directory of a chainctl with a login.
        self.logged_in = self._tool("logged-in", logged_in(self.credentials["chainctl"][1]), pulls)
        chainguard.write_cache(directory / "cached", self.credentials["chainctl_cache"][1])
        #: The variables that configure each source.
        self.settings = {
            "pull_token": {PULL_IDENTITY: pull_identity, PULL_TOKEN: pull_token},
            "token_variable": {AUTH_TOKEN: self.credentials["token_variable"][1]},
            "chainctl_cache": chainguard.cache_of(directory / "cached"),
            "oidc": {IDENTITY: chainguard.identity, TOKEN_FILE: self.file("proof", self.proof + "\n")},
            "chainctl": {"PATH": self.path(self.logged_in)},
            "new_pull_token": {PARENT: "contoso"},
        }

    def _tool(self, name: str, *answers: object) -> str:
        made = FakePrograms(self._directory / name)
        made.chainctl(*answers)
        return made.directory

    def path(self, *directories: str) -> str:
        """PATH with these directories before the few system programs."""
        return os.pathsep.join([*directories, self.cloud.programs])

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file. Returns its path."""
        path = self._directory / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    def with_sources(self, *sources: str) -> dict[str, str]:
        """The variables that configure these sources."""
        return {name: value for source in sources for name, value in self.settings[source].items()}

    def issued(self) -> tuple[str, str]:
        """The credential of the last exchange."""
        return "_token", self.cloud.chainguard.issued[-1]

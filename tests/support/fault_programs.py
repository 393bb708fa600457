"""The login programs, and their faults."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import Callable

from lab.broken_wire import token_of_other_clock
from lab.chainctl import logged_in, makes_pull_tokens, not_logged_in
from lab.fake_programs import Answer, az_locked, az_token, azd_token, helper_token
from lab.faults import SIGN_IN_PAGE
from lab.gcloud import logged_in as gcloud_logged_in
from support import chainguard_user
from support.fault_cells import SERVED, WARNED, Cell
from support.fault_flows import Situation
from support.fault_kinds import LONG, SHORT


@dataclass(frozen=True)
class Program:
    """A program, and how it prints a token."""

    name: str
    program: str
    #: Creates a token of a logged-in user.
    mint: Callable[[Situation], str]
    #: The output with the token, whose issuer's clock is this many hours ahead.
    answers: Callable[[Situation, str, float], list[Answer]]
    #: A warning names one of these.
    blamed: tuple[str, ...]
    #: Answers before that.
    first: tuple[Answer, ...] = ()
    #: Answers to other calls.
    others: tuple[Answer, ...] = ()
    in_home: bool = False
    service: str | None = None
    variables: tuple[tuple[str, str], ...] = ()
    #: The failure of a found login with precedence, of which a warning tells when this program serves.
    failing_before: str = ""


def _bearer(made: Situation) -> str:
    return made.cloud.azure.directory.user_token(made.cloud.azure.user)


def _login(made: Situation) -> str:
    return made.cloud.chainguard.token()


def _pull_token(made: Situation) -> str:
    return made.cloud.chainguard.pull_token()[1]


def _google(made: Situation) -> str:
    google = made.cloud.google
    made.service = google.repository.url
    return google.tokens.issue(google.login.email).text


#: A missing program is a source that is not set up, and not named.
NOTHING_SET_UP = "none of the 14 sources is set up"

PROGRAMS = [
    Program(
        "az",
        "az",
        _bearer,
        lambda made, token, clock: az_token(token)[1:2],
        ("azure_cli failed", NOTHING_SET_UP),
    ),
    Program(
        "az after a lock",
        "az",
        _bearer,
        lambda made, token, clock: az_token(token)[1:2],
        ("azure_cli failed", NOTHING_SET_UP),
        first=(az_locked(calls=1),),
    ),
    Program("azd", "azd", _bearer, lambda made, token, clock: [azd_token(token)], ("azd failed", NOTHING_SET_UP)),
    Program(
        "ado-auth-helper",
        "ado-auth-helper",
        _bearer,
        lambda made, token, clock: [helper_token(token)],
        ("ado_auth_helper failed", NOTHING_SET_UP),
        in_home=True,
    ),
    Program(
        "chainctl auth token",
        "chainctl",
        _login,
        lambda made, token, clock: [logged_in(token)],
        ("chainctl failed",),
        service=chainguard_user.INDEX,
    ),
    Program(
        "chainctl auth pull-token",
        "chainctl",
        _pull_token,
        lambda made, token, clock: [makes_pull_tokens(made.cloud.chainguard.identity, token)],
        ("new_pull_token failed", "chainctl is not on PATH"),
        others=(not_logged_in(),),
        failing_before="chainctl failed",
        service=chainguard_user.INDEX,
        variables=((chainguard_user.PARENT, "contoso"),),
    ),
    Program(
        "gcloud",
        "gcloud",
        _google,
        lambda made, token, clock: gcloud_logged_in(token, 3599 + clock * 3600)[:1],
        ("gcloud failed", "none of the 6 sources is set up"),
    ),
]


@dataclass(frozen=True)
class Trouble:
    """A kind of fault of a program."""

    name: str
    #: Changes the real answer.
    change: Callable[[Answer], Answer] = lambda answer: answer
    outcome: str = WARNED
    limit: str = SHORT
    #: Changes the file of the program.
    spoil: Callable[[str], None] | None = None
    #: Hours by which the clock of the issuer is ahead.
    clock: float = 0


def _replaced(**members: object) -> Callable[[Answer], Answer]:
    def change(answer: Answer) -> Answer:
        return Answer(**{**vars(answer), **members})  # type: ignore[arg-type]

    return change


def _printed(change: Callable[[bytes], bytes]) -> Callable[[Answer], Answer]:
    def changed(answer: Answer) -> Answer:
        text = answer.stdout if isinstance(answer.stdout, bytes) else answer.stdout.encode()
        return _replaced(stdout=change(text))(answer)

    return changed


def _middle(text: bytes) -> int:
    return re.search(rb"eyJ|ya29\.", text).start() + 100


def _write(content: str) -> Callable[[str], None]:
    def spoil(path: str) -> None:
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(content)

    return spoil


def _into_directory(path: str) -> None:
    os.remove(path)
    os.mkdir(path)


BANNER = b"A new version is available: run `upgrade`\n"

TROUBLES = [
    Trouble("nothing", outcome=SERVED, limit=LONG),
    Trouble("not there", spoil=os.remove),
    Trouble("not executable", spoil=lambda path: os.chmod(path, 0o644)),
    Trouble("a directory", spoil=_into_directory),
    Trouble("no interpreter", spoil=_write("#!/no/such/interpreter\n")),
    Trouble("no program", spoil=_write("\x7fELF\x00\x00\x00\x00")),
    Trouble("ends with 1", _replaced(stdout="", stderr="ERROR: something\n", code=1)),
    Trouble("ends with 1 and prints a token", _replaced(code=1)),
    Trouble("killed by a signal", _replaced(killed_by="KILL")),
    Trouble("stalls", _replaced(hang=True)),
    Trouble("stalls in a child", _replaced(hang="child")),
    Trouble("drips slowly", _replaced(drip=0.2)),
    Trouble("prints HTML", _replaced(stdout=SIGN_IN_PAGE)),
    Trouble("prints truncated JSON", _printed(lambda text: text[: _middle(text)])),
    Trouble("prints other JSON", _replaced(stdout=json.dumps({"error": "none"}))),
    Trouble("prints nothing", _replaced(stdout="")),
    Trouble("huge output", _printed(lambda text: text + b"A" * 2 * 1024 * 1024)),
    Trouble("huge errors", _replaced(stderr="E" * 2 * 1024 * 1024)),
    Trouble("endless output", _replaced(endless=True)),
    Trouble("bad UTF-8", _printed(lambda text: text[: _middle(text)] + b"\xff" + text[_middle(text) :])),
    Trouble("a banner and a token", _printed(lambda text: BANNER + text)),
    Trouble("a token and a remark", _printed(lambda text: text + BANNER)),
    Trouble("a token, and errors", _replaced(stderr=BANNER), SERVED, LONG),
    Trouble("reads its input", _replaced(read_stdin=True), SERVED, LONG),
    Trouble("late", _replaced(delay=0.5), SERVED, LONG),
    Trouble("leaves a grandchild that holds the pipe", _replaced(leave_grandchild=True), SERVED, LONG),
    Trouble("token expired hours ago", clock=-12),
    Trouble("token of a clock hours ahead", outcome=SERVED, limit=LONG, clock=5),
]

#: Outcomes that differ from the general one.
OTHERWISE = {
    # Its lines are recognised among others.
    ("chainctl auth pull-token", "a banner and a token"): SERVED,
    ("chainctl auth pull-token", "a token and a remark"): SERVED,
}

PROMISED = [
    "not there", "not executable", "ends with 1", "killed by a signal", "stalls", "drips slowly", "prints HTML",
    "prints truncated JSON", "prints nothing", "huge output", "bad UTF-8", "a banner and a token",
    "leaves a grandchild that holds the pipe", "token expired hours ago",
]  # fmt: skip


def expected(program: Program, trouble: Trouble) -> str:
    """The expected outcome."""
    return OTHERWISE.get((program.name, trouble.name), trouble.outcome)


def cell_of(program: Program, trouble: Trouble, name: str) -> Cell:
    """The expectations of a case."""
    blamed = (*program.blamed, program.failing_before) if program.failing_before else program.blamed
    return Cell(name, expected(program, trouble), blamed, warns_when_served=bool(program.failing_before))


def prepare(made: Situation, program: Program, trouble: Trouble) -> None:
    """Install the program with its fault."""
    made.service = program.service or made.service
    made.variables.update(program.variables)
    token = token_of_other_clock(program.mint(made), trouble.clock)
    answers = [trouble.change(answer) for answer in program.answers(made, token, trouble.clock)]
    where = str(made.home) if program.in_home else None
    path = made.fake_programs.program(program.program, *program.first, *answers, *program.others, directory=where)
    if trouble.spoil is not None:
        trouble.spoil(path)

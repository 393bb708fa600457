"""The faults of requests, and the expected outcome of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Callable

from lab import broken_wire, faults
from lab.faults import Answer, Fault
from lab.messages import Request, Response
from support.fault_cells import SERVED, SILENT, WARNED, Cell
from support.fault_flows import FLOWS, Situation, Step, close_before

#: Limits of a lookup that fails, and of one that succeeds even on a busy machine, in seconds.
SHORT, LONG = "2.5", "30"


@dataclass(frozen=True)
class Kind:
    """A kind of fault."""

    name: str
    apply: Callable[[Situation, Step], None]
    outcome: str = WARNED
    #: RINGBEARER_TIMEOUT of the lookup.
    limit: str = SHORT
    #: Applies only to requests over TLS through the proxy.
    needs_tls: bool = False
    #: Text of the warning before the host name, if there is only one possible cause.
    says: str = ""
    #: The warning contains one of these hints.
    advice: tuple[str, ...] = ("; ",)


def answers(
    name: str, *met: Fault, outcome: str = WARNED, lasting: bool = False, advice: tuple[str, ...] = ("; ",)
) -> Kind:
    """The faults of the first requests, one each, or of all requests if ``lasting``."""

    def apply(made: Situation, step: Step) -> None:
        for fault in met[: step.attempts]:
            times = None if lasting else 1
            fault = _with_header(fault, step.header) if step.header else fault
            made.cloud.faults.add(fault, host=step.host, path=step.path, times=times, after=step.after)

    return Kind(name, apply, outcome, LONG if outcome == SERVED else SHORT, advice=advice)


def _with_header(fault: Fault, header: tuple[str, str]) -> Fault:
    def respond(request: Request, answer: Answer) -> Response:
        response = fault(request, answer)
        # A message of its own, or one that has it already.
        known = response.status is None or any(name == header[0] for name, _ in response.headers)
        return response if known else dataclasses.replace(response, headers=[*response.headers, header])

    return respond


def _refused(times: int | None) -> Callable[[Situation, Step], None]:
    """A host that refuses connections: the proxy answers 502."""

    def apply(made: Situation, step: Step) -> None:
        if not step.has_tls:
            # No process listens there.
            assert step.address
            known = made.variables.get(step.address) or ""
            nowhere = made.cloud.metadata.nowhere
            path = "/" + known.partition("//")[2].partition("/")[2]
            # Google's has no scheme.
            made.variables[step.address] = nowhere + path if "//" in known else nowhere.partition("//")[2]
            return
        refuse = faults.status(502)
        close_before(
            made, step, lambda: made.cloud.faults.add(refuse, host=step.host, method="CONNECT", times=times) and None
        )

    return apply


def _certificate(name: str, method: str) -> Kind:
    def apply(made: Situation, step: Step) -> None:
        close_before(made, step, lambda: getattr(made.cloud, method)(step.host))

    return Kind(name, apply, needs_tls=True, says="the certificate of ")


LATER = {"Retry-After": "1"}
MUCH_LATER = {"Retry-After": "3600"}
#: Hints for a service that is unavailable.
WAIT = ("try again later", "RINGBEARER_TIMEOUT=SECONDS gives it more time")

KINDS: list[Kind] = [
    Kind("nothing", lambda made, step: None, SERVED, LONG),
    Kind("refused", _refused(None)),
    Kind("refused once", _refused(1), SERVED, LONG, needs_tls=True),
    answers("reset before the header", faults.reset(), lasting=True),
    answers("reset mid-header", broken_wire.breaks_off_in_head(), lasting=True),
    answers("reset mid-header once", broken_wire.breaks_off_in_head(), outcome=SERVED),
    answers("reset mid-body", broken_wire.breaks_off_in_body(), lasting=True),
    answers("reset mid-body once", broken_wire.breaks_off_in_body(), outcome=SERVED),
    answers("stall", faults.silence(), lasting=True),
    answers("stall mid-body", broken_wire.stalls_in_body(), lasting=True),
    answers("slow drip", broken_wire.trickles(), lasting=True),
    _certificate("wrong TLS name", "misname"),
    _certificate("untrusted CA", "distrust"),
    _certificate("expired certificate", "expire"),
    _certificate("certificate of a clock hours ahead", "postdate"),
    answers("302", faults.sign_in_redirect("https://evil.example/steal"), lasting=True),
    answers("302 to its own host", faults.sign_in_redirect("/elsewhere"), lasting=True),
    answers("429 with Retry-After", faults.status(429, LATER), outcome=SERVED),
    answers("429 with a Retry-After of an hour", faults.status(429, MUCH_LATER), lasting=True, advice=WAIT),
    answers("500s then success", faults.status(500), faults.status(503), outcome=SERVED),
    answers("500s without end", faults.status(500), lasting=True, advice=WAIT),
    answers("HTML", faults.html(200), lasting=True),
    answers("truncated JSON", broken_wire.cut(), lasting=True),
    answers("huge body", faults.huge(2 * 1024 * 1024), lasting=True),
    answers("endless body", faults.huge(None), lasting=True),
    answers("bad UTF-8", broken_wire.not_utf_8(), lasting=True),
    answers("wrong content type", broken_wire.of_type("text/html; charset=utf-16"), outcome=SERVED, lasting=True),
    answers("clock hours behind", broken_wire.clock_off(-5), lasting=True),
    answers("clock hours ahead", broken_wire.clock_off(5), outcome=SERVED, lasting=True),
]

#: Kinds that must always be in the suite.
PROMISED = [
    "refused", "reset mid-header", "reset mid-body", "stall", "slow drip", "wrong TLS name", "untrusted CA",
    "expired certificate", "302", "429 with Retry-After", "500s then success", "HTML", "truncated JSON", "huge body",
    "bad UTF-8", "wrong content type", "clock hours behind", "clock hours ahead",
]  # fmt: skip

#: The flows of AWS and Google, whose services state lifetimes in seconds, or their own time with each answer.
_OF_CLOUDS = [
    step for flow in FLOWS if flow.name.startswith(("AWS ", "Google ")) or "gcloud" in flow.name for step in flow.steps
]
#: Answers of the metadata server of Google without the account, which is not needed for a token.
_NO_ACCOUNT = (
    "302", "302 to its own host", "429 with a Retry-After of an hour", "500s without end", "HTML", "truncated JSON",
    "bad UTF-8",
)  # fmt: skip

#: Outcomes that differ from the general one, by purpose of the request.
OTHERWISE: dict[tuple[str, str], str] = {
    # Only the header counts: a page with 200 cannot be distinguished from a public feed.
    ("discovery", "HTML"): SILENT,
    ("discovery", "truncated JSON"): SERVED,
    ("discovery", "bad UTF-8"): SERVED,
    ("discovery", "clock hours behind"): SERVED,
    # The clock of the service decides, if it states a lifetime in seconds or the token is opaque.
    ("client_secret: token", "clock hours behind"): SERVED,
    ("client_certificate: token", "clock hours behind"): SERVED,
    ("feed_identity: token", "clock hours behind"): SERVED,
    ("workload_identity by a file: token", "clock hours behind"): SERVED,
    ("workload_identity on GitHub: token", "clock hours behind"): SERVED,
    ("azure_pipelines: token", "clock hours behind"): SERVED,
    ("az: exchange", "clock hours behind"): SERVED,
    ("az of a known organisation: exchange", "clock hours behind"): SERVED,
    ("az after a refusal: exchange", "clock hours behind"): SERVED,
    ("Cloud Shell: exchange", "clock hours behind"): SERVED,
    ("sign-in", "clock hours behind"): SERVED,
    ("Menda's machine: exchange", "clock hours behind"): SERVED,
    ("Menda's login: exchange", "clock hours behind"): SERVED,
    **{(step.label, "clock hours behind"): SERVED for step in _OF_CLOUDS},
    **{("Google machine: account", name): SERVED for name in _NO_ACCOUNT},
    # The identity provider itself rejects what it takes for an old token.
    ("Google job: subject token", "clock hours behind"): WARNED,
    # The longest word is the identity token, which only names the account.
    ("Google person: token", "bad UTF-8"): SERVED,
    ("login of gcloud: token", "bad UTF-8"): SERVED,
    # Each refresh token is good for one request, whose answer is lost.
    ("AWS login: refresh", "reset mid-header once"): WARNED,
    ("AWS login: refresh", "reset mid-body once"): WARNED,
}

#: The host that a warning names instead: the one that rejects the expired token.
BLAMED: dict[tuple[str, str], tuple[str, ...]] = {
    ("workload_identity on GitHub: job token", "clock hours behind"): ("login.microsoftonline.com",),
    ("azure_pipelines: job token", "clock hours behind"): ("login.microsoftonline.com",),
    ("Chainguard: job token", "clock hours behind"): ("issuer.enforce.dev exchanged no token",),
    ("Chainguard: exchange", "clock hours behind"): ("oidc failed (its token has expired)",),
    ("Google job: subject token", "clock hours behind"): ("sts.googleapis.com",),
    ("AWS login: refresh", "reset mid-header once"): ("the login of profile corp has ended",),
    ("AWS login: refresh", "reset mid-body once"): ("the login of profile corp has ended",),
}


def kinds_of(step: Step) -> list[Kind]:
    """The faults that this request can meet."""
    return [kind for kind in KINDS if step.has_tls or not kind.needs_tls]


def expected(step: Step, kind: Kind) -> str:
    """The expected outcome."""
    usual = OTHERWISE.get((step.name, kind.name), kind.outcome)
    return OTHERWISE.get((step.label, kind.name), usual)


def blamed(step: Step, kind: Kind) -> tuple[str, ...]:
    """The warning must name one of these."""
    if kind.says:
        return (kind.says + step.host,)
    return BLAMED.get((step.label, kind.name), step.blamed)


def cell_of(step: Step, kind: Kind, name: str) -> Cell:
    """The expectations of a case."""
    return Cell(name, expected(step, kind), blamed(step, kind), kind.advice)


def count(steps: Sequence[Step]) -> int:
    """The number of cases."""
    return sum(len(kinds_of(step)) for step in steps)

"""One fault of each kind with the wheel in Python: the same outcome as natively, and one warning each."""

from __future__ import annotations

import itertools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lab.authority import CertificateAuthority
from lab.clients import Client
from lab.look_up import Answer, LookUp, Lookups
from support import fault_programs
from support.fault_cells import SERVED, Cell, judge, look_around
from support.fault_flows import FLOWS, Situation
from support.fault_kinds import KINDS, cell_of
from support.fault_pool import assert_right

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the faults of programs need Unix")

PROCESSES = 6


class Case:
    """A lookup that shares its process with others."""

    def __init__(self, made: Situation, cell: Cell, limit: str) -> None:
        self.made = made
        self.cell = cell
        self.limit = limit
        self.environment = made.environment(RINGBEARER_TIMEOUT=limit)

    def judge(self, answer: Answer, told: set[str]) -> None:
        """Compare the outcome with the expected one; ``told`` has the warnings of the process so far."""
        self.cell.seconds = answer.seconds
        lines = [line for line in answer.log if line.logger == "ringbearer"]
        found = answer.error is None and answer.result is not None
        stdout = "\n".join([*answer.result, ""]) if found else ""
        judge(self.cell, 0 if found else 1, stdout, [line.message for line in lines])
        if answer.error is not None:
            self.cell.wrong.append(f"raised {answer.error.type}")
        levels = ["DEBUG" if line.message in told else "WARNING" for line in lines]
        if [line.level for line in lines] != levels or len(answer.warnings) != levels.count("WARNING"):
            self.cell.wrong.append(f"said {lines}")
        told.update(line.message for line in lines)
        look_around(self.cell, self.made, stdout, answer.text, self.limit)


def of_requests(authority: CertificateAuthority, directory: Path) -> list[Case]:
    """Each kind once, with one request after the other."""
    flows = [flow for flow in FLOWS if flow.name != "Azure Arc" and not flow.is_known and not flow.signs_in]
    steps = itertools.cycle([(flow, step) for flow in flows for step in flow.steps])
    cases = []
    for kind in KINDS:
        flow, step = next(pair for pair in steps if pair[1].has_tls or not kind.needs_tls)
        made = Situation(authority, directory / str(len(cases)))
        flow.prepare(made)
        kind.apply(made, step)
        cases.append(Case(made, cell_of(step, kind, f"{kind.name} in {step.label}"), kind.limit))
    return cases


def of_programs(authority: CertificateAuthority, directory: Path) -> list[Case]:
    """Each kind once, with one program after the other."""
    programs = itertools.cycle(fault_programs.PROGRAMS)
    cases = []
    for trouble in fault_programs.TROUBLES:
        program = next(programs)
        made = Situation(authority, directory / str(len(cases)))
        fault_programs.prepare(made, program, trouble)
        cell = fault_programs.cell_of(program, trouble, f"{trouble.name} with {program.name}")
        cases.append(Case(made, cell, trouble.limit))
    return cases


def ask(client: Client, cases: list[Case]) -> None:
    """One lookup after the other, in one process."""
    names = {name for case in cases for name in case.environment}
    look_ups = [
        LookUp(case.made.service, environment={name: case.environment.get(name) for name in sorted(names)})
        for case in cases
    ]
    first = cases[0]
    answers = Lookups(first.made.cloud, client, first.made.home).all(look_ups, environment=first.environment)
    told: set[str] = set()
    for case, answer in zip(cases, answers):
        case.judge(answer, told)


@pytest.mark.parametrize("make", [of_requests, of_programs])
def test_failure_in_python_gives_the_token_or_one_warning(
    authority: CertificateAuthority, client: Client, tmp_path: Path, make, record_property
) -> None:
    cases = make(authority, tmp_path)
    try:
        with ThreadPoolExecutor(PROCESSES) as executor:
            list(executor.map(lambda start: ask(client, cases[start::PROCESSES]), range(PROCESSES)))
        cells = [case.cell for case in cases]
        assert [cell.name for cell in cells if bool(cell.password) != (cell.expected == SERVED)] == []
        assert [cell.name for cell in cells if "no token" in cell.password] == []
        assert_right(cells, None, record_property)
    finally:
        for case in cases:
            case.made.close()

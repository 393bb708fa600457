"""Every login program meets every fault: the matrix is generated."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.authority import CertificateAuthority
from lab.clients import Client
from lab.interruptible import eventually
from support.fault_cells import Cell, run
from support.fault_flows import Situation
from support.fault_pool import Pool, assert_right, pool
from support.fault_programs import PROGRAMS, PROMISED, TROUBLES, Program, Trouble, cell_of, prepare

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the faults of programs need Unix")

BY_NAME = {program.name: program for program in PROGRAMS}


def cell(
    authority: CertificateAuthority, native: Client, directory: Path, program: Program, trouble: Trouble, debug: bool
) -> Cell:
    """One lookup with one program that has one kind of fault."""
    made = Situation(authority, directory)
    try:
        prepare(made, program, trouble)
        gone = run(cell_of(program, trouble, trouble.name), made, native, trouble.limit, debug)
        # The files left behind on purpose contain no secret.
        if "grandchild" not in trouble.name and not eventually(lambda: not made.fake_programs.running(), 3):
            gone.wrong.append("the program is still running")
        return gone
    finally:
        made.close()


@pytest.fixture(scope="module")
def matrix(authority: CertificateAuthority, native: Client) -> Iterator[Pool]:
    """All running cases."""
    with pool() as made:
        for number, program in enumerate(PROGRAMS):
            for place, trouble in enumerate(TROUBLES):

                def case(directory: Path, program=program, trouble=trouble, debug=(number + place) % 2 == 1) -> Cell:
                    return cell(authority, native, directory, program, trouble, debug)

                made.start(program.name, case)
        yield made


@pytest.mark.parametrize("name", list(BY_NAME))
def test_failing_program_gives_the_token_or_one_warning(matrix: Pool, name: str, record_property) -> None:
    cells = matrix.cells(name)
    assert [one.name for one in cells] == [trouble.name for trouble in TROUBLES]
    usual = cells[0]
    assert usual.name == "nothing" and usual.password and "no token" not in usual.password, usual
    assert_right(cells, usual, record_property)


def test_nothing_that_was_promised_is_left_out() -> None:
    names = [trouble.name for trouble in TROUBLES]
    assert [name for name in PROMISED if name not in names] == []
    assert len(names) == len(set(names))
    assert len(PROGRAMS) * len(TROUBLES) >= 140

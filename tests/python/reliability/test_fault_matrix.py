"""Every request of every flow meets every fault: the matrix is generated."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.authority import CertificateAuthority
from lab.clients import Client
from support.fault_cells import Cell, run
from support.fault_flows import FLOWS, Flow, Situation, Step
from support.fault_kinds import PROMISED, Kind, cell_of, count, kinds_of
from support.fault_pool import Pool, assert_right, pool

STEPS = {step.label: (flow, step) for flow in FLOWS for step in flow.steps}


def cell(
    authority: CertificateAuthority, native: Client, directory: Path, flow: Flow, step: Step, kind: Kind, debug: bool
) -> Cell:
    """One lookup in which one request meets one kind of fault."""
    made = Situation(authority, directory)
    try:
        flow.begin(made, native)
        kind.apply(made, step)
        return run(cell_of(step, kind, kind.name), made, native, kind.limit, debug)
    finally:
        made.close()


@pytest.fixture(scope="module")
def matrix(authority: CertificateAuthority, native: Client, request: pytest.FixtureRequest) -> Iterator[Pool]:
    """The running cases of all selected tests."""
    chosen = [item.callspec.params["label"] for item in request.session.items if item.module is request.module
              and hasattr(item, "callspec")]  # fmt: skip
    with pool() as made:
        for number, label in enumerate(chosen):
            flow, step = STEPS[label]
            for place, kind in enumerate(kinds_of(step)):
                debug = (number + place) % 2 == 1

                def case(directory: Path, flow=flow, step=step, kind=kind, debug=debug) -> Cell:
                    return cell(authority, native, directory, flow, step, kind, debug)

                made.start(label, case)
        yield made


@pytest.mark.parametrize("label", list(STEPS))
def test_failing_request_gives_the_token_or_one_warning(matrix: Pool, label: str, record_property) -> None:
    cells = matrix.cells(label)
    assert [one.name for one in cells] == [kind.name for kind in kinds_of(STEPS[label][1])]
    usual = cells[0]
    assert usual.name == "nothing" and usual.password and "no token" not in usual.password, usual
    assert_right(cells, usual, record_property)


def test_nothing_that_was_promised_is_left_out() -> None:
    steps = [step for _, step in STEPS.values()]
    for step in steps:
        names = [kind.name for kind in kinds_of(step)]
        without_tls = ["wrong TLS name", "untrusted CA", "expired certificate"]
        assert [name for name in PROMISED if name not in names] == ([] if step.has_tls else without_tls), step
    assert count(steps) >= 900

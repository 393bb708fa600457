"""Runs many cases in parallel, since most of them only wait."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Callable

from support.fault_cells import SERVED, SILENT, WARNED, Cell

WORKERS = 24

#: Outcomes, in the order of the summary line.
OUTCOMES = (SERVED, WARNED, SILENT)

#: Counts for the summary line.
PROPERTY = "fault matrix"


class Pool:
    """Starts cases, and waits for those of one test."""

    def __init__(self, executor: ThreadPoolExecutor, directory: Path) -> None:
        self._executor = executor
        self._directory = directory
        self._futures: dict[str, list[Future[Cell]]] = {}
        self._number = 0

    def start(self, group: str, case: Callable[[Path], Cell]) -> None:
        """Run one case in its own directory."""
        self._number += 1
        directory = self._directory / str(self._number)
        self._futures.setdefault(group, []).append(self._executor.submit(_in_directory, case, directory))

    def cells(self, group: str) -> list[Cell]:
        """The outcomes of the cases of a group."""
        return [future.result() for future in self._futures[group]]

    def drop(self) -> None:
        """Start no more of them."""
        for futures in self._futures.values():
            for future in futures:
                future.cancel()


@contextmanager
def pool() -> Iterator[Pool]:
    """A pool until the end of the block."""
    directory = Path(tempfile.mkdtemp(prefix="fault-matrix-"))
    with ThreadPoolExecutor(WORKERS) as executor:
        made = Pool(executor, directory)
        try:
            yield made
        finally:
            made.drop()
    directory.rmdir()


def assert_right(cells: Sequence[Cell], usual: Cell | None, record: Callable[[str, object], None]) -> None:
    """All cases passed; otherwise, the failures are listed."""
    for cell in cells:
        if usual is not None:
            cell.compare(usual)
    wrong = [f"{cell.name} ({cell.seconds:.1f} s): " + "; ".join(cell.wrong) for cell in cells if cell.wrong]
    record(PROPERTY, [sum(cell.expected == outcome for cell in cells) for outcome in OUTCOMES])
    assert not wrong, "\n".join(["", *wrong])


def _in_directory(case: Callable[[Path], Cell], directory: Path) -> Cell:
    directory.mkdir()
    try:
        return case(directory)
    finally:
        # Each case removes its own directory while others wait.
        shutil.rmtree(directory)

"""Time and memory of a command, each run under its own parent process, like a tool that runs it once.

The parent is a small process: it does not share its time with the practice cloud.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

from .store import Stage

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "spawned_program.py")

#: The first runs are not counted: they fill the caches, of byte code and of files.
UNCOUNTED = 2


@dataclass
class Command:
    """A command and its environment."""

    words: list[str]
    environment: dict[str, str]
    #: The expected exit code.
    code: int = 0

    def milliseconds(self) -> float:
        """Wall time of one run, from the start of the process to its exit."""
        return self._run("time")

    def mebibytes(self) -> float:
        """Peak memory of one run."""
        return self._run("memory") / 1024

    def with_variables(self, **variables: str) -> Command:
        """The same with more variables."""
        return Command(self.words, {**self.environment, **variables}, self.code)

    def _run(self, what: str) -> float:
        # -S skips `site`, which this program does not need.
        parent = [sys.executable, "-I", "-S", _PROGRAM, what, self.environment["HOME"], *map(str, self.words)]
        ended = subprocess.run(parent, env=self.environment, capture_output=True, text=True, check=False)
        if ended.returncode != self.code:
            raise SystemExit(f"{' '.join(self.words)} ended with {ended.returncode}: {ended.stderr.strip()}")
        return float(ended.stdout)


def in_turn(name: str, runs: int, sides: dict[str, Callable[[], float]], uncounted: int = UNCOUNTED) -> dict:
    """Figures of each side, run A B C A B C ..., so that a drift in speed affects all of them."""
    stage, figures = Stage(name, runs), {side: [] for side in sides}
    for number in range(-uncounted, runs):
        for side, measure in sides.items():
            figure = measure()
            if number >= 0:
                figures[side].append(figure)
        if number >= 0:
            stage.step()
    return figures

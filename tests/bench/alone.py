"""The command line of a benchmark of one registry alone."""

from __future__ import annotations

import argparse
import sys
from typing import Callable

from . import machine
from .environments import Environments
from .peers import QUICK, Runs


def run(name: str, description: str | None, measure: Callable[[Environments, Runs], None]) -> int:
    """Reads the arguments, measures and shows. Returns the exit code."""
    parser = argparse.ArgumentParser(prog=f"bench.{name}", description=description)
    parser.add_argument("--wheel", required=True, help="the built wheel of ringbearer")
    parser.add_argument("--cli-wheel", required=True, help="the built wheel of ringbearer-cli")
    parser.add_argument("--quick", action="store_true", help="a few runs of each, to try this program")
    arguments = parser.parse_args()
    if sys.platform != "linux":
        raise SystemExit("this benchmark measures memory on Linux only")
    print(machine.describe())
    measure(Environments(arguments.wheel, arguments.cli_wheel), QUICK if arguments.quick else Runs())
    return 0

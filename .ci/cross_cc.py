"""The C compiler and the archiver of a target: zig's or, for Windows' own toolchain, none.

python .ci/cross_cc.py (cc|ar) TARGET ARGUMENT...
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cross import ZIG, ZIG_TARGETS

#: What cc-rs passes for macOS, and zig does not take: with and without a value in the next argument.
UNWANTED_PAIRS = ("-target", "-arch", "-isysroot")
UNWANTED = ("--target=", "-mmacosx-version-min=", "-mmacos-version-min=")


def main() -> None:
    """Compile, or archive; for Windows' own toolchain leave empty files, because a check links nothing."""
    tool, target, *arguments = sys.argv[1:]
    if target not in ZIG_TARGETS:
        for path in outputs(arguments):
            Path(path).touch()
        return
    if tool == "cc":
        arguments = ["-target", ZIG_TARGETS[target], *wanted(arguments)]
    os.execv(sys.executable, [sys.executable, "-m", ZIG, tool, *arguments])


def wanted(arguments: list[str]) -> list[str]:
    """The arguments that zig takes."""
    kept = []
    rest = iter(arguments)
    for argument in rest:
        if argument in UNWANTED_PAIRS:
            next(rest, None)
        elif not argument.startswith(UNWANTED):
            kept.append(argument)
    return kept


def outputs(arguments: list[str]) -> list[str]:
    """The files that a compiler or an archiver of Windows would write."""
    kept = []
    for number, argument in enumerate(arguments):
        for option in ("-Fo", "/Fo", "-out:", "/out:", "-OUT:", "/OUT:"):
            if argument.startswith(option):
                kept.append(argument[len(option) :])
        if argument == "-o":
            kept.append(arguments[number + 1])
    return kept


if __name__ == "__main__":
    main()

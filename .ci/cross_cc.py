"""Stands for the C compiler and the archiver of a target: leaves empty files where they would write.

python .ci/cross_cc.py ARGUMENT...
"""

from __future__ import annotations

import sys
from pathlib import Path

#: The options of Windows' own compiler and archiver; the file's name follows without a blank.
WINDOWS_OPTIONS = ("-Fo", "/Fo", "-out:", "/out:", "-OUT:", "/OUT:")


def outputs(arguments: list[str]) -> list[str]:
    """The files that would be written."""
    found = [
        argument[len(option) :] for argument in arguments for option in WINDOWS_OPTIONS if argument.startswith(option)
    ]
    found += [file for option, file in zip(arguments, arguments[1:]) if option == "-o"]
    # ar OPERATION ARCHIVE FILE...
    found += [argument for argument in arguments[1:2] if argument.endswith(".a")]
    return found


if __name__ == "__main__":
    for path in outputs(sys.argv[1:]):
        Path(path).touch()

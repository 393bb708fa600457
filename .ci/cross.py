"""Builds for Windows, macOS and musl from Debian, without a linker or an SDK of theirs.

python .ci/cross.py missing              list what is not installed, as arguments for apt-get and pip; nothing if all is there
python .ci/cross.py check [TARGET...]    run clippy for each target
python .ci/cross.py windows              build the tests and programs for Windows, and run the Rust tests under wine

The standard library is compiled from its source, because Debian packages none of these targets. Debian's package
rust-web-src contains the sources and the crates that it depends on.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET_DIRECTORY = ROOT / "target" / "cross"
WINDOWS = "x86_64-pc-windows-gnu"

#: What clippy checks for. Windows' own toolchain and the one of mingw differ in the crates that they select.
TARGETS = (
    WINDOWS,
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
    "aarch64-apple-darwin",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
)

#: Programs and files of Debian packages.
PACKAGES = {
    "/usr/bin/cargo": "cargo-web",
    "/usr/bin/rustc": "rustc-web",
    "/usr/bin/cargo-clippy": "rust-web-clippy",
    "/usr/lib/rustlib/src": "rust-web-src",
    "/usr/bin/x86_64-w64-mingw32-gcc": "mingw-w64",
    "/usr/bin/wine": "wine",
    "/usr/lib/wine/wine64": "wine64",
}

#: The Python distribution with zig, which compiles the C code of ring for macOS and musl.
ZIG = "ziglang"

#: `cc` of zig names targets in its own way.
ZIG_TARGETS = {
    "aarch64-apple-darwin": "aarch64-macos",
    "x86_64-unknown-linux-musl": "x86_64-linux-musl",
    "aarch64-unknown-linux-musl": "aarch64-linux-musl",
}

#: Passed to cargo for each target.
STANDARD_LIBRARY = "-Zbuild-std=std,panic_unwind,test"


def missing(command: str = "check") -> list[str]:
    """The Debian packages and the Python distribution that a command needs and that are not installed."""
    packages = [package for path, package in PACKAGES.items() if not Path(path).exists()]
    needs_zig = command != "windows" and not importlib.util.find_spec(ZIG)
    return packages + ([ZIG] if needs_zig else [])


def environment(target: str) -> dict[str, str]:
    """The variables of a build for a target."""
    name = target.replace("-", "_")
    found = {
        **os.environ,
        "PATH": f"/usr/bin:{os.environ['PATH']}",
        "CARGO": "/usr/bin/cargo",
        "RUSTC": "/usr/bin/rustc",
        # -Zbuild-std is unstable; the compiler is a stable one.
        "RUSTC_BOOTSTRAP": "1",
        "CARGO_TARGET_DIR": str(TARGET_DIRECTORY),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_INCREMENTAL": "0",
        "PYO3_CROSS": "1",
        "PYO3_CROSS_PYTHON_VERSION": "3.9",
    }
    for unwanted in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "PYO3_PYTHON", "MAKEFLAGS"):
        found.pop(unwanted, None)
    if target == WINDOWS:
        compiler, archiver = "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-ar"
        variable = f"CARGO_TARGET_{name.upper()}"
        found[f"{variable}_LINKER"] = compiler
        found[f"{variable}_RUNNER"] = f"{sys.executable} -m lab.wine"
        found["PYTHONPATH"] = str(ROOT / "tests")
        # An unoptimized library exports more symbols than a DLL can number. PyInit__core is exported by name.
        found[f"{variable}_RUSTFLAGS"] = "-Clink-arg=-Wl,--exclude-all-symbols"
    else:
        # cc-rs asks xcrun for the SDK otherwise.
        found["SDKROOT"] = "/nonexistent"
        compiler, archiver = (_program(target, tool) for tool in ("cc", "ar"))
    found[f"CC_{name}"] = str(compiler)
    found[f"AR_{name}"] = str(archiver)
    return found


def _program(target: str, tool: str) -> Path:
    """A script that stands for the C compiler or the archiver of a target."""
    path = TARGET_DIRECTORY / "tools" / f"{target}-{tool}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\nexec {sys.executable} {Path(__file__).with_name('cross_cc.py')} {tool} {target} \"$@\"\n")
    path.chmod(0o755)
    return path


def check(targets: list[str]) -> None:
    """Run clippy, which includes what `cargo check` reports, for each feature."""
    for target in targets:
        began = time.monotonic()
        for selection in (["--all-targets", "--features", "executables"], ["--features", "python"]):
            _cargo(target, "clippy", *selection, last=("--", "-D", "warnings"))
        print(f"   {target}: {time.monotonic() - began:.0f} s", flush=True)


def windows() -> None:
    """Build for Windows, and run the Rust tests under wine. The module for Python is linked and not run."""
    _cargo(WINDOWS, "test", "--no-fail-fast", "--features", "executables")
    _cargo(WINDOWS, "build", "--lib", "--features", "python")


def _cargo(target: str, command: str, *arguments: str, last: tuple[str, ...] = ()) -> None:
    line = [command, "--quiet", "--locked", STANDARD_LIBRARY, "--target", target, *arguments, *last]
    subprocess.run(["/usr/bin/cargo", *line], cwd=ROOT, env=environment(target), check=True)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("missing")
    commands.add_parser("windows")
    commands.add_parser("check").add_argument("targets", nargs="*", default=TARGETS, metavar="TARGET")
    arguments = parser.parse_args()
    if arguments.command == "missing":
        print(*missing())
        return
    lacks = missing(arguments.command)
    if lacks:
        sys.exit(f"Not installed: {' '.join(lacks)}. The contributing guide says how to install them.")
    try:
        if arguments.command == "check":
            check(arguments.targets)
        else:
            windows()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()

"""Builds for Windows, and checks for Windows, macOS and musl, from Debian.

python .ci/cross.py missing              list the Debian packages that are not installed; nothing if all are
python .ci/cross.py check [TARGET...]    run clippy for each target
python .ci/cross.py windows              build the tests and programs for Windows, and run the Rust tests under wine

Debian packages none of these targets: the standard library is compiled from its source, which the package rust-web-src
contains with the crates that it depends on.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TARGET_DIRECTORY = ROOT / "target" / "cross"
WINDOWS = "x86_64-pc-windows-gnu"

#: Wine crashes a program that reads a credential while another thread writes it.
SKIPPED_UNDER_WINE = ("credential_manager::tests::writers_at_once_leave_a_whole_secret_or_none",)

#: What clippy runs for. The two toolchains of Windows differ in the crates that they select.
TARGETS = (
    WINDOWS,
    "x86_64-pc-windows-msvc",
    "aarch64-pc-windows-msvc",
    "aarch64-apple-darwin",
    "x86_64-unknown-linux-musl",
    "aarch64-unknown-linux-musl",
)

CARGO = "/usr/bin/cargo"

#: The Debian package of each program or directory.
PACKAGES = {
    CARGO: "cargo-web",
    "/usr/bin/rustc": "rustc-web",
    "/usr/bin/cargo-clippy": "rust-web-clippy",
    "/usr/lib/rustlib/src/rust/library/Cargo.lock": "rust-web-src",
    "/usr/bin/x86_64-w64-mingw32-gcc": "gcc-mingw-w64-x86-64-win32",
    "/usr/bin/wine": "wine",
    "/usr/lib/wine/wine64": "wine64",
}

#: Stands for the C compiler and the archiver of targets whose C code is not compiled: a check links nothing.
STUB = Path(__file__).with_name("cross_cc.py")


def missing() -> list[str]:
    """The Debian packages that are not installed."""
    return [package for path, package in PACKAGES.items() if not os.path.exists(path)]


def environment(targets: list[str]) -> dict[str, str]:
    """The variables of cargo."""
    stub = _stub()
    found = {
        **os.environ,
        # cargo finds its clippy in /usr/bin.
        "PATH": f"{stub.parent}:/usr/bin:{os.environ['PATH']}",
        "CARGO": CARGO,
        "RUSTC": "/usr/bin/rustc",
        # -Zbuild-std is unstable; the compiler is a stable one.
        "RUSTC_BOOTSTRAP": "1",
        "CARGO_TARGET_DIR": str(TARGET_DIRECTORY),
        "CARGO_PROFILE_DEV_DEBUG": "0",
        "CARGO_INCREMENTAL": os.environ.get("CARGO_INCREMENTAL", "0"),
        "PYO3_CROSS": "1",
        "PYO3_CROSS_PYTHON_VERSION": "3.9",
        "PYTHONPATH": str(ROOT / "tests"),
        # cc-rs asks xcrun for the SDK of macOS otherwise.
        "SDKROOT": "/nonexistent",
    }
    for unwanted in ("RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "PYO3_PYTHON", "MAKEFLAGS"):
        found.pop(unwanted, None)
    for target in targets:
        name = target.replace("-", "_")
        found[f"CC_{name}"] = found[f"AR_{name}"] = str(stub)
        if target == WINDOWS:
            found[f"CC_{name}"], found[f"AR_{name}"] = "x86_64-w64-mingw32-gcc", "x86_64-w64-mingw32-ar"
            found[f"CARGO_TARGET_{name.upper()}_LINKER"] = "x86_64-w64-mingw32-gcc"
            # An unoptimized library exports more symbols than a DLL can number. PyInit__core is exported by name.
            found[f"CARGO_TARGET_{name.upper()}_RUSTFLAGS"] = "-Clink-arg=-Wl,--exclude-all-symbols"
        elif target.endswith("-musl"):
            # As maturin does: a statically linked musl has no shared libraries, which Python modules are.
            found[f"CARGO_TARGET_{name.upper()}_RUSTFLAGS"] = "-Ctarget-feature=-crt-static"
    return found


def _stub() -> Path:
    """A program that runs the stub with this Python. For Windows on arm64 ring asks for `clang`, without a variable."""
    path = TARGET_DIRECTORY / "stub" / "clang"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(STUB))} "$@"\n')
    path.chmod(0o755)
    return path


def check(targets: list[str]) -> None:
    """Run clippy, which includes what `cargo check` reports."""
    began = time.monotonic()
    try:
        # All at once: they share build scripts and macros, and no processor waits for the end of a target.
        _clippy(targets, quiet=len(targets) > 1)
    except subprocess.CalledProcessError:
        if len(targets) == 1:
            raise
        # The compiler's messages do not name the target.
        for target in targets:
            print(f"== {target}", flush=True)
            _clippy([target])
        raise
    print(f"   {len(targets)} targets: {time.monotonic() - began:.0f} s", flush=True)


def _clippy(targets: list[str], quiet: bool = False) -> None:
    _cargo(targets, "clippy", "--all-targets", "--features", "executables,python", "--", "-D", "warnings", quiet=quiet)


def windows() -> None:
    """Build for Windows, and run the Rust tests under wine. The module for Python is linked and not run."""
    runner = f"target.{WINDOWS}.runner={json.dumps([sys.executable, '-m', 'lab.wine'])}"
    skipped = [word for test in SKIPPED_UNDER_WINE for word in ("--skip", test)]
    _cargo([WINDOWS], "test", "--config", runner, "--no-fail-fast", "--features", "executables", "--", *skipped)
    _cargo([WINDOWS], "build", "--lib", "--features", "python")


def _cargo(targets: list[str], command: str, *arguments: str, quiet: bool = False) -> None:
    line = [CARGO, command, "--quiet", "--locked", "-Zbuild-std=std,panic_unwind,test"]
    line += [word for target in targets for word in ("--target", target)]
    output = subprocess.DEVNULL if quiet else None
    subprocess.run([*line, *arguments], cwd=ROOT, env=environment(targets), check=True, stderr=output)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("missing")
    commands.add_parser("windows")
    commands.add_parser("check").add_argument("targets", nargs="*", default=list(TARGETS), metavar="TARGET")
    arguments = parser.parse_args()
    if arguments.command == "missing":
        print(*missing())
        return
    packages = " ".join(missing())
    if packages:
        sys.exit(f"Debian packages are missing: apt-get install --no-install-recommends {packages}")
    try:
        if arguments.command == "check":
            check(arguments.targets)
        else:
            windows()
    except subprocess.CalledProcessError as error:
        sys.exit(error.returncode)


if __name__ == "__main__":
    main()

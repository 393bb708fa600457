"""Programs for Windows: stand-ins that print a text, and launchers of Python scripts as pip and uv write them."""

from __future__ import annotations

import io
import shutil
import struct
import subprocess
import zipfile
from importlib import resources
from pathlib import Path

from lab import windows
from lab.wine import compiled

_STAND_IN = Path(windows.__file__).with_name("stand_in.c")
_RESOURCES = "x86_64-w64-mingw32-windres"
_COMPILER = "x86_64-w64-mingw32-gcc"


def stand_in(program: Path, printed: str) -> Path:
    """A program that prints a text. Returns its path."""
    program.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(compiled(_STAND_IN), program)
    program.with_suffix(".txt").write_text(printed, encoding="utf-8")
    return program


def pip_launcher(program: Path, python: str) -> Path:
    """The launcher that pip writes for a script: distlib's program, the script's first line, and an archive."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("__main__.py", "import sys\n")
    line = f'#!"{python}"\r\n' if " " in python else f"#!{python}\r\n"
    stub = resources.files("distlib").joinpath("t64.exe").read_bytes()
    return _write(program, stub + line.encode() + archive.getvalue())


def uv_launcher(program: Path, python: str) -> Path:
    """A launcher with the resources that uv writes."""
    program.parent.mkdir(parents=True, exist_ok=True)
    path = program.with_suffix(".path")
    path.write_text(python, encoding="utf-8")
    script, compiled_script = program.with_suffix(".rc"), program.with_suffix(".res.o")
    script.write_text(f'UV_TRAMPOLINE_KIND RCDATA {{ "1" }}\nUV_PYTHON_PATH RCDATA "{path}"\n', encoding="utf-8")
    subprocess.run([_RESOURCES, str(script), str(compiled_script)], check=True)
    source = program.with_suffix(".c")
    source.write_text("int main(void) { return 1; }\n", encoding="utf-8")
    subprocess.run([_COMPILER, "-s", "-o", str(program), str(source), str(compiled_script)], check=True)
    return program


def old_uv_launcher(program: Path, python: str) -> Path:
    """A launcher as uv wrote it before: the path, its length and a mark at the end."""
    path = python.encode()
    return _write(program, compiled(_STAND_IN).read_bytes() + path + struct.pack("<I", len(path)) + b"UVSC")


def _write(program: Path, content: bytes) -> Path:
    program.parent.mkdir(parents=True, exist_ok=True)
    program.write_bytes(content)
    return program

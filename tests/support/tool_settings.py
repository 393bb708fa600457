"""Settings files of uv, pip and twine, and directories for PATH."""

from __future__ import annotations

from pathlib import Path


def write(path: Path, text: str) -> Path:
    """Write a file and its parent directories. Returns its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    return path


def folder_with(folder: Path, *programs: str) -> str:
    """A PATH directory with only these programs. Returns its path."""
    folder.mkdir(exist_ok=True)
    for program in programs:
        (folder / Path(program).name).symlink_to(program)
    return str(folder)


def uv_index(url: str, name: str, *more: str) -> str:
    """A `uv.toml` with this index as the only one."""
    return "\n".join(["[[index]]", f'name = "{name}"', f'url = "{url}"', "default = true", *more, ""])


def pypirc(url: str, password: str) -> str:
    """A repository with a password, for twine's configuration file."""
    section = f"[contoso]\nrepository = {url}\nusername = frodo\npassword = {password}\n"
    return "[distutils]\nindex-servers = contoso\n\n" + section

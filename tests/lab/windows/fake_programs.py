"""Fake command-line tools for Windows: batch files, as `az` is one, that run a program with the scripted answers."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..fake_programs import FOREVER, Answer, FakePrograms
from ..wine import Wine, compiled

_PROGRAM = Path(__file__).with_name("fake_program.c")


class WindowsPrograms(FakePrograms):
    """A directory for PATH, empty at first. Of an :class:`Answer` it supports stdout, stderr, code, delay, when,
    hang and read_stdin; with the last, the program prints what it read.

    With ``hang="child"``, a child of the program beats until it is killed: see :meth:`beats`.
    """

    def __init__(self, wine: Wine, directory: Path) -> None:
        super().__init__(directory)
        self._wine = wine
        self._scripts = directory / "scripts"
        self._program = compiled(_PROGRAM)

    def program(self, name: str, *answers: Answer, directory: str | None = None) -> str:
        """Write a batch file, or replace it."""
        path = Path(directory or self.directory, f"{name}.cmd")
        self._write_script(name, answers)
        # As of the Azure CLI: the arguments are handed on as they are.
        command = f'"{self._wine.path(self._program)}" "{self._wine.path(self._scripts / name)}" %*'
        path.write_bytes(f"@echo off\r\n{command}\r\nexit /b %ERRORLEVEL%\r\n".encode())
        return str(path)

    def command(self, name: str, *answers: Answer) -> list[str]:
        """The same as a program instead of a batch file: the words to run it."""
        self._write_script(name, answers)
        return [self._wine.path(self._program), self._wine.path(self._scripts / name)]

    def remove(self, name: str) -> None:
        """Uninstall a program."""
        Path(self.directory, f"{name}.cmd").unlink()

    def rename(self, path: str, name: str) -> None:
        """Give a program another name in its directory."""
        Path(path).rename(Path(path).with_name(name))

    def beats(self, name: str) -> bool:
        """Whether a child of the program is alive."""
        found = list((self._scripts / name).glob("*.beats"))
        before = [path.stat().st_size for path in found]
        time.sleep(0.5)
        return [path.stat().st_size for path in found] != before

    def wait_for_beat(self, name: str) -> None:
        """Wait until a child of the program has started."""
        _wait_until(lambda: any((self._scripts / name).glob("*.beats")), f"{name} did not start a child")

    def wait_for_call(self) -> None:
        """Wait until a program has recorded its call."""
        _wait_until(lambda: any(not path.suffix for path in Path(self._calls).iterdir()), "no program was called")

    def _write_script(self, name: str, answers: Sequence[Answer]) -> None:
        script = self._scripts / name
        shutil.rmtree(script, ignore_errors=True)
        script.mkdir(parents=True)
        script.joinpath("calls").symlink_to(self._calls, target_is_directory=True)
        script.joinpath("name").write_text(name, encoding="utf-8")
        for number, answer in enumerate(answers):
            texts: dict[str, str | bytes] = {
                "when": "".join(f"{part}\0" for part in answer.when),
                "stdout": answer.stdout,
                "stderr": answer.stderr,
                "code": str(answer.code),
                "delay": str(int(1000 * (FOREVER if answer.hang else answer.delay))),
            }
            if answer.hang == "child":
                texts["child"] = ""
            if answer.read_stdin:
                texts["stdin"] = ""
            for suffix, text in texts.items():
                content = text.encode() if isinstance(text, str) else text
                (script / f"{number}.{suffix}").write_bytes(content)


def _wait_until(condition: Callable[[], bool], otherwise: str) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)

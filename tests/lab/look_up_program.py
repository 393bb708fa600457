"""Runs in the client's environment, as a separate process: asks keyring and writes the answers.

``python look_up_program.py REQUESTS ANSWERS``: both are JSON files; see `lab.look_up` for their content. Output
on stdout and stderr comes from other code.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
import traceback

# The directory of this file: keyring must not import its modules.
del sys.path[0]

import keyring  # noqa: E402


class _Keep(logging.Handler):
    """Keeps the log records, as the handler of a program would."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[dict] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append({"logger": record.name, "level": record.levelname, "message": record.getMessage()})


def _ask(request: dict) -> dict:
    started = time.monotonic()
    answer: dict = {"result": None, "error": None}
    try:
        found = getattr(keyring, request["method"])(request["service"], request["username"])
        if request["method"] == "get_credential" and found is not None:
            found = [found.username, found.password]
        answer["result"] = found
    except BaseException as error:
        answer["error"] = {
            "type": type(error).__name__,
            "bases": [base.__name__ for base in type(error).__mro__],
            "message": str(error),
            "text": repr(error) + "\n" + "".join(traceback.format_exception(type(error), error, error.__traceback__)),
        }
    answer["seconds"] = time.monotonic() - started
    return answer


def _at_once(request: dict) -> list[dict]:
    """The same lookup by several threads that start at the same moment."""
    count = request["threads"]
    answers: list[dict] = [{} for _ in range(count)]
    barrier = threading.Barrier(count)

    def work(number: int) -> None:
        barrier.wait()
        answers[number] = _ask(request)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _prepare(request: dict) -> None:
    for name, value in request["environment"].items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
    for path, text in request["files"].items():
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(text)
    if request["pause"]:
        time.sleep(request["pause"])


def main(requests_path: str, answers_path: str) -> None:
    """Make the lookups in order, in this process."""
    keep = _Keep()
    logger = logging.getLogger()
    logger.addHandler(keep)
    logger.setLevel(logging.DEBUG)
    with open(requests_path, encoding="utf-8") as stream:
        requests = json.load(stream)
    answers = []
    for request in requests:
        _prepare(request)
        keep.lines = []
        if request["threads"] > 1:
            several = _at_once(request)
            answer = dict(several[0], others=several[1:])
        else:
            answer = dict(_ask(request), others=[])
        answers.append(dict(answer, log=keep.lines))
    with open(answers_path, "w", encoding="utf-8") as stream:
        json.dump(answers, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])

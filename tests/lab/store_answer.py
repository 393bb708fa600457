"""The outcome of a call of a keyring backend, for JSON: for programs that run in the client's environment."""

from __future__ import annotations

import time
import traceback


def answer_of(keyring: object, request: dict) -> dict:
    """Make the call. Returns its result or exception, and its duration."""
    answer: dict = {"result": None, "error": None}
    started = time.monotonic()
    try:
        found = getattr(keyring, request["method"])(*request["arguments"])
        if request["method"] == "get_credential" and found is not None:
            found = [found.username, found.password]
        answer["result"] = found
    except BaseException as error:
        text = repr(error) + "\n" + "".join(traceback.format_exception(type(error), error, error.__traceback__))
        bases = [base.__module__ + "." + base.__name__ for base in type(error).__mro__]
        answer["error"] = {"type": type(error).__name__, "bases": bases, "message": str(error), "text": text}
    answer["seconds"] = time.monotonic() - started
    return answer

"""Prints warnings that no logging handler accepts to standard error."""

import logging
from typing import Optional

__all__ = ["log"]


def log(logger: logging.Logger, message: str) -> None:
    """Logs a WARNING, and prints it to stderr if every handler rejects it.

    Python does so itself only if there are no handlers. Poetry has one, whose filter rejects all packages but its own.
    A logger that is disabled, or whose level is higher, stays silent: the program asked for that.
    """
    if not logger.isEnabledFor(logging.WARNING):
        return
    if any(getattr(type(logger), name).__module__ != "logging" for name in ("handle", "callHandlers")):
        # A program that replaces the delivery of records, as Sentry's SDK does, takes them.
        logger.warning("%s", message)
        return
    try:
        # The caller's frame.
        path, line, function, _ = logger.findCaller(False, 2)
    except ValueError:
        path, line, function = "", 0, ""
    record = logger.makeRecord(logger.name, logging.WARNING, path, line, "%s", (message,), None, function)
    passed = logger.filter(record)
    if not passed:
        return
    if isinstance(passed, logging.LogRecord):
        record = passed
    is_taken = False
    source: Optional[logging.Logger] = logger
    while source is not None:
        for handler in source.handlers:
            if record.levelno >= handler.level:
                # `handle` returns whether the filters of the handler pass the record, and None in a NullHandler.
                is_taken |= handler.handle(record) is not False
        source = source.parent if source.propagate else None
    if not is_taken and logging.lastResort is not None:
        logging.lastResort.handle(record)

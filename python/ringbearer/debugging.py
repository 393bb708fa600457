"""Debug output on standard error."""

import logging
import sys

from ringbearer import _core

__all__ = ["to_stderr"]

#: Name of the handler, so that it is added only once.
_NAME = "ringbearer.debugging"


def to_stderr() -> None:
    """Logs every step to stderr if an environment variable asks for it. Tokens are never logged."""
    if not _core.is_debugged():
        return
    logger = logging.getLogger("ringbearer")
    if any(handler.get_name() == _NAME for handler in logger.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_NAME)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s +%(relativeCreated)d ms: %(message)s"))
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    # Handlers of the host program may print to stdout, as pip's do.
    logger.propagate = False

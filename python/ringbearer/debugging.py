"""Debug output on standard error."""

import logging
import os
import sys

from ringbearer import _core

__all__ = ["to_stderr"]

#: Name of the handler, so that it is added only once.
_NAME = "ringbearer.debugging"


def to_stderr() -> None:
    """Logs every step to stderr if one of the variables is set and not 0. Tokens are never logged."""
    if not any(os.environ.get(name, "0").strip() not in ("", "0") for name in _core.debug_variables()):
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

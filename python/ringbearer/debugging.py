"""Printing every step, for those who look for a fault."""

import logging
import os
import sys

__all__ = ["to_stderr"]

#: The name of the handler, by which it is known that there is one already.
_NAME = "ringbearer.debugging"


def to_stderr() -> None:
    """Print every step to stderr if one of the two variables asks for it. Tokens are never logged."""
    names = ("RINGBEARER_DEBUG", "ARTIFACTS_KEYRING_NOFUSS_DEBUG")
    if not any(os.environ.get(name, "0").strip() not in ("", "0") for name in names):
        return
    logger = logging.getLogger("ringbearer")
    if any(handler.get_name() == _NAME for handler in logger.handlers):
        return
    handler = logging.StreamHandler(sys.stderr)
    handler.set_name(_NAME)
    handler.setFormatter(logging.Formatter("%(name)s %(levelname)s +%(relativeCreated)d ms: %(message)s"))
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    # The handlers of the program that loaded us may print to stdout (pip's do), where nothing of ours belongs.
    logger.propagate = False

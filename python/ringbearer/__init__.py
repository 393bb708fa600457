"""Credentials for private Python package indexes.

keyring discovers the backends through the entry point :mod:`ringbearer.backends`.
"""

from ringbearer._core import __version__

__all__ = ["__version__"]

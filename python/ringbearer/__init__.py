"""Credentials for private Python package indexes, straight from Rust.

keyring finds the backends by itself, through the entry point :mod:`ringbearer.backends`.
"""

from ringbearer._core import __version__

__all__ = ["__version__"]

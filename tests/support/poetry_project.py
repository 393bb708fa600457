"""A project that Poetry manages, with one private index."""

from __future__ import annotations

_TEXT = """\
[project]
name = "shop"
version = "0.1"
requires-python = ">=3.9"
dependencies = ["greetings"]

[tool.poetry]
package-mode = false

[[tool.poetry.source]]
name = "{}"
url = "{}"
priority = "primary"
"""


def poetry_project(url: str, source: str = "corp") -> str:
    """The content of `pyproject.toml`."""
    return _TEXT.format(source, url)

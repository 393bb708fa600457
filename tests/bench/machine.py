"""The machine on which the figures were measured."""

from __future__ import annotations

import os
import platform
import re


def describe() -> str:
    """Its processor, cores, Python and kernel."""
    kernel = re.match(r"[\d.]*", platform.release())[0]
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return f"{_processor()}, {os.cpu_count()} cores, {python}, {platform.system()} {kernel}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as stream:
            models = [line.partition(":")[2].strip() for line in stream if line.startswith("model name")]
    except OSError:
        models = []
    return models[0] if models else platform.machine()

"""One rule for choosing requests, shared by the log and the faults."""

from __future__ import annotations

from fnmatch import fnmatchcase


def matches(request, host: str | None = None, path: str | None = None, method: str | None = None) -> bool:
    """Whether a request matches. Hosts and paths are shell patterns (``*.pkgs.visualstudio.com``, ``*/pypi/upload``).

    A tunnel (method CONNECT) matches only if the method is given: most tests are about the requests inside it.
    """
    if method is None:
        if request.method == "CONNECT":
            return False
    elif request.method != method:
        return False
    if host is not None and not fnmatchcase(request.host, host.lower()):
        return False
    return path is None or fnmatchcase(request.path, path)

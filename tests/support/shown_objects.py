"""Everything that a program can show of a backend."""

from __future__ import annotations

from lab.clients import Client, Completed

_PROGRAM = """
import logging, sys, traceback
from ringbearer import _core, backends, errors
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
backend = getattr(backends, sys.argv[1])()
try:
    print("found", backend.get_credential(sys.argv[2], None) is not None)
except errors.RingbearerError as error:
    print(repr(error), error.args, vars(error), error.__cause__, error.__context__)
    print("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
for one in (backend, backends, _core, errors):
    print(repr(one), vars(one))
"""


def show_objects(client: Client, environment: dict[str, str], backend: str, url: str) -> Completed:
    """Looks a URL up by a class, and prints the log, the error and what each object shows."""
    return client.run(["python", "-c", _PROGRAM, backend, url], environment).check()

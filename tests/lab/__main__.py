"""A practice cloud in the foreground: ``PYTHONPATH=tests python -m lab``."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path

from .cloud import PracticeCloud
from .fake_programs import FakePrograms
from .registries import REGISTRIES

#: The person's own; and PIP_NO_INPUT, with which pip's keyring provider ``auto`` means none.
NOT_SHOWN = ("HOME", "USERPROFILE", "PATH", "TMPDIR", "TEMP", "TMP", "LANG", "PIP_NO_INPUT")


def main() -> int:
    """Serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the proxy's port (default: any free one)")
    parser.add_argument("--watch", action="store_true", help="show every request on stderr")
    arguments = parser.parse_args()
    # The default would leave the temporary directories behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        serve(arguments.port, arguments.watch)
    except KeyboardInterrupt:
        pass
    return 0


def serve(port: int, watch: bool) -> None:
    """Print the environment of a person of the practice cloud, and answer without end."""
    with tempfile.TemporaryDirectory(prefix="lab-home-") as home, PracticeCloud(port=port) as cloud:
        environment = cloud.environment(home)
        for name in NOT_SHOWN:
            environment.pop(name, None)
        registries = [kind(cloud, FakePrograms(os.path.join(home, "bin")), Path(home)) for kind in REGISTRIES.values()]
        for registry in registries:
            environment.update(registry.login_by_variables()[1])
        for name, value in sorted(environment.items()):
            print(f"export {name}={shlex.quote(value)}")
        for registry in registries:
            print(f"# {registry.name}: {registry.index_url}")
            if registry.yields_to:
                print(f"# {registry.name} is asked only without the variables of {registry.yields_to}")
            if registry.upload_url:
                print(f"# {registry.name}, uploads: {registry.upload_url}")
        print("# packages: hello-private, greetings")
        sys.stdout.flush()
        shown = 0
        while True:
            time.sleep(0.2)
            requests = cloud.log.requests()
            if watch:
                for request in requests[shown:]:
                    print(request.method, request.url, "->", request.status, file=sys.stderr)
            shown = len(requests)


if __name__ == "__main__":
    sys.exit(main())

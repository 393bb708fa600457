"""A practice cloud in the foreground: ``PYTHONPATH=tests python -m lab``."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
import time

from .cloud import PracticeCloud

#: The person's own; and PIP_NO_INPUT, with which pip's keyring provider ``auto`` means none.
NOT_SHOWN = ("HOME", "USERPROFILE", "PATH", "TMPDIR", "TEMP", "TMP", "LANG", "PIP_NO_INPUT")


def main() -> int:
    """Serve until Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="lab", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="the proxy's port (default: any free one)")
    parser.add_argument("--watch", action="store_true", help="show every request on stderr")
    arguments = parser.parse_args()
    # The default would leave the temporary folders behind.
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
        environment.update(cloud.menda.variables)
        environment["CHAINCTL_AUTH_TOKEN"] = cloud.chainguard.token()
        environment["AZURE_DEVOPS_EXT_PAT"] = cloud.azure.contoso.personal_access_token("vso.packaging_write")
        for name, value in sorted(environment.items()):
            print(f"export {name}={shlex.quote(value)}")
        print(f"# an index: {cloud.azure.feed.url()}")
        print("# or:       {}".format(cloud.azure.project_feed.url("visualstudio.com")))
        print(f"# of Chainguard's: {cloud.chainguard.python.url}, of Menda's: {cloud.menda.plugins.url}")
        print(f"# uploads:  {cloud.azure.feed.upload_url()}")
        print("# packages: hello-private 1.0 and 1.1, greetings 2.0; a password: $AZURE_DEVOPS_EXT_PAT")
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

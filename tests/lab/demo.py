"""`make demo`: the real clients with the real host names, on loopback only."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from .clients import Client, ClientEnvironments, Completed
from .cloud import PracticeCloud
from .fake_programs import FakePrograms, az_token
from .packages import wheel as make_wheel
from .registries import REGISTRIES
from .ssh import Agent, make_key
from .store import StoreUser

_ENVIRONMENTS = os.path.join("target", "test-environments")


class Stage:
    """Prints steps: the command as typed, its duration, and the requests that the cloud saw."""

    def __init__(self, cloud: PracticeCloud) -> None:
        self._cloud = cloud
        self._number = 0

    def show(
        self,
        title: str,
        client: Client,
        command: list[object],
        environment: dict[str, str],
        lines: int = 3,
        expected_code: int = 0,
        stdin: str | None = None,
    ) -> None:
        """Run one step; an unexpected exit code ends the demonstration with all output."""
        self._number += 1
        print(f"\n{self._number}. {title}")
        home = environment.get("HOME") or environment["USERPROFILE"]
        words = ["python" if word == client.python else str(word).replace(home, "~") for word in command]
        print("   $ " + " ".join(words))
        seen = len(self._cloud.log.requests())
        ended = client.run(command, environment, timeout=120, stdin=stdin)
        if ended.code != expected_code:
            raise SystemExit(f"\n{ended}\n\nThe practice cloud saw:\n{self._cloud.log}")
        for line in _last_lines(ended, lines):
            print("     " + line)
        print(f"   {ended.duration * 1000:.0f} ms; {self._describe(seen)}", flush=True)

    def _describe(self, seen: int) -> str:
        requests = self._cloud.log.requests()[seen:]
        hosts = sorted({request.host for request in requests})
        return f"{len(requests)} requests to {', '.join(hosts)}" if hosts else "no request"


def _last_lines(ended: Completed, count: int) -> list[str]:
    lines = [line.rstrip() for line in ended.output.splitlines() if line.strip()]
    return lines[-count:]


def perform(wheel: str) -> None:
    """All steps."""
    started = time.monotonic()
    client_environments = ClientEnvironments(os.environ.get("RINGBEARER_TEST_ENVIRONMENTS") or _ENVIRONMENTS)
    client, tool = client_environments.client(wheel), client_environments.tool()
    print(f"pip, twine and keyring with {os.path.basename(wheel)}, and uv: ready", end=" ")
    print(f"after {time.monotonic() - started:.1f} s")
    with tempfile.TemporaryDirectory(prefix="ringbearer-demo-") as home, PracticeCloud() as cloud:
        fake_programs = FakePrograms(os.path.join(home, "programs"))
        fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
        print("a practice cloud on loopback: ready. It answers for pkgs.dev.azure.com,")
        print("contoso.pkgs.visualstudio.com, vssps.dev.azure.com, login.microsoftonline.com, ...")
        print(f"{cloud.azure.user.name} is logged in by a fake Azure CLI")
        person = cloud.environment(home, path=[client.bin, fake_programs.directory])
        _play(Stage(cloud), cloud, client, tool, person, home)
        _play_others(Stage(cloud), cloud, client, fake_programs, home)
        _play_store(Stage(cloud), client, os.path.join(home, "server"))
        if cloud.log.refused():
            raise SystemExit(f"unexpected hosts: {cloud.log.refused()}")
        fake_programs.close()
    print(f"\nAll of it worked, in {time.monotonic() - started:.1f} s; nothing is left behind.")


def _play(stage: Stage, cloud: PracticeCloud, client: Client, tool: Client, person: dict[str, str], home: str) -> None:
    feed = cloud.azure.feed
    stage.show("keyring finds the backends by itself", client, ["keyring", "--list-backends"], person, lines=8)
    pip_install = ["pip", "install", "--keyring-provider", "import", "--index-url", feed.url()]
    stage.show(
        "pip installs a private package; it asks keyring in its own process",
        client,
        [*pip_install, "--target", os.path.join(home, "by-pip"), "greetings"],
        person,
        lines=1,
    )
    uv_install = ["uv", "pip", "install", "--keyring-provider", "subprocess", "--python", tool.python]
    stage.show(
        "uv does the same from the other form of the address; it asks the keyring command",
        tool,
        [
            *[*uv_install, "--default-index", _with_user_name(feed.url("visualstudio.com"))],
            *["--target", os.path.join(home, "by-uv"), "greetings"],
        ],
        person,
        lines=2,
    )
    package = make_wheel("second-breakfast", "1.0")
    file = os.path.join(home, package.file_name)
    with open(file, "wb") as stream:
        stream.write(package.content)
    twine_upload = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
    stage.show(
        "twine uploads a package", client, [*twine_upload, "--repository-url", feed.upload_url(), file], person, lines=1
    )
    stage.show(
        "pip installs what was uploaded",
        client,
        [*pip_install, "--target", os.path.join(home, "uploaded"), "second-breakfast"],
        person,
        lines=1,
    )
    stage.show(
        "in GitHub Actions without a login: uv, by the job's own OIDC token",
        tool,
        [
            *[*uv_install, "--default-index", _with_user_name(feed.url())],
            *["--target", os.path.join(home, "runner", "by-uv"), "greetings"],
        ],
        _github_actions(cloud, client, home),
        lines=2,
    )
    stage.show(
        "without any login: one line says why, and what to do",
        client,
        ["keyring", "get", feed.url(), "VssSessionToken"],
        cloud.environment(os.path.join(home, "runner"), path=[client.bin]),
        expected_code=1,
    )


def _play_others(stage: Stage, cloud: PracticeCloud, client: Client, fake_programs: FakePrograms, home: str) -> None:
    """The other registries."""
    print("\nOther registries, in the same way:")
    path = [client.bin, fake_programs.directory]
    for name in REGISTRIES:
        if name == "azure":
            continue
        registry = REGISTRIES[name](cloud, fake_programs, Path(home))
        registry.log_in()
        pip_install = ["pip", "install", "--keyring-provider", "import", "--index-url", registry.index_url]
        command = [*pip_install, "--target", os.path.join(home, f"by-{name}"), "greetings"]
        environment = cloud.environment(home, path=path, **registry.variables)
        stage.show(f"pip installs from {name}", client, command, environment, lines=1)
    cloud.chainguard.write_cache(home, cloud.chainguard.token())
    stage.show(
        "a token that chainctl keeps is used as it is: no program, no request",
        client,
        ["keyring", "--mode", "creds", "get", cloud.chainguard.python.url],
        cloud.environment(home, path=[client.bin]),
        lines=0,
    )


def _play_store(stage: Stage, client: Client, home: str) -> None:
    """The store for all other secrets, with a temporary agent and key."""
    if not shutil.which("ssh-agent"):
        print("\n(OpenSSH's agent is not installed: the store is not shown)")
        return
    print("\nOn a server without a desktop, an ssh-agent unlocks the store:")
    agent = Agent()
    try:
        agent.add(make_key(os.path.join(home, ".ssh"), name="id_ed25519"))
        user = StoreUser(client, home, agent.socket).environment()
        stage.show("the store is made", client, ["ringbearer", "store", "init"], user)
        set_words = ["keyring", "set", "example.com", "frodo"]
        stage.show("a password goes in (from standard input)", client, set_words, user, stdin="mellon\n")
        stage.show("and comes out", client, ["keyring", "get", "example.com", "frodo"], user)
        stage.show("what is in it, without the passwords", client, ["ringbearer", "store", "list"], user)
        stage.show("where it is, and what the agent says", client, ["ringbearer", "store", "status"], user, lines=9)
        stage.show("new keys inside, in case the old ones leaked", client, ["ringbearer", "store", "rotate"], user)
    finally:
        agent.close()


def _with_user_name(url: str) -> str:
    """uv asks keyring only when it knows a user name."""
    return url.replace("//", "//VssSessionToken@", 1)


def _github_actions(cloud: PracticeCloud, client: Client, home: str) -> dict[str, str]:
    """The environment of a job whose token an application trusts, without `az`, PAT or secret."""
    job = cloud.azure.github_actions.job()
    application = cloud.azure.directory.application("publisher", cloud.azure.tenant)
    application.trust("https://token.actions.githubusercontent.com", job.subject)
    runner = os.path.join(home, "runner")
    os.makedirs(runner, exist_ok=True)
    return cloud.environment(
        runner,
        path=[client.bin],
        AZURE_CLIENT_ID=application.client_id,
        AZURE_TENANT_ID=cloud.azure.tenant.id,
        **job.variables,
    )


def main() -> int:
    """``python -m lab.demo --wheel PATH``."""
    parser = argparse.ArgumentParser(prog="lab.demo", description=__doc__)
    parser.add_argument("--wheel", required=True, help="the built wheel of ringbearer")
    perform(os.path.abspath(parser.parse_args().wheel))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Fake command-line tools: small executables that give scripted answers and record their calls.

They are sh scripts, because those start in a millisecond. On Windows, a batch file runs the same script with Python.
"""

from __future__ import annotations

import datetime
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import tokens

#: Seconds that "forever" lasts: longer than any test waits.
FOREVER = 600


@dataclass
class Answer:
    """The behaviour of a fake program."""

    stdout: str | bytes = b""
    stderr: str | bytes = b""
    code: int = 0
    #: Seconds before it prints anything.
    delay: float = 0
    #: Never end, in the program itself or (``"child"``) in a child that holds the pipes, as with a wrapper script.
    hang: bool | str = False
    #: End, but leave a child behind that keeps stdout and stderr open.
    leave_grandchild: bool = False
    #: Print stdout a few bytes at a time, with this many seconds in between.
    drip: float = 0
    #: Be killed by this signal (``KILL``) after printing everything.
    killed_by: str | None = None
    #: Print stdout over and over, without end.
    endless: bool = False
    #: Read stdin to its end first; hangs unless the caller closed it.
    read_stdin: bool = False
    #: Applies only if the arguments, joined by spaces, contain all of these.
    when: tuple[str, ...] = ()
    #: Applies only to this many first calls of the program.
    calls: int | None = None


@dataclass
class Invocation:
    """One call of a fake program."""

    name: str
    arguments: list[str]
    directory: str
    environment: dict[str, str] = field(repr=False)

    @property
    def line(self) -> str:
        """The arguments, joined by spaces."""
        return " ".join(self.arguments)

    def option(self, name: str) -> str | None:
        """The value of an option; None if absent."""
        for index, argument in enumerate(self.arguments):
            if argument == name:
                return self.arguments[index + 1] if index + 1 < len(self.arguments) else ""
            if argument.startswith(name + "="):
                return argument[len(name) + 1 :]
        return None


class FakePrograms:
    """A directory for PATH, empty at first."""

    def __init__(self, directory: object) -> None:
        root = str(directory)
        #: The entry for PATH.
        self.directory = os.path.join(root, "bin")
        self._calls = os.path.join(root, "calls")
        self._processes = os.path.join(root, "processes")
        self._payloads = os.path.join(root, "payloads")
        for path in (self.directory, self._calls, self._processes, self._payloads):
            os.makedirs(path, exist_ok=True)
        self._payload_count = 0

    def az(self, *answers: Answer) -> str:
        """Script the Azure CLI. The first answer whose ``when`` matches applies. Returns its path."""
        return self.program("az", *answers)

    def azd(self, *answers: Answer) -> str:
        """Script the Azure Developer CLI."""
        return self.program("azd", *answers)

    def chainctl(self, *answers: Answer) -> str:
        """Script Chainguard's chainctl."""
        return self.program("chainctl", *answers)

    def gcloud(self, *answers: Answer) -> str:
        """Script Google's gcloud."""
        return self.program("gcloud", *answers)

    def ado_auth_helper(self, home: object, *answers: Answer) -> str:
        """Script ``~/ado-auth-helper``, which Codespaces puts into the home directory, not on PATH."""
        return self.program("ado-auth-helper", *answers, directory=str(home))

    def program(self, name: str, *answers: Answer, directory: str | None = None) -> str:
        """Write a program, or replace it."""
        where = directory or self.directory
        if os.name == "nt":
            return self._write_batch_file(name, answers, where)
        path = os.path.join(where, name)
        # Replaced atomically: a process that runs the old one keeps it.
        with open(path + ".new", "w", encoding="utf-8") as stream:
            stream.write(self._script(name, answers))
        os.chmod(path + ".new", 0o755)
        os.replace(path + ".new", path)
        return path

    def remove(self, name: str) -> None:
        """Uninstall a program."""
        os.remove(os.path.join(self.directory, name))

    def invocations(self, name: str | None = None) -> list[Invocation]:
        """The calls so far, the oldest first."""
        found = []
        for entry in sorted(os.scandir(self._calls), key=lambda one: (one.stat().st_mtime_ns, one.name)):
            with open(entry.path, "rb") as stream:
                parts = stream.read().split(b"\0")
            texts = [part.decode("utf-8", "replace") for part in parts]
            called = texts[0]
            if name not in (None, called):
                continue
            count = int(texts[2])
            environment = dict(line.split("=", 1) for line in texts[3 + count].splitlines() if "=" in line)
            found.append(Invocation(called, texts[3 : 3 + count], texts[1], environment))
        return found

    def running(self) -> list[int]:
        """Process ids of the fake programs and their children that are still running."""
        numbers = []
        for entry in os.scandir(self._processes):
            with open(entry.path, encoding="ascii") as stream:
                numbers += [int(line) for line in stream.read().split()]
        return [number for number in numbers if _is_alive(number)]

    def close(self) -> None:
        """End all of them that still run."""
        for number in self.running():
            try:
                os.kill(number, signal.SIGTERM)
            except OSError:
                pass

    def _payload(self, content: str | bytes) -> str:
        self._payload_count += 1
        path = os.path.join(self._payloads, str(self._payload_count))
        with open(path, "wb") as stream:
            stream.write(content.encode("utf-8") if isinstance(content, str) else content)
        return path

    def _script(self, name: str, answers: Sequence[Answer]) -> str:
        lines = [
            "#!/bin/sh",
            f"call={shlex.quote(self._calls)}/{name}.$$",
            f'printf \'%s\\0\' {shlex.quote(name)} "$(pwd)" "$#" "$@" >"$call"',
            'env >>"$call"',
            'arguments="$*"',
            'has() { case "$arguments" in *"$1"*) return 0 ;; esac; return 1; }',
        ]
        for answer in answers:
            conditions = [f"has {shlex.quote(part)}" for part in answer.when]
            if answer.calls is not None:
                # Without `ls`, which may not be on the PATH of a test.
                count = f'"$(set -- {shlex.quote(self._calls)}/{name}.*; echo $#)"'
                conditions.append(f"[ {count} -le {answer.calls} ]")
            condition = " && ".join(conditions) or "true"
            lines += [f"if {condition}; then", *self._steps(answer), "fi"]
        lines += ["printf '%s\\n' 'unexpected arguments' >&2", "exit 2"]
        return "\n".join(lines) + "\n"

    def _steps(self, answer: Answer) -> list[str]:
        remember = f">>{shlex.quote(self._processes)}/$$"
        steps = ["cat >/dev/null"] if answer.read_stdin else []
        if answer.delay:
            steps.append(f"sleep {answer.delay}")
        if answer.hang == "child":
            steps += [f"sleep {FOREVER} &", "echo $! $$ " + remember, "wait"]
        elif answer.hang:
            steps += ["echo $$ " + remember, f"exec sleep {FOREVER}"]
        if answer.stderr:
            steps.append(f"cat {shlex.quote(self._payload(answer.stderr))} >&2")
        output = f"cat {shlex.quote(self._payload(answer.stdout))}"
        if answer.endless:
            steps += ["echo $$ " + remember, f"while {output}; do :; done"]
        elif answer.drip:
            text = answer.stdout.decode() if isinstance(answer.stdout, bytes) else answer.stdout
            steps.append("echo $$ " + remember)
            for start in range(0, len(text), 4):
                steps.append(f"printf %s {shlex.quote(text[start : start + 4])}; sleep {answer.drip}")
        elif answer.stdout:
            steps.append(output)
        if answer.leave_grandchild:
            steps += [f"sleep {FOREVER} &", "echo $! " + remember]
        if answer.killed_by:
            steps.append(f"kill -{answer.killed_by} $$")
        return [*steps, f"exit {answer.code}"]

    def _write_batch_file(self, name: str, answers: Sequence[Answer], where: str) -> str:
        described = [
            {
                "stdout": self._payload(answer.stdout),
                "stderr": self._payload(answer.stderr),
                "code": answer.code,
                "delay": FOREVER if answer.hang else answer.delay,
                "when": answer.when,
                "calls": answer.calls,
            }
            for answer in answers
        ]
        program = self._payload(_WINDOWS_PROGRAM.format(repr(json.dumps(described)), name, self._calls))
        path = os.path.join(where, name + ".cmd")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(f'@"{sys.executable}" "{program}" %*\r\n')
        return path


_WINDOWS_PROGRAM = """
import json, os, sys, time
answers = json.loads({0})
parts = [{1!r}, os.getcwd(), str(len(sys.argv) - 1)] + sys.argv[1:]
parts.append("\\n".join(name + "=" + value for name, value in os.environ.items()))
with open(os.path.join({2!r}, {1!r} + "." + str(os.getpid())), "wb") as stream:
    stream.write("\\0".join(parts).encode())
for answer in answers:
    count = sum(entry.startswith({1!r} + ".") for entry in os.listdir({2!r}))
    if all(part in " ".join(sys.argv[1:]) for part in answer["when"]) and count <= (answer["calls"] or count):
        time.sleep(answer["delay"])
        sys.stderr.buffer.write(open(answer["stderr"], "rb").read())
        sys.stdout.buffer.write(open(answer["stdout"], "rb").read())
        sys.exit(answer["code"])
sys.exit(2)
"""


def az_token(token: str, tenant: str | None = None, expires_on: float | None = None) -> list[Answer]:
    """`az account get-access-token` of a logged-in user, for every output format that callers request.

    With a tenant, only calls that name it get the token.
    """
    when = ("account get-access-token",) + ((tenant,) if tenant else ())
    whole = json.dumps(_az_object(token, tenant, expires_on), indent=2) + "\n"
    return [
        Answer(token + "\n", when=(*when, "--query accessToken", "tsv")),
        Answer(json.dumps(token) + "\n", when=(*when, "--query accessToken")),
        Answer(whole, when=when),
    ]


def _az_object(token: str, tenant: str | None, expires_on: float | None) -> dict:
    expiry = expires_on or (tokens.read(token) or {}).get("exp") or time.time() + 3600
    return {
        "accessToken": token,
        # Local time without a zone, which is why expires_on was added.
        "expiresOn": datetime.datetime.fromtimestamp(expiry).strftime("%Y-%m-%d %H:%M:%S.%f"),
        "expires_on": int(expiry),
        "subscription": "00000000-0000-0000-0000-000000000001",
        "tenant": tenant or "",
        "tokenType": "Bearer",
    }


def az_profile(home: object, name: str) -> None:
    """Write the file of `az` that says who is logged in. Its tokens are in another file."""
    folder = os.path.join(str(home), ".azure")
    os.makedirs(folder, exist_ok=True)
    subscription = {"isDefault": True, "user": {"name": name, "type": "user"}}
    with open(os.path.join(folder, "azureProfile.json"), "w", encoding="utf-8-sig") as file:
        json.dump({"subscriptions": [subscription]}, file)


def az_not_logged_in() -> Answer:
    """`az` before `az login`."""
    return Answer(stderr="ERROR: Please run 'az login' to setup account.\n", code=1)


def az_locked(calls: int | None = None) -> Answer:
    """`az` while another one holds the lock of its tokens, as `portalocker` reports it; at the first calls only."""
    stderr = (
        "ERROR: The command failed with an unexpected error. Here is the traceback:\n"
        "ERROR: [Errno 13] Permission denied: '/home/ada/.azure/msal_token_cache.json.lockfile'\n"
        "Traceback (most recent call last):\n"
        '  File "/opt/az/lib/python3.10/site-packages/knack/cli.py", line 231, in invoke\n'
        "To check existing issues, please visit: https://github.com/Azure/azure-cli/issues\n"
    )
    return Answer(stderr=stderr, code=1, calls=calls)


def az_refuses_tenant(token: str, kind: str = "managed identity", current_tenant: str | None = None) -> list[Answer]:
    """The login of a managed identity (or ``Cloud Shell``): a token, except if a tenant is named.

    So does the Azure CLI up to 2.8x; newer versions, chosen by ``current_tenant``, accept the tenant they
    are in and reject every other one.
    """
    if current_tenant is None:
        text = f"ERROR: Tenant shouldn't be specified for {kind} account\n"
        return [Answer(stderr=text, code=1, when=("--tenant",)), *az_token(token)]
    text = (
        f"ERROR: For {kind} account, getting access token for non-current tenants is not supported. "
        f"The specified tenant must be the current tenant {current_tenant}\n"
    )
    return [*az_token(token, current_tenant), Answer(stderr=text, code=1, when=("--tenant",)), *az_token(token)]


def az_error(code: str, tenant: str) -> Answer:
    """A login that Entra no longer accepts: 50076 (MFA), 53003 (Conditional Access), 50097, 70043, ..."""
    texts = {
        "50076": "Due to a configuration change made by your administrator, or because you moved to a new "
        "location, you must use multi-factor authentication to access '499b84ac-1321-427f-aa17-267ca6975798'.",
        "53003": "Access has been blocked by Conditional Access policies. The access policy does not allow token "
        "issuance.",
        "50097": "Device authentication is required.",
        "70043": "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access.",
        "700082": "The refresh token has expired due to inactivity.",
    }
    stderr = (
        f"ERROR: AADSTS{code}: {texts[code]} Trace ID: 00000000-0000-0000-0000-000000000000 Correlation ID: "
        "00000000-0000-0000-0000-000000000000 Timestamp: 2026-01-01 00:00:00Z\n"
        "Run the command below to authenticate interactively; additional arguments may be added as needed:\n"
        f'az logout\naz login --tenant "{tenant}" --scope "499b84ac-1321-427f-aa17-267ca6975798/.default"\n'
    )
    return Answer(stderr=stderr, code=1)


def azd_token(token: str, expires_on: float | None = None) -> Answer:
    """`azd auth token --output json` of a logged-in user."""
    expiry = expires_on or (tokens.read(token) or {}).get("exp") or time.time() + 3600
    moment = datetime.datetime.fromtimestamp(expiry, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Answer(json.dumps({"token": token, "expiresOn": moment}) + "\n", when=("auth token",))


def azd_not_logged_in() -> Answer:
    """azd before `azd auth login`: it reports in JSON on stdout."""
    message = "\nERROR: not logged in, run `azd auth login` to login\n"
    event = {"type": "consoleMessage", "timestamp": "2026-01-01T00:00:00Z", "data": {"message": message}}
    return Answer(json.dumps(event) + "\n", stderr=message.lstrip(), code=1)


def helper_token(token: str) -> Answer:
    """`ado-auth-helper get-access-token` in a Codespace that is signed in."""
    return Answer(token + "\n", when=("get-access-token",))


def _is_alive(number: int) -> bool:
    try:
        with open(f"/proc/{number}/stat", encoding="ascii", errors="replace") as stream:
            # A zombie has ended and waits for its parent.
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        if os.path.isdir("/proc/self"):
            return False
    try:
        os.kill(number, 0)
    except OSError:
        return False
    return True

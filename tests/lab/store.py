"""The store through the shipped wheel, or through a published package, in child processes.

With the fixture ``store`` a test writes::

    store.set("service", "user", "secret")
    assert store.get("service", "user") == "secret"
    error = store.fails("set_password", "service", "user", "secret", SSH_AUTH_SOCK="/nowhere")
    assert "keyring.errors.PasswordSetError" in error.bases
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from .clients import Client, Completed
from .environment import home_variables
from .ssh import ssh_programs

_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "store_program.py")

RINGBEARER = "ringbearer.backends.SSHAgentKeyring"
PUBLISHED = "ssh_agent_keyring.backend.SSHAgentKeyring"


@dataclass
class Request:
    """One call of the backend."""

    method: str
    arguments: Sequence[str | None] = ()
    #: Set in the process from this call on.
    environment: dict[str, str] = field(default_factory=dict)
    #: The number of repetitions; each has an answer.
    times: int = 1


#: One call of each sort.
CALLS = [
    Request("get_password", ["svc", "alice"]),
    Request("get_credential", ["svc", None]),
    Request("set_password", ["svc", "alice", "other"]),
    Request("delete_password", ["svc", "alice"]),
]
#: The additional base class of the error of each call, which programs catch.
OF_CALLS = [set(), set(), {"keyring.errors.PasswordSetError"}, {"keyring.errors.PasswordDeleteError"}]


@dataclass
class Failure:
    """An exception that the backend raised."""

    type: str
    #: All of its classes, with their modules.
    bases: list[str]
    message: str
    #: The traceback.
    text: str


@dataclass
class Answer:
    """The outcome of a call."""

    result: object
    error: Failure | None
    seconds: float


class StoreUser:
    """A home directory, an agent's socket, and programs that use them."""

    def __init__(self, client: Client, home: object, socket: str | None, backend: str = RINGBEARER) -> None:
        self.client = client
        self.home = str(home)
        self.socket = socket
        self.backend = backend
        #: The default path of the store.
        self.path = os.path.join(self.home, ".local", "share", "ssh-agent-keyring", "store.json")
        self.config_path = os.path.join(self.home, ".config", "ssh-agent-keyring", "config.json")

    def with_client(self, client: Client, backend: str) -> StoreUser:
        """The same home and agent with other programs."""
        return StoreUser(client, self.home, self.socket, backend)

    def environment(self, **variables: str | None) -> dict[str, str]:
        """The environment of the programs, independent of the machine. None removes a variable."""
        path = [self.client.bin, ssh_programs(os.path.join(self.home, "programs"))]
        environment: dict[str, str | None] = {
            **home_variables(self.home),
            "PATH": os.pathsep.join(path),
            "LANG": "C.UTF-8",
            "SSH_AUTH_SOCK": self.socket,
            "AZURE_POD_IDENTITY_AUTHORITY_HOST": "http://127.0.0.1:9",
            **variables,
        }
        return {name: value for name, value in environment.items() if value is not None}

    def ask(self, requests: Sequence[Request], timeout: float = 120, **variables: str | None) -> list[Answer]:
        """The answers to calls that are made one after the other in one process."""
        text = json.dumps([dataclasses.asdict(request) for request in requests])
        command = ["python", _PROGRAM, self.backend]
        ended = self.client.run(command, self.environment(**variables), timeout, stdin=text).check()
        return [_answer(one) for one in json.loads(ended.stdout)]

    def start(self, requests: Sequence[Request], **variables: str | None) -> RunningStore:
        """The same in the background; the backend is loaded when this returns."""
        process = self.client.start(["python", _PROGRAM, self.backend], self.environment(**variables), with_stdin=True)
        process.stdin.write(json.dumps([dataclasses.asdict(request) for request in requests]).encode())
        process.stdin.close()
        process.stdin = None
        return RunningStore(process)

    def call(self, method: str, *arguments: str | None, **variables: str | None) -> object:
        """The result of one call; an exception fails the test."""
        [answer] = self.ask([Request(method, arguments)], **variables)
        assert answer.error is None, answer.error.text
        return answer.result

    def fails(self, method: str, *arguments: str | None, **variables: str | None) -> Failure:
        """The exception of one call."""
        [answer] = self.ask([Request(method, arguments)], **variables)
        assert answer.error is not None, answer.result
        return answer.error

    def get(self, service: str, username: str, **variables: str | None) -> object:
        """The password, or None."""
        return self.call("get_password", service, username, **variables)

    def set(self, service: str, username: str, password: str, **variables: str | None) -> None:
        """Store a password."""
        self.call("set_password", service, username, password, **variables)

    def delete(self, service: str, username: str, **variables: str | None) -> None:
        """Remove a password."""
        self.call("delete_password", service, username, **variables)

    def command(
        self, *words: str, stdin: str | bytes | None = None, timeout: float = 60, **variables: str | None
    ) -> Completed:
        """A program with its arguments: ``ringbearer store ...``, ``keyring get ...``."""
        return self.client.run(words, self.environment(**variables), timeout, stdin=stdin)

    def content(self) -> dict:
        """The store file, parsed."""
        with open(self.path, encoding="utf-8") as stream:
            return json.load(stream)

    def write(self, content: str | bytes) -> None:
        """Write a store file."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with open(self.path, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        os.chmod(self.path, 0o600)

    def configure(self, **settings: str) -> None:
        """Write the configuration file."""
        os.makedirs(os.path.dirname(self.config_path), exist_ok=True)
        with open(self.config_path, "w", encoding="utf-8") as stream:
            json.dump(settings, stream)


class RunningStore:
    """Running calls in another process."""

    def __init__(self, process) -> None:
        self.process = process
        assert process.stderr.readline() == b"ready\n"

    def answers(self, timeout: float = 120) -> list[Answer]:
        """Wait for its end."""
        stdout, stderr = self.process.communicate(timeout=timeout)
        assert self.process.returncode == 0, stderr.decode()
        return [_answer(one) for one in json.loads(stdout)]

    def kill(self) -> None:
        """``kill -9``."""
        self.process.kill()
        self.process.communicate()


def _answer(answer: dict) -> Answer:
    error = answer["error"]
    return Answer(answer["result"], Failure(**error) if error else None, answer["seconds"])

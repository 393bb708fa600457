"""The command line of keyring: the native `keyring` and `ringbearer` parse it like keyring's argparse."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.store import Request, StoreUser

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no Unix sockets for an agent")

PROGRAM = Path(__file__).resolve().parents[2] / "lab" / "keyring_table_program.py"

#: Operands, including some that look like options.
SERVICES = ["example.com", "-5", "-.5", "-1.25", "two words", "-x y", "--mode x", "-", "é", "get", "="]
USERS = ["alice", "-7", "", "a b", "-q r", "--output json", "é"]

#: The backends that the programs themselves have, and keyring's way of asking all of them.
KNOWN = (None, "keyring.backends.chainer.ChainerBackend")
OURS = "ringbearer.backends."


@dataclass
class Row:
    """A command line, and what keyring makes of it."""

    words: list[str]
    code: int
    #: The answer of a `get`.
    stdout: str
    #: Service and user name of a `set` or `del` that keyring accepts.
    names: list[str] | None
    operation: str | None
    backend: str | None

    @property
    def chooses_another(self) -> bool:
        """Whether it chooses an unknown backend."""
        return self.backend not in KNOWN and not (self.backend or "").startswith(OURS)

    @property
    def asks_for_help(self) -> bool:
        """Whether it prints help, which differs between the programs."""
        return self.words[:1] == [] or self.words[0].startswith(("-h", "--h"))

    @property
    def begins_with_an_option(self) -> bool:
        """Whether it starts with an option, which `ringbearer` must distinguish from its own."""
        return self.words[:1] != [] and self.words[0].startswith("-")


@dataclass
class Table:
    """All command lines, and the environment for which the table holds."""

    rows: list[Row]
    store: StoreUser
    environment: dict[str, str]

    def records(self) -> set[tuple[str, ...]]:
        """The names in the store."""
        listed = json.loads(self.store.command("ringbearer", "store", "list", "--json").check().stdout)
        return {(record["service"], record["username"]) for record in listed["records"]}

    def differences(self, client: Client, program: Sequence[str], rows: Sequence[Row]) -> list[tuple[object, ...]]:
        """Those of the command lines that a program parses differently from keyring."""
        found: list[tuple[object, ...]] = []
        changing = {name: [row for row in rows if row.names and row.operation == name] for name in ("set", "del")}
        reading = [row for row in rows if not row.names]
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda row: client.run([*program, *row.words], self.environment), reading))
        for row, ended in zip(reading, answers):
            printed = "" if "Usage: " in ended.stdout else ended.stdout
            if (ended.code, printed) != (row.code, row.stdout):
                found.append((row.words, row.code, row.stdout, ended.code, ended.stdout))
        # Each of the other command lines changes a different record.
        self.store.ask([Request("set_password", [*row.names, "password"]) for row in changing["del"]])
        before = self.records()
        for row in [*changing["set"], *changing["del"]]:
            ended = client.run([*program, *row.words], self.environment, stdin="password\n")
            if (ended.code, ended.output) != (0, ""):
                found.append((row.words, 0, "", ended.code, ended.output))
        expected = before - {tuple(row.names) for row in changing["del"]} | {
            tuple(row.names) for row in changing["set"]
        }
        return [*found, *sorted(expected ^ self.records())]


@pytest.fixture
def table(cloud: PracticeCloud, client: Client, store: StoreUser, tmp_path: Path) -> Table:
    """The table, and a store with a different password for each service and user in it."""
    names = [(service, user) for service in SERVICES for user in USERS]
    store.ask([Request("set_password", [service, user, f"password of {user} in {service}"]) for service, user in names])
    environment = cloud.environment(store.home, SSH_AUTH_SOCK=store.socket, AZURE_DEVOPS_EXT_PAT="the-access-token")
    path = tmp_path / "table.json"
    words = ["python", PROGRAM, path, cloud.azure.feed.url(), json.dumps(SERVICES), json.dumps(USERS)]
    client.run(words, environment).check()
    rows = [Row(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    # Each outcome occurs many times.
    outcomes = [(row.operation, row.code, bool(row.stdout)) for row in rows]
    assert len(rows) > 900 and outcomes.count(("get", 0, True)) > 300 and outcomes.count((None, 2, False)) > 200
    assert [outcomes.count((operation, 0, False)) > 20 for operation in ("set", "del")] == [True, True]
    return Table(rows, store, environment)


def test_native_keyring_parses_every_command_line_like_keyring(table: Table, native: Client) -> None:
    rows = [row for row in table.rows if not row.chooses_another]
    assert table.differences(native, ["keyring"], rows) == []


def test_ringbearer_parses_keyring_operations_like_keyring(table: Table, native: Client) -> None:
    rows = [row for row in table.rows if not row.begins_with_an_option and not row.asks_for_help]
    assert table.differences(native, ["ringbearer"], rows) == []


def test_ringbearer_parses_leading_options_like_keyring(table: Table, native: Client) -> None:
    rows = [row for row in table.rows if row.begins_with_an_option and not row.asks_for_help]
    assert table.differences(native, ["ringbearer"], rows) == []


def test_unknown_backend_is_exit_code_2_in_every_spelling(table: Table, native: Client) -> None:
    rows = [row for row in table.rows if row.chooses_another]
    assert len(rows) > 50 and {row.code for row in rows} == {2}
    assert table.differences(native, ["keyring"], rows) == []


@pytest.mark.parametrize("program", ["ringbearer", "python -m ringbearer"])
def test_the_wheels_own_program_reads_the_same_grammar(table: Table, client: Client, program: str) -> None:
    rows = [row for row in table.rows if not row.begins_with_an_option and not row.asks_for_help]
    some = [row for kind in (0, 1, 2) for row in [one for one in rows if one.code == kind and not one.names][::35]]
    assert {row.code for row in some} == {0, 1, 2} and len(some) > 15
    changing = [row for row in rows if row.names][::7]
    assert table.differences(client, program.split(), [*some, *changing]) == []

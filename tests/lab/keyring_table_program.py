"""Runs in the client's environment: makes a table of command lines from keyring's own argparse, with what
keyring makes of each.

``python keyring_table_program.py TABLE FEED SERVICES USERS`` writes the table as JSON: for every command line its
words, the exit code, what keyring prints for a `get` (which is really run), the names that a `set` or `del` (which
is not) would be for, the operation and the backend. FEED is the URL of an index that an environment variable serves;
SERVICES and USERS are JSON lists of operands.

argparse before Python 3.12.8 and 3.13.1 accepts no operand after an option that follows the operation. There,
keyring is run with the options moved to the front; newer versions are run with both orders, which must agree.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import sys

# The directory of this file: keyring must not import its modules.
del sys.path[0]

from keyring import cli, core  # noqa: E402

STORE = "ringbearer.backends.SSHAgentKeyring"
AZURE = "ringbearer.backends.AzureArtifactsKeyring"
CHAINER = "keyring.backends.chainer.ChainerBackend"

TAKES_ALL_ORDERS = sys.version_info >= (3, 13, 1) or (3, 12, 8) <= sys.version_info[:3] < (3, 13)

#: An option with its value is a tuple, an operand or `--` is a string, and a list stays where it is.
Part = object


class Options:
    """The options of argparse, in every spelling."""

    def __init__(self, parser) -> None:
        self.names = [name for action in parser._actions for name in action.option_strings]
        self._short = {action.option_strings[-1]: action.option_strings[0] for action in parser._actions[:3]}

    def beginnings(self, name: str) -> list[str]:
        """The full name and its unambiguous abbreviations."""
        cuts = [name[:length] for length in range(3, len(name))]
        return [name, *(cut for cut in cuts if self._meant(cut) == [name])]

    def ambiguous(self) -> list[str]:
        """Ambiguous abbreviations."""
        cuts = {name[:length] for name in self.names for length in range(3, len(name))}
        return sorted(cut for cut in cuts if len(self._meant(cut)) > 1)

    def spellings(self, name: str, value: str) -> list[tuple[str, ...]]:
        """Every way to give it a value."""
        found: list[tuple[str, ...]] = []
        for begin in self.beginnings(name):
            found += [(begin, value), (f"{begin}={value}",)]
        short = self._short.get(name, name)
        if short != name:
            found += [(short, value), (f"{short}{value}",), (f"{short}={value}",)]
        return found

    def _meant(self, begin: str) -> list[str]:
        return [name for name in self.names if name.startswith(begin)]


def cases(options: Options, feed: str, service_names: list[str], user_names: list[str]) -> list[list[Part]]:
    """The command lines."""
    mode = itertools.cycle(options.spellings("--mode", "creds"))
    output = itertools.cycle(options.spellings("--output", "json"))
    backend = itertools.cycle(options.spellings("--keyring-backend", STORE))
    services, users = itertools.cycle([*service_names, feed]), itertools.cycle(user_names)
    found: list[list[Part]] = []
    # Every order of up to three options and up to two operands after the operation.
    for chosen in itertools.chain.from_iterable(itertools.combinations("mob", count) for count in range(4)):
        for count in range(3):
            for order in sorted(set(itertools.permutations([*chosen, *"#" * (count + 1)]))):
                operands = iter(["get", next(services), next(users)])
                parts = {"m": mode, "o": output, "b": backend, "#": operands}
                found.append([next(parts[letter]) for letter in order])
    for operation in ("set", "del"):
        for count in range(3):
            for order in sorted(set(itertools.permutations([*"mb", *"#" * (count + 1)]))):
                operands = iter([operation, next(services), f"user {len(found)}"])
                parts = {"m": mode, "b": backend, "#": operands}
                found.append([next(parts[letter]) for letter in order])
        found += [[operation, "-5", f"-{len(found)}"], [operation, "--", "--mode", f"--user{len(found)}"]]
        found += [[operation, "example.com", f"user {len(found)}", "more"]]
    # Every spelling of every value, before and after.
    values = [("--mode", value) for value in ("password", "creds", "cred", "Creds", "", "-5", "-x")]
    values += [("--output", value) for value in ("plain", "json", "yaml", "", "a b")]
    values += [("--keyring-backend", value) for value in (STORE, AZURE, CHAINER, "no.such.Backend", "", "-5", "-x y")]
    for name, value in values:
        for number, spelling in enumerate(options.spellings(name, value)):
            in_front = [spelling, "get", next(services), next(users)]
            found.append(in_front if number % 2 else ["get", feed, next(users), spelling])
    for spelling in options.spellings("--keyring-path", "/nowhere"):
        found += [[spelling, "get", "example.com", "alice"], ["get", spelling, "example.com", "alice"]]
    # Every service with every user, `--` at every position, and operands that look like options after it.
    for service, user in itertools.product([*service_names, feed], user_names):
        found += [["get", service, user], [next(mode), "get", "--", service, user]]
    for place in range(4):
        words: list[Part] = ["get", "example.com", "alice"]
        found += [[*words[:place], "--", *words[place:]], [next(mode), *words[:place], "--", *words[place:]]]
    found += [["get", "--", "--mode", "-x"], ["get", "--", "--mode", "creds"], ["get", "example.com", "--", "--mode"]]
    # Words that resemble options, at every position.
    unknown = [
        "--unknown",
        "--unknown=x",
        "-x",
        "-xy",
        "-m",
        "-mcreds",
        "-mode",
        "--modes",
        "--modes=creds",
        "-5x",
        "-B",
    ]
    unknown += [
        "--=x",
        "-=x",
        "-é",
        "--é=x",
        "---mode",
        "--Mode=creds",
        "--mode-x",
        "--list-backends=x",
        "--help=x",
    ]
    for word, begin in itertools.product([*unknown, *options.ambiguous()], (word for word in ("", "="))):
        words = ["get", "example.com", "alice"]
        found += [[*words[:place], [word + begin], *words[place:]] for place in range(4)]
    # A missing value, a repeated option, and help at every position.
    for name in ("--mode", "--output", "--keyring-backend", "-b", "--o"):
        found += [["get", "example.com", "alice", [name]], [[name, "--", "get", "example.com", "alice"]]]
        found += [[[name, "--mode", "creds"], "get", "example.com", "alice"], [[name]], ["get", [name, "-x"]]]
    for value in ("password", "creds", "x"):
        found += [[("--mode", "creds"), "get", "example.com", "alice", ("--mode", value)]]
        found += [[("--mode", value), ("--m=creds",), "get", "example.com"]]
    for word in ["-h", *options.beginnings("--help")]:
        found += [[word], [word, "get"], ["get", word], ["get", "example.com", "alice", word], [next(mode), word]]
    found += [[], [""], ["gets", "a", "b"], ["", "get", "a", "b"], ["GET", "a", "b"], ["get"], ["set"], ["del"]]
    found += [["get", "a", "b", "c"], ["get", "a", "b", ""], ["get", feed, "", "x", "y"], [("--mode", "creds"), "get"]]
    return found


def flat(parts: list[Part]) -> list[str]:
    """The arguments of a command line."""
    return [word for part in parts for word in ([part] if isinstance(part, str) else part)]


def in_front(parts: list[Part]) -> list[str]:
    """The arguments with options and their values first."""
    return flat(
        [part for part in parts if isinstance(part, tuple)] + [one for one in parts if not isinstance(one, tuple)]
    )


class Tool(cli.CommandLineTool):
    """keyring's command line, which stores and deletes nothing."""

    def do_set(self) -> None:
        """Does nothing."""

    do_del = do_set


def outcome(words: list[str]) -> dict:
    """What keyring makes of a command line."""
    # As in a separate process: a backend is chosen for one command line only.
    core._keyring_backend = None
    tool, printed = Tool(), io.StringIO()
    found = {"code": 0, "stdout": "", "names": None}
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        try:
            tool.run(words)
        except SystemExit as end:
            found["code"] = end.code or 0
    given = vars(tool)
    found.update(operation=given.get("operation"), backend=given.get("keyring_backend"))
    if found["code"] == 0 and found["operation"] == "get":
        found["stdout"] = printed.getvalue()
    elif found["code"] == 0 and found["operation"]:
        found["names"] = [tool.service, tool.username]
    return found


def main(path: str, feed: str, services: str, users: str) -> None:
    """Write the table."""
    table, seen = [], set()
    for parts in cases(Options(cli.CommandLineTool().parser), feed, json.loads(services), json.loads(users)):
        words = flat(parts)
        if tuple(words) in seen:
            continue
        seen.add(tuple(words))
        found = outcome(in_front(parts))
        if TAKES_ALL_ORDERS:
            as_it_stands = outcome(words)
            assert as_it_stands == found, (words, as_it_stands, found)
        table.append({"words": words, **found})
    with open(path, "w", encoding="utf-8") as stream:
        json.dump(table, stream)


if __name__ == "__main__":
    main(*sys.argv[1:])

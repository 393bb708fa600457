"""The memory of the process after a call: no keys and no signature.

The store is one of the published package's whose keys are known. Another process, which never had them, is searched:
every page of it that can be written, also the stacks of threads that have ended.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from lab.known_store import expected_of_planted, planted, secrets_of_planted
from lab.ssh import Agent
from lab.store import StoreUser

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has /proc/PID/mem")


#: Makes one call, then waits to be inspected.
CALL = """
import sys
from ringbearer.backends import SSHAgentKeyring
backend = SSHAgentKeyring()
answer = getattr(backend, sys.argv[1])(*sys.argv[2:])
print("done", flush=True)
sys.stdin.readline()
"""

CALLS = [
    ("get_password", "svc", "alice"),
    ("get_credential", "svc", "alice"),
    ("set_password", "svc", "zoe", "another-password"),
    ("delete_password", "svc", "alice"),
]


@pytest.fixture
def known(store: StoreUser, agent: Agent) -> StoreUser:
    """A user of the store with known keys, whose key is in the agent."""
    return planted(store, agent)


def secrets() -> dict[str, bytes]:
    """What must not be in memory, by name."""
    expected = expected_of_planted()
    found = {name.replace("_", " "): secret for name, secret in secrets_of_planted().items()}
    # The first lines are the public key and the namespace, the last two the signature.
    for number, line in enumerate(expected["armored_signature"].splitlines()[3:-1]):
        found[f"armor {number}"] = line.encode()
    plain = [bytes.fromhex(record["plaintext_hex"] or "") for record in expected["records"]]
    [found["record"]] = [text for text in plain if b'"svc","username":"alice"' in text]
    return found


def memory(process: int) -> Iterator[bytes]:
    """The writable pages of a process."""
    with open(f"/proc/{process}/maps", encoding="utf-8") as maps, open(f"/proc/{process}/mem", "rb", 0) as pages:
        for line in maps:
            place, permissions = line.split()[:2]
            if not permissions.startswith("rw"):
                continue
            begin, end = (int(number, 16) for number in place.split("-"))
            pages.seek(begin)
            try:
                yield pages.read(end - begin)
            except OSError:
                # Belongs to the kernel.
                continue


def left_behind(store: StoreUser, call: tuple[str, ...], parts: int, **variables: str) -> list[str]:
    """The names of the secrets of which a part is in memory after a call, with the password."""
    wanted = {}
    for name, content in secrets().items():
        length = len(content) // parts
        wanted.update({f"{name}, part {part}": content[part * length :][:length] for part in range(parts)})
    wanted["control"] = b"SSHAgentKeyring"
    environment = store.environment(**variables)
    process = store.client.start(["python", "-c", CALL, *call], environment, with_stdin=True)
    try:
        assert process.stdout.readline() == b"done\n", process.stderr.read().decode()
        try:
            pages = list(memory(process.pid))
        except PermissionError:
            pytest.skip("this machine does not allow reading the memory of another process")
    finally:
        process.communicate(b"\n", timeout=30)
    return [name for name, part in wanted.items() if any(re.search(re.escape(part), page) for page in pages)]


def test_memory_search_finds_keys_that_are_cached_on_purpose(known: StoreUser) -> None:
    found = left_behind(known, CALLS[0], 1, RINGBEARER_STORE_CACHE_SECONDS="60")
    assert found == ["index key, part 0", "value key, part 0", "control"]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_no_key_signature_or_record_is_in_memory_after_a_call(known: StoreUser, call: tuple[str, ...]) -> None:
    assert left_behind(known, call, 1) == ["control"]


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call[0])
def test_not_even_half_of_one_is_in_memory_after_a_call(known: StoreUser, call: tuple[str, ...]) -> None:
    # Two separate halves reveal the whole: a cipher stores the rows of its state separately.
    assert left_behind(known, call, 2) == ["control"]

"""An agent that does not sign: missing, locked, without the key, or waiting for confirmation."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.confirming_agent import ConfirmingAgent
from lab.ssh import Agent, Key
from lab.store import CALLS, OF_CALLS, Answer, Request, StoreUser

LOCKED = {
    "ringbearer.errors.StoreLocked",
    "keyring.errors.KeyringLocked",
    "keyring.errors.KeyringError",
    "builtins.RuntimeError",
}


def assert_locked(answers: list[Answer], *reasons: str) -> None:
    """Every call failed at once, with keyring's exception and one line with the reasons."""
    for answer, wanted in zip(answers, OF_CALLS):
        assert answer.error is not None, answer.result
        assert LOCKED | wanted <= set(answer.error.bases), answer.error.bases
        message = answer.error.message
        assert all(reason in message for reason in reasons) and "\n" not in message, message
        # Far below the limits of the agent (5 s and 60 s), even on a busy machine.
        assert answer.seconds < 3


@pytest.fixture
def used(store: StoreUser) -> StoreUser:
    """A user with a store."""
    store.set("svc", "alice", "s3cr3t")
    return store


def test_without_an_agent_every_call_says_so_at_once(used: StoreUser, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("no socket")
    nowhere = str(tmp_path / "nowhere")
    for socket, reason in [
        (nowhere, f"Unable to connect to ssh-agent at {nowhere}"),
        (str(plain), f"Unable to connect to ssh-agent at {plain}"),
        (str(tmp_path), f"Unable to connect to ssh-agent at {tmp_path}"),
        ("/" + "x" * 300, "Unable to connect to ssh-agent at /xxx"),
        (None, "SSH_AUTH_SOCK is not set; ssh-agent is not available"),
        ("", "SSH_AUTH_SOCK is not set; ssh-agent is not available"),
    ]:
        assert_locked(used.ask(CALLS, SSH_AUTH_SOCK=socket), reason, "; ")
    assert used.get("svc", "alice") == "s3cr3t"


def test_new_store_is_not_created_without_an_agent(store: StoreUser, tmp_path: Path) -> None:
    for socket in (str(tmp_path / "nowhere"), None):
        error = store.fails("set_password", "svc", "alice", "s3cr3t", SSH_AUTH_SOCK=socket)
        assert LOCKED | {"keyring.errors.PasswordSetError"} <= set(error.bases)
        assert not os.path.exists(os.path.dirname(store.path))


def test_locked_agent_is_reported_and_works_once_unlocked(used: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    agent.lock("of-a-test")
    fingerprint = keys["ed25519"].fingerprint
    assert_locked(used.ask(CALLS), "Unable to unlock", "no keys, or is locked", fingerprint, "`ssh-add -X`")
    agent.unlock("of-a-test")
    assert used.get("svc", "alice") == "s3cr3t"


def test_locked_agent_creates_no_store(store: StoreUser, agent: Agent) -> None:
    agent.lock("of-a-test")
    error = store.fails("set_password", "svc", "alice", "s3cr3t")
    assert LOCKED | {"keyring.errors.PasswordSetError"} <= set(error.bases)
    assert "`ssh-add -X`" in error.message
    assert not os.path.exists(os.path.dirname(store.path))


def test_a_key_that_was_removed_is_named_by_its_fingerprint(
    used: StoreUser, agent: Agent, keys: dict[str, Key]
) -> None:
    agent.add(keys["rsa"])
    agent.remove(keys["ed25519"])
    fingerprint = keys["ed25519"].fingerprint
    reason = f"Requested key is not available in ssh-agent: {fingerprint}"
    assert_locked(used.ask(CALLS), "Unable to unlock keyring store with the current ssh-agent key", reason, "`ssh-add`")
    agent.remove(keys["rsa"])
    assert_locked(used.ask(CALLS), "Unable to unlock", "no keys", fingerprint)
    agent.add(keys["ed25519"])
    assert used.get("svc", "alice") == "s3cr3t"


@pytest.fixture
def confirming_agent() -> Iterator[ConfirmingAgent]:
    """An agent that counts its confirmation prompts."""
    made = ConfirmingAgent()
    yield made
    made.close()


@pytest.fixture
def confirming(used: StoreUser, confirming_agent: ConfirmingAgent, keys: dict[str, Key]) -> StoreUser:
    """A user with a store whose key was added with `ssh-add -c`; the answer is yes."""
    confirming_agent.add(keys["ed25519"], "-c")
    confirming_agent.answer("yes")
    used.socket = confirming_agent.socket
    return used


def results(answers: list[Answer]) -> list[object]:
    """The result of each call; an exception fails the test."""
    assert [answer.error and answer.error.message for answer in answers] == [None] * len(answers)
    return [answer.result for answer in answers]


def test_each_call_asks_the_owner_of_a_confirmed_key_once(
    confirming: StoreUser, confirming_agent: ConfirmingAgent
) -> None:
    for call, result in zip(CALLS, ["s3cr3t", ["alice", "s3cr3t"], None, None]):
        assert results(confirming.ask([call])) == [result]
        assert confirming_agent.asked() == 1, call.method
    # Absent records need the key too.
    gets = Request("get_password", ["svc", "bob"], times=3)
    assert results(confirming.ask([gets])) == [None] * 3
    assert confirming_agent.asked() == 3


def test_refused_confirmation_is_the_reported_reason(
    confirming: StoreUser, confirming_agent: ConfirmingAgent, keys: dict[str, Key]
) -> None:
    confirming_agent.answer(None)
    reasons = ["Unable to unlock", f"it refused to sign with {keys['ed25519'].fingerprint}", "`ssh-add -c`"]
    assert_locked(confirming.ask(CALLS), *reasons)
    confirming_agent.answer("yes")
    assert confirming.get("svc", "alice") == "s3cr3t"


def test_new_store_asks_twice_and_a_refusal_creates_none(
    confirming: StoreUser, confirming_agent: ConfirmingAgent
) -> None:
    path = str(Path(confirming.home) / "other.json")
    confirming_agent.answer(None)
    call = ["set_password", "svc", "alice", "other"]
    error = confirming.fails(*call, SSH_AGENT_KEYRING_STORE_PATH=path)
    assert LOCKED | {"keyring.errors.PasswordSetError"} <= set(error.bases)
    assert "refused to sign" in error.message and not os.path.exists(path)
    assert confirming_agent.asked() == 1
    confirming_agent.answer("yes")
    confirming.call(*call, SSH_AGENT_KEYRING_STORE_PATH=path)
    assert confirming_agent.asked() == 2


def test_keys_are_kept_for_as_long_as_the_setting_says(
    confirming: StoreUser, confirming_agent: ConfirmingAgent
) -> None:
    results(confirming.ask([*CALLS, CALLS[2]], RINGBEARER_STORE_CACHE_SECONDS="60"))
    assert confirming_agent.asked() == 1
    # Another process starts without a cached key.
    assert confirming.get("svc", "alice", RINGBEARER_STORE_CACHE_SECONDS="60") == "other"
    assert confirming_agent.asked() == 1
    # The cached key expires with the setting.
    ends = Request("get_password", ["svc", "alice"], {"RINGBEARER_STORE_CACHE_SECONDS": "0"})
    results(confirming.ask([CALLS[0], CALLS[0], ends, ends], RINGBEARER_STORE_CACHE_SECONDS="60"))
    assert confirming_agent.asked() == 3


def test_cached_keys_serve_one_store_only(confirming: StoreUser, confirming_agent: ConfirmingAgent) -> None:
    other = {"SSH_AGENT_KEYRING_STORE_PATH": str(Path(confirming.home) / "other.json")}
    confirming.set("svc", "alice", "of the other", **other)
    confirming_agent.asked()
    get = CALLS[0]
    there = Request(get.method, get.arguments, other)
    found = confirming.ask([get, get, there, there], RINGBEARER_STORE_CACHE_SECONDS="60")
    assert results(found) == ["s3cr3t", "s3cr3t", "of the other", "of the other"]
    assert confirming_agent.asked() == 2


@pytest.mark.parametrize("value", ["soon", "-1", "1.5", "86401", "999999999999999999999"])
def test_invalid_cache_seconds_warn_and_disable_the_cache(
    confirming: StoreUser, confirming_agent: ConfirmingAgent, value: str
) -> None:
    program = "\n".join(
        [
            "from ringbearer.backends import SSHAgentKeyring",
            "for _ in range(2):",
            "    print(SSHAgentKeyring().get_password('svc', 'alice'))",
        ]
    )
    ended = confirming.command("python", "-c", program, RINGBEARER_STORE_CACHE_SECONDS=value).check()
    assert ended.stdout == "s3cr3t\n" * 2
    assert "RINGBEARER_STORE_CACHE_SECONDS is not a number of seconds up to 86400" in ended.stderr
    assert confirming_agent.asked() == 2


_FORKS = """
import json, os
from ringbearer.backends import SSHAgentKeyring

backend = SSHAgentKeyring()
ask = lambda: backend.get_password("svc", "alice")
before = [ask(), ask()]
reading, writing = os.pipe()
child = os.fork()
if child == 0:
    os.write(writing, json.dumps([ask(), ask()]).encode())
    os._exit(0)
os.close(writing)
with open(reading) as stream:
    inside = json.load(stream)
assert os.waitpid(child, 0)[1] == 0
print(json.dumps([before, inside, [ask()]]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_cached_keys_do_not_cross_a_fork(confirming: StoreUser, confirming_agent: ConfirmingAgent) -> None:
    ended = confirming.command("python", "-c", _FORKS, RINGBEARER_STORE_CACHE_SECONDS="60").check()
    assert json.loads(ended.stdout) == [["s3cr3t"] * 2, ["s3cr3t"] * 2, ["s3cr3t"]]
    # Once in the parent, once in the child.
    assert confirming_agent.asked() == 2

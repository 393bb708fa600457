"""An agent that lies, sends garbage or disconnects: a typed error with advice, and an unchanged store.

Agents that hang or trickle are in `test_never_hangs.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from lab import hostile_agent as hostile
from lab.ed25519_twice import malleate
from lab.ed25519_twice import sign as sign_differently
from lab.hostile_agent import FAILURE, LIST, SIGN, HostileAgent, Reply, Signer, change, number, say, sign_by, string
from lab.ssh import Key, make_key
from lab.store import Request, StoreUser
from support.hostile_agents import GET, SET, agents, ask_each, files, improper_errors, serving, sockets

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no Unix sockets for an agent")

#: Faults for any answer.
GARBLED = {
    "zero length": hostile.announce(0),
    "256 KiB and a byte": hostile.announce(256 * 1024 + 1),
    "4 GiB": hostile.announce(0xFFFFFFFF),
    "a length that is never reached": hostile.announce(4096, Reply(b"\x0c" * 100, close=True)),
    "hung up at once": hostile.cut(0),
    "hung up in the length": hostile.cut(3),
    "hung up behind the length": hostile.cut(4),
    "hung up before the last byte": hostile.cut(),
    "wrong type": change(lambda honest: b"\x63" + honest[1:]),
    "the answer to another question": change(lambda honest: bytes([26 - honest[0]]) + honest[1:]),
    "the type alone": change(lambda honest: honest[:1]),
    "a byte less": change(lambda honest: honest[:-1]),
    "a byte more": change(lambda honest: honest + b"\0"),
    "a length inside that is too large": change(lambda honest: honest[:1] + b"\xff" * 4 + honest[5:]),
    "text": say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    **{f"noise {seed}": hostile.noise(7**seed, seed) for seed in range(6)},
    "no": say(bytes([FAILURE])),
    "no, by an extension": say(bytes([hostile.EXTENSION_FAILURE])),
    "no, by SSH2": say(bytes([hostile.SSH2_FAILURE])),
    "no, by SSH_COM": say(bytes([hostile.SSH_COM_FAILURE])),
}


def lie_about_the_count(claimed: int) -> hostile.Fault:
    return change(lambda honest: honest[:1] + number(claimed) + honest[5:])


@pytest.fixture
def filled(store: StoreUser) -> StoreUser:
    """With a store that has a password."""
    store.set("service", "alice", "the-password")
    return store


def test_the_agent_of_these_tests_serves_as_long_as_it_is_honest(store: StoreUser, keys: dict[str, Key], agent) -> None:
    for kind in ("ed25519", "rsa"):
        path = os.path.join(store.home, kind + ".json")
        agent.add(keys[kind])
        variables = {"SSH_AGENT_KEYRING_STORE_PATH": path, "SSH_AGENT_KEYRING_PUBLIC_KEY": keys[kind].line}
        with HostileAgent(keys[kind]) as honest:
            store.set("service", "alice", "the-password", SSH_AUTH_SOCK=honest.socket, **variables)
        assert store.get("service", "alice", **variables) == "the-password"


def test_malformed_key_list_creates_no_store(store: StoreUser, keys: dict[str, Key]) -> None:
    faults = {
        **GARBLED,
        "one key too many": lie_about_the_count(2),
        "no keys, and yet one": lie_about_the_count(0),
        "4 G keys": lie_about_the_count(0xFFFFFFFF),
    }
    with agents(keys["ed25519"], faults, on_list=True) as served:
        assert improper_errors(ask_each(store, sockets(served), [SET])) == {}
        assert [name for name, agent in served.items() if agent.count(LIST) != 1] == []
    assert files(store) == {}


def test_malformed_signature_creates_and_changes_no_store(filled: StoreUser, keys: dict[str, Key]) -> None:
    before, elsewhere = files(filled), os.path.join(filled.home, ".local", "new", "store.json")
    with agents(keys["ed25519"], GARBLED, on_sign=True) as served:
        assert improper_errors(ask_each(filled, sockets(served), [GET, SET])) == {}
        variables = {"SSH_AGENT_KEYRING_STORE_PATH": elsewhere}
        assert improper_errors(ask_each(filled, sockets(served), [SET], **variables)) == {}
        assert [name for name, agent in served.items() if agent.count(SIGN) != 3] == []
    assert files(filled) == before


def bad_signatures(tmp_path: Path, kind: str) -> dict[str, hostile.Fault]:
    """Well-formed but invalid signatures."""
    another = Signer(make_key(tmp_path / "another", kind))
    right, sample = another.sign(b"")
    length = len(sample)
    found = {
        "constant": sign_by(lambda _: (right, b"\x01" * length)),
        "zeros": sign_by(lambda _: (right, b"\0" * length)),
        "empty": sign_by(lambda _: (right, b"")),
        "a byte short": sign_by(lambda request: (right, request.signer.sign(request.data)[1][:-1])),
        "a byte long": sign_by(lambda request: (right, request.signer.sign(request.data)[1] + b"\0")),
        "zeros in front": sign_by(lambda request: (right, b"\0" * 8 + request.signer.sign(request.data)[1])),
        "very long": sign_by(lambda _: (right, b"\x01" * 200_000)),
        "another algorithm's name": sign_by(lambda request: (b"rsa-sha2-1024", request.signer.sign(request.data)[1])),
        "no algorithm": sign_by(lambda request: (b"", request.signer.sign(request.data)[1])),
        "something else": sign_by(lambda request: request.signer.sign(request.data + b"\0")),
        "something short": sign_by(lambda request: request.signer.sign(b"SSHSIG")),
        "another key": sign_by(lambda request: another.sign(request.data)),
        "bytes behind the signature": change(lambda honest: honest[:1] + string(honest[5:] + string(b"x"))),
    }
    if kind == "ed25519":
        found["malleable"] = sign_by(lambda request: (right, malleate(request.signer.sign(request.data)[1])))
        return found
    for flags in (0, 2):
        found[f"flag {flags}"] = sign_by(lambda request, flags=flags: request.signer.sign(request.data, flags))
        found[f"flag {flags} in disguise"] = sign_by(
            lambda request, flags=flags: (right, request.signer.sign(request.data, flags)[1])
        )
    return found


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_invalid_signature_opens_and_creates_no_store(
    store: StoreUser, keys: dict[str, Key], agent, tmp_path: Path, kind: str
) -> None:
    agent.add(keys[kind])
    named = {"SSH_AGENT_KEYRING_PUBLIC_KEY": keys[kind].line}
    store.set("service", "alice", "the-password", **named)
    before, elsewhere = files(store), os.path.join(store.home, ".local", "new", "store.json")
    faults = bad_signatures(tmp_path, kind)
    with agents(keys[kind], faults, on_sign=True) as served:
        assert improper_errors(ask_each(store, sockets(served), [GET, SET], **named)) == {}
        variables = {"SSH_AGENT_KEYRING_STORE_PATH": elsewhere, **named}
        assert improper_errors(ask_each(store, sockets(served), [SET], **variables)) == {}
        assert [name for name, agent in served.items() if agent.count(SIGN) != 3] == []
    assert files(store) == before


def test_random_valid_signatures_create_no_store(store: StoreUser, keys: dict[str, Key]) -> None:
    private = Signer(keys["ed25519"]).private
    seed = private.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    fault = sign_by(lambda request: (b"ssh-ed25519", sign_differently(seed, public, request.data)))
    with agents(keys["ed25519"], {"twice": fault}, on_sign=True) as served:
        answers = ask_each(store, sockets(served), [SET])
        assert served["twice"].count(SIGN) == 2
    assert improper_errors(answers) == {}
    assert "in two ways" in answers["twice: set_password"].error.message
    assert files(store) == {}


def test_wrong_second_signature_creates_no_store(store: StoreUser, keys: dict[str, Key]) -> None:
    def twice(fault: hostile.Fault) -> hostile.Fault:
        return lambda request: fault(request) if request.earlier else Reply(hostile.frame(request.honest))

    faults = {name: twice(fault) for name, fault in GARBLED.items()}
    with agents(keys["ed25519"], faults, on_sign=True) as served:
        assert improper_errors(ask_each(store, sockets(served), [SET])) == {}
        assert [name for name, agent in served.items() if agent.count(SIGN) != 2] == []
    assert files(store) == {}


def test_refusal_followed_by_a_malformed_list_is_reported(filled: StoreUser, keys: dict[str, Key]) -> None:
    before = files(filled)
    made = {name: HostileAgent(keys["ed25519"], fault, say(bytes([FAILURE]))) for name, fault in GARBLED.items()}
    with serving(made) as served:
        assert improper_errors(ask_each(filled, sockets(served), [GET])) == {}
    assert files(filled) == before


def test_odd_keys_and_comments_are_passed_over(store: StoreUser, keys: dict[str, Key]) -> None:
    blob = Signer(keys["ed25519"]).blob
    others = {
        "comments that are not UTF-8": [(b"\xff" * 40, b"\xff\xfe\x80"), (b"", b"\xc3")],
        "garbage": [(b"", b""), (b"\0" * 4, b"x"), (b"\xff" * 9, b"x"), (string(b"ssh-ed25519"), b"x")],
        "a key with bytes behind": [(blob + b"\0", b"x")],
        "an ed25519 key of 31 bytes": [(string(b"ssh-ed25519") + string(b"\1" * 31), b"x")],
        "an RSA key of zero": [(string(b"ssh-rsa") + string(b"\0") + string(b"\0"), b"x")],
        "a type that is not text": [(string(b"\xff\x1b[31m") + string(b"\1" * 31), b"\x1b[31m")],
        "as many as a message holds": as_many_as_a_message_holds(blob),
    }
    made = {name: HostileAgent(keys["ed25519"], comment=b"\xff", others=keys_) for name, keys_ in others.items()}
    with serving(made) as served:
        paths = {name: os.path.join(store.home, ".local", name, "store.json") for name in served}
        places = {name: {"SSH_AGENT_KEYRING_STORE_PATH": path} for name, path in paths.items()}
        sets = [
            Request("set_password", ("service", "alice", name), {**places[name], "SSH_AUTH_SOCK": agent.socket})
            for name, agent in served.items()
        ]
        assert [answer.error for answer in store.ask(sets)] == [None] * len(sets)
    gets = [Request("get_password", ("service", "alice"), place) for place in places.values()]
    assert [answer.result for answer in store.ask(gets)] == list(paths)


def as_many_as_a_message_holds(blob: bytes) -> list[tuple[bytes, bytes]]:
    """More than three thousand keys, which with the real one make a message of exactly 256 KiB."""
    room = 256 * 1024 - 5 - len(string(blob) + string(b"\xff"))
    found = []
    while room >= 200:
        found.append((b"\0" * 54 + number(len(found)), b"comment"))
        room -= 8 + 58 + 7
    found.append((b"\0" * (room - 8), b""))
    assert len(found) > 3000
    return found


def test_status_reports_a_malformed_agent_response(filled: StoreUser, keys: dict[str, Key]) -> None:
    for fault in (hostile.announce(0xFFFFFFFF), hostile.cut(), say(bytes([FAILURE])), lie_about_the_count(7)):
        with HostileAgent(keys["ed25519"], fault) as agent:
            shown = filled.command("ringbearer", "store", "status", SSH_AUTH_SOCK=agent.socket)
        assert (shown.code, shown.stderr) == (3, "")
        assert "ssh-agent" in shown.stdout


#: Makes a call with each given socket, with a memory limit just above its present size.
FRUGAL = """
import resource, sys
from ringbearer.backends import SSHAgentKeyring
import os
backend = SSHAgentKeyring()
def ask(path):
    os.environ["SSH_AUTH_SOCK"] = path
    try:
        return backend.get_password("service", "alice")
    except Exception as error:
        return type(error).__name__
assert ask(sys.argv[1]) == "the-password"
if sys.platform == "linux":
    with open("/proc/self/statm") as stream:
        used = int(stream.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (256 << 20), resource.getrlimit(resource.RLIMIT_AS)[1]))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[2:]:
    print(ask(path))
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(grown // (1024 if sys.platform == "linux" else 1024 * 1024))
"""


def test_no_announced_length_takes_memory(filled: StoreUser, keys: dict[str, Key]) -> None:
    full = Reply(b"\0" * 600_000, hang=False, close=True)
    faults = {
        "4 GiB": hostile.announce(0xFFFFFFFF),
        "2 GiB": hostile.announce(0x7FFFFFFF, full),
        "a byte too many": hostile.announce(256 * 1024 + 1, full),
        "inside": say(bytes([hostile.SIGN_ANSWER]) + number(0xFFFFFFFF) + b"x"),
        "keys": say(bytes([FAILURE])),
    }
    with agents(keys["ed25519"], faults, on_sign=True) as served:
        served["keys"].listing = lie_about_the_count(0xFFFFFFFF)
        command = ["python", "-c", FRUGAL, filled.socket, *sockets(served).values()]
        ended = filled.client.run(command, filled.environment()).check()
    *types, grown = ended.stdout.split()
    assert types == ["StoreLocked"] * len(faults)
    assert int(grown) < 16

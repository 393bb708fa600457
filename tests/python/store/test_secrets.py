"""Secrets of the store are in no log, error, traceback, other file or argument list."""

from __future__ import annotations

import base64
import json
import os
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from urllib.parse import quote

import pytest
from lab import hostile_agent as hostile
from lab.hostile_agent import SIGN, HostileAgent
from lab.known_store import planted, secrets_of_planted
from lab.ssh import Agent, Key
from lab.store import StoreUser
from support.start_program import StartProgram

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has neither Unix sockets nor process limits")

NAMES = {
    "service": "planted-service-3f9c",
    "username": "planted-user-a71e",
    "password": "planted-password-b52d-ü",
    "another": "planted-another-c08f",
}
SETTINGS = [{}, {"RINGBEARER_DEBUG": "1"}, {"RINGBEARER_DEBUG": "1", "RINGBEARER_STORE_CACHE_SECONDS": "60"}]


@pytest.fixture
def known(store: StoreUser, agent: Agent) -> StoreUser:
    """With a store whose keys are known, and its key in the agent."""
    return planted(store, agent)


def forms() -> dict[bytes, str]:
    """Every secret in each encoding, with its name."""
    found: dict[bytes, str] = {}
    for name, text in NAMES.items():
        for written in (text, quote(text, safe=""), json.dumps(text)[1:-1], ascii(text)[1:-1]):
            found[written.encode()] = name
    for name, content in {**secrets_of_planted(), **{name: text.encode() for name, text in NAMES.items()}}.items():
        # Inside base64, the encoding depends on the offset modulo three; the ends are cut off.
        for shift in range(3):
            whole = base64.b64encode(b"\0" * shift + content)
            found[whole[4:-4]] = f"{name} in base64"
            found[whole[4:-4].translate(bytes.maketrans(b"+/", b"-_"))] = f"{name} in base64"
        found[content] = name
        found[content.hex().encode()] = f"{name} in hexadecimal"
        found[", ".join(str(byte) for byte in content).encode()] = f"{name} as numbers"
    return found


def assert_hidden(places: dict[str, bytes]) -> None:
    found = {name: [form for needle, form in forms().items() if needle in place] for name, place in places.items()}
    assert {name: shown for name, shown in found.items() if shown} == {}


def files(home: str) -> dict[str, bytes]:
    """The content of a home directory except the private key."""
    found = {}
    for folder, _, names in os.walk(home):
        for name in names:
            path = os.path.join(folder, name)
            if name != "known" and not os.path.islink(path) and stat.S_ISREG(os.stat(path).st_mode):
                with open(path, "rb") as stream:
                    found[path] = stream.read()
    return found


#: Makes successful and failing calls of every kind, and prints everything that a program could print about them.
SHOW = """
import gc, json, logging, os, sys, traceback
logging.basicConfig(stream=sys.stdout, level=logging.DEBUG, format="%(name)s %(message)s %(args)s")
from ringbearer import _core, backends, errors
given = json.load(sys.stdin)
service, username, password, another = (given[name] for name in ("service", "username", "password", "another"))
backend = backends.SSHAgentKeyring()
raised = []
def fails(method, *arguments, **variables):
    old = dict(os.environ)
    os.environ.update(variables)
    try:
        getattr(backend, method)(*arguments)
    except Exception as error:
        raised.append(type(error).__name__)
        print(repr(error), str(error), error.args, vars(error), repr(error.__cause__), repr(error.__context__))
        traceback.print_exc()
    finally:
        os.environ.clear()
        os.environ.update(old)
backend.set_password(service, username, password)
assert backend.get_password(service, username) == password
assert backend.get_credential(service, None).password == password
backend.set_password(service, username, another)
backend.delete_password(service, username)
fails("delete_password", service, username)
backend.set_password(service, username, password)
for socket in given["sockets"]:
    elsewhere = {"SSH_AGENT_KEYRING_STORE_PATH": os.path.expanduser("~/elsewhere/store.json")}
    fails("get_password", service, username, SSH_AUTH_SOCK=socket, RINGBEARER_STORE_CACHE_SECONDS="0")
    fails("set_password", service, username, another, SSH_AUTH_SOCK=socket, RINGBEARER_STORE_CACHE_SECONDS="0")
    fails("set_password", service, username, another, SSH_AUTH_SOCK=socket, **elsewhere)
for wrong in ({"SSH_AGENT_KEYRING_PUBLIC_KEY": given["key"]}, {"SSH_AGENT_KEYRING_STORE_PATH": "/dev/null/x"}):
    fails("get_password", service, username, **wrong)
    fails("set_password", service, username, another, **wrong)
fails("set_password", service + "\\udc80", username, another)
path = os.path.expanduser("~/.local/share/ssh-agent-keyring/store.json")
with open(path) as stream:
    store = json.load(stream)
for record in store["records"].values():
    record["nonce"] = "AAAAAAAAAAAAAAAA"
with open(path, "w") as stream:
    json.dump(store, stream)
fails("get_password", service, username)
backend.get_credential(service, None)
for one in (backend, backends, _core, errors, *gc.get_objects()):
    if one in (backend, backends, _core, errors) or type(one).__module__.partition(".")[0] == "ringbearer":
        print(repr(one), str(one), getattr(one, "__dict__", None))
print("raised", len(raised), file=sys.stderr)
"""


@pytest.mark.parametrize("settings", SETTINGS, ids=["plain", "debug", "debug, with a cache"])
def test_output_and_errors_have_no_name_password_or_key(
    known: StoreUser, keys: dict[str, Key], settings: dict[str, str]
) -> None:
    temporary = os.path.join(known.home, "tmp")
    os.mkdir(temporary)
    given = {**NAMES, "key": keys["ed25519"].line, "sockets": [os.path.join(known.home, "nowhere")]}
    with HostileAgent(Key(os.path.join(known.home, "known")), signing=hostile.say(b"\x05")) as refusing:
        with HostileAgent(keys["rsa"], hostile.cut(), hostile.cut()) as breaking:
            given["sockets"] += [refusing.socket, breaking.socket]
            environment = known.environment(TMPDIR=temporary, **settings)
            ended = known.client.run(["python", "-c", SHOW], environment, stdin=json.dumps(given)).check()
    assert ended.stderr.splitlines()[-1] == "raised 16"
    if settings:
        assert "ringbearer.store WARNING" in ended.stderr
    assert_hidden({"stdout": ended.raw_stdout, "stderr": ended.stderr.encode(), **files(known.home)})
    assert os.listdir(temporary) == []


def test_commands_show_only_names_and_only_in_lists(known: StoreUser) -> None:
    name, user, password = NAMES["service"], NAMES["username"], NAMES["password"]
    source = os.path.join(known.home, "source.json")
    record = {"service": name, "username": user, "password": password}
    Path(source).write_text(json.dumps({"ringbearer-export": 1, "records": [record]}))
    debug = {"RINGBEARER_DEBUG": "1"}
    shown = {}
    for words in (["import", source], ["status"], ["status", "--json"], ["lock"], ["export", known.home + "/out.json"]):
        shown[" ".join(words)] = known.command("ringbearer", "store", *words, **debug).check().output.encode()
    listed = known.command("ringbearer", "store", "list", **debug).check()
    assert name in listed.stdout and user in listed.stdout
    shown["list"] = listed.output.replace(name, "").replace(user, "").encode()
    shown["rotate"] = known.command("ringbearer", "store", "rotate", **debug).check().output.encode()
    # Text that cannot be imported is not quoted.
    for number, text in enumerate(
        [
            json.dumps([record]),
            json.dumps(record)[:-3],
            json.dumps({"ringbearer-export": password, "records": [record]}),
        ]
    ):
        Path(source).write_text(text)
        failed = known.command("ringbearer", "store", "import", source, **debug)
        assert failed.code == 1
        shown[f"broken import {number}"] = failed.output.encode()
    assert_hidden(shown)
    with open(known.home + "/out.json", encoding="utf-8") as stream:
        assert password in [entry["password"] for entry in json.load(stream)["records"]]
    assert stat.S_IMODE(os.stat(known.home + "/out.json").st_mode) == 0o600


def test_password_is_in_no_argument_list_and_no_program_starts(known: StoreUser, start_program: StartProgram) -> None:
    programs = os.path.join(known.home, "programs")
    marked = os.path.join(known.home, "started")
    os.makedirs(programs, exist_ok=True)
    for name in ("ssh-keygen", "ssh-add", "ssh-agent", "gpg", "gpg-agent"):
        path = os.path.join(programs, name)
        if os.path.lexists(path):
            os.remove(path)
        Path(path).write_text(f"#!/bin/sh\necho {name} >> {marked}\n")
        os.chmod(path, 0o700)
    words = ["keyring", "-b", known.backend, "set", "service", "user"]
    with HostileAgent(Key(os.path.join(known.home, "known")), signing=hostile.hang()) as agent:
        environment = known.environment(SSH_AUTH_SOCK=agent.socket)
        process = start_program(known.client, words, environment, NAMES["password"].encode())
        agent.wait_for(SIGN)
        if sys.platform == "linux":
            shown = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            for task in Path(f"/proc/{process.pid}/task").iterdir():
                assert (task / "children").read_text() == ""
        else:
            shown = subprocess.run(["ps", "-ww", "-o", "args=", "-p", str(process.pid)], capture_output=True).stdout
    assert b"keyring" in shown
    assert_hidden({"arguments": shown})
    assert not os.path.exists(marked)


#: Stores a password beyond the file size limit: the kernel kills the process during the write.
KILLED = """
import json, resource, signal, sys
from ringbearer.backends import SSHAgentKeyring
given = json.load(sys.stdin)
backend = SSHAgentKeyring()
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (given["limit"], given["limit"]))
backend.set_password(given["service"], given["username"], given["password"] * 1000)
"""


def test_killed_write_leaves_only_encrypted_files_until_the_next(known: StoreUser) -> None:
    for number in range(3):
        known.set(NAMES["service"], f"{NAMES['username']}{number}", NAMES["password"])
    length = os.stat(known.path).st_size
    folder = os.path.dirname(known.path)
    before = set(os.listdir(folder))
    given = json.dumps({**NAMES, "limit": length - 100})
    ended = known.client.run(["python", "-c", KILLED], known.environment(), stdin=given)
    assert ended.code == -signal.SIGXFSZ, ended
    [left] = set(os.listdir(folder)) - before
    assert re.fullmatch(r"\.store\.json\.ringbearer-\w+", left)
    path = os.path.join(folder, left)
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
    assert os.stat(path).st_size == length - 100
    assert_hidden(files(known.home))
    assert known.get(NAMES["service"], NAMES["username"] + "0") == NAMES["password"]
    known.set(NAMES["service"], "zoe", NAMES["another"])
    assert set(os.listdir(folder)) == before
    assert_hidden(files(known.home))

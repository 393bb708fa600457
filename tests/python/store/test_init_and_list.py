"""``ringbearer store init`` and ``list``."""

from __future__ import annotations

import json
import os
import stat

import pytest
from lab.ssh import Agent, Key, copy_key, make_key
from lab.store import Request, StoreUser


def key_with_a_slash_in_its_fingerprint(directory: str) -> Key:
    """A new key; about half of all fingerprints have a slash, since they are base64."""
    for number in range(200):
        key = make_key(directory, name=f"id{number}")
        if "/" in key.fingerprint:
            return key
    raise AssertionError("200 fingerprints without a slash")


def the_store(store: StoreUser) -> bytes:
    with open(store.path, "rb") as stream:
        return stream.read()


def the_key(store: StoreUser) -> str:
    return store.content()["identity"]["public_key"]


def test_init_creates_an_empty_store_with_the_first_usable_key(
    store: StoreUser, agent: Agent, keys: dict[str, Key]
) -> None:
    agent.remove(keys["ed25519"])
    for kind in ("ecdsa", "rsa", "ed25519"):
        agent.add(keys[kind])
    ended = store.command("ringbearer", "store", "init").check()
    assert store.path in ended.stdout and keys["rsa"].fingerprint in ended.stdout
    assert the_key(store) == keys["rsa"].text and store.content()["records"] == {}
    assert stat.S_IMODE(os.stat(store.path).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(os.path.dirname(store.path)).st_mode) == 0o700
    store.set("service", "alice", "s3cr3t")
    assert the_key(store) == keys["rsa"].text and store.get("service", "alice") == "s3cr3t"


def test_init_by_module_and_for_a_program(store: StoreUser, keys: dict[str, Key]) -> None:
    ended = store.command("python", "-m", "ringbearer", "store", "init", "--json").check()
    answer = json.loads(ended.stdout)
    assert (answer["path"], answer["key"], answer["records"]) == (store.path, keys["ed25519"].fingerprint, 0)
    assert answer["stale_setting"] is None and ended.stderr == ""


@pytest.mark.parametrize("name", ["public path", "private path", "path from home", "comment", "fingerprint"])
def test_init_takes_the_key_that_is_named(store: StoreUser, agent: Agent, keys: dict[str, Key], name: str) -> None:
    agent.add(keys["rsa"])
    copy = copy_key(keys["rsa"].path, os.path.join(store.home, ".ssh"))
    named = {
        "public path": copy.public_path,
        "private path": copy.path,
        "path from home": "~/.ssh/id",
        "comment": copy.comment,
        "fingerprint": copy.fingerprint,
    }[name]
    ended = store.command("ringbearer", "store", "init", "--key", named)
    assert ended.code == 0, ended
    assert the_key(store) == keys["rsa"].text


def test_init_reads_only_the_public_key_of_a_named_private_key(
    store: StoreUser, agent: Agent, keys: dict[str, Key]
) -> None:
    copy = copy_key(keys["ed25519"].path, os.path.join(store.home, ".ssh"))
    os.remove(copy.path)
    store.command("ringbearer", "store", "init", "--key", copy.path).check()
    assert the_key(store) == keys["ed25519"].text


def test_init_takes_a_fingerprint_with_a_slash_in_it(store: StoreUser, agent: Agent) -> None:
    key = key_with_a_slash_in_its_fingerprint(store.home)
    agent.add(key)
    ended = store.command("ringbearer", "store", "init", "--key", key.fingerprint)
    assert ended.code == 0, ended
    assert the_key(store) == key.text


def test_init_takes_a_comment_with_a_slash_in_it(store: StoreUser, agent: Agent) -> None:
    # The comment of a key in an old format, for instance, is the path of its file.
    os.mkdir(os.path.join(store.home, "alice"))
    key = make_key(store.home, name="alice/laptop")
    agent.add(key)
    ended = store.command("ringbearer", "store", "init", "--key", key.comment)
    assert ended.code == 0, ended


def test_init_takes_a_path_from_the_working_directory(store: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    # Settings may not be relative, since they apply in every directory; a typed path may.
    copy_key(keys["ed25519"].path, store.home)
    ended = store.command("ringbearer", "store", "init", "--key", "./id.pub")
    assert ended.code == 0, ended


def test_init_refuses_a_missing_or_ambiguous_key(store: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    for number in (1, 2):
        agent.add(make_key(os.path.join(store.home, str(number)), name="same"))
    for name, complaint in {
        "nobody": "no key",
        "SHA256:" + "A" * 43: "no key",
        "same of a test": "more than one",
        os.path.join(store.home, "missing"): "no such file",
        "~/missing.pub": "no such file",
        "": "no key",
    }.items():
        ended = store.command("ringbearer", "store", "init", "--key", name)
        assert ended.code == 1 and complaint in ended.stderr and name.replace("~", store.home) in ended.stderr, ended
    assert not os.path.exists(os.path.dirname(store.path))


def test_init_refuses_a_key_with_random_signatures(store: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    ecdsa = keys["ecdsa"]
    agent.add(ecdsa)
    for name in (ecdsa.public_path, ecdsa.comment, ecdsa.fingerprint):
        ended = store.command("ringbearer", "store", "init", "--key", name)
        assert ended.code == 1 and "no two signatures are the same" in ended.stderr, ended
    assert not os.path.exists(store.path)


def test_init_with_a_key_that_the_agent_does_not_hold_is_locked(store: StoreUser, keys: dict[str, Key]) -> None:
    ended = store.command("ringbearer", "store", "init", "--key", keys["rsa"].path)
    assert ended.code == 3 and keys["rsa"].fingerprint in ended.stderr and "ssh-add" in ended.stderr, ended
    assert not os.path.exists(store.path)


def test_init_leaves_existing_files_unchanged(store: StoreUser) -> None:
    store.set("service", "alice", "s3cr3t")
    contents = [the_store(store), b"", b"null\n", b"{"]
    for content in contents:
        store.write(content)
        ended = store.command("ringbearer", "store", "init")
        assert ended.code == 1 and store.path in ended.stderr, ended
        assert the_store(store) == content
    os.remove(store.path)
    os.symlink("nowhere", store.path)
    assert store.command("ringbearer", "store", "init").code == 1
    assert os.path.islink(store.path)


def test_init_says_where_a_setting_names_another_key(store: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    agent.add(keys["rsa"])
    store.configure(public_key=keys["ed25519"].line)
    ended = store.command("ringbearer", "store", "init", "--key", keys["rsa"].public_path).check()
    assert store.config_path in ended.stderr and keys["rsa"].text in ended.stderr, ended
    error = store.fails("get_password", "service", "alice")
    assert "Configured public key does not match" in error.message


def test_list_shows_every_record_in_order_and_no_password(store: StoreUser) -> None:
    names = [("b.example", "bob"), ("b.example", "alice"), ("a.example", "carol"), ("ä", "😀"), ("", "")]
    store.ask([Request("set_password", (*pair, "hidden-password")) for pair in names])
    ended = store.command("ringbearer", "store", "list").check()
    rows = [line.split() for line in ended.stdout.splitlines()]
    assert rows == [["(empty)"] * 2, ["a.example", "carol"], ["b.example", "alice"], ["b.example", "bob"], ["ä", "😀"]]
    assert len({line.index(row[1], len(row[0])) for line, row in zip(ended.stdout.splitlines(), rows)}) == 1
    as_json = store.command("python", "-m", "ringbearer", "store", "list", "--json").check()
    answer = json.loads(as_json.stdout)
    assert [(one["service"], one["username"]) for one in answer["records"]] == sorted(names) and answer["broken"] == 0
    assert "hidden-password" not in ended.output + as_json.output and ended.stderr == as_json.stderr == ""


def test_list_counts_broken_records_and_shows_the_rest(store: StoreUser) -> None:
    store.ask([Request("set_password", ("service", name, "password")) for name in ("alice", "bob")])
    content = store.content()
    one, other = content["records"].values()
    one["ciphertext"], other["nonce"] = other["ciphertext"], other["nonce"]
    store.write(json.dumps(content))
    for options in ([], ["--json"]):
        ended = store.command("ringbearer", "store", "list", *options)
        assert ended.code == 4 and "1" in ended.stderr and "cannot be decrypted" in ended.stderr, ended
        assert ("alice" in ended.stdout) != ("bob" in ended.stdout)
    assert json.loads(ended.stdout)["broken"] == 1


@pytest.mark.parametrize("command", ["list", "rotate", "export"])
def test_commands_without_a_store_report_that(store: StoreUser, command: str) -> None:
    words = [os.path.join(store.home, "file")] if command == "export" else []
    ended = store.command("ringbearer", "store", command, *words)
    assert ended.code == 5 and ended.stdout == "" and "ringbearer store init" in ended.stderr, ended
    assert not os.path.exists(os.path.dirname(store.path)) and not os.path.exists(os.path.join(store.home, "file"))


@pytest.mark.parametrize("command", ["list", "rotate", "export"])
def test_a_damaged_store_is_named_and_left_alone(store: StoreUser, command: str) -> None:
    words = [os.path.join(store.home, "file")] if command == "export" else []
    for content in (b"", b"{", b'{"version": 2}', b"\0" * 500):
        store.write(content)
        ended = store.command("ringbearer", "store", command, *words)
        assert ended.code == 4 and store.path in ended.stderr and ended.stdout == "", ended
        assert the_store(store) == content


@pytest.mark.parametrize("command", ["list", "rotate", "export"])
def test_locked_agent_is_reported_with_advice(store: StoreUser, agent: Agent, command: str) -> None:
    store.set("service", "alice", "s3cr3t")
    before = the_store(store)
    agent.lock("password")
    words = [os.path.join(store.home, "file")] if command == "export" else []
    ended = store.command("ringbearer", "store", command, *words)
    assert ended.code == 3 and "ssh-add -X" in ended.stderr and ended.stdout == "", ended
    assert the_store(store) == before and not os.path.exists(os.path.join(store.home, "file"))

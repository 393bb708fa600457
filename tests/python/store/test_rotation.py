"""``ringbearer store rotate`` and ``rekey``: old keys open nothing of the new store, and nothing is lost."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from lab.clients import Client
from lab.known_store import KnownStore
from lab.ssh import Agent, Key, make_key
from lab.stolen_keys import StolenKeys
from lab.store import PUBLISHED, Request, StoreUser

RECORDS = [("service", "alice", "s3cr3t"), ("service", "bob", ""), ("a\0b", "c", "NUL"), ("ä", "😀", "\ud800 half")]


def passwords(store: StoreUser, records: list[tuple[str, str, str]], **variables: str | None) -> list[object]:
    answers = store.ask([Request("get_password", record[:2]) for record in records], **variables)
    assert [answer.error for answer in answers] == [None] * len(records)
    return [answer.result for answer in answers]


def processor_seconds(user: StoreUser, *words: str) -> float:
    """The processor time of a command, which depends less on other processes than its duration."""
    silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    process = os.posix_spawn(user.client.program(words[0]), words, user.environment(), file_actions=silent)
    _, status, usage = os.wait4(process, 0)
    assert status == 0
    return usage.ru_utime + usage.ru_stime


def bytes_of(store: StoreUser) -> bytes:
    return Path(store.path).read_bytes()


@pytest.fixture
def filled(client: Client, home: Path, agent: Agent) -> StoreUser:
    """A user with a store whose keys were stolen."""
    made = KnownStore(client, home, agent)
    made.fill(RECORDS)
    return made


def test_rotate_changes_all_that_is_secret_or_random(filled: StoreUser) -> None:
    before = filled.content()
    ended = filled.command("ringbearer", "store", "rotate").check()
    after = filled.content()
    assert f"{len(RECORDS)} records" in ended.stdout and ended.stderr == ""
    assert after["identity"] == before["identity"] and after["version"] == 1
    assert all(after["unlock"][name] != value for name, value in before["unlock"].items())
    assert len(after["records"]) == len(RECORDS) and not set(after["records"]) & set(before["records"])
    for name in ("nonce", "ciphertext"):
        old, new = ({record[name] for record in content["records"].values()} for content in (before, after))
        assert len(new) == len(RECORDS) and not old & new
    assert passwords(filled, RECORDS) == [record[2] for record in RECORDS]
    assert sorted(os.listdir(os.path.dirname(filled.path))) == ["store.json", "store.json.lock"]
    assert os.stat(filled.path).st_mode & 0o777 == 0o600


def test_keys_from_before_a_rotation_open_nothing_after_it(filled: StoreUser) -> None:
    stolen, before = StolenKeys(), filled.content()
    assert stolen.open_the_wrapped_key(before) and stolen.open_records(before) == len(RECORDS)
    filled.command("python", "-m", "ringbearer", "store", "rotate").check()
    after = filled.content()
    assert not stolen.open_the_wrapped_key(after) and stolen.open_records(after) == 0
    # The old header does not open the new records either.
    mixed = {**after, "unlock": before["unlock"]}
    filled.write(json.dumps(mixed))
    assert filled.command("ringbearer", "store", "list").code == 4


def test_rotate_reports_its_result_as_json(filled: StoreUser) -> None:
    answer = json.loads(filled.command("ringbearer", "store", "rotate", "--json").check().stdout)
    assert (answer["path"], answer["records"], answer["dropped"]) == (filled.path, len(RECORDS), 0)
    assert answer["stale_setting"] is None and answer["key"].startswith("SHA256:")


def test_rotate_keeps_unknown_members(filled: StoreUser) -> None:
    content = filled.content()
    content["added"], content["identity"]["added"], content["unlock"]["added"] = {"a": [1.50, "ä"]}, None, "x"
    filled.write(json.dumps(content))
    filled.command("ringbearer", "store", "rotate").check()
    after = filled.content()
    assert (after["added"], after["unlock"]["added"]) == ({"a": [1.50, "ä"]}, "x")
    assert after["identity"] == content["identity"]


def test_a_rotated_store_is_open_to_the_published_package(filled: StoreUser, published_client: Client) -> None:
    published = filled.with_client(published_client, PUBLISHED)
    filled.command("ringbearer", "store", "rotate").check()
    assert passwords(published, RECORDS) == [record[2] for record in RECORDS]
    published.set("theirs", "carol", "later")
    assert filled.get("theirs", "carol") == "later"


def test_broken_record_stops_a_rotation_unless_it_may_be_dropped(filled: StoreUser) -> None:
    content = filled.content()
    name = sorted(content["records"])[0]
    content["records"][name]["nonce"] = "A" * 16
    filled.write(json.dumps(content))
    before = bytes_of(filled)
    ended = filled.command("ringbearer", "store", "rotate")
    assert ended.code == 4 and "1 of 4 records" in ended.stderr and "--drop-broken" in ended.stderr, ended
    assert bytes_of(filled) == before
    answer = json.loads(filled.command("ringbearer", "store", "rotate", "--drop-broken", "--json").check().stdout)
    assert (answer["records"], answer["dropped"]) == (3, 1)
    listed = json.loads(filled.command("ringbearer", "store", "list", "--json").check().stdout)
    assert len(listed["records"]) == 3 and listed["broken"] == 0


def test_a_rotation_of_a_symlinked_store_keeps_the_link(filled: StoreUser, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.json"
    os.rename(filled.path, target)
    os.symlink(target, filled.path)
    before = target.read_bytes()
    filled.command("ringbearer", "store", "rotate").check()
    assert os.path.islink(filled.path) and target.read_bytes() != before
    assert passwords(filled, RECORDS[:1]) == ["s3cr3t"]


def test_a_directory_that_takes_no_file_leaves_the_old_store(filled: StoreUser) -> None:
    # Permissions do not stop root; a name of maximum length leaves no room for the suffix of a temporary file.
    path = os.path.join(filled.home, "s" * 250)
    os.rename(filled.path, path)
    before = Path(path).read_bytes()
    ended = filled.command("ringbearer", "store", "rotate", SSH_AGENT_KEYRING_STORE_PATH=path)
    assert ended.code == 1 and path in ended.stderr, ended
    assert Path(path).read_bytes() == before and ended.stdout == ""


def test_rotation_time_is_linear_in_the_records(known_store: KnownStore) -> None:
    seconds = []
    for number in (20_000, 80_000):
        known_store.fill(("service", str(user), "password") for user in range(number))
        seconds.append(processor_seconds(known_store, "ringbearer", "store", "rotate"))
    # Quadratic work would take sixteen times as long.
    assert seconds[1] < 7 * seconds[0], seconds


def test_passwords_set_during_a_rotation_are_not_lost(store: StoreUser) -> None:
    store.set("service", "first", "0")
    writers = [
        store.start([Request("set_password", (f"service {number}", f"user {i}", str(i))) for i in range(15)])
        for number in range(3)
    ]
    with ThreadPoolExecutor(1) as pool:
        rotations = pool.submit(lambda: [store.command("ringbearer", "store", "rotate") for _ in range(5)])
        for writer in writers:
            assert [answer.error for answer in writer.answers()] == [None] * 15
        assert [ended.code for ended in rotations.result()] == [0] * 5
    expected = [(f"service {number}", f"user {i}", str(i)) for number in range(3) for i in range(15)]
    assert passwords(store, expected) == [record[2] for record in expected]
    assert len(store.content()["records"]) == len(expected) + 1


@pytest.mark.parametrize("kinds", [("ed25519", "rsa"), ("rsa", "ed25519")], ids=" to ".join)
def test_rekey_makes_the_new_key_open_and_the_old_one_fail(
    store: StoreUser, agent: Agent, keys: dict[str, Key], kinds: tuple[str, str]
) -> None:
    old, new = (keys[kind] for kind in kinds)
    agent.add(keys["rsa"])
    store.command("ringbearer", "store", "init", "--key", old.public_path).check()
    store.ask([Request("set_password", record) for record in RECORDS])
    before = store.content()
    ended = store.command("ringbearer", "store", "rekey", "--key", new.comment).check()
    assert new.fingerprint in ended.stdout and ended.stderr == ""
    after = store.content()
    assert after["identity"]["public_key"] == new.text
    assert all(after["unlock"][name] != value for name, value in before["unlock"].items())
    assert not set(after["records"]) & set(before["records"])
    agent.remove(old)
    assert passwords(store, RECORDS) == [record[2] for record in RECORDS]
    agent.remove(new)
    agent.add(old)
    error = store.fails("get_password", "service", "alice")
    assert "keyring.errors.KeyringLocked" in error.bases and new.fingerprint in error.message


def test_a_rekey_needs_both_keys_and_says_which_is_missing(
    store: StoreUser, agent: Agent, keys: dict[str, Key]
) -> None:
    old, new = keys["ed25519"], keys["rsa"]
    store.set("service", "alice", "s3cr3t")
    before = bytes_of(store)
    ended = store.command("ringbearer", "store", "rekey", "--key", new.public_path)
    assert ended.code == 3 and new.fingerprint in ended.stderr and old.fingerprint not in ended.stderr, ended
    agent.add(new)
    agent.remove(old)
    ended = store.command("ringbearer", "store", "rekey", "--key", new.public_path)
    assert ended.code == 3 and old.fingerprint in ended.stderr and new.fingerprint not in ended.stderr, ended
    assert bytes_of(store) == before
    agent.add(old)
    assert store.get("service", "alice") == "s3cr3t"


def test_a_rekey_to_an_unknown_or_unfit_key_changes_nothing(
    store: StoreUser, agent: Agent, keys: dict[str, Key]
) -> None:
    agent.add(keys["ecdsa"])
    store.set("service", "alice", "s3cr3t")
    before = bytes_of(store)
    for name in ("nobody", keys["ecdsa"].comment, keys["ecdsa"].public_path, os.path.join(store.home, "missing")):
        ended = store.command("ringbearer", "store", "rekey", "--key", name)
        assert ended.code == 1 and ended.stdout == "", ended
    assert bytes_of(store) == before


def test_a_rekey_says_which_setting_still_names_the_old_key(
    store: StoreUser, agent: Agent, keys: dict[str, Key]
) -> None:
    new = keys["rsa"]
    agent.add(new)
    store.configure(public_key=keys["ed25519"].line)
    store.set("service", "alice", "s3cr3t")
    ended = store.command("ringbearer", "store", "rekey", "--key", new.public_path, "--json").check()
    assert store.config_path in ended.stderr and new.text in ended.stderr
    assert json.loads(ended.stdout)["stale_setting"] == {"where": store.config_path, "key": new.text}
    assert "Configured public key does not match" in store.fails("get_password", "service", "alice").message
    store.configure(public_key=new.text)
    assert store.get("service", "alice") == "s3cr3t"


def test_rekey_works_if_the_setting_names_the_new_key_already(
    store: StoreUser, agent: Agent, keys: dict[str, Key]
) -> None:
    # The advice of "Configured public key does not match".
    new = make_key(store.home, name="new")
    agent.add(new)
    store.set("service", "alice", "s3cr3t")
    store.configure(public_key=new.line)
    hint = store.fails("get_password", "service", "alice").message
    assert "ringbearer store rekey --key" in hint
    ended = store.command("ringbearer", "store", "rekey", "--key", new.public_path).check()
    assert ended.stderr == "" and store.get("service", "alice") == "s3cr3t"


def test_the_old_key_may_be_the_new_one(store: StoreUser, keys: dict[str, Key]) -> None:
    store.set("service", "alice", "s3cr3t")
    before = store.content()
    store.command("ringbearer", "store", "rekey", "--key", keys["ed25519"].public_path).check()
    after = store.content()
    assert after["identity"] == before["identity"] and after["unlock"] != before["unlock"]
    assert store.get("service", "alice") == "s3cr3t"

"""``ringbearer store export`` and ``import``: all records or none."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from lab.clients import Client
from lab.ssh import Agent
from lab.store import Request, StoreUser

RECORDS = {
    ("service", "alice"): "s3cr3t",
    ("service", "bob"): "",
    ("", ""): "\0\x1f\x7f\x80\u2028\ufeff\uffff",
    ("nul\0in", "names"): "\ud800 half \udfff",
    ("ä", "😀"): "😀 \U0010ffff e\u0301",
    ("json", '"\\/'): '"}],\\u0041',
    ("lines\r\n", "\t"): "one\ntwo\r\n",
    ("long", "user"): "😀" * 20000,
}


@pytest.fixture
def filled(store: StoreUser) -> StoreUser:
    """A user with records of every kind."""
    fill(store, RECORDS)
    return store


@pytest.fixture
def other(client: Client, agent: Agent, tmp_path: Path) -> StoreUser:
    """Another home with the same agent, and no store yet."""
    (tmp_path / "other").mkdir()
    return StoreUser(client, tmp_path / "other", agent.socket)


def fill(store: StoreUser, records: dict[tuple[str, str], str]) -> None:
    answers = store.ask([Request("set_password", (*names, password)) for names, password in records.items()])
    assert [answer.error for answer in answers] == [None] * len(records)


def contents(store: StoreUser, records: dict[tuple[str, str], str] = RECORDS) -> dict[tuple[str, str], object]:
    answers = store.ask([Request("get_password", names) for names in records])
    return {names: answer.result for names, answer in zip(records, answers)}


def export_of(*records: tuple[object, ...], **members: object) -> str:
    names = ("service", "username", "password")
    return json.dumps({"ringbearer-export": 1, "records": [dict(zip(names, one)) for one in records], **members})


def counts(ended: object) -> dict:
    return json.loads(ended.check().stdout)


def test_export_has_every_record_is_private_and_warns(filled: StoreUser, tmp_path: Path) -> None:
    file = tmp_path / "export.json"
    ended = filled.command("ringbearer", "store", "export", str(file)).check()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and os.listdir(tmp_path).count("export.json") == 1
    text = file.read_text(encoding="utf-8")
    assert text.isascii()
    found = {(one["service"], one["username"]): one["password"] for one in json.loads(text)["records"]}
    assert found == RECORDS and list(found) == sorted(found)
    assert ended.stderr.startswith("WARNING: ") and "unencrypted" in ended.stderr and str(file) in ended.stderr
    assert f"{len(RECORDS)} records" in ended.stdout and "s3cr3t" not in ended.output


def test_an_export_for_a_program_by_module(filled: StoreUser) -> None:
    # A bare file name is relative to the user's working directory.
    ended = filled.command("python", "-m", "ringbearer", "store", "export", "--json", "export.json").check()
    assert json.loads(ended.stdout) == {"file": "export.json", "records": len(RECORDS), "broken": 0}
    assert os.path.exists(os.path.join(filled.home, "export.json")) and "WARNING" in ended.stderr


def test_an_export_overwrites_nothing(filled: StoreUser, tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("mine", encoding="utf-8")
    link.symlink_to(tmp_path / "nowhere")
    for path in (file, link, tmp_path):
        ended = filled.command("ringbearer", "store", "export", str(path))
        assert ended.code == 1 and str(path) in ended.stderr and "WARNING" not in ended.stderr, ended
    ended = filled.command("ringbearer", "store", "export", str(tmp_path / "missing" / "file"))
    assert ended.code == 1 and "cannot be written" in ended.stderr, ended
    assert file.read_text(encoding="utf-8") == "mine" and not (tmp_path / "nowhere").exists()
    assert [name for name in os.listdir(tmp_path) if "ringbearer-" in name] == []


def test_export_skips_a_broken_record_and_says_so(filled: StoreUser, tmp_path: Path) -> None:
    content = filled.content()
    content["records"][sorted(content["records"])[3]]["nonce"] = "A" * 16
    filled.write(json.dumps(content))
    ended = filled.command("ringbearer", "store", "export", "--json", str(tmp_path / "file"))
    assert ended.code == 4 and "cannot be decrypted" in ended.stderr and "WARNING" in ended.stderr, ended
    assert json.loads(ended.stdout) == {"file": str(tmp_path / "file"), "records": len(RECORDS) - 1, "broken": 1}
    assert len(json.loads((tmp_path / "file").read_text(encoding="utf-8"))["records"]) == len(RECORDS) - 1


def test_an_export_imported_into_an_empty_home_is_the_same_store(
    filled: StoreUser, other: StoreUser, tmp_path: Path
) -> None:
    file = str(tmp_path / "export.json")
    filled.command("ringbearer", "store", "export", file).check()
    ended = other.command("ringbearer", "store", "import", file, "--json")
    assert counts(ended) == {"added": len(RECORDS), "replaced": 0, "same": 0, "kept": 0}
    assert file in ended.stderr and "delete it" in ended.stderr
    assert contents(other) == RECORDS and len(other.content()["records"]) == len(RECORDS)
    before = Path(other.path).read_bytes()
    again = other.command("python", "-m", "ringbearer", "store", "import", file, "--json", "--replace")
    assert counts(again) == {"added": 0, "replaced": 0, "same": len(RECORDS), "kept": 0}
    assert Path(other.path).read_bytes() == before


def test_import_keeps_existing_passwords_unless_told_to_replace(store: StoreUser, tmp_path: Path) -> None:
    fill(store, {("service", "same"): "1", ("service", "other"): "2"})
    file = tmp_path / "file.json"
    records = {("service", "same"): "1", ("service", "other"): "\ud800", ("service", "new"): "3"}
    file.write_text(export_of(*((*names, password) for names, password in records.items())), encoding="utf-8")
    ended = store.command("ringbearer", "store", "import", str(file), "--json")
    assert counts(ended) == {"added": 1, "replaced": 0, "same": 1, "kept": 1} and "--replace" in ended.stderr
    assert contents(store, records) == {**records, ("service", "other"): "2"}
    ended = store.command("ringbearer", "store", "import", "--replace", str(file))
    assert ended.check().stdout == "0 added, 1 replaced, 2 the same, 0 kept\n" and "--replace" not in ended.stderr
    assert contents(store, records) == records


def test_an_import_by_hand_may_have_any_form_of_json(store: StoreUser, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(
        '\n{"records":[{"password":"\\u0070\\ud83d\\ude00ä","username":"u\\u0000",\n"service":"s/","note":1}],'
        '"ringbearer-export":1, "by": "hand"}\n',
        encoding="utf-8",
    )
    store.command("ringbearer", "store", "import", str(file)).check()
    assert store.get("s/", "u\0") == "p😀ä"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"{",
        b"[]",
        b"{}",
        b"\xff",
        b'{"ringbearer-export": 1}',
        export_of(**{"ringbearer-export": 2}).encode(),
        export_of(**{"ringbearer-export": "1"}).encode(),
        export_of(("new", "alice", "1"), ("new", "bob")).encode(),
        export_of(("new", "alice", "1"), ("new", "bob", None)).encode(),
        export_of(("new", "alice", "1"), ("new", 7, "2")).encode(),
        export_of(("new", "alice", "1"), ("new", "\ud800", "2")).encode(),
        export_of(("new", "alice", "1"))[:-1].encode(),
        export_of(("new", "alice", "1")).encode() + b"more",
    ],
)
def test_invalid_export_file_changes_nothing(store: StoreUser, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "file.json"
    file.write_bytes(content)
    ended = store.command("ringbearer", "store", "import", str(file))
    assert ended.code == 1 and str(file) in ended.stderr and ended.stdout == "", ended
    assert not os.path.exists(store.path)
    store.command("ringbearer", "store", "init").check()
    before = Path(store.path).read_bytes()
    assert store.command("ringbearer", "store", "import", "--replace", str(file)).code == 1
    assert Path(store.path).read_bytes() == before


def test_a_file_that_cannot_be_read_is_named(store: StoreUser, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "missing", tmp_path, tmp_path / "fifo"):
        ended = store.command("ringbearer", "store", "import", str(path))
        assert ended.code == 1 and str(path) in ended.stderr, ended
    assert not os.path.exists(store.path)


def test_a_password_of_a_wrong_file_is_not_repeated(store: StoreUser, tmp_path: Path) -> None:
    file = tmp_path / "file.json"
    file.write_text(export_of(("a", "b", ["the-password"]), ("the-password", 7, 0)), encoding="utf-8")
    ended = store.command("ringbearer", "store", "import", str(file), RINGBEARER_DEBUG="1")
    assert ended.code == 1 and "the-password" not in ended.output, ended


def test_an_import_in_a_locked_store_changes_nothing(store: StoreUser, agent: Agent, tmp_path: Path) -> None:
    store.command("ringbearer", "store", "init").check()
    agent.lock("password")
    file = tmp_path / "file.json"
    file.write_text(export_of(("service", "alice", "s3cr3t")), encoding="utf-8")
    ended = store.command("ringbearer", "store", "import", str(file))
    assert ended.code == 3 and "ssh-add -X" in ended.stderr and ended.stdout == "", ended
    assert store.content()["records"] == {}


def test_an_import_with_replace_mends_a_broken_record(store: StoreUser, tmp_path: Path) -> None:
    # The error of a broken record advises to set it again or to restore the file from a backup.
    fill(store, {("service", "alice"): "1", ("service", "bob"): "2"})
    file = str(tmp_path / "backup.json")
    store.command("ringbearer", "store", "export", file).check()
    content = store.content()
    content["records"][sorted(content["records"])[0]]["nonce"] = "A" * 16
    store.write(json.dumps(content))
    before = Path(store.path).read_bytes()
    ended = store.command("ringbearer", "store", "import", file)
    assert ended.code == 4 and Path(store.path).read_bytes() == before, ended
    ended = store.command("ringbearer", "store", "import", "--replace", "--json", file)
    assert counts(ended) == {"added": 0, "replaced": 1, "same": 1, "kept": 0}
    assert store.get("service", "alice") == "1" and store.get("service", "bob") == "2"

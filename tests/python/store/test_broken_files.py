"""Broken store files: every call fails with the path, and the file is unchanged."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path

from lab.known_store import KnownStore
from lab.store import Request

#: A value of each JSON type.
WRONG = [None, True, 7, 1.5, "", "text", [], ["text"], {}, {"text": "text"}]
VARIABLE = "SSH_AGENT_KEYRING_STORE_PATH"
CALLS = {
    "get_password": ("service", "user"),
    "get_credential": ("service", None),
    "set_password": ("service", "user", "new"),
    "delete_password": ("service", "user"),
}


def sound(store: KnownStore) -> bytes:
    return store.text([("service", "user", "secret"), ("service", "other", "secret")])


def check_refused(store: KnownStore, directory: Path, contents: dict[str, bytes]) -> None:
    """For each file, all four calls fail as expected and change nothing."""
    directory.mkdir()
    requests, expected = [], []
    for number, content in enumerate(contents.values()):
        path = directory / str(number) / "store.json"
        path.parent.mkdir()
        path.write_bytes(content)
        requests += [Request(method, words, {VARIABLE: str(path)}) for method, words in CALLS.items()]
    for name, content in contents.items():
        expected += [(name, method, content) for method in CALLS]
    answers = store.ask(requests)
    wrong = []
    for request, answer, (name, method, content) in zip(requests, answers, expected):
        path = request.environment[VARIABLE]
        kinds = ["ringbearer.errors.StoreCorrupted"]
        kinds += {
            "set_password": ["keyring.errors.PasswordSetError"],
            "delete_password": ["keyring.errors.PasswordDeleteError"],
        }.get(method, [])
        if answer.error is None:
            wrong.append(f"{name}, {method}: no error, {answer.result!r}")
        elif missing := set(kinds) - set(answer.error.bases):
            wrong.append(f"{name}, {method}: not {missing}: {answer.error.text.splitlines()[0]}")
        elif path not in answer.error.message:
            wrong.append(f"{name}, {method}: does not name the file: {answer.error.message}")
        if Path(path).read_bytes() != content:
            wrong.append(f"{name}, {method}: the file was changed")
        if left := set(os.listdir(os.path.dirname(path))) - {"store.json", "store.json.lock"}:
            wrong.append(f"{name}, {method}: left behind {left}")
    assert wrong == []


def test_invalid_json_is_refused_and_left_unchanged(known_store: KnownStore, tmp_path: Path) -> None:
    whole = sound(known_store)
    contents = {
        "zero length": b"",
        "white space": b" \t\r\n\n",
        "one zero byte": b"\0",
        "zero bytes of the store's length": b"\0" * len(whole),
        "a page of zero bytes in the middle": whole[:200] + b"\0" * 200 + whole[400:],
        "its second half zero bytes": whole[: len(whole) // 2] + b"\0" * (len(whole) // 2),
        "a store and more": whole + b"{}",
        "two stores": whole + whole,
        "a store and a zero byte": whole + b"\0",
        "no text": bytes(range(256)),
        "not UTF-8 in a name": whole.replace(b'"identity"', b'"identit\xff"'),
        "not UTF-8 in a value": whole.replace(b'"ssh-ed25519', b'"\xff\xfe'),
        "UTF-16": whole.decode().encode("utf-16"),
        "a comma at the end": whole.replace(b"\n}\n", b",\n}\n"),
        "single quotes": whole.replace(b'"', b"'"),
        "a comment": b"// the store\n" + whole,
        "a name twice": whole.replace(b'"version": 1', b'"version": 1,\n  "version": 1'),
        "nested without end": b"[" * 100_000,
        "records nested without end": whole.replace(b'"records": {', b'"records": ' + b'{"x":' * 100_000),
    }
    check_refused(known_store, tmp_path / "files", contents)


def test_a_store_that_breaks_off_is_refused_wherever_it_does(known_store: KnownStore, tmp_path: Path) -> None:
    whole = sound(known_store)
    # Up to the closing brace: without the final line end, the file is complete.
    last = len(whole) - 2
    contents = {f"{place} of {len(whole)} bytes": whole[:place] for place in (1 + last * i // 20 for i in range(20))}
    contents[f"{last} of {len(whole)} bytes"] = whole[:last]
    check_refused(known_store, tmp_path / "files", contents)


def test_json_of_another_shape_is_refused(known_store: KnownStore, tmp_path: Path) -> None:
    store = json.loads(sound(known_store))
    contents = {f"{value!r} alone": json.dumps(value).encode() for value in WRONG}
    for place in (("identity",), ("identity", "public_key"), ("unlock",), ("records",), ("version",)):
        contents.update(spoiled(store, place))
    for name in store["unlock"]:
        contents.update(spoiled(store, ("unlock", name)))
    for part in ("identity", "unlock", "records"):
        in_order = {**store, part: list(store[part].values())}
        contents[f"the values of {part} without their names"] = json.dumps(in_order).encode()
    # An empty list and a single broken record do not make the file broken.
    del contents["records: {}"], contents["records: {'text': 'text'}"]
    check_refused(known_store, tmp_path / "files", contents)


def test_a_header_that_was_changed_is_refused(known_store: KnownStore, tmp_path: Path) -> None:
    store = json.loads(sound(known_store))
    contents = {}
    for name, value in store["unlock"].items():
        changed = copy.deepcopy(store)
        changed["unlock"][name] = ("B" if value[0] != "B" else "C") + value[1:]
        contents[f"{name} with a flipped bit"] = json.dumps(changed).encode()
        changed["unlock"][name] = value[4:]
        contents[f"{name} too short"] = json.dumps(changed).encode()
        changed["unlock"][name] = "AAAA" + value
        contents[f"{name} too long"] = json.dumps(changed).encode()
        changed["unlock"][name] = value[:-1] + "!"
        contents[f"{name} not Base64"] = json.dumps(changed).encode()
    check_refused(known_store, tmp_path / "files", contents)


def test_another_version_is_refused_and_named(known_store: KnownStore, tmp_path: Path) -> None:
    store = json.loads(sound(known_store))
    versions = [0, 2, 1.5, -1, 10**30, "1", "2"]
    contents = {f"version {version!r}": json.dumps({**store, "version": version}).encode() for version in versions}
    # A future version may differ in everything else.
    contents["version 2 of another shape"] = b'{"version": 2, "vaults": []}'
    check_refused(known_store, tmp_path / "files", contents)
    known_store.write(contents["version 2"])
    for method, words in CALLS.items():
        assert "Unsupported store version: 2" in known_store.fails(method, *words).message
    known_store.write(json.dumps({**store, "version": 1.0}))
    assert known_store.get("service", "user") == "secret"


def spoiled(store: dict, place: tuple[str, ...]) -> dict[str, bytes]:
    """The store with another value at a path, or without it."""
    contents = {}
    for value in WRONG:
        changed = copy.deepcopy(store)
        inside = changed
        for name in place[:-1]:
            inside = inside[name]
        inside[place[-1]] = value
        contents[f"{'.'.join(place)}: {value!r}"] = json.dumps(changed).encode()
        del inside[place[-1]]
        contents[f"no {'.'.join(place)}"] = json.dumps(changed).encode()
    return contents

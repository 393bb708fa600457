"""The published package and ringbearer read each other's stores."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab.ssh import Agent, Key
from lab.store import StoreUser
from lab.store_secrets import Secret, delete_all, lost, set_all, vector_secrets

SECRETS = vector_secrets()
#: Unknown members, in each object of a store.
UNKNOWN = {
    "größe": [1, -7, 1.5, True, None, {}, [], {"b": "\uffff", "a": "😀/\x7f"}],
    "zeal": {"inner": {"y": 2, "x": 1}},
}


def printed(text: str) -> str:
    """The same content as the published package writes it."""
    return json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"


def text_of(user: StoreUser) -> str:
    return Path(user.path).read_bytes().decode()


def choose_key(kind: str, store: StoreUser, agent: Agent, keys: dict[str, Key]) -> None:
    """Lock a new store with the RSA key of the configuration file, or with the agent's first key."""
    if kind == "rsa":
        agent.add(keys["rsa"])
        store.configure(public_key=keys["rsa"].line)


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_published_package_reads_and_removes_our_secrets(
    store: StoreUser, published: StoreUser, agent: Agent, keys: dict[str, Key], kind: str
) -> None:
    choose_key(kind, store, agent, keys)
    set_all(store, SECRETS)
    assert store.content()["identity"] == {"public_key": keys[kind].text}
    assert lost(published, SECRETS) == []
    delete_all(published, SECRETS[::2])
    assert lost(store, SECRETS) == [(one.service, one.username) for one in SECRETS[::2]]


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_published_packages_secrets_are_read_and_removed_here(
    store: StoreUser, published: StoreUser, agent: Agent, keys: dict[str, Key], kind: str
) -> None:
    choose_key(kind, store, agent, keys)
    set_all(published, SECRETS)
    assert lost(store, SECRETS) == []
    delete_all(store, SECRETS[::2])
    assert lost(published, SECRETS) == [(one.service, one.username) for one in SECRETS[::2]]
    assert lost(store, SECRETS[1::2]) == []


def test_a_secret_that_the_other_replaces_has_its_new_value(store: StoreUser, published: StoreUser) -> None:
    store.set("svc", "alice", "first")
    published.set("svc", "alice", "second")
    assert store.get("svc", "alice") == "second"
    store.set("svc", "alice", "third")
    assert published.get("svc", "alice") == "third"
    assert len(store.content()["records"]) == 1


def test_a_store_of_either_writer_has_the_same_form(store: StoreUser, published: StoreUser) -> None:
    published.set("svc", "alice", "s3cr3t")
    theirs = store.content()
    assert text_of(store) == printed(text_of(store))
    Path(store.path).unlink()
    store.set("svc", "alice", "s3cr3t")
    ours = store.content()
    assert text_of(store) == printed(text_of(store))

    def form(content: dict) -> object:
        [record] = content["records"].values()
        lengths = {name: len(value) for part in (content["unlock"], record) for name, value in part.items()}
        return [
            content["version"],
            content["identity"],
            {name: sorted(value) for name, value in content.items() if name != "version" and name != "records"},
            lengths,
        ]

    assert form(ours) == form(theirs)


def test_a_change_here_leaves_the_text_that_python_would_write(store: StoreUser, published: StoreUser) -> None:
    set_all(published, SECRETS)
    for change in (
        lambda: store.set("svc", "alice", "changed"),
        lambda: store.set("added", "carol", "new"),
        lambda: delete_all(store, SECRETS[1:]),
        lambda: store.delete("svc", "alice"),
        lambda: store.delete("added", "carol"),
    ):
        before = text_of(store)
        change()
        assert text_of(store) == printed(text_of(store)) != before
    assert '\n  "records": {},\n' in text_of(store)
    published.set("svc", "alice", "again")
    assert store.get("svc", "alice") == "again"


@pytest.mark.parametrize(
    "rewrite",
    [
        lambda content: json.dumps(content, separators=(",", ":")),
        lambda content: json.dumps(_reversed(content), ensure_ascii=False, indent="\t"),
        lambda content: "\r\n" + json.dumps(_reversed(content), indent=1).replace("\n", "\r\n"),
    ],
    ids=["minified", "unsorted, with tabs and raw Unicode", "with carriage returns and a blank line in front"],
)
def test_store_with_other_formatting_is_opened_and_normalised(store: StoreUser, published: StoreUser, rewrite) -> None:
    secrets = SECRETS[:3]
    set_all(published, secrets)
    content = {**store.content(), **UNKNOWN}
    store.write(rewrite(content))
    assert lost(store, secrets) == []
    store.set("added", "carol", "new")
    assert text_of(store) == printed(text_of(store))
    added = Secret("added", "carol", "new")
    assert lost(published, [*secrets, added]) == []
    after = store.content()
    [new] = set(after["records"]) - set(content["records"])
    del after["records"][new]
    assert after == content


def test_unknown_members_are_kept(store: StoreUser, published: StoreUser) -> None:
    secrets = SECRETS[:3]
    set_all(published, secrets)
    content = store.content()
    content.update(UNKNOWN)
    content["identity"].update(UNKNOWN, comment="me@home")
    content["unlock"].update(UNKNOWN, algorithm="later")
    for record in content["records"].values():
        record.update(UNKNOWN, created=1700000000)
    store.write(printed(json.dumps(content)))
    assert lost(store, secrets) == []
    before = dict(content["records"])
    store.set("added", "carol", "new")
    store.set("svc", "alice", "changed")
    store.delete("svc", "bob")
    assert text_of(store) == printed(text_of(store))
    after = store.content()
    assert {**after, "records": None} == {**content, "records": None}
    # The record that was not touched is unchanged.
    assert len([name for name in before if after["records"].get(name) == before[name]]) == 1
    now = [Secret("svc", "alice", "changed"), secrets[2], Secret("added", "carol", "new")]
    assert lost(published, now) == [] == lost(store, now)
    assert published.get("svc", "bob") is None


def test_version_1_0_standard_base64_and_key_comment_are_read(store: StoreUser, published: StoreUser) -> None:
    secrets = SECRETS[:3]
    set_all(published, secrets)
    content = store.content()
    content["version"] = 1.0
    content["identity"]["public_key"] += " me@home"
    for part in [content["unlock"], *content["records"].values()]:
        part.update({name: value.replace("-", "+").replace("_", "/") for name, value in part.items()})
    store.write(printed(json.dumps(content)))
    assert lost(store, secrets) == []
    store.set("added", "carol", "new")
    assert text_of(store) == printed(text_of(store))
    after = store.content()
    assert after["identity"] == content["identity"] and after["unlock"] == content["unlock"]
    assert lost(published, [*secrets, Secret("added", "carol", "new")]) == []


@pytest.mark.parametrize("part", ["identity", "unlock", "record"])
def test_list_in_place_of_an_object_is_rejected_by_both(store: StoreUser, published: StoreUser, part: str) -> None:
    store.set("svc", "alice", "s3cr3t")
    content = store.content()
    holder, name = (content["records"], next(iter(content["records"]))) if part == "record" else (content, part)
    holder[name] = [value for _, value in sorted(holder[name].items())]
    store.write(printed(json.dumps(content)))
    published.fails("get_password", "svc", "alice")
    error = store.fails("get_password", "svc", "alice")
    assert error.message.startswith("Stored keyring data is corrupted or was tampered with"), error.message


def _reversed(content: object) -> object:
    """The same with the members of every object in the opposite order."""
    if isinstance(content, dict):
        return {name: _reversed(content[name]) for name in reversed(content)}
    if isinstance(content, list):
        return [_reversed(item) for item in content]
    return content

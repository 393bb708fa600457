"""A store that the test reads and writes in the clear, without the code under test: its keys are known."""

from __future__ import annotations

import json
import os
from base64 import urlsafe_b64decode
from collections.abc import Iterable

from .clients import Client
from .known_store import KnownStore
from .ssh import Agent
from .store import StoreUser

#: Service, user name and password.
Entry = tuple[str, str, str]


class _Keys(KnownStore):
    """The known keys, which open records too."""

    def open(self, name: str, record: dict[str, str]) -> tuple[tuple[str, str], str]:
        """Service and user name of a record, and its password. Whatever is not as it should be raises."""
        nonce, sealed = (urlsafe_b64decode(record[member]) for member in ("nonce", "ciphertext"))
        members = json.loads(self._value.decrypt(nonce, sealed, name.encode()))
        names = members["service"], members["username"]
        assert self.record_id(*names) == name
        return names, members["password"]


class ClearStore(StoreUser):
    """A user whose store's keys are known. There is no store before the first :meth:`fill`."""

    def __init__(self, client: Client, home: object, agent: Agent) -> None:
        super().__init__(client, home, agent.socket)
        self._keys = _Keys()
        agent.add(self._keys.ssh_key(os.path.join(self.home, "key")))

    def record_id(self, service: str, username: str) -> str:
        """What the record of these names is called in the file."""
        return self._keys.record_id(service, username)

    def text(self, entries: Iterable[Entry]) -> bytes:
        """A store with these records, as the published package would write it."""
        return self._keys.text(entries).encode()

    def fill(self, entries: Iterable[Entry]) -> None:
        """Put a store with these records there."""
        self.write(self.text(entries))

    def entries(self) -> dict[tuple[str, str], str]:
        """Every record in the clear: the password by service and user name. Whatever is not as it should be raises."""
        content, fresh = self.content(), json.loads(self.text([]))
        records = content.pop("records")
        assert content == {name: value for name, value in fresh.items() if name != "records"}
        return dict(self._keys.open(name, record) for name, record in records.items())

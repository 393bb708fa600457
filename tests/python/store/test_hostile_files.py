"""Huge store files do not exhaust memory."""

from __future__ import annotations

import os

from lab.known_store import KnownStore
from lab.store import Request

#: The apparent size of a sparse file, far more than it has on the disk.
APPARENT = 3 << 30

ENTRIES = [(f"service {number}", "alice", "s3cr3t" * 20) for number in range(400)]


def test_sparse_file_of_gigabytes_is_refused_with_little_memory(known_store: KnownStore) -> None:
    known_store.fill(ENTRIES)
    with open(known_store.path, "rb") as stream:
        text = stream.read()
    begin, end = text.index(b'"records": {') + 12, text.rindex(b'"\n    }\n  }')
    with open(known_store.path, "wb") as stream:
        stream.write(text[:begin] + b'\n    "' + b"0" * 64 + b'": {\n      "ciphertext": "')
        stream.seek(APPARENT)
        stream.write(text[end:])
    program = (
        "import resource, sys\n"
        "from ringbearer.backends import SSHAgentKeyring\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    SSHAgentKeyring().get_password('service', 'nobody')\n"
        "except RuntimeError as error:\n    print(error, file=sys.stderr)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    ended = known_store.command("python", "-c", program, timeout=30)
    assert ended.code == 0 and "larger than" in ended.stderr, ended
    assert int(ended.stdout) < 64 * 1024 and ended.duration < 10, ended
    assert os.path.getsize(known_store.path) > APPARENT


def test_broken_record_of_megabytes_does_not_hide_the_others(known_store: KnownStore) -> None:
    known_store.fill(ENTRIES)
    with open(known_store.path, "rb") as stream:
        text = stream.read()
    middle = text.index(b'"ciphertext": "', len(text) // 2) + 15
    known_store.write(text[:middle] + b"A" * (4 << 20) + text[middle:])
    answers = known_store.ask([Request("get_password", entry[:2]) for entry in ENTRIES])
    broken = [answer for answer in answers if answer.error]
    assert len(broken) == 1 and broken[0].error.type == "StoreCorrupted"
    assert all(answer.result is not None for answer in answers if not answer.error)

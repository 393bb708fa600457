"""The lock of the store across forks, and after its removal."""

from __future__ import annotations

import os

import pytest
from lab.store import StoreUser

PROGRAM = """
import os, threading, time
from ringbearer.backends import SSHAgentKeyring

backend = SSHAgentKeyring()
done = threading.Event()

def write():
    number = 0
    while not done.is_set():
        backend.set_password("service", f"user {threading.get_ident()}", str(number))
        number += 1

threads = [threading.Thread(target=write) for _ in range(2)]
for thread in threads:
    thread.start()
children = []
for _ in range(5):
    time.sleep(0.02)
    child = os.fork()
    if child == 0:
        # What a child that lives on has, it keeps: it must not be the lock.
        time.sleep(60)
        os._exit(0)
    children.append(child)
done.set()
for thread in threads:
    thread.join()
backend.set_password("service", "afterwards", "stored")
print(backend.get_password("service", "afterwards"))
for child in children:
    os.kill(child, 9)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_children_forked_during_writes_do_not_hold_the_lock(store: StoreUser) -> None:
    store.set("service", "alice", "s3cr3t")
    ended = store.command("python", "-W", "ignore", "-c", PROGRAM, RINGBEARER_TIMEOUT="20")
    assert ended.code == 0 and ended.stdout == "stored\n", ended
    assert store.command("ringbearer", "store", "lock").code == 0


LOCK_GONE = """
import os, sys, threading
from ringbearer.backends import SSHAgentKeyring

done = threading.Event()

def remove():
    while not done.is_set():
        try:
            os.remove(sys.argv[1])
        except FileNotFoundError:
            pass

remover = threading.Thread(target=remove)
remover.start()
try:
    for number in range(20):
        try:
            SSHAgentKeyring().set_password("service", f"{sys.argv[2]} {number}", "secret")
        except RuntimeError:
            continue
        print(number)
finally:
    done.set()
    remover.join()
"""


def test_removing_the_lock_repeatedly_loses_nothing(store: StoreUser) -> None:
    store.set("service", "alice", "s3cr3t")
    environment = store.environment()
    command = ["python", "-c", LOCK_GONE, store.path + ".lock"]
    writers = [store.client.start([*command, f"writer {number}"], environment) for number in range(2)]
    stored = 1
    for writer in writers:
        stdout, stderr = writer.communicate(timeout=60)
        assert writer.returncode == 0, stderr.decode()
        stored += len(stdout.split())
    assert len(store.content()["records"]) == stored > 1

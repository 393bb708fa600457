"""Processes that fork during or after a lookup."""

from __future__ import annotations

import os

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token

FORK = """
import keyring, multiprocessing, os, sys
feed, kind = sys.argv[1:]
mine = keyring.get_credential(feed, None).password
def ask():
    theirs = keyring.get_credential(feed, None)
    print("child", theirs is not None and theirs.password != mine, flush=True)
if kind == "fork":
    number = os.fork()
    if number == 0:
        ask()
        sys.exit(0)
    print("status", os.waitpid(number, 0)[1], flush=True)
else:
    child = multiprocessing.get_context("fork").Process(target=ask)
    child.start()
    child.join(30)
    print("status", child.exitcode, flush=True)
print("parent", keyring.get_credential(feed, None).password == mine, flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
@pytest.mark.parametrize("kind", ["fork", "multiprocessing"])
def test_forked_child_looks_up_on_its_own(
    cloud: PracticeCloud, client: Client, fake_programs: FakePrograms, home, kind: str
) -> None:
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    environment = cloud.environment(home, path=[fake_programs.directory])
    ended = client.run(["python", "-W", "ignore", "-c", FORK, cloud.azure.feed.url(), kind], environment, 30).check()
    assert ended.stdout.splitlines() == ["child True", "status 0", "parent True"]
    # The session knows the organisation by the second lookup.
    again = ["POST"] if kernel_keys.can_share() else ["GET", "POST"]
    assert [request.method for request in cloud.log.requests()] == ["GET", "POST", *again]
    assert len(cloud.log.connections()) == 2 + len(again)


FORK_IN_FLIGHT = """
import keyring, os, sys, threading
feed = sys.argv[1]
keyring.get_keyring()
thread = threading.Thread(target=keyring.get_credential, args=(feed, None), daemon=True)
thread.start()
while not os.listdir(sys.argv[2]):
    pass
number = os.fork()
if number == 0:
    os.environ["AZURE_DEVOPS_EXT_PAT"] = "pat"
    assert keyring.get_credential(feed, None).password == "pat"
    del os.environ["AZURE_DEVOPS_EXT_PAT"]
    os._exit(7 if keyring.get_credential(feed, None) else 8)
print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_child_that_was_forked_during_a_look_up_is_not_stuck(
    cloud: PracticeCloud, client: Client, fake_programs: FakePrograms, home, tmp_path
) -> None:
    slow = az_token(cloud.azure.directory.user_token(cloud.azure.user))
    for answer in slow:
        answer.delay = 0.5
    fake_programs.az(*slow)
    calls = tmp_path / "programs" / "calls"
    environment = cloud.environment(home, path=[fake_programs.directory])
    command = ["python", "-W", "ignore", "-c", FORK_IN_FLIGHT, cloud.azure.feed.url(), calls]
    assert client.run(command, environment, 30).check().stdout == "7\n"

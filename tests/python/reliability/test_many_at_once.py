"""Very many lookups at the same time, in threads and processes: each gets its own answer."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from lab.chainctl import logged_in
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.look_up import LookUp, Lookups
from lab.registries.azure.organisations import Organisation
from lab.registries.google.files import GoogleFiles
from lab.store import Request, StoreUser
from support.managed_identity import client_of

THREADS, PROCESSES, STORED = 64, 200, 100

#: Threads that ask at the same moment, each for its own service, in a few rounds.
AT_ONCE = """
import json, keyring, sys, threading
services = json.loads(sys.argv[1])
keyring.get_keyring()
found = [[None] * len(services) for _ in range(int(sys.argv[2]))]
barrier = threading.Barrier(len(services))
def ask(number, service):
    for answers in found:
        barrier.wait()
        credential = keyring.get_credential(service, None)
        answers[number] = credential and [credential.username, credential.password]
threads = [threading.Thread(target=ask, args=pair) for pair in enumerate(services)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
json.dump(found, sys.stdout)
"""


@pytest.fixture
def logged_in_frodo(cloud: PracticeCloud, fake_programs: FakePrograms) -> None:
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))


def test_sixty_four_threads_with_one_question_cause_one_mint(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, logged_in_frodo: None
) -> None:
    cloud.faults.latency = 0.2
    (answer,) = look_up.all([LookUp(cloud.azure.feed.url(), threads=THREADS)])
    found = [one.credential for one in [answer, *answer.others]]
    assert found == [("VssSessionToken", cloud.azure.session_tokens.issued[0])] * THREADS
    assert [request.method for request in cloud.log.requests()] == ["GET", "POST"]
    assert len(fake_programs.invocations()) == 1


def test_sixty_four_threads_each_get_their_own_answer(
    cloud: PracticeCloud, client: Client, fake_programs: FakePrograms, home, logged_in_frodo: None
) -> None:
    made = [cloud.azure.organisation(f"many-{number}", cloud.azure.tenant) for number in range(THREADS)]
    services = json.dumps([one.feed("tools").url() for one in made])
    environment = cloud.environment(home, path=[fake_programs.directory])
    ended = client.run(["python", "-c", AT_ONCE, services, "2"], environment, 30).check()
    first, second = json.loads(ended.stdout)
    assert_each_has_its_own(made, first)
    assert second == first
    assert len(cloud.azure.session_tokens.issued) == THREADS
    assert ended.stderr == ""


def assert_each_has_its_own(organisations: list[Organisation], answers: list[list[str]]) -> None:
    """Each answer is a session token that opens the organisation it was asked for, and no other."""
    assert [username for username, _ in answers] == ["VssSessionToken"] * len(organisations)
    passwords = [password for _, password in answers]
    assert len(set(passwords)) == len(organisations)
    for organisation, password in zip(organisations, passwords):
        assert [one.name for one in organisations if one.check(password)] == [organisation.name]


@dataclass
class Question:
    """The question of a process, and whether an answer is right."""

    service: str
    variables: dict[str, str]
    is_right: Callable[[str], bool]


def questions(cloud: PracticeCloud, fake_programs: FakePrograms, home: Path) -> list[Question]:
    """For organisations with several kinds of users, and for the other registries."""
    azure, chainguard, google, menda = cloud.azure, cloud.chainguard, cloud.google, cloud.menda
    token = chainguard.token()
    fake_programs.chainctl(logged_in(token))
    made = []
    organisations = [azure.organisation(f"mixed-{number}", azure.tenant) for number in range(10)]
    for one in organisations:

        def opens_it_alone(password: str, one: Organisation = one) -> bool:
            return [other.name for other in organisations if other.check(password)] == [one.name]

        made.append(Question(one.feed("tools").url(), {}, opens_it_alone))
    for number in range(4):
        name, secret = f"application-{number}", f"secret-{number}"
        application = azure.directory.application(name, azure.tenant, secret=secret)
        variables = {"AZURE_CLIENT_ID": application.client_id, "AZURE_CLIENT_SECRET": secret}

        def is_its_own(bearer: str, client_id: str = application.client_id) -> bool:
            return client_of(cloud, ("bearer", bearer)) == client_id

        made.append(Question(azure.feed.url(), variables, is_its_own))
        pat = f"pat-{number}"
        made.append(Question(azure.feed.url(), {"AZURE_DEVOPS_EXT_PAT": pat}, pat.__eq__))
    made.append(Question(chainguard.python.url, {}, token.__eq__))
    made.append(Question(menda.plugins.url, menda.variables, lambda password: password in menda.registry_tokens))
    for login in (google.login, google.other_login):
        path = GoogleFiles(home).write(login.file, f"{login.email}.json")

        def is_of_its_account(password: str, email: str = login.email) -> bool:
            return google.tokens.principal(password) == email

        made.append(Question(google.repository.url, {"GOOGLE_APPLICATION_CREDENTIALS": str(path)}, is_of_its_account))
    return made


def test_two_hundred_processes_each_get_their_own_answer(
    cloud: PracticeCloud, native: Client, home, fake_programs: FakePrograms, logged_in_frodo: None
) -> None:
    asked = questions(cloud, fake_programs, home)
    # None ends before the last has started.
    cloud.faults.latency = 0.1
    asked = [asked[number % len(asked)] for number in range(PROCESSES)]
    environments = [cloud.environment(home, path=[fake_programs.directory], **one.variables) for one in asked]
    running = [
        native.start(["keyring", "--mode", "creds", "get", one.service], environment)
        for one, environment in zip(asked, environments)
    ]
    ended = [process.communicate(timeout=60) for process in running]
    failed = [
        (one.service, one.variables, process.returncode, stdout, stderr)
        for one, process, (stdout, stderr) in zip(asked, running, ended)
        if (process.returncode, stderr) != (0, b"") or not one.is_right(stdout.decode().splitlines()[-1])
    ]
    assert failed == []


@pytest.mark.skipif(os.name == "nt", reason="on Windows, tests cannot start an agent")
def test_hundred_processes_store_and_read_without_loss(native: Client, store: StoreUser) -> None:
    store.set("before", "user", "was there")
    environment = {**store.environment(), "PATH": native.bin}
    writers = [
        native.start(["keyring", "set", "many", f"user-{number}"], environment, with_stdin=True)
        for number in range(STORED // 2)
    ]
    readers = [native.start(["keyring", "get", "before", "user"], environment) for _ in range(STORED // 2)]
    wrote = [writer.communicate(f"secret-{number}".encode(), 60) for number, writer in enumerate(writers)]
    read = [reader.communicate(timeout=60) for reader in readers]
    assert {(writer.returncode, *ended) for writer, ended in zip(writers, wrote)} == {(0, b"", b"")}
    assert {(reader.returncode, *ended) for reader, ended in zip(readers, read)} == {(0, b"was there\n", b"")}
    asked = store.ask([Request("get_password", ("many", f"user-{number}")) for number in range(STORED // 2)])
    assert [answer.result for answer in asked] == [f"secret-{number}" for number in range(STORED // 2)]

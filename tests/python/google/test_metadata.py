"""The metadata server of Google's machines: asked last, quickly, and only where there are signs of it.

One sign is a file of this machine, which may be one of Google's: no test depends on it.
"""

from __future__ import annotations

import socket
import statistics
import sys
import time
from collections.abc import Iterator

import pytest
from lab import gcloud, namespace
from lab.clients import Client
from lab.fake_programs import FakePrograms
from lab.faults import reset
from lab.look_up import LookUp
from lab.registries.google.metadata import MetadataServer, metadata_fails, metadata_redirects
from lab.registries.google.refusals import expired_or_revoked
from support.google_user import METADATA, OAUTH, GoogleUser
from support.native_keyring import NativeKeyring

USER_NAME = "oauth2accesstoken"
ACCOUNT = "/computeMetadata/v1/instance/service-accounts/default/"
#: The file that says who built a machine.
PRODUCT = "/sys/class/dmi/id/product_name"
#: The usual name of the server.
NAME = "metadata.google.internal"
#: Seconds that a server without an answer may cost; the limit is 0.5 s.
LONGEST = 1.5


@pytest.fixture
def server(ada: GoogleUser) -> MetadataServer:
    """The server of a machine with the service account `robot`."""
    ada.google.metadata.account = ada.google.robot
    return ada.google.metadata


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address where the kernel answers no new connection: nobody accepts, and the queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        waiting = []
        for _ in range(4):
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(address)
            waiting.append(one)
        yield f"{address[0]}:{address[1]}"
        for one in waiting:
            one.close()


def refusing() -> str:
    """An address where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{listener.getsockname()[1]}"


def named(address: str) -> dict[str, str | None]:
    """The variables of a metadata server at an address."""
    names = ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT")
    return {**dict.fromkeys(names, address), "NO_GCE_CHECK": None}


def test_machine_gets_a_token_of_its_service_account(ada: GoogleUser, server: MetadataServer) -> None:
    answer = ada.ask(**server.variables)
    assert ada.account(answer) == ada.google.robot.email and answer.warnings == []
    requests = ada.cloud.log.requests()
    assert [(one.host, one.path) for one in requests] == [(METADATA, ACCOUNT + "email"), (METADATA, ACCOUNT + "token")]
    assert requests[1].parameters == {"scopes": "https://www.googleapis.com/auth/cloud-platform"}


def test_container_may_choose_the_scope(ada: GoogleUser, server: MetadataServer) -> None:
    server.scopes, server.may_choose_scopes = ("https://www.googleapis.com/auth/devstorage.read_only",), True
    answer = ada.ask(**server.variables)
    token = ada.google.tokens.find(answer.credential[1])
    assert token and token.scopes == ("https://www.googleapis.com/auth/cloud-platform",)


@pytest.mark.parametrize("name", ["GCE_METADATA_HOST", "GCE_METADATA_ROOT"])
def test_either_name_leads_to_the_server(ada: GoogleUser, server: MetadataServer, name: str) -> None:
    address = server.address
    others = {"GCE_METADATA_HOST": refusing(), "GCE_METADATA_ROOT": refusing(), "GCE_METADATA_IP": refusing()}
    # The old name counts only where the new one is not set.
    hidden = {"GCE_METADATA_HOST": " "} if name == "GCE_METADATA_ROOT" else {}
    variables = {**others, **hidden, name: address, "NO_GCE_CHECK": "false"}
    assert ada.account(ada.ask(**variables)) == ada.google.robot.email


def test_token_is_shared_by_lookups(ada: GoogleUser, server: MetadataServer) -> None:
    answers = ada.look_up.all([LookUp(ada.url, threads=4), LookUp(ada.url)], **server.variables)
    found = [answers[0], *answers[0].others, answers[1]]
    assert {answer.credential for answer in found} == {(USER_NAME, ada.google.tokens.issued[0])}
    assert len(ada.cloud.log.requests(path="*/token")) == 1


def test_server_is_never_asked_through_a_proxy(ada: GoogleUser, server: MetadataServer) -> None:
    proxy = ada.cloud.proxy_url
    answer = ada.ask(**server.variables, HTTP_PROXY=proxy, http_proxy=proxy, ALL_PROXY=proxy, NO_PROXY=None)
    assert ada.account(answer) == ada.google.robot.email
    assert ada.cloud.log.requests(method="CONNECT") == [] and ada.cloud.log.connections() == []
    assert {one.header("Via") for one in ada.cloud.log.requests()} == {None}


def test_server_is_asked_last(ada: GoogleUser, server: MetadataServer, fake_programs: FakePrograms) -> None:
    token = ada.run_gcloud()
    assert ada.ask(**server.variables).credential == (USER_NAME, token)
    ada.files.write_application_default(ada.google.login.file)
    assert ada.account(ada.ask(**server.variables)) == ada.google.login.email
    assert METADATA not in ada.hosts()


def test_server_serves_after_logins_that_fail(
    ada: GoogleUser, server: MetadataServer, fake_programs: FakePrograms
) -> None:
    ada.google.login.failure = expired_or_revoked()
    ada.files.write_application_default(ada.google.login.file)
    fake_programs.gcloud(gcloud.not_logged_in())
    answer = ada.ask(**server.variables)
    assert ada.account(answer) == ada.google.robot.email
    assert "application_default" in answer.warning and "gcloud" in answer.warning, answer.warning


@pytest.mark.parametrize("value", ["true", "True", "TRUE"])
def test_server_that_is_turned_off_is_not_asked(ada: GoogleUser, server: MetadataServer, value: str) -> None:
    # The machine itself may be one of Google's: a Kubernetes variable is a sign too.
    variables = {**server.names, "NO_GCE_CHECK": value, "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
    answer = ada.ask(**variables)
    assert answer.credential is None
    assert ada.cloud.log.requests() == ada.cloud.log.connections(kind="plain") == []


def test_machine_without_a_service_account_has_no_token(ada: GoogleUser, server: MetadataServer) -> None:
    server.account = None
    answer = ada.ask(**server.variables)
    assert answer.credential is None and ada.cloud.log.requests(path="*/token") == []
    assert "HTTP 404" not in answer.text


def test_impostor_gives_no_token(ada: GoogleUser, server: MetadataServer) -> None:
    server.has_flavor = False
    answer = ada.ask(**server.variables)
    assert answer.credential is None
    assert "GCE_METADATA_HOST" in answer.warning and "not the metadata server of Google" in answer.warning
    assert ada.cloud.log.requests(path="*/token") == [] and ada.google.tokens.issued == []


def test_redirect_is_not_followed(ada: GoogleUser, server: MetadataServer) -> None:
    ada.cloud.faults.add(metadata_redirects("https://us-central1-python.pkg.dev/"), METADATA)
    answer = ada.ask(**server.variables)
    assert answer.credential is None and answer.warnings
    assert set(ada.hosts()) == {METADATA}


@pytest.mark.parametrize("status", [503, 429])
@pytest.mark.parametrize("name", ["email", "token"])
def test_server_that_is_busy_once_serves(ada: GoogleUser, server: MetadataServer, status: int, name: str) -> None:
    rule = ada.cloud.faults.add(metadata_fails(status), METADATA, path=f"*/{name}", times=1)
    answer = ada.ask(**server.variables)
    assert ada.account(answer) == ada.google.robot.email and answer.warnings == []
    assert rule.met == 1


def test_server_that_stays_busy_is_one_warning(ada: GoogleUser, server: MetadataServer) -> None:
    ada.cloud.faults.add(metadata_fails(503), METADATA)
    answer = ada.ask(**server.variables)
    assert answer.credential is None and "HTTP 503" in answer.warning and answer.seconds < 15, answer.warning
    assert len(ada.cloud.log.requests(path="*/token")) == 3


def test_server_that_creates_a_token_slowly_has_time(ada: GoogleUser, server: MetadataServer) -> None:
    def late(request, answer):
        time.sleep(2)
        return answer(request)

    ada.cloud.faults.add(late, METADATA, path="*/token")
    answer = ada.ask(**server.variables)
    assert ada.account(answer) == ada.google.robot.email and answer.warnings == []


def test_slow_answer_is_not_waited_for(ada: GoogleUser, server: MetadataServer) -> None:
    server.delay = 3
    answer = ada.ask(**server.variables)
    assert answer.credential is None and "does not answer" in answer.warning and answer.seconds < 2.5, answer


def seconds(ada: GoogleUser, **variables: str | None) -> float:
    """The median of some lookups, each in a process of its own."""
    return statistics.median(ada.ask(**variables).seconds for _ in range(3))


def test_silent_server_costs_half_a_second(ada: GoogleUser, server: MetadataServer) -> None:
    server.is_silent = True
    without = seconds(ada, NO_GCE_CHECK="true")
    assert seconds(ada, **server.variables) - without < LONGEST


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse what does not fit into the queue")
def test_black_hole_costs_half_a_second(ada: GoogleUser, black_hole: str) -> None:
    without = seconds(ada, NO_GCE_CHECK="true")
    cost = seconds(ada, **named(black_hole)) - without
    # Below that, it would not be a black hole.
    assert 0.3 < cost < LONGEST


def test_port_that_refuses_costs_little(ada: GoogleUser) -> None:
    without = seconds(ada, NO_GCE_CHECK="true")
    assert seconds(ada, **named(refusing())) - without < LONGEST
    answer = ada.ask(**named(refusing()))
    assert answer.credential is None and "GCE_METADATA_HOST" in answer.warning, answer.warning


def test_connection_that_is_reset_is_one_warning(ada: GoogleUser, server: MetadataServer) -> None:
    ada.cloud.faults.add(reset(), METADATA)
    answer = ada.ask(**server.variables)
    assert answer.credential is None and "GCE_METADATA_HOST" in answer.warning and answer.seconds < 5, answer


@pytest.mark.parametrize("host", ["http://127.0.0.1:9", "127.0.0.1:9/path", "127.0.0.1:9?x", "127.0.0.1:9#x"])
def test_address_that_is_no_host_is_refused(ada: GoogleUser, host: str) -> None:
    answer = ada.ask(**{**named(host), "GCE_METADATA_IP": "127.0.0.1:9", "GCE_METADATA_ROOT": "127.0.0.1:9"})
    assert answer.credential is None and "GCE_METADATA_HOST" in answer.warning, answer.warning
    assert ada.cloud.log.requests() == []


# The signs of Google, for a server that no variable names: the file and the addresses are those of a namespace.


needs_namespace = pytest.mark.skipif(not namespace.AVAILABLE, reason="needs mount namespaces")


def ask_unnamed(ada: GoogleUser, native: Client, product: str, **variables: str) -> tuple[float, str]:
    """A lookup on a machine whose file has this text, without variables; where the server would be, nobody listens.

    Returns the seconds that the program took, and what it said.
    """
    environment = {**ada.cloud.environment(ada.home, [ada.fake_programs.directory]), **variables}
    for name in ("GCE_METADATA_HOST", "GCE_METADATA_IP", "GCE_METADATA_ROOT", "NO_GCE_CHECK"):
        del environment[name]
    before = [*namespace.with_files({PRODUCT: product}), *namespace.with_hosts({NAME: "127.0.0.1"})]
    ended = native.run([*before, native.program("keyring"), "get", ada.url, USER_NAME], environment, 20)
    assert ended.code == 1, ended
    return ended.duration, ended.stderr


@needs_namespace
def test_machine_of_somebody_else_is_not_asked(ada: GoogleUser, native: Client) -> None:
    _, said = ask_unnamed(ada, native, "Standard PC\n", RINGBEARER_DEBUG="1")
    assert "this machine is not one of Google's" in said and NAME not in said, said
    assert ada.cloud.log.requests() == ada.cloud.log.requests(method="CONNECT") == []


@needs_namespace
@pytest.mark.parametrize("sign", ["file", "K_SERVICE", "KUBERNETES_SERVICE_HOST", "CLOUD_RUN_JOB", "FUNCTION_TARGET"])
def test_signs_of_google_lead_to_the_usual_name(ada: GoogleUser, native: Client, sign: str) -> None:
    product = "Google Compute Engine\n" if sign == "file" else "Standard PC\n"
    variables = {} if sign == "file" else {sign: "1"}
    took, said = ask_unnamed(ada, native, product, RINGBEARER_DEBUG="1", **variables)
    # Nobody listens there, which is no failure of a login.
    assert f"{NAME} does not answer" in said and took < 5, said
    assert ada.cloud.log.requests() == ada.cloud.log.requests(method="CONNECT") == []


def test_native_keyring_asks_the_server(ada: GoogleUser, native: Client, server: MetadataServer) -> None:
    keyring = NativeKeyring(ada.cloud, native, ada.home)
    ended = keyring("get", ada.url, USER_NAME, **server.variables).check()
    assert (ended.stdout, ended.stderr) == (ada.google.tokens.issued[0] + "\n", "")
    assert OAUTH not in ada.hosts()

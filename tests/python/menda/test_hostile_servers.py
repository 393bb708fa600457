"""Hostile responses of Menda's API: redirects, pages, endless bodies, silence."""

from __future__ import annotations

import json
from urllib.parse import unquote_plus

import pytest
from lab import faults
from lab.cloud import PracticeCloud
from lab.faults import Fault
from lab.look_up import Answer, LookUp, Lookups
from lab.messages import Response
from lab.registries.menda import HOST, REGISTRY_HOST
from support.menda_machines import API, COLD, INDEX, Machines, paths, profile, served

ENDPOINTS = {"sign_in": "oauth2/token", "exchange": "registry/token"}

#: Redirect targets: an attacker, a host of Menda or AWS, plain HTTP, and the same host.
PLACES = [
    "https://evil.example/",
    f"https://evil.example/{HOST}",
    "https://api.example.menda.cloud.evil.example/api/v1/auth/registry/token",
    f"https://{API}@evil.example/",
    "//evil.example/x",
    f"https://{REGISTRY_HOST}/",
    f"{HOST}/elsewhere",
    "/elsewhere",
    f"http://{API}/api/v1/auth/oauth2/token",
    "http://127.0.0.1:9/",
    "",
]


def good(**members: object) -> Fault:
    """A real answer with other members."""
    return faults.garbage_json(json.dumps(members).encode())


#: (fault, whether a retry may succeed)
BROKEN: dict[str, tuple[Fault, bool]] = {
    "a page": (faults.html(200), False),
    "a page with 203": (faults.html(203), False),
    "nothing": (faults.status(200), False),
    "no content": (faults.status(204), False),
    "half a JSON text": (faults.garbage_json(), False),
    "no object": (faults.garbage_json(b"[]"), False),
    "a number": (faults.garbage_json(b"7"), False),
    "no UTF-8": (faults.garbage_json(b'{"token": "\xff", "access_token": "\xff"}'), False),
    "very deep": (faults.garbage_json(b'{"token":' * 100_000), False),
    "two texts": (faults.garbage_json(b'{"token": "a", "access_token": "a"} {}'), False),
    "twice": (faults.garbage_json(b'{"token": "a", "token": "b", "access_token": "a", "access_token": "b"}'), False),
    "no token": (good(tokens="a"), False),
    "null": (good(token=None, access_token=None), False),
    "wrong type": (good(token=7, access_token=7), False),
    "an object": (good(token={"a": "b"}, access_token=["a"]), False),
    "empty": (good(token="", access_token=""), False),
    "blank": (good(token=" \n", access_token="\t"), False),
    "two words": (good(token="a b", access_token="a b"), False),
    "a header more": (good(token="a\r\nX-Planted: b", access_token="a\r\nX-Planted: b"), False),
    "a line feed": (good(token="a\nb", access_token="a\nb"), False),
    "a control character": (good(token="a\x1b[2Jb", access_token="a\x00b"), False),
    "a wide blank": (good(token="a\u2003b", access_token="a\u0085b"), False),
    "huge": (faults.huge(), False),
    "endless": (faults.huge(None), False),
    "huge headers": (faults.huge_headers(), False),
    "reset": (faults.reset(), True),
    "dropped": (faults.drop(), True),
    "cut": (faults.truncated(), True),
    "503": (faults.status(503), True),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_no_redirect_is_followed_and_nothing_is_sent_on(cloud: PracticeCloud, look_up: Lookups, endpoint: str) -> None:
    machines = Machines(cloud, look_up)
    codes = [301, 302, 303, 307, 308]
    for place in PLACES:
        for code in codes:
            machines.add(**{endpoint: faults.status(code, {"Location": place}, b'{"access_token":"x","token":"x"}')})
    answers = machines.ask()
    machines.assert_each_is_one_warning(answers)
    for number, answer in enumerate(answers):
        assert f"{ENDPOINTS[endpoint]} of {API} returned HTTP {codes[number % 5]}; " in answer.warning
    assert machines.paths() == [COLD[: 1 + (endpoint == "exchange")]] * len(answers)
    assert {request.host for request in cloud.log.requests()} == {API}
    assert cloud.log.refused() == []


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_unusable_response_is_one_warning(cloud: PracticeCloud, look_up: Lookups, endpoint: str) -> None:
    machines = Machines(cloud, look_up)
    for fault, _ in BROKEN.values():
        machines.add(**{endpoint: fault})
    answers = machines.ask()
    got = [name for name, answer in zip(BROKEN, answers) if answer.result is not None]
    assert got == []
    machines.assert_each_is_one_warning(answers)
    assert [name for name, answer in zip(BROKEN, answers) if API not in answer.warning] == []
    assert max(answer.seconds for answer in answers) < 5
    assert {request.host for request in cloud.log.requests()} == {API}
    planted = [one for one in cloud.log.requests() if any("planted" in name.lower() for name, _ in one.headers)]
    assert planted == []


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_strict_mode_raises_one_type_for_unusable_responses(
    cloud: PracticeCloud, look_up: Lookups, endpoint: str
) -> None:
    machines = Machines(cloud, look_up)
    chosen = [name for name in BROKEN if not BROKEN[name][1] and "hu" not in name and name != "endless"]
    for name in chosen:
        machines.add(**{endpoint: BROKEN[name][0]})
    answers = machines.ask(RINGBEARER_STRICT="1")
    errors = {name: answer.error and answer.error.type for name, answer in zip(chosen, answers)}
    assert errors == dict.fromkeys(chosen, "MendaKeyRingError")
    assert [one.error.message for one in answers if API not in one.error.message or "\n" in one.error.message] == []


def test_token_unfit_for_a_header_is_rejected(cloud: PracticeCloud, look_up: Lookups, home: object) -> None:
    machines = Machines(cloud, look_up)
    odd = ["t\u00f6ken", "\u202etoken", "\U0001f511", "to\u200bken"]
    for token in odd:
        machines.add(sign_in=good(access_token=token))
        machines.add(exchange=good(token=token))
    answers = machines.ask(RINGBEARER_STRICT="1")
    assert [answer.result for answer in answers] == [None] * len(answers)
    assert [answer.error.type for answer in answers] == ["MendaKeyRingError"] * len(answers)
    assert machines.paths() == [COLD[:1], COLD] * len(odd)
    # In the file of the Menda CLI it is not a login.
    cloud.menda.write_profile(home, profile())
    cloud.menda.write_login(home, odd[0])
    assert look_up(INDEX, RINGBEARER_STRICT="1").error.type == "NoCachedLoginError"


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_transient_failure_is_retried(cloud: PracticeCloud, look_up: Lookups, endpoint: str) -> None:
    machines = Machines(cloud, look_up)
    for fault, passes in BROKEN.values():
        if passes:
            machines.add(times=1, **{endpoint: fault})
    answers = machines.ask()
    assert served(answers) == [True] * 4
    assert [answer.warnings for answer in answers] == [[]] * 4
    again = [COLD[0], *COLD] if endpoint == "sign_in" else [*COLD, COLD[1]]
    assert machines.paths() == [again] * 4


def test_permanent_failure_is_tried_three_times_with_one_sign_in(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.faults.add(faults.status(500), API, COLD[1])
    answer = look_up(INDEX, RINGBEARER_STRICT="1", **cloud.menda.variables)
    assert answer.error.type == "MendaCloudAPIError"
    assert "registry/token" in answer.error.message and "HTTP 500; try again later" in answer.error.message
    assert paths(cloud) == [COLD[0], *[COLD[1]] * 3]


def test_service_message_is_one_line_without_control_characters(cloud: PracticeCloud, look_up: Lookups) -> None:
    said = ["a\r\nb\x1b[31mc\x07\u202ed", "x" * 100_000, "\x00", "\n", "%s %(x)s {0} %", "no\u2028more"]
    machines = Machines(cloud, look_up)
    for number, words in enumerate(said):
        body = json.dumps({"message": words}).encode()
        machines.add(**{[*ENDPOINTS][number % 2]: faults.status(403, body=body)})
    answers = machines.ask()
    machines.assert_each_is_one_warning(answers)
    odd = [
        answer.warning
        for answer in answers
        if len(answer.warning) > 800 or any(ord(letter) < 32 or 0x7F <= ord(letter) < 0xA0 for letter in answer.warning)
    ]
    assert odd == []
    assert not any(letter in answer.warning for answer in answers for letter in "\u202e\u2028")
    assert ": a b [31mc d; " in answers[0].warning
    assert ": %s %(x)s {0} %; " in answers[4].warning


@pytest.mark.parametrize("kind", ["distrust", "expire", "misname"])
def test_host_with_untrusted_certificate_gets_nothing(cloud: PracticeCloud, look_up: Lookups, kind: str) -> None:
    getattr(cloud, kind)(API)
    answer = look_up(INDEX, **cloud.menda.variables)
    assert answer.credential is None
    assert API in answer.warning and "certificate" in answer.warning
    assert cloud.log.requests() == []
    assert len(cloud.log.connections(API)) == 1


def test_unknown_host_is_one_warning_and_no_other_request(cloud: PracticeCloud, look_up: Lookups) -> None:
    nowhere = "https://menda.nowhere.example"
    answer = look_up(INDEX, **{**cloud.menda.variables, "MENDA_HOST": nowhere})
    assert answer.credential is None
    assert "menda.nowhere.example" in answer.warning
    assert cloud.menda.client_secret not in unquote_plus(answer.text)
    assert set(cloud.log.refused()) == {"menda.nowhere.example"}


#: Faults that never answer, or never to the end.
SLOW: dict[str, Fault] = {
    "silence": faults.silence(),
    "drip": faults.drip(0.1),
    "late": faults.latency(3),
    "endless page": faults.replaced(lambda response: Response(200, [("Content-Length", "9999999")], b"<")),
}


@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_an_api_that_does_not_answer_ends_within_the_limit(
    cloud: PracticeCloud, look_up: Lookups, endpoint: str
) -> None:
    machines = Machines(cloud, look_up)
    for fault in SLOW.values():
        machines.add(**{endpoint: fault})
    answers = machines.ask(RINGBEARER_TIMEOUT="0.7")
    assert [name for name, answer in zip(SLOW, answers) if answer.seconds > 2] == []
    machines.assert_each_is_one_warning(answers)
    assert [name for name, answer in zip(SLOW, answers) if API not in answer.warning] == []


def test_a_proxy_that_does_not_answer_ends_within_the_limit(cloud: PracticeCloud, look_up: Lookups) -> None:
    cloud.faults.add(faults.silence(), method="CONNECT")
    answer = look_up(INDEX, RINGBEARER_TIMEOUT="0.7", RINGBEARER_STRICT="1", **cloud.menda.variables)
    assert answer.seconds < 2
    assert answer.error.type == "MendaTimeoutError" and "LookupTimeoutError" in answer.error.bases


def test_threads_waiting_for_a_silent_api_end_in_time(cloud: PracticeCloud, look_up: Lookups, home: object) -> None:
    cloud.menda.write_profile(home, profile())
    cloud.menda.write_login(home, cloud.menda.log_in())
    cloud.faults.add(faults.silence(), API)
    (answer,) = look_up.all([LookUp(INDEX, threads=8)], RINGBEARER_TIMEOUT="0.7")
    everybody: list[Answer] = [answer, *answer.others]
    assert [one.credential for one in everybody] == [None] * 8
    assert max(one.seconds for one in everybody) < 3
    assert 1 <= len(answer.warnings) <= 2

"""The secret of a machine is sent to Menda only, and each token to its own host."""

from __future__ import annotations

import html
import json
import re
import secrets
from pathlib import Path
from urllib.parse import quote, quote_plus, unquote

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.look_up import Answer, LookUp, Lookups
from lab.registries.menda import HOST, REGISTRY_HOST
from support.menda_machines import API, INDEX, Machines, assert_hidden, is_shown, profile, served

SETTINGS = [{}, {"RINGBEARER_DEBUG": "1"}, {"RINGBEARER_DEBUG": "1", "RINGBEARER_STRICT": "1"}]


def lower(encoded: str) -> str:
    """The same with hexadecimal digits in lower case."""
    return re.sub("%..", lambda found: found[0].lower(), encoded)


#: Encodings in which a service may quote the request.
SPELLINGS = {
    "as it is": lambda secret: secret,
    "%20": lambda secret: quote(secret, safe=""),
    "%20, lower case": lambda secret: lower(quote(secret, safe="")),
    "+": quote_plus,
    "+, lower case": lambda secret: lower(quote_plus(secret)),
    "slashes as they are": quote,
    "all of it": lambda secret: "".join(f"%{byte:02x}" for byte in secret.encode()),
    "every other": lambda secret: "".join(
        f"%{ord(letter):02X}" if number % 2 else quote(letter) for number, letter in enumerate(secret)
    ),
    "the address": lambda secret: "?grant_type=client_credentials&client_secret=" + quote_plus(secret),
    "twice": lambda secret: f"{secret} {quote(secret)} {secret}",
    "between letters": lambda secret: f"«{secret}»{quote(secret)}x",
}


def said(answers: list[Answer], look_up: Lookups) -> list[str]:
    """All output and files after lookups."""
    output = look_up.completed.raw_stdout.decode("utf-8", "replace") + look_up.completed.stderr
    return [output, *(answer.text for answer in answers)]


def log_of(answer: Answer) -> str:
    """The output of one of several lookups."""
    return "\n".join([line.message for line in answer.log] + [answer.error.text if answer.error else ""])


def files(directory: Path) -> dict[str, str]:
    """The content of every file."""
    found = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path): path.read_text("utf-8", "replace") for path in found}


@pytest.mark.parametrize("settings", SETTINGS)
def test_no_secret_is_shown_or_kept_when_look_ups_succeed(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, home: Path, settings: dict[str, str]
) -> None:
    menda = cloud.menda
    machine = {"auth_type": "m2m", "client_id": menda.client_id, "client_secret": menda.client_secret}
    menda.write_profile(home, profile() + profile(name="ci", **machine) + profile(name="cached", **machine))
    logins = {"default": menda.log_in(), "cached": menda.log_in(), menda.client_id: "withdrawn-token"}
    menda.write_cache(home, "".join(f"[{name}]\nid_token = {token}\n" for name, token in logins.items()))
    cloud.environment(home)
    before = files(home)
    password = "planted-" + secrets.token_hex(16)
    service = INDEX.replace("://", f"://user:{password}@") + f"?x={password}#{password}"
    cases = [{"MENDA_PROFILE_ID": name} for name in ("default", "ci", "cached")] + [menda.variables]
    answers = look_up.all([LookUp(service, environment=case) for case in cases], **settings)
    assert served(answers) == [True] * 4
    assert len(set(menda.registry_tokens)) == 4
    hidden = [menda.client_secret, password, "withdrawn-token", *menda.access_tokens, *menda.registry_tokens]
    assert_hidden(hidden, *said(answers, look_up))
    assert "POST " + HOST + "/api/v1/auth/oauth2/token answered 200" in answers[1].text
    assert ("registry/token answered 401" in answers[0].stderr) == bool(settings)
    assert files(home) == before
    assert fake_programs.invocations() == []


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("endpoint", ["sign_in", "exchange"])
def test_a_secret_that_the_service_repeats_is_not_shown(
    cloud: PracticeCloud, look_up: Lookups, settings: dict[str, str], endpoint: str
) -> None:
    secret = cloud.menda.client_secret
    machines = Machines(cloud, look_up)
    for number, spell in enumerate(SPELLINGS.values()):
        field = ("message", "detail", "error_description", "error")[number % 4]
        body = json.dumps({field: f"planted: {spell(secret)} is not known", "secret": secret}).encode()
        fault = faults.status(403, {"Content-Type": "application/json"}, body)
        machines.add(**{endpoint: fault})
    answers = machines.ask(**settings)
    assert [name for name, answer in zip(SPELLINGS, answers) if is_shown(secret, log_of(answer))] == []
    assert_hidden([secret], *said(answers, look_up))
    assert [answer.result for answer in answers] == [None] * len(answers)
    assert all("HTTP 403" in answer.text for answer in answers)


#: More such encodings: of HTML pages, programs, and services that escape input.
ESCAPES = {
    "HTML": html.escape,
    "JSON": lambda secret: json.dumps({"client_secret": secret}),
    "Python": lambda secret: repr({"client_secret": secret}),
    "a part": lambda secret: f"client_secret={secret[:20]}…",
    "a part, encoded": lambda secret: f"client_secret={quote(secret)[:40]}…",
}


@pytest.mark.parametrize("endpoint", ["sign_in", "exchange"])
def test_secret_echoed_in_part_or_escaped_is_not_shown(cloud: PracticeCloud, look_up: Lookups, endpoint: str) -> None:
    core = secrets.token_hex(16)
    secret = f'{core}"\\&<é%'
    cloud.menda.machine(cloud.menda.client_id, secret)
    machines = Machines(cloud, look_up)
    for escape in ESCAPES.values():
        body = json.dumps({"message": f"unknown: {escape(secret)}"}).encode()
        machines.add(**{endpoint: faults.status(403, body=body)}, MENDA_CLIENT_SECRET=secret)
    answers = machines.ask()
    assert [name for name, answer in zip(ESCAPES, answers) if core[:20] in unquote(log_of(answer))] == []


@pytest.mark.parametrize("settings", SETTINGS)
def test_an_access_token_that_the_service_repeats_is_not_shown(
    cloud: PracticeCloud, look_up: Lookups, home: Path, settings: dict[str, str]
) -> None:
    login = "planted access/token+=".replace(" ", "-")
    cloud.menda.write_profile(home, profile())
    cloud.menda.write_login(home, login)
    look_ups = []
    # Beside a file, the host alone is ignored; it is a part of the cache key all the same.
    for number, spell in enumerate(SPELLINGS.values()):
        body = json.dumps({"message": f"planted: {spell(login)} is not known"}).encode()
        cloud.faults.add(faults.status(401, body=body), API, times=1)
        look_ups.append(LookUp(INDEX, environment={"MENDA_HOST": str(number)}))
    answers = look_up.all(look_ups, **settings)
    assert_hidden([login], *said(answers, look_up))
    assert len(cloud.log.requests(API, status=401)) == len(SPELLINGS)


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("endpoint", ["sign_in", "exchange"])
def test_a_secret_in_an_odd_place_of_an_answer_is_not_shown(
    cloud: PracticeCloud, look_up: Lookups, settings: dict[str, str], endpoint: str
) -> None:
    secret = cloud.menda.client_secret
    plain, encoded = secret, quote_plus(secret)
    bodies: list[tuple[int, dict[str, str], object]] = [
        (400, {}, {"message": {"text": secret}, "errors": [secret], "code": secret}),
        (400, {}, [secret]),
        (400, {}, secret),
        (403, {"Content-Type": "text/html"}, None),
        (302, {"Location": f"{HOST}/{encoded}?client_secret={encoded}"}, {}),
        (401, {"WWW-Authenticate": f'Bearer error="{encoded}"', "Set-Cookie": f"x={encoded}", "X": encoded}, {}),
        (503, {"Retry-After": encoded}, {}),
        (200, {}, {"access_token": {"x": secret}, "token": [secret]}),
        (200, {}, {"access_token": None, "token": None, "message": secret}),
        (200, {}, {secret: secret}),
        (200, {}, secret),
        (200, {"Content-Type": "text/html"}, None),
        (204, {"X": encoded}, {}),
    ]
    machines = Machines(cloud, look_up)
    for code, headers, value in bodies:
        body = json.dumps(value).encode() if value is not None else f"<html>{plain} {html.escape(plain)}".encode()
        machines.add(**{endpoint: faults.status(code, headers, body)})
    answers = machines.ask(**settings)
    assert [answer.result for answer in answers] == [None] * len(bodies)
    assert_hidden([secret], *said(answers, look_up))


@pytest.mark.parametrize("settings", SETTINGS)
def test_misplaced_secret_is_not_shown_and_not_sent(
    cloud: PracticeCloud, look_up: Lookups, home: Path, settings: dict[str, str]
) -> None:
    menda = cloud.menda
    secret = "planted/" + menda.client_secret
    hosts = [secret, f"https://user:{quote(secret, safe='')}@{API}", f"{HOST}?client_secret={quote(secret, safe='')}"]
    hosts += [f"http://{API}/{quote(secret)}", f"{HOST}#{secret}", f"https://{quote_plus(secret)}.example"]
    cases: list[dict[str, str | None]] = [{**menda.variables, "MENDA_HOST": host} for host in hosts]
    cases += [{"MENDA_CONFIG_FILE": secret}, {"MENDA_CLIENT_SECRET": secret}, {"HOME": None, "MENDA_HOST": secret}]
    names = {name for case in cases for name in case}
    usual = cloud.environment(home)
    look_ups = [LookUp(INDEX, environment={**{name: usual.get(name) for name in names}, **case}) for case in cases]
    answers = look_up.all(look_ups, **settings)
    assert_hidden([secret], *said(answers, look_up))
    assert [host for host, answer in zip(hosts, answers) if answer.result is not None] == []
    assert cloud.log.requests() == [] and cloud.log.refused() == []


#: Files with a mistake that turns a line into a continuation, or into nothing.
SLIPS = [
    "[default]\nhost = HOST\n  client_secret = SECRET\n",
    "[default]\nhost = HOST/\n\tauth_type = m2m\n\tclient_id = robot\n\tclient_secret = SECRET\n",
    "  [default]\n  host = HOST/\n  auth_type = m2m\n  client_id = robot\n  client_secret = SECRET\n",
    "[default]\nhost = HOST\nauth_type = u2m\n  client_secret = SECRET\n",
    "[default]\nhost = HOST\nauth_type = m2m\nclient_id = robot\n  client_secret = SECRET\n",
    "[default]\nhost = HOST\nauth_type = m2m\nclient_id = robot\nclient_secret SECRET\n",
    "[default]\nhost = HOST\n  client_secret=SECRET\n",
    "[default]\nhost = HOST client_secret = SECRET\n",
    "[default]\nhost = HOST/ client_secret = SECRET\n",
    "[default\nhost = HOST\nclient_secret = SECRET\n",
    "host = HOST\nclient_secret = SECRET\n[default]\n",
    "[default]\nhost = SECRET\n",
    "[SECRET]\nhost = HOST\n",
]


@pytest.mark.parametrize("settings", SETTINGS)
def test_typo_in_the_file_shows_and_misdirects_no_secret(
    cloud: PracticeCloud, look_up: Lookups, home: Path, settings: dict[str, str]
) -> None:
    secret = "planted-" + secrets.token_hex(16)
    # A user who is also logged in gets as far as a request.
    cloud.menda.write_login(home, cloud.menda.log_in())
    path = home / ".menda" / "mendacfg"
    look_ups = [
        LookUp(INDEX, files={str(path): text.replace("HOST", HOST).replace("SECRET", secret)}) for text in SLIPS
    ]
    answers = look_up.all(look_ups, **settings)
    assert [text for text, answer in zip(SLIPS, answers) if is_shown(secret, log_of(answer))] == []
    assert_hidden([secret], *said(answers, look_up))
    assert [one.path for one in cloud.log.requests() if secret in one.path] == []
    assert {one.host for one in cloud.log.requests()} <= {API}
    assert cloud.log.refused() == []


PROGRAM = """
import gc, keyring, logging, pickle, sys, traceback
from ringbearer import _core, backends, errors
logging.basicConfig(level=logging.DEBUG, stream=sys.stdout)
backend = backends.MendaCodeArtifactKeyring()
for index in sys.argv[1:]:
    try:
        print("found", backend.get_credential(index, None) is not None)
    except errors.RingbearerError as error:
        print(repr(error), str(error), error.args, vars(error), error.__cause__, error.__context__)
        print("".join(traceback.TracebackException.from_exception(error, capture_locals=True).format()))
        print(pickle.dumps(error) if error.status_code is None else error.status_code)
    for one in (backend, backends, _core, errors):
        print(repr(one), str(one), vars(one))
    for one in gc.get_objects():
        if type(one).__module__.partition(".")[0] == "ringbearer":
            print(repr(one), getattr(one, "__dict__", None))
print(pickle.dumps(backend))
"""


@pytest.mark.parametrize("refused", [False, True])
def test_secrets_are_in_no_repr_attribute_or_traceback(
    cloud: PracticeCloud, client: Client, home: Path, refused: bool
) -> None:
    if refused:
        body = json.dumps({"message": "planted: " + cloud.menda.client_secret}).encode()
        cloud.faults.add(faults.status(401, body=body), API)
    environment = cloud.environment(home, RINGBEARER_STRICT="1", RINGBEARER_DEBUG="1", **cloud.menda.variables)
    ended = client.run(["python", "-c", PROGRAM, INDEX, REGISTRY_HOST], environment).check()
    assert ended.stdout.count("found True") == (0 if refused else 2)
    assert ended.stdout.count("in <module>") == (2 if refused else 0)
    assert_hidden(
        [cloud.menda.client_secret, *cloud.menda.access_tokens, *cloud.menda.registry_tokens],
        ended.stdout,
        ended.stderr,
    )

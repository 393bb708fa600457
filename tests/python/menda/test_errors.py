"""Failures have the exception names and messages of menda-keyring, once, with advice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from lab import faults
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import Answer, LookUp, Lookups
from lab.registries.menda import EXCHANGE, REGISTRY_HOST, SIGN_IN
from support.menda_machines import API, INDEX, Machines, profile

STRICT = {"RINGBEARER_STRICT": "1"}

#: Content of the file and of the token file, variables, exception class, its further base, and the published message.
#: PATH is replaced by the path of the file.
FAULTS: list[tuple[str, str, dict[str, str], str, str, str]] = [
    (
        "[other]\n",
        "",
        {},
        "ProfileNotFoundError",
        "ConfigurationError",
        "No profile 'default' in PATH. Set MENDA_PROFILE_ID or add a [default] section",
    ),
    (
        profile(),
        "",
        {"MENDA_PROFILE_ID": "CI"},
        "ProfileNotFoundError",
        "ConfigurationError",
        "No profile 'CI' in PATH. Set MENDA_PROFILE_ID or add a [CI] section",
    ),
    (
        "[default]\n",
        "",
        {},
        "ProfileWithoutHostError",
        "ConfigurationError",
        "Profile 'default' has no host; set host = https://... in ",
    ),
    (
        "[ci]\nhost =\nauth_type = m2m\n",
        "",
        {"MENDA_PROFILE_ID": "ci"},
        "ProfileWithoutHostError",
        "ConfigurationError",
        "Profile 'ci' has no host; set host = https://... in ",
    ),
    *(
        (
            profile(auth_type="m2m", **given),
            "",
            {},
            "M2MProfileWithoutClientCredentialsError",
            "ConfigurationError",
            "Profile 'default' has auth_type=m2m but is missing client_id or client_secret in ",
        )
        for given in ({}, {"client_id": "robot"}, {"client_secret": "mellon"}, {"client_id": "a", "client_secret": ""})
    ),
    *(
        (
            profile(),
            f"[default]\nid_token = token\ncached_at = {cached_at}\nexpires_in = {expires_in}\n",
            {},
            "InvalidCachedTokenError",
            "ConfigurationError",
            "Token cache key 'default' in ~/.menda/tokens/cache/.token has invalid cached_at/expires_in; "
            "delete the file or run 'menda auth login' again",
        )
        for cached_at, expires_in in (("soon", 3600), (1, "an hour"), ("1,5", 1), ("2026-11-22T00:00:00Z", 1))
    ),
    *(
        (
            profile(**given),
            cached,
            {},
            "NoCachedLoginError",
            "AuthenticationError",
            "No valid cached token for profile 'default'",
        )
        for given in ({}, {"auth_type": "u2m"}, {"auth_type": "m2n", "client_id": "a", "client_secret": "b"})
        for cached in ("", "[other]\nid_token = token\n")
    ),
]


def in_turn(look_up: Lookups, home: Path, **variables: str) -> list[Answer]:
    """One lookup for each of the faults, in one process."""
    path, cache = home / ".menda" / "mendacfg", home / ".menda" / "tokens" / "cache" / ".token"
    cache.parent.mkdir(parents=True, exist_ok=True)
    return look_up.all(
        [
            LookUp(
                INDEX,
                # Beside a file, the host alone is ignored; it is a part of the cache key all the same.
                environment={"MENDA_PROFILE_ID": None, **environment, "MENDA_HOST": str(number)},
                files={str(path): text, str(cache): cached},
            )
            for number, (text, cached, environment, *_) in enumerate(FAULTS)
        ],
        **variables,
    )


def test_strict_mode_raises_each_failure_by_its_published_name(
    cloud: PracticeCloud, look_up: Lookups, home: Path
) -> None:
    answers = in_turn(look_up, home, **STRICT)
    for (*_, name, base, words), answer in zip(FAULTS, answers):
        assert answer.error is not None, name
        assert answer.error.type == name
        assert {"MendaKeyRingError", "RingbearerError", "KeyringError", base} < set(answer.error.bases)
        assert words.replace("PATH", str(home / ".menda" / "mendacfg")) in answer.error.message
        assert REGISTRY_HOST in answer.error.message and "\n" not in answer.error.message
        assert answer.warnings == []
    mistyped = [answer.error.message for answer in answers if answer.error.type == "NoCachedLoginError"][-1]
    assert "auth_type is neither u2m nor m2m" in mistyped
    assert "Run `menda auth login` or use M2M (env vars or auth_type=m2m)" in mistyped
    assert cloud.log.requests() == []


def test_failure_without_strict_mode_is_one_warning(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    told: list[str] = []
    for (*_, words), answer in zip(FAULTS, in_turn(look_up, home)):
        assert answer.credential is None
        told += answer.warnings
        assert any(words.replace("PATH", str(home / ".menda" / "mendacfg")) in one for one in told), words
    assert len(told) == len(set(told))
    # Of faults with the same message, only the first is reported.
    assert len(told) == 8
    assert cloud.log.requests() == []


def test_repeated_failure_warns_once(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    cloud.menda.write_profile(home, profile())
    look_ups = [LookUp(INDEX), LookUp(INDEX, "aws", "get_password"), LookUp(REGISTRY_HOST), LookUp(INDEX + "x/")]
    # Another cache key: the failure is not cached, and happens again.
    look_ups += [LookUp(INDEX, environment={"MENDA_HOST": "1"}), LookUp(INDEX)]
    answers = look_up.all(look_ups)
    assert [answer.result for answer in answers] == [None] * 6
    assert [len(answer.warnings) for answer in answers] == [1, 0, 0, 0, 0, 0]
    assert "menda auth login" in answers[0].warning


STATUS_PROGRAM = """
import json, os, sys
import keyring, keyring.errors
from ringbearer import errors
found = []
for index, host in json.loads(sys.argv[1]):
    os.environ["MENDA_HOST"] = host
    for ask in (keyring.get_credential, keyring.get_password):
        try:
            answer = ask(index, "aws")
        except errors.MendaCloudAPIError as error:
            assert isinstance(error, (keyring.errors.KeyringError, errors.AuthenticationError))
            answer = [error.status_code, str(error)]
        found.append(answer)
print(json.dumps(found))
"""

CODES = [300, 304, 400, 401, 402, 403, 404, 405, 409, 410, 418, 429, 451, 500, 501, 502, 503, 504, 505]
TRANSIENT = {429, 500, 502, 503, 504}


@pytest.mark.parametrize("endpoint", ["oauth2/token", "registry/token"])
def test_refusal_has_status_and_message_of_the_service(
    cloud: PracticeCloud, client: Client, look_up: Lookups, home: Path, endpoint: str
) -> None:
    machines = Machines(cloud, look_up)
    fields = ["message", "detail", "error_description", "error"]
    for number, code in enumerate(CODES):
        body = json.dumps({fields[number % 4]: f"it is {code}", "trace": "unwanted", "status": {"message": "no"}})
        fault = faults.status(code, {"Content-Type": "application/json"}, body.encode())
        machines.add(**{"sign_in" if endpoint == "oauth2/token" else "exchange": fault})
    environment = cloud.environment(home, **STRICT, **cloud.menda.variables)
    cases = [(one.service, one.environment["MENDA_HOST"]) for one in machines.look_ups]
    found = json.loads(client.run(["python", "-c", STATUS_PROGRAM, json.dumps(cases)], environment).check().stdout)
    # The failure is cached briefly, and is the same for both questions.
    assert found[::2] == found[1::2]
    assert [code for code, _ in found[::2]] == CODES
    for code, registry, (_, message) in zip(CODES, machines.registries, found[::2]):
        words = "" if code == 304 else f": it is {code}"
        said = f"no credential for {registry}: {endpoint} of {API} returned HTTP {code}{words}; "
        assert message.startswith(said) and "unwanted" not in message
        rejected = "MENDA_CLIENT_SECRET" if endpoint == "oauth2/token" else "may read the registry"
        other = "check the network and the VPN" if code < 400 else "try again later"
        assert (rejected if 400 <= code < 500 and code != 429 else other) in message
    first, last = ([], SIGN_IN) if endpoint == "oauth2/token" else ([SIGN_IN], EXCHANGE)
    assert machines.paths() == [[*first, *[last] * (3 if code in TRANSIENT else 1)] for code in CODES]

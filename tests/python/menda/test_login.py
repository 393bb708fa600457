"""The token cache of the Menda CLI: owner, lifetime, and that it is never written."""

from __future__ import annotations

import os
import time
from pathlib import Path

from lab import faults
from lab.cloud import PracticeCloud
from lab.look_up import Answer, LookUp, Lookups
from lab.registries.menda import EXCHANGE, SIGN_IN
from support.menda_machines import API, COLD, INDEX, WITH_LOGIN, Machines, bearers, paths, profile, served

CACHE = os.path.join(".menda", "tokens", "cache", ".token")


def section(name: str, **values: object) -> str:
    """A section of the file in which the Menda CLI keeps its tokens."""
    return "\n".join([f"[{name}]", *(f"{key} = {value}" for key, value in values.items())]) + "\n"


def ask_profiles(look_up: Lookups, names: list[str], **variables: str) -> list[Answer]:
    """One lookup for each of the profiles, in one process."""
    return look_up.all([LookUp(INDEX, environment={"MENDA_PROFILE_ID": name}) for name in names], **variables)


def test_logged_in_user_needs_one_request_and_no_secret(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    cloud.menda.write_profile(home, profile())
    login = cloud.menda.log_in()
    cloud.menda.write_login(home, login)
    answers = look_up.all([LookUp(INDEX)] * 3)
    (token,) = cloud.menda.registry_tokens
    assert [answer.credential for answer in answers] == [("aws", token)] * 3
    assert paths(cloud) == WITH_LOGIN
    assert bearers(cloud) == [login]


def test_cached_token_belongs_to_a_profile_or_a_client_id(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    menda = cloud.menda
    machine = {"auth_type": "m2m", "client_id": menda.client_id, "client_secret": menda.client_secret}
    menda.write_profile(home, profile() + profile(name="ci", **machine) + profile(name="other", **machine))
    of_default, of_ci, of_client_id = menda.log_in(), menda.log_in(), menda.log_in()
    tokens = {"default": of_default, "ci": of_ci, menda.client_id: of_client_id}
    menda.write_cache(home, "".join(section(name, access_token=token) for name, token in tokens.items()))
    cases: list[dict[str, str]] = [{}, {"MENDA_PROFILE_ID": "ci"}, {"MENDA_PROFILE_ID": "other"}]
    cases.append({"MENDA_PROFILE_ID": "default", **menda.variables})
    answers = look_up.all([LookUp(INDEX, environment=case) for case in cases])
    assert served(answers) == [True] * 4
    assert paths(cloud) == [*WITH_LOGIN, *WITH_LOGIN, *COLD, *WITH_LOGIN]
    assert bearers(cloud) == [of_default, of_ci, menda.access_tokens[-1], of_client_id]


def test_the_id_token_is_preferred_to_the_access_token(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    login = cloud.menda.log_in()
    wanted: dict[str, dict[str, object]] = {
        "both": {"access_token": "no", "id_token": login},
        "the other way": {"id_token": login, "access_token": "no", "refresh_token": "no", "token_type": "Bearer"},
        "access token": {"access_token": login, "refresh_token": "no"},
        "blank": {"id_token": "", "access_token": login},
        "capitals": {"ID_TOKEN": login, "Access_Token": "no"},
    }
    none: dict[str, dict[str, object]] = {
        "neither": {"refresh_token": login, "token_type": "Bearer"},
        "nothing": {},
        "two words": {"id_token": login + " " + login},
        "two lines": {"id_token": login + "\n  X-Header: planted"},
    }
    names = [*wanted, *none]
    cloud.menda.write_profile(home, "".join(profile(name=name) for name in names))
    cloud.menda.write_cache(home, "".join(section(name, **values) for name, values in {**wanted, **none}.items()))
    answers = ask_profiles(look_up, names, RINGBEARER_STRICT="1")
    assert [answer.error and answer.error.type for answer in answers[len(wanted) :]] == ["NoCachedLoginError"] * 4
    assert bearers(cloud) == [login] * len(wanted)


def test_a_login_serves_until_a_minute_before_its_end(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    login, now = cloud.menda.log_in(), time.time()
    serving: list[dict[str, object]] = [
        {"expires_in": 3600, "cached_at": now},
        {"expires_in": 3600, "cached_at": now - 3600 + 60 + 30},
        {"expires_in": 3600.75, "cached_at": f"{now:.7e}"},
        {"expires_in": 3600, "cached_at": int(now) + 100_000},
        {},
        {"expires_in": 1},
        {"cached_at": 1},
        {"expires_in": "", "cached_at": 1},
        {"expires_in": 1, "cached_at": ""},
    ]
    ended: list[dict[str, object]] = [
        {"expires_in": 3600, "cached_at": now - 3600 + 60 - 5},
        {"expires_in": 60, "cached_at": now},
        {"expires_in": 3600, "cached_at": now - 100_000},
        {"expires_in": 0, "cached_at": now},
        {"expires_in": -3600, "cached_at": now},
        {"expires_in": 3600, "cached_at": 0},
    ]
    names = [f"case-{number}" for number in range(len(serving) + len(ended))]
    cloud.menda.write_profile(home, "".join(profile(name=name) for name in names))
    sections = [section(name, id_token=login, **values) for name, values in zip(names, serving + ended)]
    cloud.menda.write_cache(home, "".join(sections))
    assert served(ask_profiles(look_up, names)) == [True] * len(serving) + [False] * len(ended)
    assert bearers(cloud) == [login] * len(serving)


def test_machine_signs_in_if_its_cached_token_is_unusable(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    client_id, login = cloud.menda.client_id, cloud.menda.log_in()
    path = cloud.menda.write_login(home, login, client_id, age=3545)
    texts = [
        section(client_id, id_token=login, expires_in="soon", cached_at=time.time()),
        section(client_id, id_token=login, expires_in=3600, cached_at="nan"),
        section(client_id.upper(), id_token=login),
        section(client_id, id_token="a\tb"),
        "\x00\x01[\ufffd" * 1000,
        "",
        "[" + client_id,
        section(client_id, id_token=login) + "#" * 2 * 1024 * 1024,
    ]
    look_ups = [LookUp(INDEX)]
    for number, text in enumerate(texts):
        # Beside the three variables, the profile is ignored; it is a part of the cache key all the same.
        look_ups.append(LookUp(INDEX, environment={"MENDA_PROFILE_ID": str(number)}, files={path: text}))
    answers = look_up.all(look_ups, **cloud.menda.variables)
    assert served(answers) == [True] * len(look_ups)
    assert [answer.warnings for answer in answers] == [[]] * len(look_ups)
    assert paths(cloud) == COLD * len(look_ups)
    assert login not in bearers(cloud)


def test_machine_signs_in_once_if_its_cached_token_is_revoked(
    cloud: PracticeCloud, look_up: Lookups, home: Path
) -> None:
    machines = Machines(cloud, look_up)
    for code in (400, 401, 403):
        machines.add(exchange=faults.status(code), times=1)
    cloud.menda.write_login(home, "withdrawn", cloud.menda.client_id)
    answers = machines.ask()
    assert served(answers) == [True] * 3
    assert [answer.warnings for answer in answers] == [[]] * 3
    assert machines.paths() == [[EXCHANGE, SIGN_IN, EXCHANGE]] * 3
    assert bearers(cloud) == [one for token in cloud.menda.access_tokens for one in ("withdrawn", token)]
    assert len(cloud.log.connections(API)) == 1


def test_revoked_login_is_an_error_with_the_command_to_run(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    cloud.menda.write_profile(home, profile())
    cloud.menda.write_login(home, "withdrawn")
    answer = look_up(INDEX)
    assert answer.credential is None
    assert "registry/token" in answer.warning and "HTTP 401: Unauthorized" in answer.warning
    assert "`menda auth login`" in answer.warning
    assert paths(cloud) == WITH_LOGIN


def test_the_files_of_the_menda_cli_are_never_written(cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
    menda = cloud.menda
    machine = {"auth_type": "m2m", "client_id": menda.client_id, "client_secret": menda.client_secret}
    profiles = {"default": {}, "ci": machine, "ended": machine, "none": machine, "withdrawn": machine, "nobody": {}}
    menda.write_profile(home, "".join(profile(name=name, **values) for name, values in profiles.items()))
    old = {"expires_in": 3600, "cached_at": time.time() - 9000}
    sections = [section(name, id_token=menda.log_in()) for name in ("default", "ci")]
    sections += [section("ended", id_token=menda.log_in(), **old), section("withdrawn", id_token="withdrawn")]
    menda.write_cache(home, "".join(sections))
    cloud.environment(home)
    for age, path in enumerate((".menda/mendacfg", CACHE)):
        os.utime(home / path, (1_700_000_000 + age, 1_700_000_000 + age))
    before = written(home)
    answers = ask_profiles(look_up, list(profiles), RINGBEARER_DEBUG="1")
    answers += look_up.all([LookUp(INDEX)], **menda.variables)
    assert served(answers) == [True] * 5 + [False, True]
    assert written(home) == before


def written(home: Path) -> dict[str, tuple[object, ...]]:
    """Content and metadata of everything below a directory. Reading changes neither."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(home.rglob("*")):
        status = path.stat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path)] = (content, status.st_mtime_ns, status.st_ino, status.st_mode, status.st_nlink)
    return found

"""One token for each account: for all URLs, hosts, threads and processes of a login session, and never an old one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from lab import kernel_keys
from lab.clients import Client
from lab.fake_programs import FakePrograms
from lab.gcloud import logged_in
from lab.look_up import LookUp
from lab.registries.google.accounts import GCLOUD
from lab.registries.google.files import external_account, file_source
from lab.registries.google.refusals import expired_or_revoked
from lab.registries.google.site import HOST, MULTI_REGION_HOST, REGIONAL_HOST
from support.google_user import APPLICATION_CREDENTIALS, METADATA, OAUTH, STS, GoogleUser

SERVICES = [
    f"https://{HOST}/contoso-tools/tools/simple/",
    f"https://{HOST}/contoso-tools/tools/simple/greetings/",
    f"https://{HOST}/contoso-tools/tools/greetings/greetings-2.0-py3-none-any.whl",
    f"https://{HOST}/another-project/other/",
    HOST,
    f"https://{MULTI_REGION_HOST}/contoso-tools/tools/simple/",
    MULTI_REGION_HOST,
    f"https://{REGIONAL_HOST}/contoso-tools/tools/simple/",
    REGIONAL_HOST,
]
ISSUER = "https://kubernetes.contoso.example"


@pytest.fixture
def login(ada: GoogleUser) -> dict[str, str]:
    """The variable that names a credential file."""
    return ada.use(ada.google.login.file)


@pytest.fixture
def get(ada: GoogleUser, native: Client):
    """What the native `keyring get` prints."""

    def get(service: str = SERVICES[0], path: tuple[object, ...] = (), **variables: str | None) -> str:
        environment = ada.cloud.environment(ada.home, path, **variables)
        return native.run(["keyring", "get", service, "oauth2accesstoken"], environment).check().stdout.strip()

    return get


def posts(ada: GoogleUser) -> int:
    """The number of tokens that were asked for."""
    return len(ada.cloud.log.requests(OAUTH))


def test_all_urls_hosts_and_threads_share_one_token(ada: GoogleUser, login: dict[str, str]) -> None:
    ada.cloud.faults.add_latency(0.2, OAUTH)
    answers = ada.look_up.all([LookUp(service, threads=8) for service in SERVICES], **login)
    everybody = [one for answer in answers for one in [answer, *answer.others]]
    assert len(everybody) == 8 * len(SERVICES)
    assert {answer.credential for answer in everybody} == {("oauth2accesstoken", *ada.google.tokens.issued)}
    assert posts(ada) == len(ada.cloud.log.connections()) == 1


def test_threads_share_one_run_of_gcloud(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    token = ada.google.tokens.issue("ada@contoso.example").text
    fake_programs.gcloud(*logged_in(token, delay=0.3))
    answers = ada.look_up.all([LookUp(service, threads=8) for service in SERVICES])
    assert {one.credential for answer in answers for one in [answer, *answer.others]} == {("oauth2accesstoken", token)}
    assert len(fake_programs.invocations()) == 1


def test_repeated_request_finds_the_token(ada: GoogleUser, login: dict[str, str], get) -> None:
    kernel_keys.need_sharing()
    found = {get(service, **login) for service in [SERVICES[0]] * 3 + SERVICES}
    assert found == set(ada.google.tokens.issued) and posts(ada) == 1


def test_programs_of_a_session_share_a_token(
    ada: GoogleUser, login: dict[str, str], native: Client, client: Client
) -> None:
    kernel_keys.need_sharing()
    environment = ada.cloud.environment(ada.home, RINGBEARER_CACHE="session", **login)
    words = ["keyring", "get", ada.url, "oauth2accesstoken"]
    found = [caller.run(words, environment).check().stdout for caller in (client, native, client)]
    found.append(native.run(["ringbearer", "token", ada.url], environment).check().stdout)
    assert set(found) == {ada.google.tokens.issued[0] + "\n"} and posts(ada) == 1


def test_processes_that_ask_at_once_sign_in_once(ada: GoogleUser, login: dict[str, str], native: Client) -> None:
    kernel_keys.need_sharing()
    ada.cloud.faults.add_latency(0.5, OAUTH)
    environment = ada.cloud.environment(ada.home, **login)
    started = [native.start(["keyring", "get", service, "oauth2accesstoken"], environment) for service in SERVICES[:5]]
    found = {process.communicate(timeout=60)[0].decode().strip() for process in started}
    assert found == set(ada.google.tokens.issued) and posts(ada) == 1


def test_token_of_100_seconds_is_never_kept(ada: GoogleUser, login: dict[str, str], get) -> None:
    ada.google.tokens.lifetime = 100
    answers = ada.look_up.all([LookUp(service) for service in SERVICES[:3]], RINGBEARER_CACHE="session", **login)
    found = [answer.credential[1] for answer in answers]
    found += [get(RINGBEARER_CACHE=mode, **login) for mode in ("memory", "session", "session")]
    assert found == ada.google.tokens.issued and len(set(found)) == 6


def test_token_of_gcloud_without_an_end_is_not_kept(ada: GoogleUser, fake_programs: FakePrograms) -> None:
    fake_programs.gcloud(*logged_in(ada.google.tokens.issue("ada@contoso.example").text, lifetime=None))
    answers = ada.look_up.all([LookUp(service) for service in SERVICES[:3]])
    assert ada.accounts(answers) == ["ada@contoso.example"] * 3
    assert len(fake_programs.invocations()) == 3


def test_token_with_less_than_five_minutes_left_is_renewed(ada: GoogleUser, login: dict[str, str]) -> None:
    ada.google.tokens.lifetime = 300 + 4
    look_ups = [LookUp(ada.url), LookUp(HOST, pause=5), LookUp(ada.url)]
    first, second, third = (answer.credential[1] for answer in ada.look_up.all(look_ups, **login))
    assert [first, second] == ada.google.tokens.issued[:2] and first != third


def test_token_of_a_session_is_renewed_before_its_end(ada: GoogleUser, login: dict[str, str], get) -> None:
    kernel_keys.need_sharing()
    ada.google.tokens.lifetime = 300 + 4
    first = get(**login)
    time.sleep(5)
    ada.google.tokens.lifetime = 3599
    second = get(**login)
    assert [first, second] == ada.google.tokens.issued
    assert get(**login) == second


@pytest.mark.parametrize("lifetime", [299, 100])
def test_token_of_the_metadata_server_that_ends_soon_is_not_kept(ada: GoogleUser, lifetime: int) -> None:
    google = ada.google
    google.metadata.account = google.publisher
    google.tokens.lifetime = lifetime
    variables = {**google.metadata.variables, "CLOUDSDK_CONFIG": str(ada.home / "none")}
    answers = ada.look_up.all([LookUp(ada.url), LookUp(HOST)], **variables)
    assert [answer.credential[1] for answer in answers] == google.tokens.issued
    assert len(ada.cloud.log.requests(METADATA, "*/token")) == 2


def test_another_account_is_another_key(ada: GoogleUser) -> None:
    google = ada.google
    one, two = ada.use(google.login.file, "one.json"), ada.use(google.other_login.file, "two.json")
    robot = ada.use(google.key.file, "key.json")
    answers = ada.ask_each(one, two, robot, one, two, robot)
    tokens = [answer.credential for answer in answers]
    assert ada.accounts(answers[:3]) == [google.login.email, google.other_login.email, google.key.email]
    assert tokens[:3] == tokens[3:] and len(set(tokens)) == posts(ada) == 3


def test_another_account_is_another_key_in_a_session(ada: GoogleUser, get) -> None:
    kernel_keys.need_sharing()
    google = ada.google
    cases = [ada.use(google.login.file, "one.json"), ada.use(google.key.file, "key.json")]
    found = [get(**case) for case in [*cases, *cases]]
    assert found[:2] == found[2:] == google.tokens.issued and posts(ada) == 2


def test_changed_file_is_another_key(ada: GoogleUser, login: dict[str, str], get) -> None:
    kernel_keys.need_sharing()
    google = ada.google
    texts = [json.dumps(one.file) for one in (google.login, google.other_login)]
    path = login[APPLICATION_CREDENTIALS]
    answers = ada.look_up.all([LookUp(ada.url, files={path: text}) for text in texts], **login)
    assert ada.accounts(answers) == [google.login.email, google.other_login.email]
    found = []
    for text in texts:
        Path(path).write_text(text)
        found.append(google.tokens.principal(get(**login)))
    assert found == [google.login.email, google.other_login.email] and posts(ada) == 4


@pytest.mark.parametrize("by", ["config set account", "config configurations activate", "CLOUDSDK_CORE_ACCOUNT"])
def test_change_of_the_active_account_is_noticed(ada: GoogleUser, get, by: str) -> None:
    kernel_keys.need_sharing()
    alice = ada.google.accounts.log_in("alice", GCLOUD)
    ada.files.write_login(alice, "work")
    ada.log_in_with_gcloud()
    change: dict[str, str] = {}
    if by.startswith("CLOUDSDK"):
        change[by] = alice.email
    files = {
        "config set account": (
            ada.files.directory / "configurations" / "config_default",
            f"[core]\naccount = {alice.email}\n",
        ),
        "config configurations activate": (ada.files.directory / "active_config", "work"),
    }
    path, text = files.get(by, (None, ""))
    written = {str(path): text} if path else {}
    old = path.read_text() if path else ""
    after = LookUp(ada.url, environment=change, files=written)
    answers = ada.look_up.all([LookUp(ada.url), after, LookUp(HOST)])
    assert ada.accounts(answers) == ["ada@contoso.example", alice.email, alice.email]
    # The same between processes.
    if path:
        path.write_text(old)
    first = get()
    if path:
        path.write_text(text)
    found = [first, get(**change), get(**change)]
    assert [ada.google.tokens.principal(token) for token in found] == ["ada@contoso.example", alice.email, alice.email]
    assert found[1] == found[2]


def test_changed_configuration_is_another_run_of_gcloud(ada: GoogleUser, fake_programs: FakePrograms, get) -> None:
    kernel_keys.need_sharing()
    emails = ["ada@contoso.example", "alice@contoso.example"]
    for email in emails:
        # As `gcloud config set account` does.
        ada.files.write_configuration("default", core__account=email)
        token = ada.run_gcloud(email)
        assert {get(path=(fake_programs.directory,)) for _ in range(2)} == {token}
    assert len(fake_programs.invocations()) == 2


def test_new_login_of_gcloud_is_another_run_of_gcloud(ada: GoogleUser, fake_programs: FakePrograms, get) -> None:
    kernel_keys.need_sharing()
    ada.files.write_configuration("default", core__account="ada@contoso.example")
    database = ada.files.directory / "credentials.db"
    for content in (b"one", b"another"):
        database.write_bytes(content)
        token = ada.run_gcloud()
        assert {get(path=(fake_programs.directory,)) for _ in range(2)} == {token}
    assert len(fake_programs.invocations()) == 2


def test_renewed_subject_file_keeps_the_token(ada: GoogleUser, tmp_path: Path) -> None:
    provider = ada.google.providers.workload("cluster", issuer=ISSUER, subjects={"pod"})
    subject = ada.files.write(provider.subject_token("pod"), "subject")
    variables = ada.use(external_account(provider, file_source(subject)))
    renewed = provider.subject_token("pod")
    answers = ada.look_up.all([LookUp(ada.url), LookUp(ada.url, files={str(subject): renewed})], **variables)
    assert ada.accounts(answers) == [provider.principal("pod")] * 2
    assert len(ada.cloud.log.requests(STS)) <= 2


def test_renewed_subject_file_is_read_for_the_next_token(ada: GoogleUser) -> None:
    provider = ada.google.providers.workload("cluster", issuer=ISSUER, subjects={"pod", "other-pod"})
    subject = ada.files.write(provider.subject_token("pod"), "subject")
    variables = ada.use(external_account(provider, file_source(subject)))
    ada.google.tokens.lifetime = 100
    tokens = [provider.subject_token(name) for name in ("pod", "pod", "other-pod")]
    answers = ada.look_up.all([LookUp(ada.url, files={str(subject): token}) for token in tokens], **variables)
    assert ada.accounts(answers) == [provider.principal(name) for name in ("pod", "pod", "other-pod")]
    sent = [request.form["subject_token"] for request in ada.cloud.log.requests(STS)]
    assert sent == tokens


def test_token_of_a_session_belongs_to_its_subject_file(ada: GoogleUser, get) -> None:
    kernel_keys.need_sharing()
    provider = ada.google.providers.workload("cluster", issuer=ISSUER, subjects={"pod", "other-pod"})
    subject = ada.files.write(provider.subject_token("pod"), "subject")
    variables = ada.use(external_account(provider, file_source(subject)))
    found = [get(**variables), get(**variables)]
    subject.write_text(provider.subject_token("other-pod"))
    found += [get(**variables), get(**variables)]
    first, second = ada.google.tokens.issued
    assert found == [first, first, second, second]
    assert ada.google.tokens.principal(second) == provider.principal("other-pod")


def test_replaced_link_to_a_subject_file_is_noticed(ada: GoogleUser, get, tmp_path: Path) -> None:
    # As Kubernetes renews projected volumes: the file is a link below a directory link that is replaced.
    kernel_keys.need_sharing()
    provider = ada.google.providers.workload("cluster", issuer=ISSUER, subjects={"one", "two"})
    volume = tmp_path / "volume"
    for name in ("one", "two"):
        (volume / f"..{name}").mkdir(parents=True)
        (volume / f"..{name}" / "token").write_text(provider.subject_token(name))
    data, token = volume / "..data", volume / "token"
    data.symlink_to("..one")
    token.symlink_to("..data/token")
    variables = ada.use(external_account(provider, file_source(token)))
    found = [get(**variables)]
    data.unlink()
    data.symlink_to("..two")
    found.append(get(**variables))
    principals = [ada.google.tokens.principal(one) for one in found]
    assert principals == [provider.principal("one"), provider.principal("two")]


def test_ready_token_is_not_cached(ada: GoogleUser, login: dict[str, str], get) -> None:
    for token in ("first", "second"):
        assert get(CLOUDSDK_AUTH_ACCESS_TOKEN=token, **login) == token
    # The next program asks.
    assert get(**login) == ada.google.tokens.issued[-1] and posts(ada) == 1


def test_cache_that_is_off_keeps_nothing(ada: GoogleUser, login: dict[str, str], get) -> None:
    found = {get(RINGBEARER_CACHE="off", **login) for _ in range(2)}
    assert len(found) == posts(ada) == 2


def test_threads_share_one_failure_and_one_warning(ada: GoogleUser, login: dict[str, str]) -> None:
    ada.google.login.failure = expired_or_revoked()
    ada.cloud.faults.add_latency(0.2, OAUTH)
    first, again = ada.look_up.all([LookUp(ada.url, threads=8), LookUp(HOST, threads=8)], **login)
    assert {one.credential for one in [first, *first.others, again, *again.others]} == {None}
    assert "`gcloud auth application-default login`" in first.warning and again.warnings == []
    assert posts(ada) == 1


def test_nothing_is_written_to_files(ada: GoogleUser, get, fake_programs: FakePrograms) -> None:
    ada.log_in_with_gcloud()
    fake_programs.gcloud(*logged_in(ada.google.tokens.issue("ada@contoso.example").text))
    cases: list[dict[str, str]] = [{}, ada.use(ada.google.login.file), {"CLOUDSDK_ACTIVE_CONFIG_NAME": "other"}]
    before = {path: path.read_bytes() for path in ada.home.rglob("*") if path.is_file()}
    for case in cases:
        assert get(path=(fake_programs.directory,), **case) in ada.google.tokens.issued
    after = {path: path.read_bytes() for path in ada.home.rglob("*") if path.is_file()}
    new = {path: content for path, content in after.items() if before.get(path) != content}
    assert [path for path, content in new.items() if content] == []

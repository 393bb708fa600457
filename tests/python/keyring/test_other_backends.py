"""The wheel beside other packages with backends, including those that it replaces."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from lab.clients import PEERS, Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms
from lab.look_up import LookUp, Lookups
from lab.registries import REGISTRIES
from support.backend_list import CHAINER, OURS, STORE, error_of, listing, where_keyring_has_no_store

Beside = Callable[..., Client]

SEEDS = ["0", "1", "4294967295"]
MENDA = "menda.keyring.backend.MendaCodeArtifactKeyring (priority: 10)"
#: The backends of other packages that keyring always lists. (ssh-agent-keyring is loaded by name only.)
LISTED = {
    "alt": ["keyrings.alt.file.PlaintextKeyring (priority: 0.5)"],
    "codeartifact": ["keyrings.codeartifact.CodeArtifactBackend (priority: 9.9)"],
    "chainguard": ["keyrings.chainctl_auth.ChainctlAuth (priority: 9)"],
    "google": ["keyrings.gauth.GooglePythonAuth (priority: 9)"],
    "nofuss": ["artifacts_keyring_nofuss._backend.ArtifactsKeyringBackend (priority: 9.9)"],
    "ssh_agent": [],
    "menda": [MENDA],
}
#: Each alone, and all at once. menda-keyring is a separate case: it has the priority of keyring's chainer.
COMPANIES = [(peer,) for peer in PEERS if peer != "menda"]
COMPANIES.append(tuple(peer for peer in PEERS if peer != "menda"))
in_every_company = pytest.mark.parametrize("company", COMPANIES, ids="+".join)
needs_menda = pytest.mark.skipif("menda" not in PEERS, reason="menda-keyring needs Python 3.11")


@in_every_company
def test_backends_are_listed_beside_others_and_chainer_chosen(
    cloud: PracticeCloud, beside: Beside, home: Path, company: tuple[str, ...]
) -> None:
    environment = cloud.environment(home, SSH_AUTH_SOCK="/nowhere")
    found = [listing(beside(*company), {**environment, "PYTHONHASHSEED": seed}) for seed in SEEDS]
    expected = [*OURS, f"{STORE} (priority: -1)", CHAINER, *(line for peer in company for line in LISTED[peer])]
    assert [line for line in expected if line not in found[0].lines] == []
    assert {tuple(one.lines) for one in found} == {tuple(found[0].lines)}
    assert {one.chosen for one in found} == {CHAINER}
    assert cloud.log.requests() == cloud.log.connections() == []


@in_every_company
def test_foreign_service_beside_others_is_none_without_request(
    cloud: PracticeCloud, beside: Beside, home: Path, fake_programs: FakePrograms, company: tuple[str, ...]
) -> None:
    look_up = Lookups(cloud, beside(*company), home, [fake_programs.directory])
    names = ["python-poetry-check", "poetry-repository-contoso", "main", "https://registry.example/simple/", ""]
    look_ups = [LookUp(name, user, "get_password") for name in names for user in ("alice", "__token__")]
    look_ups += [LookUp(name) for name in names]
    answers = look_up.all(look_ups, RINGBEARER_STRICT="1")
    assert [(answer.result, answer.error) for answer in answers] == [(None, None)] * len(look_ups)
    assert cloud.log.requests() == cloud.log.connections() == [] == fake_programs.invocations()
    assert cloud.log.refused() == []


@where_keyring_has_no_store
@in_every_company
def test_password_beside_others_is_stored_or_the_command_fails(
    cloud: PracticeCloud, beside: Beside, home: Path, company: tuple[str, ...]
) -> None:
    client, environment = beside(*company), cloud.environment(home)
    names = [cloud.chainguard.python.url, "alice"]
    stored = client.run(["keyring", "set", *names], environment, stdin="the-password\n")
    found = client.run(["keyring", "get", *names], environment)
    removed = client.run(["keyring", "del", *names], environment)
    if "alt" in company:
        assert [stored.code, removed.code] == [0, 0], f"{stored}{removed}"
        assert found.stdout == "the-password\n"
    else:
        assert [stored.code, found.code, removed.code] == [1, 1, 1]
        for ended in (stored, removed):
            assert error_of(ended.stderr).startswith("ringbearer.errors.NoStoreError: "), ended
    assert cloud.log.requests() == []


@pytest.mark.parametrize("name", list(REGISTRIES))
def test_registry_is_answered_beside_backends_of_other_hosts(
    cloud: PracticeCloud, beside: Beside, home: Path, fake_programs: FakePrograms, name: str
) -> None:
    registry = REGISTRIES[name](cloud, fake_programs, home)
    registry.log_in()
    client = beside(*(peer for peer in PEERS if peer not in {"menda", *registry.rivals}))
    look_up = Lookups(cloud, client, home, [fake_programs.directory])
    answers = look_up.all([LookUp(registry.index_url), LookUp(registry.index_url)], **registry.variables)
    [password] = registry.passwords()
    assert [answer.credential for answer in answers] == [(registry.user_name, password)] * 2
    assert cloud.log.hosts_that_saw(password) == [] and cloud.log.refused() == []


@pytest.mark.parametrize(
    ("name", "rival"), [(name, registry.replaces) for name, registry in REGISTRIES.items() if registry.replaces]
)
def test_registry_is_answered_beside_the_package_it_replaces(
    cloud: PracticeCloud, beside: Beside, home: Path, fake_programs: FakePrograms, name: str, rival: str
) -> None:
    if rival not in PEERS:
        pytest.skip(f"{rival} does not run on this Python")
    registry = REGISTRIES[name](cloud, fake_programs, home)
    registry.log_in()
    look_up = Lookups(cloud, beside(rival), home, [fake_programs.directory])
    answer = look_up(registry.index_url, **registry.variables)
    assert answer.credential is not None
    user, password = answer.credential
    assert user == registry.user_name and password in registry.passwords()
    assert cloud.log.hosts_that_saw(password) == [] and cloud.log.refused() == []


@needs_menda
@pytest.mark.parametrize("others", [(), COMPANIES[-1]], ids=["alone", "with-all-others"])
def test_menda_keyring_is_listed_above_ours_on_every_run(
    cloud: PracticeCloud, beside: Beside, home: Path, others: tuple[str, ...]
) -> None:
    environment = cloud.environment(home)
    found = [listing(beside(*others, "menda"), {**environment, "PYTHONHASHSEED": seed}) for seed in SEEDS]
    assert {tuple(one.lines) for one in found} == {tuple(found[0].lines)}
    assert MENDA in found[0].lines and found[0].ours == OURS
    # It ties with the chainer; the order of a set decides.
    assert {one.chosen for one in found} <= {CHAINER, MENDA}


@needs_menda
@where_keyring_has_no_store
def test_set_raises_once_menda_keyring_is_uninstalled(
    cloud: PracticeCloud, beside: Beside, tool: Client, home: Path, tmp_path: Path
) -> None:
    environment = cloud.environment(home)
    program = "import keyring; print(keyring.set_password('svc', 'alice', 'the-password'))"
    # It is asked first or alone, and ringbearer cannot change that.
    ended = beside("menda").run(["python", "-c", program], environment)
    assert (ended.code, ended.output) == (0, "None\n")
    directory = tmp_path / "swept"
    shutil.copytree(beside("menda").directory, directory, symlinks=True)
    swept = Client(str(directory))
    tool.run(["uv", "pip", "uninstall", "--python", swept.python, "menda-keyring"], environment).check()
    found = [listing(swept, {**environment, "PYTHONHASHSEED": seed}) for seed in SEEDS]
    assert {(one.chosen, *one.ours) for one in found} == {(CHAINER, *OURS)}
    assert {MENDA in one.lines for one in found} == {False}
    ended = swept.run(["python", "-c", program], environment)
    assert ended.code == 1 and error_of(ended.stderr).startswith("ringbearer.errors.NoStoreError: "), ended

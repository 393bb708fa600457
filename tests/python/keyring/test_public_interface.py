"""The public interface: names, metadata, and the rules of keyring's backends."""

from __future__ import annotations

import ast
import configparser
import email.parser
import os
import zipfile

import pytest
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.environment import home_variables
from lab.fake_programs import FakePrograms, az_not_logged_in, az_token
from lab.registries import REGISTRIES
from lab.registry import Registry
from support.backend_list import INDEX_BACKENDS


@pytest.fixture
def run(cloud: PracticeCloud, client: Client, home, fake_programs: FakePrograms):
    """Run a program in the client's environment; stdout as lines."""

    def run(program: str, *arguments: str, **variables: str) -> list[str]:
        environment = cloud.environment(home, path=[fake_programs.directory], **variables)
        return client.run(["python", "-c", program, *arguments], environment).check().stdout.splitlines()

    return run


@pytest.fixture(scope="module")
def members(wheel: str) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def find(members: dict[str, bytes], ending: str) -> str:
    (name,) = [one for one in members if one.endswith(ending)]
    return members[name].decode()


def test_the_wheel_has_at_most_two_and_a_half_megabytes(wheel: str) -> None:
    assert os.path.getsize(wheel) <= 5 * 512 * 1024


def test_keyring_is_the_only_dependency(members: dict[str, bytes]) -> None:
    metadata = email.parser.Parser().parsestr(find(members, ".dist-info/METADATA"))
    needed = [one for one in metadata.get_all("Requires-Dist", []) if "extra" not in one]
    assert [one.split(">")[0].split("=")[0].split(" ")[0] for one in needed] == ["keyring"]
    assert metadata["Name"] == "ringbearer"
    assert metadata["Requires-Python"].replace(" ", "") == ">=3.9"
    assert "MIT" in metadata["License-Expression"] and "Apache-2.0" in metadata["License-Expression"]


def test_the_wheel_holds_stubs_and_a_module_for_every_python(members: dict[str, bytes]) -> None:
    for name in ("ringbearer/py.typed", "ringbearer/_core.pyi", "ringbearer/errors.py", "ringbearer/backends.py"):
        assert name in members
    assert "abi3" in find(members, ".dist-info/WHEEL")


def test_entry_points_are_command_backends_and_tox_plugin(members: dict[str, bytes]) -> None:
    entry_points = configparser.ConfigParser(delimiters=["="])
    entry_points.read_string(find(members, ".dist-info/entry_points.txt"))
    assert {section: dict(entry_points[section]) for section in entry_points.sections()} == {
        "console_scripts": {"ringbearer": "ringbearer.__main__:main"},
        "keyring.backends": {"ringbearer": "ringbearer.backends"},
        "tox": {"ringbearer": "ringbearer.tox_plugin"},
    }


def test_the_version_is_the_one_of_the_metadata(run, members: dict[str, bytes]) -> None:
    metadata = email.parser.Parser().parsestr(find(members, ".dist-info/METADATA"))
    assert run("import ringbearer; print(ringbearer.__version__, sorted(ringbearer.__all__))") == [
        f"{metadata['Version']} ['__version__']"
    ]


def test_importing_the_package_imports_no_backend(run) -> None:
    assert run("import sys, ringbearer; print([one for one in sys.modules if one.startswith('keyring')])") == ["[]"]


def test_every_exception_class_of_the_core_exists(run) -> None:
    program = "from ringbearer import _core, errors; print(set(_core.exception_classes()) - set(errors.__all__))"
    assert run(program) == ["set()"]
    assert int(run("from ringbearer import _core; print(len(_core.exception_classes()))")[0]) > 20


def test_errors_are_keyring_errors_and_chains_skip_read_only(run) -> None:
    program = """
from keyring.errors import KeyringError, NoKeyringError, PasswordDeleteError, PasswordSetError
from ringbearer import errors
for name in errors.__all__:
    assert issubclass(getattr(errors, name), errors.RingbearerError), name
assert issubclass(errors.RingbearerError, KeyringError)
print([one.__name__ for one in (PasswordSetError, PasswordDeleteError, NotImplementedError, RuntimeError)
       if issubclass(errors.ReadOnlyError, one)])
# Of what says that nothing stores, no chain makes a silence.
print(issubclass(errors.NoStoreError, NoKeyringError), issubclass(errors.NoStoreError, NotImplementedError))
print([name for name in errors.__all__ if issubclass(getattr(errors, name), NotImplementedError)])
"""
    assert run(program) == [
        "['PasswordSetError', 'PasswordDeleteError', 'NotImplementedError', 'RuntimeError']",
        "True False",
        "['ReadOnlyError']",
    ]


def test_set_and_delete_raise_read_only_without_any_request(
    run, cloud: PracticeCloud, registries: dict[str, Registry], logins: dict[str, str]
) -> None:
    program = """
import sys
from ringbearer import backends
from ringbearer.errors import ReadOnlyError
for name in sys.argv[1].split():
    backend = getattr(backends, name)()
    for service in (*sys.argv[2:], "https://pypi.example/", "anything"):
        for act, words in ((backend.set_password, ["user", "planted"]), (backend.delete_password, ["user"])):
            try:
                act(service, *words)
            except ReadOnlyError as error:
                print("planted" in str(error), str(error).startswith(name))
"""
    urls = [registry.index_url for registry in registries.values()]
    backends = len(INDEX_BACKENDS)
    found = run(program, " ".join(INDEX_BACKENDS), *urls, **logins)
    assert found == ["False True"] * backends * (backends + 2) * 2
    assert cloud.log.requests() == []


def test_storing_backend_gets_any_arguments_ours_reject(run) -> None:
    program = """
import keyring, warnings
from keyring.backend import KeyringBackend
from ringbearer.backends import AzureArtifactsKeyring
from ringbearer.errors import ReadOnlyError
warnings.simplefilter("ignore")
class Storing(KeyringBackend):
    priority = 1
    calls = []
    def get_password(self, service, username):
        return None
    def set_password(self, *words):
        self.calls.append(words)
    def delete_password(self, *words):
        self.calls.append(words)
cases = [("svc", None, "p"), ("svc", b"user", "p"), (7, "user", "p"), (None, None, None), (b"svc", "user", b"p"),
         ("https://pkgs.dev.azure.com/contoso/", "\\ud800", "\\udfff"), ("\\udcff", "user", "p")]
for case in cases:
    keyring.set_password(*case)
    keyring.delete_password(*case[:2])
    ours = AzureArtifactsKeyring()
    for act, words in ((ours.set_password, case), (ours.delete_password, case[:2])):
        try:
            act(*words)
            print("no error", ascii(words))
        except ReadOnlyError:
            pass
print(type(keyring.get_keyring()).__module__)
print(Storing.calls == [words for case in cases for words in (case, case[:2])])
"""
    assert run(program) == ["keyring.backends.chainer", "True"]


def test_backend_priorities_are_as_documented_and_below_chainer(run) -> None:
    program = """
import re
from ringbearer import backends
print({name: getattr(backends, name).priority for name in dir(backends) if re.fullmatch("[A-Z]\\w+Keyring", name)})
"""
    expected = {registry.backend: registry.priority for registry in REGISTRIES.values()}
    expected.update({"NoStoreKeyring": 0.01, "SSHAgentKeyring": -1})
    [found] = run(program, SSH_AUTH_SOCK="/nowhere")
    assert ast.literal_eval(found) == expected
    assert max(expected.values()) < 10


def test_a_look_up_imports_nothing_whether_it_serves_or_fails(
    run, cloud: PracticeCloud, fake_programs: FakePrograms
) -> None:
    program = """
import os, sys
from ringbearer.backends import AzureArtifactsKeyring, ChainguardLibrariesKeyring, MendaCodeArtifactKeyring
backend = AzureArtifactsKeyring()
others = [(MendaCodeArtifactKeyring(), sys.argv[3]), (ChainguardLibrariesKeyring(), sys.argv[4])]
before = set(sys.modules)
class Blocker:
    def find_spec(self, name, path=None, target=None):
        raise AssertionError("imported late: " + name)
sys.meta_path.insert(0, Blocker())
print(backend.get_credential(sys.argv[1], None))
os.environ["PATH"] = sys.argv[2] + os.pathsep + os.environ["PATH"]
print(backend.get_credential(sys.argv[1], None).username)
print([other.get_credential(url, None) for other, url in others])
os.environ["RINGBEARER_STRICT"] = "1"
for other, url in others:
    try:
        other.get_credential(url, None)
    except Exception as error:
        print(type(error).__name__)
os.environ["ARTIFACTS_KEYRING_NOFUSS_PROVIDER"] = "unknown"
try:
    backend.get_credential(sys.argv[1], None)
except Exception as error:
    print(type(error).__name__)
try:
    backend.set_password(sys.argv[1], "a", "b")
except Exception as error:
    print(type(error).__name__)
print(sorted(set(sys.modules) - before))
"""
    fake_programs.az(az_not_logged_in())
    working = FakePrograms(os.path.join(os.path.dirname(fake_programs.directory), "working"))
    working.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    urls = [cloud.menda.plugins.url, cloud.chainguard.python.url]
    variables = {**cloud.menda.variables, "MENDA_CLIENT_SECRET": "wrong"}
    found = run(program, cloud.azure.feed.url(), working.directory, *urls, **variables)
    others = ["[None, None]", "MendaCloudAPIError", "ChainctlNotFoundError"]
    assert found == ["None", "VssSessionToken", *others, "ConfigurationError", "ReadOnlyError", "[]"]


def test_properties_and_copies_are_harmless(run, cloud: PracticeCloud) -> None:
    program = """
import copy, pickle, sys
from ringbearer.backends import AzureArtifactsKeyring
backend = AzureArtifactsKeyring()
print(backend.scheme)
several = [backend, copy.copy(backend), copy.deepcopy(backend), pickle.loads(pickle.dumps(backend)),
           backend.with_properties(assumed="x"), backend.with_properties(priority=1)]
for one in several:
    print(one.get_credential(sys.argv[1], None).password)
"""
    names = ("_REGISTRY", "_CORE", "SERVICE", "PRIORITY", "ODD")
    variables = {"KEYRING_PROPERTY_SCHEME": "x"}
    variables.update({"KEYRING_PROPERTY_" + name: "odd" for name in names})
    found = run(program, cloud.azure.feed.url(), AZURE_DEVOPS_EXT_PAT="pat", **variables)
    assert found == ["x", *["pat"] * 6]


def test_making_a_backend_never_raises(run, cloud: PracticeCloud) -> None:
    program = """
import re
from ringbearer import backends
for name in [name for name in dir(backends) if re.fullmatch("[A-Z]\\w+Keyring", name)] * 3:
    getattr(backends, name)()
print("made")
"""
    variables = {
        "RINGBEARER_TIMEOUT": "never",
        "RINGBEARER_DEBUG": "odd",
        "RINGBEARER_STRICT": "1",
        "ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "unknown",
        "HTTPS_PROXY": "::::",
        "REQUESTS_CA_BUNDLE": "/no/such/file",
        **home_variables("/no/such/home"),
    }
    assert run(f"import os; os.environ.update({variables})\n" + program) == ["made"]


def test_nothing_is_ever_printed_on_stdout(run, cloud: PracticeCloud, fake_programs: FakePrograms) -> None:
    program = """
import logging, sys, keyring
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
for service in sys.argv[1:]:
    keyring.get_credential(service, None)
"""
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    other = cloud.azure.organisation("other")
    other.denied.add(cloud.azure.user.object_id)
    services = [cloud.azure.feed.url(), other.feed("tools").url(), "https://pypi.example/", "pkgs.dev.azure.com"]
    for variables in ({}, {"RINGBEARER_DEBUG": "1"}, {"ARTIFACTS_KEYRING_NOFUSS_DEBUG": "1"}):
        assert run(program, *services, **variables) == []

"""Hosts of Python repositories over https, in every form and spelling; and nobody else's."""

from __future__ import annotations

import json

import pytest
from lab.clients import Client
from lab.look_up import LookUp
from lab.registries.google.site import HOST, MULTI_REGION_HOST, REGIONAL_HOST
from support.google_user import OAUTH, GoogleUser
from support.native_keyring import NativeKeyring, assert_miss

#: Other spellings of an index: URL and host.
SPELLINGS = (
    lambda url, host: url,
    lambda url, host: url.rstrip("/"),
    lambda url, host: url + "hello-private/",
    lambda url, host: url.replace("simple/", ""),
    lambda url, host: url.replace("simple/", "hello-private/hello_private-1.0-py3-none-any.whl"),
    lambda url, host: url.replace("simple/", "greetings/greetings-2.0.tar.gz#sha256=0"),
    lambda url, host: f"https://{host}/artifacts-downloads/namespaces/contoso-tools/repositories/tools/downloads/AbC_",
    lambda url, host: url.replace("contoso-tools/", "contoso.example/tools/"),
    lambda url, host: url.replace("contoso-tools/tools", "another-project/another.repository_1"),
    lambda url, host: url.replace("https://", "https://oauth2accesstoken@"),
    lambda url, host: url.replace("https://", "HTTPS://some%40body:pass%2Fword@"),
    lambda url, host: url.replace(host, host.upper() + ":443"),
    lambda url, host: url.replace(host, host + "."),
    lambda url, host: url.replace("https://", ""),
    lambda url, host: f"https://{host}",
    lambda url, host: f"https://{host}/",
    lambda url, host: host,
    lambda url, host: f"{host}:443",
    lambda url, host: f" {url}\n",
)

#: Hosts of Python repositories: multi-regions, regions and their own endpoints, of which new ones appear.
CLAIMED = (
    HOST,
    MULTI_REGION_HOST,
    REGIONAL_HOST,
    "us-python.pkg.dev",
    "asia-python.pkg.dev",
    "africa-south1-python.pkg.dev",
    "northamerica-northeast2-python.pkg.dev",
    "moon-base1-python.pkg.dev",
    "python.europe-west3.rep.pkg.dev",
)

#: Python expressions, since JSON has no bytes or lone surrogates. R is the host of the repository, E a regional
#: endpoint.
FOREIGN = r"""
["https://evil.example/" + R + "/", "https://evil.example/?x=" + R, "https://evil.example/#" + R, "evil.example/" + R,
 "https://" + R + "@evil.example/", "https://" + R + ":x@evil.example/", "https://" + R + ".evil.example/",
 "https://" + E + ".evil.example/", "https://x" + R + "x/", "https://x." + R, "https://x." + E,
 "https://evil.example\\@" + R + "/", "https://" + R + "\\.evil.example/", "https://" + R + "%2eevil.example/",
 "https://" + R + " .evil.example/", "https://" + R.replace(".", "\u3002"), "https://" + R.replace("pkg", "p\u043ag"),
 "https://\ud800" + R, "http://" + R + "/", "http://" + R + ":443/", "https://" + R + ":8443/", R + ":80", "ftp://" + R,
 "git+https://" + R, "http://" + E + "/", "https://" + E + ":8443/",
 *("https://" + R.replace("-python", "-" + kind) + "/contoso-tools/tools/simple/"
   for kind in ("docker", "npm", "maven", "apt", "yum", "go", "kfp", "generic", "pypi", "python-docker", "")),
 *("https://" + E.replace("python.", kind + ".") for kind in ("docker", "npm", "us-python")),
 "https://pkg.dev/", "pkg.dev", "https://python.pkg.dev/", "https://-python.pkg.dev/", "https://uspython.pkg.dev/",
 "https://1-python.pkg.dev/", "https://us_1-python.pkg.dev/", "https://us--python.pkg.dev/", "https://us-python.dev/",
 "https://" + R.replace(".pkg.dev", "-pkg.dev"), "https://" + R.replace("pkg.dev", "evilpkg.dev"),
 "https://" + R.replace("pkg.dev", "pkg.dev.example"), "https://" + R.replace("pkg.dev", "pkg.example"),
 "https://" + E.replace(".rep", ""), "https://" + E.replace(".rep", ".rep.rep"), "https://" + E.replace("python.", ""),
 "https://" + E.replace("us-east1", "us.east1"), "https://python..rep.pkg.dev/", "https://python.rep.pkg.dev/",
 "https://us-east1-python.rep.pkg.dev/", "https://oauth2.googleapis.com/token", "https://sts.googleapis.com/v1/token",
 "https://artifactregistry.googleapis.com/", "https://console.cloud.google.com/artifacts", "https://gcr.io/",
 "https:///" + R, "//" + R, "https://" + R + "/" + "x" * 1_000_000, "https://" + "a" * 100_000 + R,
 "https://" + "a." * 50_000 + R, R.encode(), [R], {R: R}, object(), None, 7, "", "\x00"]
"""

PROGRAM = """
import json, sys
import keyring
from ringbearer.backends import GoogleArtifactRegistryKeyring
R, E = sys.argv[2:]
foreign = eval(sys.argv[1])
backend = GoogleArtifactRegistryKeyring()
users = (None, "", "oauth2accesstoken", "__token__", "somebody", 7, b"x", "\\ud800", object())
asks = (backend.get_credential, backend.get_password)
claimed = [str(service)[:80] for service in foreign for ask in asks for user in users if ask(service, user) is not None]
claimed += [one[:80] for one in foreign if isinstance(one, str) and keyring.get_credential(one, None) is not None]
own = [backend.get_credential(R, user) for user in users]
print(json.dumps([len(foreign), claimed, [[one.username, one.password] for one in own]]))
"""


@pytest.fixture
def login(ada: GoogleUser) -> dict[str, str]:
    """The variable that names a credential file."""
    return ada.use(ada.google.login.file)


def test_repository_is_recognised_in_every_spelling(ada: GoogleUser, login: dict[str, str]) -> None:
    look_ups = [LookUp(spell(ada.url, HOST)) for spell in SPELLINGS]
    passwords = [LookUp(spell(ada.url, HOST), "oauth2accesstoken", "get_password") for spell in SPELLINGS]
    answers = ada.look_up.all([*look_ups, *passwords], **login)
    (token,) = ada.google.tokens.issued
    credential = ("oauth2accesstoken", token)
    assert [one for one, answer in zip(look_ups, answers) if answer.credential != credential] == []
    assert [answer.result for answer in answers[len(look_ups) :]] == [token] * len(passwords)
    assert ada.hosts() == [OAUTH]


def test_every_location_is_claimed_and_shares_the_token(ada: GoogleUser, login: dict[str, str]) -> None:
    services = [form.format(host) for host in CLAIMED for form in ("{}", "https://{}/contoso-tools/tools/simple/")]
    answers = ada.look_up.all([LookUp(service) for service in services], **login)
    (token,) = ada.google.tokens.issued
    assert {answer.credential for answer in answers} == {("oauth2accesstoken", token)}
    assert ada.hosts() == [OAUTH]


def test_lookalike_is_none_without_a_request(ada: GoogleUser, login: dict[str, str], client: Client) -> None:
    environment = ada.cloud.environment(ada.home, RINGBEARER_STRICT="1", **login)
    ended = client.run(["python", "-c", PROGRAM, FOREIGN, HOST, REGIONAL_HOST], environment).check()
    count, claimed, own = json.loads(ended.stdout)
    assert (claimed, count > 70) == ([], True)
    # The only request is for the repository itself.
    assert own == [["oauth2accesstoken", ada.google.tokens.issued[0]]] * 9
    assert ada.hosts() == [OAUTH]
    assert ended.stderr == ""


def test_native_keyring_answers_for_hosts_and_files(ada: GoogleUser, login: dict[str, str], native: Client) -> None:
    keyring = NativeKeyring(ada.cloud, native, ada.home)
    services = [ada.url, HOST, f"https://{HOST}", f"https://{REGIONAL_HOST}/contoso-tools/tools/simple/"]
    services += [f"https://{HOST}/contoso-tools/tools/greetings/greetings-2.0-py3-none-any.whl", MULTI_REGION_HOST]
    for service in services:
        ended = keyring("get", service, "oauth2accesstoken", **login).check()
        assert ended.stderr == "" and ended.stdout.strip() in ada.google.tokens.issued, service
    assert set(ada.hosts()) == {OAUTH}


def test_lookalike_is_a_miss_for_the_native_programs(ada: GoogleUser, login: dict[str, str], native: Client) -> None:
    keyring = NativeKeyring(ada.cloud, native, ada.home)
    services = [f"https://{host}/contoso-tools/tools/simple/" for host in ada.google.lookalikes]
    services += [ada.url.replace("https", "http"), f"https://{HOST}:8443/", f"https://{HOST}@evil.example/", "pkg.dev"]
    for service in services:
        for words in ([service, "oauth2accesstoken"], [service, "__token__"]):
            assert_miss(keyring("get", *words, **login))
    assert ada.cloud.log.requests() == ada.cloud.log.connections() == []

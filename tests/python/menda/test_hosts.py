"""Registries of Menda: CodeArtifact hosts over https, in every spelling."""

from __future__ import annotations

import json

from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.menda import REGISTRY_HOST
from support.menda_machines import COLD, INDEX, paths, served

#: The registry, as tools write it.
SPELLINGS = [
    INDEX,
    INDEX.rstrip("/"),
    INDEX + "hello-private/",
    INDEX.replace("simple/", "hello-private/1.0/hello_private-1.0-py3-none-any.whl#sha256=0"),
    INDEX.replace("simple/", ""),
    INDEX.replace("https://", "https://aws@"),
    INDEX.replace("https://", "https://aws:password@"),
    INDEX.replace("https://", "https://some%40body:pass%2Fword@"),
    INDEX.replace("https://", "HTTPS://"),
    INDEX.replace("https://", ""),
    INDEX.replace("https://", "aws@"),
    INDEX.replace(".com/", ".com:443/"),
    INDEX.replace(".com/", ".com./"),
    INDEX.replace("amazonaws", "AmazonAWS"),
    INDEX + "?x=y#z",
    f"https://{REGISTRY_HOST}",
    f"https://{REGISTRY_HOST}/",
    REGISTRY_HOST,
    REGISTRY_HOST + "/",
    REGISTRY_HOST + ":443",
    REGISTRY_HOST.upper(),
    f" {INDEX}\n",
    INDEX.replace("menda-private", "a"),
    INDEX.replace("menda-private", "many-labels-in-1-name"),
    INDEX.replace("eu-west-1", "us-gov-east-1"),
]

#: Python expressions, since JSON has no bytes or lone surrogates. R is the host of the registry.
FOREIGN = """
["https://evil.example/" + R + "/", "https://evil.example/?x=" + R, "https://evil.example/#" + R, "evil.example/" + R,
 "https://evil.example?" + R, "https://" + R + "@evil.example/",
 "https://" + R + ":x@evil.example/", R + "@evil.example", "https://" + R + ".evil.example/",
 "https://" + R + "evil.example/", "https://" + R + ".cn/", "https://evil.example:443/" + R,
 "https://evil.example\\\\@" + R + "/", "https://" + R + "\\\\.evil.example/", "https://" + R + "%2eevil.example/",
 "https://" + R + "\\t.evil.example/", "https://" + R + " .evil.example/", "https://" + R.replace(".", "\\u3002"),
 "https://" + R.replace("amazonaws", "\\u0430mazonaws"), "https://" + R.replace("menda", "%6denda"),
 "https://\\ud800" + R, "http://" + R + "/", "http://" + R + ":443/", "https://" + R + ":8443/", R + ":80",
 "ftp://" + R, "git+https://" + R, "file://" + R, "https:" + R, "https://." + R, "https://.." + R, "https://x." + R,
 "https://x.y." + R, "https://" + R.replace("058264169513", "05826416951"), "https://" + R.replace("058264169513",
 "0582641695131"), "https://" + R.replace("058264169513", "05826416951x"), "https://" + R.replace("058264169513",
 "05826416951\\u0663"), "https://" + R.replace("menda-private-", ""), "https://" + R.replace("menda-private-", "-"),
 "https://" + R.replace("-058264169513", "058264169513"), "https://" + R.replace("-058264169513", ".058264169513"),
 "https://" + R.replace(".d.", "."), "https://" + R.replace(".d.", ".e."), "https://" + R.replace(".d.", "-d."),
 "https://" + R.replace(".d.", "."), "https://" + R.replace("codeartifact", "s3"),
 "https://" + R.replace("eu-west-1.", ""), "https://" + R.replace("eu-west-1", "eu.west"),
 "https://" + R.replace("eu-west-1", ""), "https://" + R.replace("com", "net"), "https://" + R.replace(".amazonaws",
 "-amazonaws"), "https://" + R.replace(".amazonaws", ".evil-amazonaws"), "https://" + R.replace("amazonaws.com",
 "amazonaws.com.evil.example"), "https://d.codeartifact.eu-west-1.amazonaws.com/",
 "https://codeartifact.eu-west-1.amazonaws.com/", "https://s3.amazonaws.com/", "https://amazonaws.com/",
 "amazonaws.com", "https://" + R + "/" + "x" * 1_000_000, "https://" + "a" * 100_000 + R,
 "https://" + "a." * 50_000 + R, (R + "/") * 1000, R.encode(), ("https://" + R).encode(), [R], (R,), {R: R}, object(),
 None, 7, type, bytearray(R.encode()), "", " ", "\\x00"]
"""

#: The `url` crate skips slashes before a host; other parsers find no host.
WITHOUT_HOST = """
["//" + R, "https:///" + R, "https:////" + R, "https:///" + R.replace("menda", "%6denda"), "https:///evil.example@" + R,
 "https:///" + R.replace(".", "\u3002"), "http:///" + R]
"""

PROGRAM = """
import json, sys
import keyring
from ringbearer.backends import MendaCodeArtifactKeyring
R, index = sys.argv[2:]
foreign = eval(sys.argv[1])
backend = MendaCodeArtifactKeyring()
users = (None, "", "aws", "somebody", 7, b"x", "\\ud800", object())
asks = (backend.get_credential, backend.get_password)
claimed = [str(service)[:80] for service in foreign for ask in asks for user in users if ask(service, user) is not None]
texts = [service for service in foreign if isinstance(service, str)]
claimed += [service[:80] for service in texts if keyring.get_credential(service, None) is not None]
claimed += [service[:80] for service in texts if keyring.get_password(service, "aws") is not None]
own = [backend.get_credential(index, user) for user in users]
print(json.dumps({
    "count": len(foreign),
    "claimed": claimed,
    "own": [(one.username, one.password) for one in own],
    "passwords": [backend.get_password(index, user) for user in users],
}))
"""


def test_registry_is_recognised_in_every_spelling(cloud: PracticeCloud, look_up: Lookups) -> None:
    look_ups = [LookUp(service) for service in SPELLINGS]
    look_ups += [LookUp(INDEX, user) for user in ("aws", "", "somebody", "AWS", "a@b")]
    passwords = [LookUp(INDEX, user, "get_password") for user in ("aws", "", "somebody")]
    passwords.append(LookUp(INDEX.replace("https://", "https://aws@"), "aws", "get_password"))
    passwords.append(LookUp(REGISTRY_HOST, "aws", "get_password"))
    answers = look_up.all([*look_ups, *passwords], **cloud.menda.variables)
    (token,) = cloud.menda.registry_tokens
    wrong = [one for one, answer in zip(look_ups, answers) if answer.credential != ("aws", token)]
    assert wrong == []
    assert [answer.result for answer in answers[len(look_ups) :]] == [token] * len(passwords)
    assert [answer.error for answer in answers if answer.error] == []
    assert paths(cloud) == COLD


def test_registry_of_any_region_name_and_account_is_answered(cloud: PracticeCloud, look_up: Lookups) -> None:
    hosts = [
        f"{name}-{account}.d.codeartifact.{region}.amazonaws.com"
        for name, account, region in [
            ("x", "000000000000", "me-central-1"),
            ("0", "999999999999", "ap-southeast-7"),
            ("a-b-c-d", "123456789012", "us-iso-east-1"),
            ("n" * 50, "123456789012", "eu-west-1"),
            ("123456789012", "123456789012", "eu-west-1"),
        ]
    ]
    answers = look_up.all([LookUp(host) for host in hosts], **cloud.menda.variables)
    assert served(answers) == [True] * len(hosts)


def ask_for_all(cloud: PracticeCloud, client: Client, home: object, services: str) -> dict:
    """Each of the services by every method and for odd user names, and finally the registry itself."""
    environment = cloud.environment(home, RINGBEARER_STRICT="1", RINGBEARER_DEBUG="1", **cloud.menda.variables)
    ended = client.run(["python", "-c", PROGRAM, services, REGISTRY_HOST, INDEX], environment).check()
    return json.loads(ended.stdout)


def test_a_service_without_a_host_between_its_slashes_is_nobodys(
    cloud: PracticeCloud, client: Client, home: object
) -> None:
    assert ask_for_all(cloud, client, home, WITHOUT_HOST)["claimed"] == []


def test_lookalike_is_none_without_a_request(cloud: PracticeCloud, client: Client, home: object) -> None:
    found = ask_for_all(cloud, client, home, FOREIGN)
    assert found["claimed"] == []
    assert found["count"] > 70
    # All requests are for the registry itself.
    (token,) = cloud.menda.registry_tokens
    assert found["own"] == [["aws", token]] * 8
    assert found["passwords"] == [token] * 8
    assert paths(cloud) == COLD
    assert len(cloud.log.requests()) == 2
    assert cloud.log.refused() == []

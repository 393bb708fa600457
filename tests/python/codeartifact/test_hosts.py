"""Hosts of CodeArtifact over https, in every form and spelling; and nobody else's."""

from __future__ import annotations

import json

from lab.clients import Client
from lab.look_up import LookUp
from support.aws_user import API, AwsUser

#: Other spellings of an index: URL and host.
SPELLINGS = (
    lambda url, host: url,
    lambda url, host: url.rstrip("/"),
    lambda url, host: url + "hello-private/",
    lambda url, host: url.replace("simple/", ""),
    lambda url, host: url.replace("simple/", "simple/greetings/2.0/greetings-2.0.tar.gz#sha256=0"),
    lambda url, host: url.replace("/python/", "/another.repository_1/"),
    lambda url, host: url.replace("/pypi/", "/npm/"),
    lambda url, host: url.replace("https://", "https://aws@"),
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

#: Regions, and the hosts of their partitions: of the repository, and of the API.
REGIONS = {
    "ap-southeast-2": ("amazonaws.com", "codeartifact.ap-southeast-2.amazonaws.com"),
    "us-gov-west-1": ("amazonaws.com", "codeartifact.us-gov-west-1.amazonaws.com"),
    "cn-north-1": ("amazonaws.com.cn", "codeartifact.cn-north-1.amazonaws.com.cn"),
    "eusc-de-east-1": ("amazonaws.eu", "codeartifact.eusc-de-east-1.amazonaws.eu"),
}

#: Python expressions, since JSON has no bytes or lone surrogates. R is the host of the repository, D the one with IPv6,
#: V the endpoint of a private network.
FOREIGN = r"""
["https://evil.example/" + R + "/", "https://evil.example/?x=" + R, "https://evil.example/#" + R, "evil.example/" + R,
 "https://" + R + "@evil.example/", "https://" + R + ":x@evil.example/", "https://" + R + ".evil.example/",
 "https://" + D + ".evil.example/", "https://x" + R + "x/", "https://x." + R, "https://evil.example\\@" + R + "/",
 "https://" + R + "\\.evil.example/", "https://" + R + "%2eevil.example/", "https://" + R + " .evil.example/",
 "https://" + R.replace(".", "\u3002"), "https://" + R.replace("amazonaws", "\u0430mazonaws"), "https://\ud800" + R,
 "http://" + R + "/", "http://" + R + ":443/", "https://" + R + ":8443/", R + ":80", "ftp://" + R, "git+https://" + R,
 "http://" + D + "/", "https://" + D + ":8443/", "https://" + R + ".cn/", "https://" + R.replace(".com", ".eu"),
 "https://" + R.replace("eu-central-1", "cn-north-1"), "https://" + D.replace("eu-central-1", "cn-north-1"),
 "https://" + R.replace("amazonaws.com", "on.aws"), "https://" + D.replace("on.aws", "amazonaws.com"),
 "https://" + D.replace("on.aws", "api.aws"), "https://" + R.replace(".d.", "."), "https://" + R.replace(".d.", ".e."),
 "https://" + R.replace("codeartifact", "codeartifact-fips"), "https://" + R.replace("codeartifact", "s3"),
 "https://" + R.replace("eu-central-1.", ""), "https://" + R.replace("eu-central-1", "eu.central"),
 "https://" + R.replace("practice-", ""), "https://" + R.replace("practice", "1practice"),
 "https://" + R.replace("practice", "x" * 51), "https://" + R.replace("111122223333", "11112222333"),
 "https://" + R.replace("111122223333", "1111222233334"), "https://" + R.replace("-1111", ".1111"),
 "https://" + R.replace(".amazonaws", "-amazonaws"), "https://" + R.replace(".amazonaws", ".evil-amazonaws"),
 V, "https://" + V + "/", "https://" + V + "/pypi/python/simple/", "https://" + V + "/pypi/d/python/simple/",
 "http://" + V + "/pypi/d/practice-111122223333/python/simple/",
 "https://" + V + "/pypi/d/%70ractice-111122223333/python/simple/",
 "https://" + V.replace(".vpce.", ".vpc.") + "/pypi/d/practice-111122223333/python/simple/",
 "https://codeartifact.eu-central-1.amazonaws.com/v1/authorization-token", "https://sts.amazonaws.com/",
 "https://amazonaws.com/", "amazonaws.com", "on.aws", "https:///" + R, "//" + R, "https://" + R + "/" + "x" * 1_000_000,
 "https://" + "a" * 100_000 + R, "https://" + "a." * 50_000 + R, R.encode(), [R], {R: R}, object(), None, 7, "", "\x00"]
"""

PROGRAM = """
import json, sys
import keyring
from ringbearer.backends import CodeArtifactKeyring
R, D, V = sys.argv[2:]
foreign = eval(sys.argv[1])
backend = CodeArtifactKeyring()
users = (None, "", "aws", "somebody", 7, b"x", "\\ud800", object())
asks = (backend.get_credential, backend.get_password)
claimed = [str(service)[:80] for service in foreign for ask in asks for user in users if ask(service, user) is not None]
claimed += [one[:80] for one in foreign if isinstance(one, str) and keyring.get_credential(one, None) is not None]
own = [backend.get_credential(R, user) for user in users]
print(json.dumps([len(foreign), claimed, [[one.username, one.password] for one in own]]))
"""


def test_repository_is_recognised_in_every_spelling(ada: AwsUser) -> None:
    host = ada.aws.repository.host
    look_ups = [LookUp(spell(ada.url, host)) for spell in SPELLINGS]
    look_ups += [LookUp(ada.url, user) for user in ("aws", "", "somebody", "a@b")]
    passwords = [LookUp(ada.url, "aws", "get_password"), LookUp(host, "somebody", "get_password")]
    answers = ada.look_up.all([*look_ups, *passwords], **ada.key.variables)
    (token,) = ada.aws.authorization_tokens.issued
    assert [one for one, answer in zip(look_ups, answers) if answer.credential != ("aws", token)] == []
    assert [answer.result for answer in answers[len(look_ups) :]] == [token] * len(passwords)
    assert ada.hosts() == [API]


def test_each_form_of_host_is_asked_for_at_its_api(ada: AwsUser) -> None:
    urls = {}
    for form in ("url", "dual_stack_url", "vpc_url"):
        repository = ada.aws.add_repository(ada.aws.add_domain(form.replace("_", "-")), "python")
        is_dual_stack = form == "dual_stack_url"
        urls[getattr(repository, form)] = "codeartifact.eu-central-1.api.aws" if is_dual_stack else API
    for region, (suffix, api) in REGIONS.items():
        ada.aws.add_domain("practice", region=region)
        urls[f"https://practice-111122223333.d.codeartifact.{region}.{suffix}/pypi/python/simple/"] = api
    answers = ada.look_up.all([LookUp(url) for url in urls], **ada.key.variables)
    assert ada.callers(answers) == [ada.key.caller] * len(urls)
    assert ada.hosts() == list(urls.values())


def test_all_forms_of_host_share_the_token_of_their_domain(ada: AwsUser) -> None:
    repository = ada.aws.repository
    urls = [repository.dual_stack_url, repository.url, repository.vpc_url, f"https://{repository.dual_stack_host}"]
    answers = ada.look_up.all([LookUp(url) for url in urls], **ada.key.variables)
    assert {answer.credential for answer in answers} == {("aws", ada.aws.authorization_tokens.issued[0])}
    assert ada.hosts() == ["codeartifact.eu-central-1.api.aws"]


def test_domain_ends_at_the_last_hyphen(ada: AwsUser) -> None:
    names = ["d1", "a-b-c", "practice-111122223333", "x" * 50]
    for name in names:
        ada.aws.add_domain(name, owner="000000000007")
        ada.aws.authorization_tokens.domains[-1].accounts.add(ada.key.account)
    host = ada.aws.repository.host
    urls = [host.replace("practice-111122223333", f"{name}-000000000007") for name in names]
    answers = ada.look_up.all([LookUp(url) for url in urls], **ada.key.variables)
    assert ada.callers(answers) == [ada.key.caller] * len(urls)
    given = [(one.parameters["domain"], one.parameters["domain-owner"]) for one in ada.cloud.log.requests(API)]
    assert given == [(name, "000000000007") for name in names]


def test_lookalike_is_none_without_a_request(ada: AwsUser, client: Client) -> None:
    repository = ada.aws.repository
    hosts = [repository.host, repository.dual_stack_host, repository.vpc_host]
    environment = ada.cloud.environment(ada.home, RINGBEARER_STRICT="1", **ada.key.variables)
    ended = client.run(["python", "-c", PROGRAM, FOREIGN, *hosts], environment).check()
    count, claimed, own = json.loads(ended.stdout)
    assert (claimed, count > 60) == ([], True)
    # The only request is for the repository itself.
    assert own == [["aws", ada.aws.authorization_tokens.issued[0]]] * 8
    assert ada.hosts() == [API]
    assert ended.stderr == ""


def test_lookalike_is_a_miss_for_the_native_programs(ada: AwsUser, native: Client) -> None:
    environment = ada.cloud.environment(ada.home, **ada.key.variables)
    for host in ada.aws.lookalikes:
        ended = native.run(["keyring", "get", f"https://{host}/pypi/python/simple/", "aws"], environment)
        assert (ended.code, ended.output) == (1, ""), ended
    assert ada.cloud.log.requests() == []

"""Other addresses of AWS's services: overrides, FIPS and dual-stack hosts."""

from __future__ import annotations

import pytest
from lab.registries.codeartifact.site import OVERRIDE_HOST, VPC_API_HOST
from support.aws_user import API, OIDC, PORTAL, STS, AwsUser, assumed

OVERRIDE = f"https://{OVERRIDE_HOST}"


def everything(ada: AwsUser) -> None:
    """A login that asks every service but the sign-in: SSO with a refresh, and a role."""
    ada.profile_with_sso(ada.aws.identity_center.log_in(-60))
    reader = ada.aws.identity_center.find_role("111122223333", "Reader")
    role = ada.aws.accounts.role("publisher", reader)
    config = ada.files.directory / "config"
    outer = f"\n[profile outer]\nrole_arn = {role.arn}\nsource_profile = corp\nrole_session_name = ada\n"
    config.write_text(config.read_text() + outer)


#: Variables, and the hosts of token service, portal, STS and API.
ADDRESSES = {
    "everything": ({"AWS_ENDPOINT_URL": OVERRIDE}, [OVERRIDE_HOST] * 4),
    "with a slash": ({"AWS_ENDPOINT_URL": OVERRIDE + ":443/"}, [OVERRIDE_HOST] * 4),
    "one service": ({"AWS_ENDPOINT_URL_STS": OVERRIDE}, [OIDC, PORTAL, OVERRIDE_HOST, API]),
    "all but one": (
        {"AWS_ENDPOINT_URL": OVERRIDE, "AWS_ENDPOINT_URL_CODEARTIFACT": f"https://{VPC_API_HOST}"},
        [OVERRIDE_HOST] * 3 + [VPC_API_HOST],
    ),
    "portal": ({"AWS_ENDPOINT_URL_SSO": OVERRIDE}, [OIDC, OVERRIDE_HOST, STS, API]),
    "token service": ({"AWS_ENDPOINT_URL_SSO_OIDC": OVERRIDE}, [OVERRIDE_HOST, PORTAL, STS, API]),
    "ignored": (
        {"AWS_ENDPOINT_URL": OVERRIDE, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"},
        [OIDC, PORTAL, STS, API],
    ),
    "FIPS": (
        {"AWS_USE_FIPS_ENDPOINT": "True"},
        [
            "oidc-fips.eu-central-1.amazonaws.com",
            "portal.sso-fips.eu-central-1.amazonaws.com",
            "sts-fips.eu-central-1.amazonaws.com",
            "codeartifact-fips.eu-central-1.amazonaws.com",
        ],
    ),
    "dual-stack": (
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        [f"{name}.eu-central-1.api.aws" for name in ("oidc", "portal.sso", "sts", "codeartifact")],
    ),
    "both": (
        {"AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"},
        [f"{name}-fips.eu-central-1.api.aws" for name in ("oidc", "portal.sso", "sts", "codeartifact")],
    ),
}


@pytest.mark.parametrize("case", ADDRESSES)
def test_every_service_is_asked_where_it_is_said_to_be(ada: AwsUser, case: str) -> None:
    variables, hosts = ADDRESSES[case]
    everything(ada)
    answer = ada.ask(AWS_PROFILE="outer", **variables)
    assert ada.caller(answer) == assumed("publisher") and answer.warnings == []
    assert ada.hosts() == hosts


def test_plain_http_is_for_loopback_alone(ada: AwsUser) -> None:
    cloud = ada.cloud
    with ada.aws.on_loopback(cloud.log, cloud.faults) as url:
        everything(ada)
        answer = ada.ask(AWS_PROFILE="outer", AWS_ENDPOINT_URL=url)
        assert ada.caller(answer) == assumed("publisher")
        assert ada.hosts() == ["loopback"] * 4
        assert cloud.log.requests(method="CONNECT") == []
    cloud.log.clear()
    places = [
        f"http://{OVERRIDE_HOST}",
        "http://127.0.0.1.evil.example",
        "http://10.0.0.1:4566",
        "ftp://127.0.0.1",
        "aws",
    ]
    places += [f"https://user:planted@{OVERRIDE_HOST}", f"https://{OVERRIDE_HOST}/?x=planted", f"{OVERRIDE}#planted"]
    answers = ada.ask_each(*({"AWS_ENDPOINT_URL_CODEARTIFACT": place} for place in places), **ada.key.variables)
    assert [answer.result for answer in answers] == [None] * len(places)
    assert "AWS_ENDPOINT_URL_CODEARTIFACT" in answers[0].warning and "https" in answers[0].warning
    assert "planted" not in "".join(answer.text for answer in answers)
    assert cloud.log.requests() == cloud.log.connections() == []


def test_profile_names_the_addresses_of_services(ada: AwsUser) -> None:
    ada.files.write_credentials({"corp": ada.key, "all": ada.key})
    config = ada.files.write_config({"profile all": {"endpoint_url": OVERRIDE}})
    services = f"\n[profile corp]\nservices = mine\n[services mine]\ncodeartifact =\n  endpoint_url = {OVERRIDE}\n"
    config.write_text(config.read_text() + services)
    answers = ada.ask_each(
        {"AWS_PROFILE": "corp"}, {"AWS_PROFILE": "all"}, {"AWS_PROFILE": "all", "AWS_ENDPOINT_URL": f"https://{API}"}
    )
    assert ada.callers(answers) == [ada.key.caller] * 3
    assert ada.hosts() == [OVERRIDE_HOST, OVERRIDE_HOST, API]


def test_profile_may_want_fips(ada: AwsUser) -> None:
    ada.files.write_credentials({"corp": ada.key})
    ada.files.write_config({"profile corp": {"use_fips_endpoint": "true"}})
    answers = ada.ask_each({}, {"AWS_USE_FIPS_ENDPOINT": "false"}, AWS_PROFILE="corp")
    assert ada.callers(answers) == [ada.key.caller] * 2
    assert ada.hosts() == ["codeartifact-fips.eu-central-1.amazonaws.com", API]


def test_override_and_fips_exclude_each_other(ada: AwsUser) -> None:
    answer = ada.ask(AWS_ENDPOINT_URL=OVERRIDE, AWS_USE_FIPS_ENDPOINT="true", **ada.key.variables)
    assert "AWS_ENDPOINT_URL" in answer.warning and "AWS_USE_FIPS_ENDPOINT" in answer.warning
    assert ada.cloud.log.requests() == []

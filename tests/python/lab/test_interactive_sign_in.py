"""The practice cloud: people sign in at Entra with a browser, a device code or a refresh token."""

from __future__ import annotations

import dataclasses
import http.client
import time
from urllib.parse import urlencode

import pytest
from lab import tokens
from lab.cloud import PracticeCloud
from lab.registries.azure.directory import (
    AZURE_ARTIFACTS,
    AZURE_DEVOPS,
    PERSONAL_ACCOUNTS,
    PERSONAL_TRANSFER,
    VISUAL_STUDIO,
    User,
)
from lab.registries.azure.entra.errors import ERRORS
from lab.registries.azure.entra.logins import REFRESH_TOKEN_START
from lab.registries.azure.entra.requirements import SCOPE
from lab.sign_in_page import FormPost, SignInFailed, sign_in
from support.browser import Browser, exchange

REDIRECT = "http://localhost:47110"
VERIFIER, STATE, NONCE = "v" * 43, "s" * 43, "n" * 43
# base64url of SHA-256 of the verifier.
CHALLENGE = "7w_YNF9DSfIdPf_pRjSq646_kPr-2-o9NAl16JGghdM"
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
HEADERS = {"User-Agent": "practice/1.0 (Linux; x86_64)"}
COMMON = {"client_id": AZURE_ARTIFACTS, "scope": SCOPE, "client_info": "1"}


class Entra:
    """A client that sends what it should."""

    def __init__(self, cloud: PracticeCloud, browser: Browser) -> None:
        self.cloud = cloud
        self._browser = browser

    def url(self, end: str, tenant: object = None) -> str:
        return f"https://login.microsoftonline.com/{tenant or self.cloud.azure.tenant}/oauth2/v2.0/{end}"

    def authorize_url(self, tenant: object = None, **changes: str | None) -> str:
        query = {
            **COMMON,
            "response_type": "code",
            "redirect_uri": REDIRECT,
            "state": STATE,
            "nonce": NONCE,
            "code_challenge": CHALLENGE,
            "code_challenge_method": "S256",
            "prompt": "select_account",
            "response_mode": "form_post",
        }
        return self.url("authorize", tenant) + "?" + encode(query, changes)

    def post(self, end: str, form: dict[str, str], tenant: object = None, **changes: str | None):
        body = encode(form, changes).encode()
        return self._browser.json(self.url(end, tenant), data=body, headers=HEADERS)

    def redeem(self, post: FormPost, tenant: object = None, **changes: str | None):
        form = {**COMMON, "redirect_uri": REDIRECT, "code_verifier": VERIFIER, "code": post.fields["code"]}
        return self.post("token", {"grant_type": "authorization_code", **form}, tenant, **changes)

    def refresh(self, token: str, tenant: object = None, **changes: str | None):
        form = {"grant_type": "refresh_token", **COMMON, "refresh_token": token}
        return self.post("token", form, tenant, **changes)

    def device_code(self) -> dict:
        status, answer = self.post("devicecode", COMMON, client_info=None)
        assert status == 200
        return answer

    def poll(self, code: dict, **changes: str | None):
        form = {"grant_type": DEVICE_CODE, "client_id": AZURE_ARTIFACTS, "client_info": "1"}
        return self.post("token", {**form, "device_code": code["device_code"]}, **changes)


def encode(form: dict[str, str], changes: dict[str, str | None]) -> str:
    return urlencode({name: value for name, value in {**form, **changes}.items() if value is not None})


def codes(answer: tuple[int, dict]) -> tuple[int, str, list[int]]:
    status, body = answer
    return status, body["error"], body["error_codes"]


@pytest.fixture
def entra(cloud: PracticeCloud, browser: Browser) -> Entra:
    return Entra(cloud, browser)


@pytest.fixture
def ada(cloud: PracticeCloud) -> User:
    return cloud.entra.add_user("ada@contoso.example", "lovelace")


# -- a browser


def test_browser_brings_a_code_that_buys_tokens(
    cloud: PracticeCloud, entra: Entra, ada: User, browser: Browser
) -> None:
    post = sign_in(cloud, entra.authorize_url(), ada)
    assert (post.url, post.fields["state"]) == (REDIRECT, STATE)
    status, answer = entra.redeem(post)
    assert status == 200
    home = {"uid": ada.object_id, "utid": ada.home.id}
    for info in (post.fields["client_info"], answer["client_info"]):
        assert tokens.read(f".{info}.") == home
    claims = tokens.verify(answer["access_token"])
    expected = {"aud": AZURE_DEVOPS, "tid": ada.home.id, "upn": ada.name, "appid": AZURE_ARTIFACTS}
    assert claims is not None and expected.items() <= claims.items()
    person = tokens.verify(answer["id_token"])
    expected = {"aud": AZURE_ARTIFACTS, "preferred_username": ada.name, "tid": ada.home.id, "nonce": NONCE}
    assert person is not None and expected.items() <= person.items()
    assert answer["refresh_token"].startswith(REFRESH_TOKEN_START)
    assert answer["refresh_in"] < answer["expires_in"] and "foci" not in answer
    assert exchange(browser, cloud.azure.contoso.authority, answer["access_token"])[0] == 200
    assert cloud.entra.mistakes == []
    assert {answer["refresh_token"], answer["access_token"], answer["id_token"], post.fields["code"]} == set(
        cloud.entra.secrets
    )


def test_code_serves_once_and_for_a_minute(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    post = sign_in(cloud, entra.authorize_url(), ada)
    assert entra.redeem(post)[0] == 200
    assert codes(entra.redeem(post)) == (400, "invalid_grant", [54005])
    post = sign_in(cloud, entra.authorize_url(), ada)
    cloud.entra.logins.clock_offset = 61
    assert codes(entra.redeem(post)) == (400, "invalid_grant", [70008])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"code_verifier": "w" * 43}, 501481),
        ({"code_verifier": None}, 501481),
        ({"redirect_uri": "http://localhost:47111"}, 500112),
        ({"client_id": VISUAL_STUDIO}, 70000),
        ({"code": "another"}, 70008),
        ({"tenant": "organizations"}, 700005),
    ],
)
def test_code_serves_only_the_client_that_asked(
    cloud: PracticeCloud, entra: Entra, ada: User, changes: dict[str, str | None], code: int
) -> None:
    post = sign_in(cloud, entra.authorize_url(), ada)
    assert codes(entra.redeem(post, **changes))[2] == [code]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirect_uri": "http://127.0.0.1:47110"}, "50011"),
        ({"redirect_uri": "https://localhost:47110"}, "50011"),
        ({"redirect_uri": "http://localhost:47110/callback"}, "50011"),
        ({"client_id": "33333333-3333-3333-3333-333333333333"}, "700016"),
        ({"tenant": "nowhere.example"}, "90002"),
        ({"code_challenge_method": "plain"}, "9002313"),
    ],
)
def test_invalid_address_shows_an_error_page(
    cloud: PracticeCloud, entra: Entra, ada: User, changes: dict[str, str | None], code: str
) -> None:
    with pytest.raises(SignInFailed, match=f"AADSTS{code}: "):
        sign_in(cloud, entra.authorize_url(**changes), ada)


def test_wrong_person_gets_no_code(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    with pytest.raises(SignInFailed, match="password is incorrect"):
        sign_in(cloud, entra.authorize_url(), ada, password="byron")
    stranger = cloud.entra.add_user("alice@fabrikam.example")
    with pytest.raises(SignInFailed, match="AADSTS50020: "):
        sign_in(cloud, entra.authorize_url(), stranger)
    assert sign_in(cloud, entra.authorize_url("organizations"), stranger).fields["code"]


def test_cancellation_is_reported_to_the_client(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    post = sign_in(cloud, entra.authorize_url(), ada, declines=True)
    assert post.url == REDIRECT
    assert post.fields.pop("error_description").startswith("AADSTS65004: ")
    assert post.fields == {"error": "access_denied", "error_subcode": "cancel", "state": STATE}
    cloud.entra.refuse("53003", grant="authorize", times=1)
    assert "AADSTS53003: " in sign_in(cloud, entra.authorize_url(), ada).fields["error_description"]
    assert "code" in sign_in(cloud, entra.authorize_url(), ada).fields


def test_second_factor_and_consent_are_pages(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    tenant = cloud.azure.tenant
    tenant.requires_mfa = tenant.requires_consent = True
    without = cloud.entra.sign_in(ada)
    assert codes(entra.refresh(without)) == (400, "interaction_required", [50076])
    assert codes(entra.refresh(cloud.entra.sign_in(ada, mfa=[tenant]))) == (400, "invalid_grant", [65001])
    with pytest.raises(SignInFailed, match="didn't work"):
        sign_in(cloud, entra.authorize_url(), ada, one_time_code="0")
    status, answer = entra.redeem(sign_in(cloud, entra.authorize_url(), ada))
    assert status == 200
    assert tokens.read(answer["access_token"])["amr"] == ["pwd", "mfa"]
    assert entra.refresh(answer["refresh_token"])[0] == 200


@pytest.mark.parametrize(
    ("changes", "mistake"),
    [
        ({"client_info": None}, "authorize: no client_info"),
        ({"response_mode": "query"}, "authorize: response_mode is 'query'"),
        ({"state": "short"}, "authorize: state is 'a value'"),
        ({"nonce": None}, "authorize: no nonce"),
        ({"nonce": STATE}, "authorize: state and nonce are the same"),
        ({"prompt": "none"}, "authorize: prompt is 'a value'"),
        ({"scope": AZURE_DEVOPS + "/.default"}, f"authorize: scope is '{AZURE_DEVOPS}/.default'"),
        ({"login": "ada"}, "authorize: login is not wanted"),
        ({"claims": '{"access_token":{"xms_cc":{"values":["cp1"]}}}'}, "authorize: declares client capabilities"),
        ({"tenant": "common"}, "authorize: Azure DevOps accepts no tokens of common"),
    ],
)
def test_mistake_in_the_address_is_recorded(
    cloud: PracticeCloud, entra: Entra, browser: Browser, changes: dict[str, str | None], mistake: str
) -> None:
    assert browser.open(entra.authorize_url(**changes)).status == 200
    assert cloud.entra.mistakes == [mistake]


def test_mistakes_in_forms_are_recorded_without_secrets(cloud: PracticeCloud, browser: Browser, ada: User) -> None:
    token = cloud.entra.sign_in(ada)
    form = {"grant_type": "refresh_token", "client_id": AZURE_ARTIFACTS, "refresh_token": token, "resource": "x"}
    url = f"https://login.microsoftonline.com/{ada.home}/oauth2/v2.0/token?refresh_token=x"
    assert browser.open(url, data=form).status == 200
    place = "token (refresh_token): "
    assert cloud.entra.mistakes == [
        place + "User-Agent names no operating system",
        place + "fields in the query",
        place + "no scope",
        place + "no client_info",
        place + "resource is not wanted",
    ]


# -- refresh tokens


def test_refresh_token_serves_every_tenant_of_the_person(cloud: PracticeCloud, entra: Entra) -> None:
    contoso, fabrikam = cloud.azure.tenant, cloud.azure.directory.tenant("fabrikam.example")
    cloud.azure.directory.tenant("other.example")
    ada = cloud.entra.add_user("ada@contoso.example", guest_of=[fabrikam])
    first = cloud.entra.sign_in(ada)
    for tenant, issuer in ((contoso, contoso), (fabrikam, fabrikam), ("organizations", contoso)):
        status, answer = entra.refresh(first, tenant)
        assert status == 200
        claims, person = tokens.read(answer["access_token"]), tokens.read(answer["id_token"])
        assert claims["tid"] == person["tid"] == issuer.id
        assert claims["oid"] == person["oid"] == ada.object_id_in(issuer)
        assert tokens.read(f".{answer['client_info']}.") == {"uid": ada.object_id, "utid": contoso.id}
        assert answer["refresh_token"] != first
        assert entra.refresh(answer["refresh_token"], contoso)[0] == 200
    assert ada.object_id_in(fabrikam) != ada.object_id
    assert codes(entra.refresh(first, "other.example")) == (400, "invalid_grant", [50020])
    fabrikam.requires_mfa = True
    assert codes(entra.refresh(first, fabrikam)) == (400, "interaction_required", [50076])
    assert entra.refresh(first, contoso)[0] == 200
    assert cloud.entra.mistakes == []


def test_guest_token_is_exchanged_in_the_other_organisation(
    cloud: PracticeCloud, entra: Entra, browser: Browser
) -> None:
    fabrikam = cloud.azure.directory.tenant("fabrikam.example")
    organisation = cloud.azure.organisation("fabrikam", fabrikam)
    ada = cloud.entra.add_user("ada@contoso.example", guest_of=[fabrikam])
    statuses = []
    for tenant in (fabrikam, ada.home):
        bearer = entra.refresh(cloud.entra.sign_in(ada), tenant)[1]["access_token"]
        statuses.append(exchange(browser, organisation.authority, bearer)[0] if tenant is fabrikam else None)
    assert statuses == [200, None]


def test_personal_account_refreshes_at_the_transfer_tenant(
    cloud: PracticeCloud, entra: Entra, browser: Browser
) -> None:
    bob = cloud.entra.add_personal_account("bob@outlook.example")
    organisation = cloud.azure.organisation("bob", None)
    post = sign_in(cloud, entra.authorize_url("organizations"), bob)
    status, answer = entra.redeem(post, "organizations")
    assert status == 200
    assert tokens.read(f".{answer['client_info']}.")["utid"] == PERSONAL_ACCOUNTS
    assert tokens.read(answer["access_token"])["tid"] == PERSONAL_TRANSFER
    assert codes(entra.refresh(answer["refresh_token"], "organizations")) == (400, "invalid_grant", [50020])
    status, answer = entra.refresh(answer["refresh_token"], PERSONAL_TRANSFER)
    assert status == 200
    assert exchange(browser, organisation.authority, answer["access_token"])[0] == 200


def test_refresh_token_of_another_client_is_refused(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    status, answer = entra.refresh(cloud.entra.sign_in(ada), client_id=VISUAL_STUDIO)
    assert (status, answer["error"], answer["suberror"]) == (400, "invalid_grant", "client_mismatch")
    status, answer = entra.refresh("1.nonsense")
    assert (status, answer["error"], answer["suberror"]) == (400, "invalid_grant", "bad_token")


def test_login_ends_for_every_reason_of_entra(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    def refused() -> int:
        return entra.refresh(token)[1]["error_codes"][0]

    token = cloud.entra.sign_in(ada)
    cloud.entra.expire_login(ada)
    assert refused() == 700082
    token = cloud.entra.sign_in(ada)
    ada.home.sign_in_frequency = 3600
    cloud.entra.logins.clock_offset = 3601
    assert refused() == 70043
    ada.home.sign_in_frequency = None
    cloud.entra.logins.clock_offset = 91 * 86400
    assert refused() == 700082
    cloud.entra.logins.clock_offset = 0
    assert entra.refresh(token)[0] == 200
    ada.is_disabled = True
    assert refused() == 50057
    ada.is_disabled = False
    cloud.entra.change_password(ada)
    assert refused() == 50173
    assert "code" in sign_in(cloud, entra.authorize_url(), ada).fields


def test_every_error_can_refuse_a_refresh(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    token = cloud.entra.sign_in(ada)
    for code, known in ERRORS.items():
        cloud.entra.refuse(code, user=ada, tenant=ada.home, grant="refresh_token", times=1)
        status, answer = entra.refresh(token)
        assert (status, answer["error"], answer["error_codes"]) == (known.status, known.error, [int(code)])
        assert answer["error_description"].startswith(f"AADSTS{code}: "), code
        assert " Trace ID: " in answer["error_description"] and answer.get("suberror") == known.suberror
    assert entra.refresh(token)[0] == 200


def test_answer_can_be_changed_by_a_test(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    token = cloud.entra.sign_in(ada)
    cloud.entra.changes = {"refresh_token": None, "foci": "1"}
    answer = entra.refresh(token)[1]
    assert "refresh_token" not in answer and answer["foci"] == "1" and answer["id_token"]
    cloud.entra.refuse("50076", claims='{"access_token":{}}')
    assert entra.refresh(token)[1]["claims"] == '{"access_token":{}}'


# -- device codes


def test_device_code_waits_for_the_person(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    code = entra.device_code()
    assert {"verification_uri": "https://microsoft.com/devicelogin", "expires_in": 900, "interval": 1}.items() <= (
        code.items()
    )
    assert "verification_uri_complete" not in code
    cloud.entra.device_codes.codes[-1].interval = 0
    assert codes(entra.poll(code)) == (400, "authorization_pending", [70016])
    assert cloud.entra.person.enters_next(ada) == code["user_code"]
    status, answer = entra.poll(code, grant_type="device_code")
    assert status == 200 and tokens.read(answer["access_token"])["tid"] == ada.home.id
    assert entra.refresh(answer["refresh_token"])[0] == 200
    assert codes(entra.poll(code))[2] == [54005]
    assert cloud.entra.mistakes == []


def test_polls_of_a_device_code_follow_a_script(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    code = entra.device_code()
    device_codes = cloud.entra.device_codes
    device_codes.script = ["slow_down", "drop", 503, "53003", "authorization_declined", "expired_token"]
    device_codes.script.append("bad_verification_code")
    cloud.entra.person.enters(code["user_code"], ada)
    (record,) = device_codes.codes
    assert codes(entra.poll(code)) == (400, "slow_down", [70017])
    assert record.interval == 6
    record.interval = 0
    with pytest.raises(http.client.RemoteDisconnected):
        entra.poll(code)
    with pytest.raises(ValueError):
        entra.poll(code)
    assert codes(entra.poll(code)) == (400, "authorization_declined", [53003])
    assert codes(entra.poll(code)) == (400, "authorization_declined", [50199])
    assert codes(entra.poll(code)) == (400, "expired_token", [70020])
    assert codes(entra.poll(code)) == (400, "bad_verification_code", [70018])
    assert entra.poll(code)[0] == 200
    assert len(record.polls) == 8


def test_early_poll_is_a_mistake(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    cloud.entra.device_codes.interval = "5"
    code = entra.device_code()
    assert code["interval"] == "5"
    entra.poll(code)
    time.sleep(0.1)
    entra.poll(code)
    assert [mistake.partition(" after ")[0] for mistake in cloud.entra.mistakes] == ["device code: polled"]


def test_device_code_ends_unused_declined_or_forbidden(cloud: PracticeCloud, entra: Entra, ada: User) -> None:
    code = entra.device_code()
    cloud.entra.logins.clock_offset = 901
    assert codes(entra.poll(code))[1] == "expired_token"
    code = entra.device_code()
    cloud.entra.person.declines(code["user_code"])
    assert codes(entra.poll(code))[1] == "authorization_declined"
    code = entra.device_code()
    cloud.entra.refuse("530003", grant="device_code")
    cloud.entra.person.enters(code["user_code"], ada)
    assert codes(entra.poll(code)) == (400, "authorization_declined", [530003])
    client = cloud.entra.add_client("44444444-4444-4444-4444-444444444444", allows_public_flows=False)
    assert codes(entra.poll(code, client_id=client.client_id)) == (401, "invalid_client", [7000218])
    assert codes(entra.poll({"device_code": "another"}))[1] == "bad_verification_code"


def test_form_post_can_be_changed_by_a_test() -> None:
    post = FormPost(REDIRECT, {"code": "a b", "state": STATE})
    assert dataclasses.replace(post, fields={**post.fields, "state": "x"}).body == b"code=a+b&state=x"

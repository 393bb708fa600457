"""The provider `login`: one sign-in serves every feed of the account, without asking again."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
from lab import faults, kernel_keys
from lab.clients import Client
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_not_logged_in
from lab.registries.azure.directory import PERSONAL_TRANSFER, Tenant
from support.login_user import ADA, AGAIN, LoginUser


@pytest.fixture
def user(either: Client, cloud: PracticeCloud, home: Path, fake_programs: FakePrograms) -> LoginUser:
    """Either program, before the sign-in."""
    kernel_keys.need_sharing()
    return LoginUser(either, cloud, home, fake_programs)


@pytest.fixture
def fabrikam(cloud: PracticeCloud, user: LoginUser) -> Tenant:
    """Another tenant, where ada and the user of `az` are guests, with an organisation of the same name."""
    tenant = cloud.azure.directory.tenant("fabrikam.example")
    user.ada.tenants.append(tenant)
    cloud.azure.user.tenants.append(tenant)
    return tenant


def test_device_code_signs_in_to_every_feed_of_the_account(
    cloud: PracticeCloud, user: LoginUser, fabrikam: Tenant
) -> None:
    process = user.program.start(["ringbearer", "login", user.url, "--device-code"], user.environment())
    cloud.entra.person.enters_next(user.ada)
    stdout, stderr = (part.decode() for part in process.communicate(timeout=20))
    assert process.returncode == 0 and stdout.startswith(f"signed in to contoso as {ADA}\nkept in "), stderr
    other = user.feed_of("contoso-research", cloud.azure.tenant)
    for url in (user.url, cloud.azure.project_feed.url(), other, user.feed_of("fabrikam", fabrikam)):
        ended = user.look_up(url=url).check()
        assert (ended.stdout.strip(), ended.stderr) == (cloud.azure.session_tokens.issued[-1], ""), url
    assert [tenant for tenant, _ in user.refreshes()] == [cloud.azure.tenant.id] * 3 + [fabrikam.id]
    assert len(cloud.entra.device_codes.codes) == 1 and cloud.entra.authorizations.opened == []
    assert cloud.entra.mistakes == []


def test_tenant_with_its_own_second_factor_needs_its_own_sign_in(
    cloud: PracticeCloud, user: LoginUser, fabrikam: Tenant
) -> None:
    fabrikam.requires_mfa = True
    contoso, url = user.url, user.feed_of("fabrikam", fabrikam)
    user.log_in_with_az(fabrikam)
    user.login()
    user.url = url
    user.assert_az_serves("pkgs.dev.azure.com/fabrikam: ", ADA, "multi-factor authentication is required", AGAIN)
    user.login()
    for served in (url, contoso, url):
        assert user.look_up(url=served).check().stderr == ""
    assert [login["organisations"] for login in user.listed()] == [["fabrikam", "contoso"]]
    assert len(user.fake_programs.invocations("az")) == 1
    assert cloud.entra.mistakes == []


def test_personal_account_refreshes_at_the_transfer_tenant(cloud: PracticeCloud, user: LoginUser) -> None:
    alice = cloud.entra.add_personal_account("alice@outlook.example")
    user.url = user.feed_of("wonderland", None)
    user.login(alice)
    assert cloud.log.requests(path="*/authorize")[-1].segments[0] == "organizations"
    assert user.look_up().check().stderr == ""
    assert [tenant for tenant, _ in user.refreshes()] == [PERSONAL_TRANSFER]
    assert cloud.entra.mistakes == []


def test_login_of_one_cloud_is_not_sent_to_another(cloud: PracticeCloud, user: LoginUser) -> None:
    user.login()
    cloud.azure.contoso.challenge.authorization_uri = f"https://login.microsoftonline.us/{cloud.azure.tenant}"
    assert AGAIN in user.warning()
    user.assert_no_refresh()


def test_each_refresh_token_serves_once_and_is_replaced(cloud: PracticeCloud, user: LoginUser) -> None:
    user.login()
    for _ in range(3):
        assert user.look_up().check().stderr == ""
    assert [token for _, token in user.refreshes()] == cloud.entra.refresh_tokens[:3]
    assert len(cloud.entra.refresh_tokens) == 4


def test_refreshes_at_once_lose_no_login(cloud: PracticeCloud, user: LoginUser) -> None:
    user.login()
    cloud.faults.add(faults.latency(0.3), host="login.microsoftonline.com")
    command = ["keyring", "get", user.url, "VssSessionToken"]
    processes = [user.program.start(command, user.environment()) for _ in range(4)]
    ended = [process.communicate(timeout=20) for process in processes]
    assert [(process.returncode, stderr) for process, (_, stderr) in zip(processes, ended)] == [(0, b"")] * 4
    # The refresh token is one of those that the four have got.
    assert user.look_up().check().stderr == ""
    assert user.refreshes()[-1][1] in cloud.entra.refresh_tokens[1:5]


@pytest.mark.parametrize("refusal", ["VS403463", "unauthorized"])
def test_refused_exchange_asks_for_a_fresh_sign_in(cloud: PracticeCloud, user: LoginUser, refusal: str) -> None:
    user.login()
    assert cloud.entra.authorizations.opened[-1].parameters["prompt"] == "select_account"
    cloud.azure.contoso.exchange.refuse = refusal
    assert "`ringbearer login URL --fresh`" in user.warning()
    assert [login["kept_in"] is None for login in user.listed()] == [False]
    cloud.azure.contoso.exchange.refuse = None
    user.login(None, "--fresh")
    assert cloud.entra.authorizations.opened[-1].parameters["prompt"] == "login"
    user.assert_served()


def test_account_that_the_exchange_refuses_asks_the_next_source(cloud: PracticeCloud, user: LoginUser) -> None:
    user.login()
    user.log_in_with_az()
    cloud.azure.contoso.denied.add(user.ada.object_id)
    user.assert_az_serves("login failed (", ADA, "azure_cli served instead")
    assert user.listed()[0]["kept_in"]


def test_expired_session_token_is_replaced_in_silence(cloud: PracticeCloud, user: LoginUser) -> None:
    user.variables["RINGBEARER_CACHE"] = "session"
    cloud.azure.contoso.exchange.lifetime = 2
    user.login()
    first = user.look_up().check()
    time.sleep(2)
    second = user.look_up().check()
    assert (first.stderr, second.stderr, first.stdout == second.stdout) == ("", "", False)
    assert len(user.refreshes()) == 2


def test_warning_advises_the_login_command_where_az_is_missing(cloud: PracticeCloud, user: LoginUser) -> None:
    assert f"; {AGAIN}, or in CI " in user.warning()
    cloud.entra.refuse("50076", user=user.ada, grant="refresh_token")
    user.login()
    assert user.warning().endswith(f": {AGAIN}")
    user("logout").check()
    user.fake_programs.az(az_not_logged_in())
    warning = user.warning()
    assert "ringbearer login" not in warning and "`az login " in warning


def test_refresh_that_hangs_ends_in_time_and_keeps_the_login(cloud: PracticeCloud, user: LoginUser) -> None:
    user.login()
    cloud.faults.add(faults.silence(), host="login.microsoftonline.com", path="*/token")
    ended = user.look_up(RINGBEARER_TIMEOUT="1")
    assert ended.code == 1 and ended.stderr.count("\n") == 1 and ended.duration < 4, ended
    cloud.faults.clear()
    assert user.refreshed_as() == ADA


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signals for one process")
def test_ctrl_c_ends_a_refresh_at_once(cloud: PracticeCloud, user: LoginUser) -> None:
    user.login()
    cloud.faults.add(faults.silence(), host="login.microsoftonline.com", path="*/token")
    before = len(cloud.log.requests(path="*/token"))
    process = user.program.start(["keyring", "get", user.url, "VssSessionToken"], user.environment())
    cloud.log.wait_for(before + 1, path="*/token")
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert process.returncode != 0 and time.monotonic() - began < 1
    cloud.faults.clear()
    assert user.refreshed_as() == ADA

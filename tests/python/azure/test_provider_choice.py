"""The order of the providers, and the warning if none serves."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.environment import home_variables
from lab.fake_programs import FakePrograms, az_not_logged_in, az_token, azd_token, helper_token
from lab.look_up import LookUp, Lookups

CHOICE = "ARTIFACTS_KEYRING_NOFUSS_PROVIDER"
PROVIDERS = [
    "env_var",
    "feed_endpoints",
    "feed_identity",
    "pat",
    "az_devops",
    "client_secret",
    "client_certificate",
    "workload_identity",
    "azure_pipelines",
    "login",
    "azure_cli",
    "ado_auth_helper",
    "azd",
    "managed_identity",
]
IDENTITY_PROVIDERS = ["client_secret", "client_certificate", "workload_identity", "managed_identity"]


def write_configuration(directory: Path, provider: str) -> Path:
    path = directory / "python_keyring" / "keyringrc.cfg"
    path.parent.mkdir(parents=True)
    path.write_text(f"[artifacts_keyring_nofuss]\nprovider = {provider}\n")
    return path


def test_the_first_provider_in_the_order_that_is_set_up_serves(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, home: Path, tmp_path: Path
) -> None:
    azure, directory = cloud.azure, cloud.azure.directory
    application = directory.application("builder", azure.tenant, secret="mellon")
    certificate = tmp_path / "application.pem"
    certificate.write_text(application.certificate().pem)
    job = azure.github_actions.job()
    application.trust("https://token.actions.githubusercontent.com", job.subject)
    cloud.metadata.imds.system_assigned = directory.managed_identity("machine", azure.tenant)
    user_token = directory.user_token(azure.user)
    codespace, developer = tmp_path / "codespace", tmp_path / "developer"
    codespace.mkdir()
    developer.mkdir()
    fake_programs.az(*az_token(user_token))
    fake_programs.ado_auth_helper(codespace, helper_token(user_token))
    fake_programs.program("azd", azd_token(user_token), directory=str(developer))
    endpoints = {"endpointCredentials": [{"endpoint": azure.feed.url(), "password": "of-the-feed"}]}
    identities = {"endpointCredentials": [{"endpoint": azure.feed.url(), "clientId": "system"}]}
    logins = tmp_path / "logins"
    logins.mkdir()
    (logins / "personalAccessTokens").write_text(
        "[azdevops-cli:https://dev.azure.com/contoso]\npersonal access token = x\n"
    )
    (logins / "personalAccessTokens").chmod(0o600)
    usual = cloud.environment(home)["PATH"]
    settings = [
        ("env_var", {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": "of-the-variable"}),
        ("feed_endpoints", {"ARTIFACTS_CREDENTIALPROVIDER_EXTERNAL_FEED_ENDPOINTS": json.dumps(endpoints)}),
        ("feed_identity", {"ARTIFACTS_CREDENTIALPROVIDER_FEED_ENDPOINTS": json.dumps(identities)}),
        ("pat", {"AZURE_DEVOPS_EXT_PAT": "personal"}),
        ("az_devops", {"AZURE_DEVOPS_EXT_CONFIG_DIR": str(logins)}),
        ("client_secret", {"AZURE_CLIENT_SECRET": "mellon"}),
        ("client_certificate", {"AZURE_CLIENT_CERTIFICATE_PATH": str(certificate)}),
        ("workload_identity", {**job.variables, "AZURE_CLIENT_ID": application.client_id}),
        ("azure_cli", {"PATH": os.pathsep.join([fake_programs.directory, str(developer), usual])}),
        ("ado_auth_helper", home_variables(codespace)),
        ("azd", {"PATH": os.pathsep.join([str(developer), usual])}),
        ("managed_identity", {"PATH": usual}),
    ]
    # Without SYSTEM_ACCESSTOKEN there is no azure_pipelines, and with it `pat` comes first.
    cases = []
    for start in range(len(settings)):
        case: dict[str, str] = {}
        for _, variables in settings[start:]:
            case = {**variables, **case}
        cases.append(case)
    answers = look_up.each(*cases)
    assert [answer.served for answer in answers] == [name for name, _ in settings]
    assert answers[-1].asked == PROVIDERS
    for answer, (name, _) in zip(answers, settings):
        assert answer.asked == PROVIDERS[: PROVIDERS.index(name) + 1]
        assert answer.warnings == []


def test_a_variable_forces_one_provider(cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms) -> None:
    user_token = cloud.azure.directory.user_token(cloud.azure.user)
    fake_programs.az(az_not_logged_in())
    fake_programs.azd(azd_token(user_token))
    (answer,) = look_up.each({CHOICE: " azd "}, AZURE_DEVOPS_EXT_PAT="personal")
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[0])
    assert answer.asked == ["azd"]
    assert fake_programs.invocations("az") == []


def test_keyringrc_selects_the_provider_unless_a_variable_does(
    cloud: PracticeCloud, look_up: Lookups, home: Path, tmp_path: Path
) -> None:
    write_configuration(home / ".config", "pat")
    write_configuration(tmp_path / "elsewhere", "env_var")
    empty = tmp_path / "empty"
    empty.mkdir()
    by_file, by_variable, by_xdg = look_up.each(
        {},
        {CHOICE: "feed_endpoints"},
        {**home_variables(empty), "XDG_CONFIG_HOME": str(tmp_path / "elsewhere")},
        AZURE_DEVOPS_EXT_PAT="personal",
        ARTIFACTS_KEYRING_NOFUSS_TOKEN="of-the-variable",
    )
    assert (by_file.asked, by_file.credential) == (["pat"], ("VssSessionToken", "personal"))
    assert (by_variable.asked, by_variable.credential) == (["feed_endpoints"], None)
    assert (by_xdg.asked, by_xdg.credential) == (["env_var"], ("VssSessionToken", "of-the-variable"))


def test_config_file_in_the_working_directory_is_not_read(
    cloud: PracticeCloud, look_up: Lookups, tmp_path: Path
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "keyringrc.cfg").write_text("[artifacts_keyring_nofuss]\nprovider = azd\n")
    write_configuration(folder / ".config", "azd")
    (answer,) = look_up.all([LookUp(cloud.azure.feed.url())], directory=folder, AZURE_DEVOPS_EXT_PAT="personal")
    assert answer.served == "pat"


@pytest.mark.parametrize("by", ["variable", "file"])
def test_unknown_provider_is_an_error_without_any_request(
    cloud: PracticeCloud, look_up: Lookups, home: Path, by: str
) -> None:
    variables, source = {CHOICE: "azure-cli"}, CHOICE
    if by == "file":
        variables, source = {}, str(write_configuration(home / ".config", "azure-cli"))
    answer, strict = look_up.each(variables, {**variables, "RINGBEARER_STRICT": "1"})
    assert answer.credential is None
    assert strict.error is not None and strict.error.type == "ConfigurationError"
    assert answer.warning.endswith("`ringbearer doctor URL` shows all names")
    for named in [source, "azure-cli", *PROVIDERS, "azure_identity"]:
        assert named in strict.error.message
    assert cloud.log.connections() + cloud.log.connections(kind="plain") == []


def test_azure_identity_means_the_four_providers_of_that_library(cloud: PracticeCloud, look_up: Lookups) -> None:
    machine = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    cloud.metadata.imds.system_assigned = machine
    answer = look_up(AZURE_DEVOPS_EXT_PAT="personal", **{CHOICE: "azure_identity"})
    assert answer.asked == IDENTITY_PROVIDERS
    assert answer.served == "managed_identity"


def test_unconfigured_warning_names_providers_and_what_to_run(cloud: PracticeCloud, look_up: Lookups) -> None:
    url = cloud.azure.feed.url()
    first, second = look_up.all([LookUp(url), LookUp(url, "somebody")])
    assert first.credential is second.credential is None
    assert "pkgs.dev.azure.com/contoso" in first.warning
    assert "none of the 14 sources is set up" in first.warning and "`ringbearer doctor URL`" in first.warning
    assert list(first.skipped) == PROVIDERS and len(first.warning) < 300
    assert "run `ringbearer login URL`, or in CI set AZURE_DEVOPS_EXT_PAT" in first.warning
    assert second.warnings == []
    assert (first.stdout, first.stderr) == ("", "")


def test_wrong_client_secret_is_never_answered_by_az(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant, secret="mellon")
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    broken = {"AZURE_CLIENT_ID": application.client_id, "AZURE_CLIENT_SECRET": "guess"}
    upload = cloud.azure.feed.url().replace("/simple/", "/upload/")
    for answer in (look_up(**broken), look_up(upload, **broken)):
        assert answer.credential is None and answer.asked[-1] == "client_secret"
        assert "client_secret failed" in answer.warning and "AADSTS7000215" in answer.warning
        assert "unset AZURE_CLIENT_SECRET" in answer.warning
        assert "guess" not in answer.text
    assert fake_programs.invocations() == []


def test_failing_az_before_a_managed_identity_warns_once(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    cloud.metadata.imds.system_assigned = cloud.azure.directory.managed_identity("machine", cloud.azure.tenant)
    fake_programs.az(az_not_logged_in())
    url = cloud.azure.feed.url()
    first, second = look_up.all([LookUp(url)] * 2, RINGBEARER_CACHE="off")
    assert first.served == second.served == "managed_identity"
    assert "azure_cli failed (az is not logged in), and managed_identity served instead" in first.warning
    assert f"`az login --tenant {cloud.azure.tenant} --allow-no-subscriptions`" in first.warning
    assert second.warnings == []


def test_not_logged_in_says_to_log_in_to_the_tenant_of_the_feed(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    fake_programs.az(az_not_logged_in())
    answer = look_up()
    assert answer.warning.count(f"`az login --tenant {cloud.azure.tenant} --allow-no-subscriptions`") == 1
    assert "not logged in" in answer.warning


def test_bearer_rejected_by_the_exchange_leads_to_the_next(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    directory = cloud.azure.directory
    sam = directory.user("sam@contoso.example", cloud.azure.tenant)
    cloud.azure.contoso.denied.add(sam.object_id)
    rejected, accepted = directory.user_token(sam), directory.user_token(cloud.azure.user)
    fake_programs.az(*az_token(rejected))
    fake_programs.azd(azd_token(accepted))
    answer = look_up()
    assert answer.credential == ("VssSessionToken", cloud.azure.session_tokens.issued[0])
    assert answer.served == "azd"
    assert cloud.log.bearers() == [("vssps.dev.azure.com", rejected), ("vssps.dev.azure.com", accepted)]
    assert "azure_cli failed (" in answer.warning and "azd served instead" in answer.warning


def test_expired_bearer_fails_and_a_nearly_expired_one_is_sent(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    directory = cloud.azure.directory
    builder, token = directory.application("builder", cloud.azure.tenant), "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
    live = directory.user_token(cloud.azure.user)
    fake_programs.az(*az_token(live))
    over = [directory.user_token(cloud.azure.user, lifetime=-330), directory.application_token(builder, lifetime=-330)]
    late = directory.application_token(builder, lifetime=-60)
    *answers, kept = look_up.each(*({token: one} for one in [*over, late]))
    for answer in answers:
        assert answer.credential is None and answer.asked == ["env_var"]
    assert f"env_var failed (its token has expired); renew or unset {token}" in answers[0].warning
    assert kept.credential == ("bearer", late)
    assert cloud.log.bearers() == []


def test_rejected_bearers_are_none_and_strict_mode_raises(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms
) -> None:
    cloud.azure.contoso.exchange.refuse = "unauthorized"
    token = cloud.azure.directory.user_token(cloud.azure.user)
    fake_programs.az(*az_token(token))
    fake_programs.azd(azd_token(token))
    answer, lenient, strict = look_up.each({}, {"RINGBEARER_STRICT": "0"}, {"RINGBEARER_STRICT": "1"})
    assert answer.credential is None and lenient.credential is None
    for name in ("azure_cli failed", "azd failed", cloud.azure.user.name):
        assert name in answer.warning
    assert strict.error is not None
    assert strict.error.type == "AuthenticationError"
    assert {"RingbearerError", "KeyringError"} <= set(strict.error.bases)
    assert strict.error.message.startswith(answer.warning)
    assert strict.warnings == []
    assert {host for host, _ in cloud.log.bearers()} == {"vssps.dev.azure.com"}
    assert token not in answer.text + strict.text

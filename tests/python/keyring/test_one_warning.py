"""One warning for each process and cause, with advice."""

from __future__ import annotations

from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.azure.directory import AZURE_DEVOPS
from support.azure_user import AzureUser


def test_entra_refusal_warns_once_despite_its_trace_id(cloud: PracticeCloud, look_up: Lookups) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant, secret="mellon")
    # Another value of a login variable is another identity: no lookup is answered from memory.
    answers = look_up.each(
        *({"AZD_AUTH_CERT": str(number)} for number in range(4)),
        AZURE_CLIENT_ID=application.client_id,
        AZURE_CLIENT_SECRET="wrong",
        ARTIFACTS_KEYRING_NOFUSS_PROVIDER="client_secret",
    )
    assert [answer.credential for answer in answers] == [None] * 4
    assert len(cloud.log.requests("login.microsoftonline.com")) == 4
    assert [len(answer.warnings) for answer in answers] == [1, 0, 0, 0]
    assert "AADSTS7000215" in answers[0].warning
    assert "Trace ID" not in answers[0].warning


def test_account_without_first_sign_in_warns_once_with_the_page(
    cloud: PracticeCloud, look_up: Lookups, azure_user: AzureUser
) -> None:
    portals = {"dev.azure.com": "https://dev.azure.com/contoso", "visualstudio.com": "https://contoso.visualstudio.com"}
    cloud.azure.contoso.exchange.refuse = "TF401444"
    for form, portal in portals.items():
        url = cloud.azure.feed.url(form)
        first, *others = look_up.all(
            [LookUp(url), LookUp(url, "somebody"), LookUp(url, environment={"AZD_AUTH_CERT": AZURE_DEVOPS})]
        )
        assert first.credential is None
        assert f"open {portal} and sign in as {cloud.azure.user.name}" in first.warning
        assert "TF401444" in first.warning
        assert [(other.credential, other.warnings) for other in others] == [(None, [])] * 2
    assert len(cloud.log.requests("vssps.dev.azure.com")) == 4

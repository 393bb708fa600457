"""A failure is told once a process and cause, with what to do about it."""

from __future__ import annotations

from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.azure.directory import AZURE_DEVOPS
from support.azure_user import AzureUser


def test_a_refusal_of_entra_is_told_once_although_each_has_a_number_of_its_own(
    cloud: PracticeCloud, look_up: Lookups
) -> None:
    application = cloud.azure.directory.application("builder", cloud.azure.tenant, secret="mellon")
    # Another variable of Azure's is another identity: no look-up is answered from memory.
    answers = look_up.each(
        *({"AZURE_OTHER": str(number)} for number in range(4)),
        AZURE_CLIENT_ID=application.client_id,
        AZURE_CLIENT_SECRET="wrong",
        ARTIFACTS_KEYRING_NOFUSS_PROVIDER="client_secret",
    )
    assert [answer.credential for answer in answers] == [None] * 4
    assert len(cloud.log.requests("login.microsoftonline.com")) == 4
    assert [len(answer.warnings) for answer in answers] == [1, 0, 0, 0]
    assert "AADSTS7000215" in answers[0].warning
    assert "Trace ID" not in answers[0].warning


def test_an_account_that_never_signed_in_is_told_once_where_to_do_so_and_as_whom(
    cloud: PracticeCloud, look_up: Lookups, azure_user: AzureUser
) -> None:
    portals = {"dev.azure.com": "https://dev.azure.com/contoso", "visualstudio.com": "https://contoso.visualstudio.com"}
    cloud.azure.contoso.exchange.refuse = "TF401444"
    for form, portal in portals.items():
        url = cloud.azure.feed.url(form)
        first, *others = look_up.all(
            [LookUp(url), LookUp(url, "somebody"), LookUp(url, environment={"AZURE_OTHER": AZURE_DEVOPS})]
        )
        assert first.credential is None
        assert f"open {portal} and sign in as {cloud.azure.user.name}" in first.warning
        assert "TF401444" in first.warning
        assert [(other.credential, other.warnings) for other in others] == [(None, [])] * 2
    assert len(cloud.log.requests("vssps.dev.azure.com")) == 4

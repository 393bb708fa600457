"""User names and spellings of a URL, which do not change the answer."""

from __future__ import annotations

from lab.cloud import PracticeCloud
from lab.look_up import LookUp, Lookups
from lab.registries.azure.organisations import READ
from support.azure_user import AzureUser, with_user_name

# None, defaults of tools, what people write, and invalid ones.
USER_NAMES = [
    None,
    "",
    "VssSessionToken",
    "frodo@contoso.example",
    "bearer",
    "__token__",
    " ",
    "a:b",
    "Сэм",
    "\ud800",
    "x" * 5000,
]


def test_every_user_name_gets_the_same_answer(cloud: PracticeCloud, look_up: Lookups, azure_user: AzureUser) -> None:
    methods = ("get_credential", "get_password")
    url = cloud.azure.feed.url()
    answers = look_up.all([LookUp(url, user, method) for user in USER_NAMES for method in methods])
    [token] = cloud.azure.session_tokens.issued
    assert [answer.error for answer in answers] == [None] * len(answers)
    assert [answer.result for answer in answers] == [["VssSessionToken", token], token] * len(USER_NAMES)
    azure_user.assert_look_ups(READ)


def test_returned_user_name_gets_the_returned_password(cloud: PracticeCloud, look_up: Lookups) -> None:
    # A service principal has another user name than a person.
    builder = cloud.azure.directory.application("builder", cloud.azure.tenant)
    bearer = cloud.azure.directory.application_token(builder)
    url, variables = cloud.azure.feed.url(), {"ARTIFACTS_KEYRING_NOFUSS_TOKEN": bearer}
    first, second = look_up.all([LookUp(url), LookUp(url, "bearer", "get_password")], **variables)
    assert first.credential == ("bearer", bearer)
    assert second.result == bearer


def test_slash_and_user_information_make_no_difference(
    cloud: PracticeCloud, look_up: Lookups, azure_user: AzureUser
) -> None:
    url = cloud.azure.feed.url()
    shapes = [url, url.rstrip("/"), with_user_name(url), with_user_name(url, "frodo:mellon"), url.partition("//")[2]]
    answers = look_up.all([LookUp(shape) for shape in shapes])
    assert {answer.credential for answer in answers} == {("VssSessionToken", *cloud.azure.session_tokens.issued)}
    assert cloud.log.hosts_that_saw("mellon") == []
    azure_user.assert_look_ups(READ)

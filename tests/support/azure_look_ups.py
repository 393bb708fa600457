"""Azure lookups with different settings, in one process."""

from __future__ import annotations

from lab.cloud import PracticeCloud
from lab.look_up import Answer, LookUp, Lookups

TOKEN = "ARTIFACTS_KEYRING_NOFUSS_TOKEN"
RETRIES = "ARTIFACTS_KEYRING_NOFUSS_RETRIES"


class AzureLookUps:
    """Lookups in one process, each with its own variables and its own organisation."""

    def __init__(self, cloud: PracticeCloud, look_up: Lookups) -> None:
        self._cloud = cloud
        self._look_up = look_up
        self._token = cloud.azure.directory.user_token(cloud.azure.user)

    def __call__(self, settings: list[dict[str, str | None]], **variables: str | None) -> list[Answer]:
        names = {name for setting in settings for name in setting}
        look_ups = []
        for number, setting in enumerate(settings):
            made = self._cloud.azure.organisation(f"case-{number}", self._cloud.azure.tenant)
            look_ups.append(LookUp(made.feed("tools").url(), environment={**dict.fromkeys(names), **setting}))
        return self._look_up.all(look_ups, **{TOKEN: self._token, **variables})


def served(answers: list[Answer]) -> list[bool]:
    return [answer.credential is not None for answer in answers]

"""The provider az_devops: the personal access tokens that `az devops login` keeps in a file."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from lab.cloud import PracticeCloud
from lab.fake_programs import FakePrograms, az_token
from lab.look_up import LookUp, Lookups

PROVIDER = {"ARTIFACTS_KEYRING_NOFUSS_PROVIDER": "az_devops"}


def write(folder: Path, tokens: dict[str, str], mode: int = 0o600) -> Path:
    """The file as the extension writes it, with tokens by organisation's URL."""
    path = folder / "azuredevops" / "personalAccessTokens"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"[azdevops-cli:{url}]\npersonal access token = {pat}\n\n" for url, pat in tokens.items()))
    path.chmod(mode)
    return path


def test_token_of_az_devops_login_serves_its_organisation(
    cloud: PracticeCloud, look_up: Lookups, home: Path, tmp_path: Path
) -> None:
    write(home / ".azure", {" default": "of-nobody", "https://dev.azure.com/contoso": "planted"})
    write(tmp_path / "moved", {"https://contoso.visualstudio.com": "moved"})
    url, older = cloud.azure.feed.url(), "https://contoso.pkgs.visualstudio.com/_packaging/feed/pypi/simple/"
    urls = [url, older, url.replace("contoso", "CONTOSO"), url.replace("contoso", "contoso-evil")]
    answers = look_up.all([LookUp(url) for url in urls], **PROVIDER)
    assert [answer.credential for answer in answers] == [("VssSessionToken", "planted")] * 3 + [None]
    assert "no token for contoso-evil" in answers[-1].warning
    (moved,) = look_up.each({"AZURE_CONFIG_DIR": str(tmp_path / "moved")}, **PROVIDER)
    assert moved.credential == ("VssSessionToken", "moved")
    first, later = look_up.each({"AZURE_DEVOPS_EXT_PAT": "of-the-variable"}, {"AZURE_CLIENT_SECRET": "unused"})
    assert (first.served, later.served) == ("pat", "az_devops")
    assert cloud.log.connections() == [] and "planted" not in answers[0].text


@pytest.mark.skipif(sys.platform == "win32", reason="there are no permission bits on Windows")
def test_token_file_open_to_others_moves_on_to_az_with_a_warning(
    cloud: PracticeCloud, look_up: Lookups, fake_programs: FakePrograms, home: Path
) -> None:
    fake_programs.az(*az_token(cloud.azure.directory.user_token(cloud.azure.user)))
    path = write(home / ".azure", {"https://dev.azure.com/contoso": "planted"}, mode=0o644)
    answer = look_up()
    assert answer.served == "azure_cli" and "planted" not in answer.text
    assert "az_devops failed (other users have access to " in answer.warning
    assert f"chmod 600 {path}" in answer.warning
    write(home / ".azure", {"https://dev.azure.com/fabrikam": "planted"}, mode=0o644)
    assert look_up().warnings == []

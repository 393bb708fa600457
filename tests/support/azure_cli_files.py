"""The files that the Azure CLI keeps in `~/.azure`."""

from __future__ import annotations

import json
import time
from pathlib import Path

from lab.cloud import PracticeCloud
from lab.registries.azure.directory import AZURE_DEVOPS

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"


class AzureCliFiles:
    """The files that az keeps for Frodo, as az writes them."""

    def __init__(self, cloud: PracticeCloud, home: Path) -> None:
        self.cloud = cloud
        self.folder = home / ".azure"
        self.kept = cloud.azure.directory.user_token(cloud.azure.user)
        self.profile = {"subscriptions": [{"isDefault": True, "user": {"name": cloud.azure.user.name, "type": "user"}}]}
        person = {"home_account_id": "frodo.home", "environment": "login.microsoftonline.com"}
        self.token = {
            **person,
            "credential_type": "AccessToken",
            "client_id": AZURE_CLI,
            "realm": str(cloud.azure.tenant),
            "target": f"{AZURE_DEVOPS}/user_impersonation {AZURE_DEVOPS}/.default",
            "token_type": "Bearer",
            "secret": self.kept,
            "expires_on": str(int(time.time()) + 3000),
        }
        self.tokens = {
            "AccessToken": {"of-frodo": self.token},
            "Account": {"frodo": {**person, "username": cloud.azure.user.name}},
            "RefreshToken": {"of-frodo": {**person, "secret": "the-refresh-token"}},
        }

    def write(self, mode: int = 0o600) -> None:
        """Write both files; the one with the tokens with these permissions."""
        self.folder.mkdir(exist_ok=True)
        (self.folder / "azureProfile.json").write_text(json.dumps(self.profile), encoding="utf-8-sig")
        tokens = self.folder / "msal_token_cache.json"
        tokens.write_text(json.dumps(self.tokens), encoding="utf-8")
        tokens.chmod(mode)

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Content and modification time of each file."""
        return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in self.folder.iterdir()}

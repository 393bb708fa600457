"""Google's own library, google-auth, as a person's program uses it."""

from __future__ import annotations

import json
from pathlib import Path

from lab.clients import Client
from lab.cloud import PracticeCloud

_START = "import json, sys, warnings\nwarnings.simplefilter('ignore')\ngiven = json.load(sys.stdin)\n"
#: Prints a token for a credential file.
_SIGN_IN = """
import google.auth, google.auth.transport.requests
scopes = ["https://www.googleapis.com/auth/cloud-platform"]
credentials, _ = google.auth.load_credentials_from_dict(given, scopes=scopes)
credentials.refresh(google.auth.transport.requests.Request())
print(json.dumps(credentials.token))
"""
#: Prints a credential file as the library writes it.
_WRITE = """
from google.auth import aws, identity_pool, pluggable
from google.oauth2 import credentials
if given["type"] == "authorized_user":
    made = json.loads(credentials.Credentials.from_authorized_user_info(given).to_json())
    print(json.dumps({"type": given["type"], **made}))
else:
    source = given["credential_source"]
    kind = aws if "environment_id" in source else pluggable if "executable" in source else identity_pool
    print(json.dumps(kind.Credentials.from_info(given).info))
"""


class GoogleAuth:
    """Reads and writes credential files."""

    def __init__(self, cloud: PracticeCloud, client: Client, home: Path) -> None:
        self._cloud = cloud
        self._client = client
        self._home = home

    def written(self, content: dict[str, object]) -> dict[str, object]:
        """A credential file, read and written again."""
        return self._run(_WRITE, content)

    def principal(self, content: dict[str, object], **variables: str | None) -> str | None:
        """The account whose token it gets for a credential file."""
        return self._cloud.google.tokens.principal(self._run(_SIGN_IN, content, **variables))

    def _run(self, program: str, given: object, **variables: str | None):
        # Without it, the library asks for the project.
        environment = self._cloud.environment(self._home, GOOGLE_CLOUD_PROJECT="contoso-tools", **variables)
        ended = self._client.run(["python", "-c", _START + program], environment, stdin=json.dumps(given))
        return json.loads(ended.check().stdout)

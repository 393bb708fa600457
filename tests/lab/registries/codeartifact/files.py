"""The files of a person of AWS, as the AWS CLI and its user write them.

https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from ...clock import iso_time
from .accounts import AccessKey
from .identity_center import Session
from .sign_in import Login


class AwsFiles:
    """The files below ``.aws`` in a home directory."""

    def __init__(self, home: object) -> None:
        self.directory = Path(str(home), ".aws")

    def write_config(self, profiles: dict[str, dict[str, object]]) -> Path:
        """The configuration. Its sections are ``default``, ``profile NAME`` and ``sso-session NAME``."""
        return self._write("config", _sections(profiles))

    def write_credentials(self, profiles: dict[str, AccessKey]) -> Path:
        """The access keys of profiles, by their names."""
        return self._write("credentials", _sections({name: key.settings for name, key in profiles.items()}))

    def write_session(self, session: Session, name: str | None = None) -> Path:
        """The tokens of a login at the portal, for the ``sso-session`` of a name or for profiles without one."""
        content = session.legacy_file if name is None else session.file
        digest = hashlib.sha1((name or session.start_url).encode()).hexdigest()
        return self._write(f"sso/cache/{digest}.json", json.dumps(content))

    def write_login(self, login: Login) -> Path:
        """The tokens of ``aws login``."""
        digest = hashlib.sha256(login.arn.encode()).hexdigest()
        return self._write(f"login/cache/{digest}.json", json.dumps(login.file))

    def write_role_session(self, key: AccessKey, **arguments: object) -> Path:
        """The session of a role that the AWS CLI keeps, by the arguments of AssumeRole, such as ``SerialNumber``."""
        digest = hashlib.sha1(json.dumps(arguments, sort_keys=True).encode()).hexdigest()
        credentials = {
            "AccessKeyId": key.id,
            "SecretAccessKey": key.secret,
            "SessionToken": key.session_token,
            "Expiration": iso_time(key.expires),
        }
        content = {"Credentials": credentials, "AssumedRoleUser": {"Arn": key.caller}}
        return self._write(f"cli/cache/{digest}.json", json.dumps(content))

    def _write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.chmod(path, 0o600)
        return path


def _sections(sections: dict[str, dict[str, object]]) -> str:
    lines = []
    for name, settings in sections.items():
        lines += [f"[{name}]", *(f"{key} = {value}" for key, value in settings.items()), ""]
    return "\n".join(lines)

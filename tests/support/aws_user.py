"""A person of AWS who asks for tokens of CodeArtifact."""

from __future__ import annotations

import json
import os
from pathlib import Path

from lab.cloud import PracticeCloud
from lab.look_up import Answer, LookUp, Lookups
from lab.registries.codeartifact.accounts import ACCOUNT
from lab.registries.codeartifact.files import AwsFiles
from lab.registries.codeartifact.identity_center import START_URL, Session
from lab.registries.codeartifact.site import REGION

API = f"codeartifact.{REGION}.amazonaws.com"
STS = f"sts.{REGION}.amazonaws.com"
PORTAL = f"portal.sso.{REGION}.amazonaws.com"
OIDC = f"oidc.{REGION}.amazonaws.com"
SIGN_IN = f"{REGION}.signin.aws.amazon.com"

STRICT = {"RINGBEARER_STRICT": "1"}


def assumed(role: str, session: str = "ada") -> str:
    """The ARN of a session of a role."""
    return f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{session}"


class AwsUser:
    """A person without a login, who asks for the repository of the practice cloud."""

    def __init__(self, cloud: PracticeCloud, look_up: Lookups, home: Path) -> None:
        self.cloud = cloud
        self.look_up = look_up
        self.home = home
        self.aws = cloud.codeartifact
        self.files = AwsFiles(home)
        self.url = self.aws.repository.url
        self.key = self.aws.user

    def ask(self, **variables: str | None) -> Answer:
        """One lookup."""
        return self.look_up(self.url, **variables)

    def ask_each(self, *cases: dict[str, str], **variables: str | None) -> list[Answer]:
        """One lookup for each case, in one process; none is answered from the cache of another."""
        # A part of the cache key without any other effect.
        numbered = [{**case, "AWS_CREDENTIAL_EXPIRATION": f"number {number}"} for number, case in enumerate(cases)]
        return self.look_up.each(*numbered, service=self.url, **variables)

    def ask_with_files(self, *cases: dict[str, str], **variables: str | None) -> list[Answer]:
        """One lookup for each case of files (text by path), in one process."""
        return self.look_up.all(
            [
                LookUp(self.url, environment={"AWS_CREDENTIAL_EXPIRATION": f"number {number}"}, files=case)
                for number, case in enumerate(cases)
            ],
            **variables,
        )

    def caller(self, answer: Answer) -> str | None:
        """The ARN of the identity that a lookup's token belongs to; None without a token."""
        if answer.credential is None:
            return None
        username, token = answer.credential
        assert username == "aws"
        found = [one.tokens[token] for one in self.aws.authorization_tokens.domains if token in one.tokens]
        return found[0][0].caller if found else token

    def callers(self, answers: list[Answer]) -> list[str | None]:
        """Those of several lookups."""
        return [self.caller(answer) for answer in answers]

    def hosts(self) -> list[str]:
        """The hosts that were asked, in order."""
        return [request.host for request in self.cloud.log.requests()]

    def profile_with_role(self, name: str = "reader", **settings: object) -> str:
        """Lets the profile `corp` assume a role with the key of the profile `base`. Returns the role's ARN."""
        role = self.aws.accounts.role(name, self.key)
        self.files.write_credentials({"base": self.key})
        profile = {"role_arn": role.arn, "source_profile": "base", "role_session_name": "ada", **settings}
        self.files.write_config({"profile corp": profile})
        return role.arn

    def profile_with_sso(self, session: Session | None = None, *, is_legacy: bool = False) -> Path | None:
        """Lets the profile `corp` use the role `Reader` by SSO, with a login. Returns the path of the login."""
        self.aws.identity_center.assign("Reader")
        portal = {"sso_start_url": START_URL, "sso_region": REGION}
        profile = {"sso_account_id": ACCOUNT, "sso_role_name": "Reader"}
        if is_legacy:
            self.files.write_config({"profile corp": {**profile, **portal}})
        else:
            self.files.write_config({"profile corp": {**profile, "sso_session": "work"}, "sso-session work": portal})
        return session and self.files.write_session(session, None if is_legacy else "work")

    def write_keyringrc(self, text: str) -> Path:
        """The configuration of keyrings.codeartifact."""
        path = self.home / ".config" / "python_keyring" / "keyringrc.cfg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.chmod(path, 0o600)
        return path


def change(path: Path, **members: object) -> None:
    """Change members of a JSON file."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **members}))


def files_below(directory: Path) -> dict[str, bytes]:
    """The files below a directory, with their content."""
    return {str(path): path.read_bytes() for path in sorted(directory.rglob("*")) if path.is_file()}

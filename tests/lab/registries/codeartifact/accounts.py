"""The accounts of AWS: their users and roles, and the access keys of both."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from ...clock import Clock, iso_time

#: The account of the practice cloud's users.
ACCOUNT = "111122223333"

GET_TOKEN = "codeartifact:GetAuthorizationToken"
BEARER_TOKEN = "sts:GetServiceBearerToken"
READ = "codeartifact:ReadFromRepository"
PUBLISH = "codeartifact:PublishPackageVersion"
REFRESH_LOGIN = "signin:CreateOAuth2Token"


@dataclass(eq=False)
class AccessKey:
    """An access key of a user, or of a session if it has a session token."""

    id: str
    secret: str = field(repr=False)
    #: Whose requests are signed with it, and the user or the role that this is, by their ARNs.
    caller: str
    principal: str
    session_token: str | None = field(repr=False, default=None)
    #: Seconds since 1970.
    expires: float | None = None
    #: The actions that the user or the role may not do.
    denied: set[str] = field(default_factory=set)
    is_active: bool = True
    #: Secrets that users may have instead of the right one; the signatures of others are a client's mistake.
    wrong_secrets: list[str] = field(repr=False, default_factory=list)

    @property
    def account(self) -> str:
        """The account that it belongs to."""
        return self.caller.split(":")[4]

    @property
    def is_session_of_role(self) -> bool:
        """Whether it came from assuming a role."""
        return ":assumed-role/" in self.caller

    @property
    def variables(self) -> dict[str, str]:
        """The variables with it."""
        named = {"AWS_ACCESS_KEY_ID": self.id, "AWS_SECRET_ACCESS_KEY": self.secret}
        return {**named, "AWS_SESSION_TOKEN": self.session_token} if self.session_token else named

    @property
    def settings(self) -> dict[str, str]:
        """The keys of a profile with it."""
        return {name.lower(): value for name, value in self.variables.items()}

    @property
    def process_output(self) -> dict[str, object]:
        """What a program for ``credential_process`` prints."""
        printed: dict[str, object] = {"Version": 1, "AccessKeyId": self.id, "SecretAccessKey": self.secret}
        if self.session_token:
            printed["SessionToken"] = self.session_token
        if self.expires:
            printed["Expiration"] = iso_time(self.expires)
        return printed

    def wrong_secret(self) -> str:
        """A secret that a user mistook for that of this key."""
        self.wrong_secrets.append("wrong" + secrets.token_urlsafe(26))
        return self.wrong_secrets[-1]


@dataclass(eq=False)
class Role:
    """A role, and who may assume it."""

    arn: str
    #: ARNs of users and roles.
    trusted: list[str] = field(default_factory=list)
    #: Issuer, subject and audience of identity tokens.
    trusted_identities: list[tuple[str, str, str]] = field(default_factory=list)
    external_id: str | None = None
    #: The serial number and the present code of the device that must be used.
    mfa: tuple[str, str] | None = None
    #: Seconds of the longest session.
    maximum_duration: int = 3600
    denied: set[str] = field(default_factory=set)
    #: The access keys of its sessions, in order.
    sessions: list[AccessKey] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Without account and path."""
        return self.arn.rpartition("/")[2]

    def trust_identity(self, issuer: str, subject: str, audience: str = "sts.amazonaws.com") -> None:
        """Let identity tokens assume it."""
        self.trusted_identities.append((issuer, subject, audience))


class Accounts:
    """All users, roles and access keys."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._keys: dict[str, AccessKey] = {}
        self._roles: dict[str, Role] = {}

    def user(self, name: str, account: str = ACCOUNT) -> AccessKey:
        """Add a user. Returns an access key without an end."""
        arn = f"arn:aws:iam::{account}:user/{name}"
        # As AWS's secrets, it has characters that URLs and shells treat in special ways.
        secret = secrets.token_hex(18) + "/+" + secrets.token_hex(1)
        return self._add(AccessKey("AKIA" + _letters(), secret, arn, arn))

    def role(self, name: str, *trusted: AccessKey | Role, account: str = ACCOUNT, **rules: object) -> Role:
        """Add a role that the users of access keys, or other roles, may assume."""
        arns = [one.arn if isinstance(one, Role) else one.principal for one in trusted]
        made = Role(f"arn:aws:iam::{account}:role/{name}", arns, **rules)
        self._roles[made.arn] = made
        return made

    def find_role(self, arn: str) -> Role | None:
        """A role by its ARN."""
        return self._roles.get(arn)

    def session_of_role(self, role: Role, name: str, lifetime: float) -> AccessKey:
        """The access key of a session of a role."""
        account = role.arn.split(":")[4]
        caller = f"arn:aws:sts::{account}:assumed-role/{role.name}/{name}"
        made = self._session(caller, role.arn, role.denied, lifetime)
        role.sessions.append(made)
        return made

    def session_of_user(self, key: AccessKey, lifetime: float) -> AccessKey:
        """The access key of a session of a user."""
        return self._session(key.caller, key.principal, key.denied, lifetime)

    def find(self, access_key_id: str) -> AccessKey | None:
        """An access key by its id."""
        return self._keys.get(access_key_id)

    @property
    def secrets(self) -> list[str]:
        """The secrets and session tokens of all keys."""
        return [one for key in self._keys.values() for one in (key.secret, key.session_token) if one]

    def _session(self, caller: str, principal: str, denied: set[str], lifetime: float) -> AccessKey:
        token = "IQoJb3JpZ2luX2Vj//////////wEa" + secrets.token_urlsafe(300) + "+=="
        secret = secrets.token_hex(18) + "+/" + secrets.token_hex(1)
        ends = self._clock.now() + lifetime
        return self._add(AccessKey("ASIA" + _letters(), secret, caller, principal, token, ends, denied))

    def _add(self, key: AccessKey) -> AccessKey:
        self._keys[key.id] = key
        return key


def _letters() -> str:
    return "".join(secrets.choice("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") for _ in range(16))

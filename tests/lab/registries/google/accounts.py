"""The accounts of Google: people and their logins, service accounts and their keys."""

from __future__ import annotations

import functools
import secrets
import threading
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from .access_tokens import CLOUD_PLATFORM, EMAIL, SQL_LOGIN
from .refusals import Refused

PROJECT = "contoso-tools"
PROJECT_NUMBER = "123456789012"
UNIVERSE = "googleapis.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"
#: Those of keys that were made before.
OLD_TOKEN_URLS = ("https://accounts.google.com/o/oauth2/token", "https://www.googleapis.com/oauth2/v4/token")


@dataclass(frozen=True)
class Client:
    """A program that people sign in with. Its secret is public, since it is in every installation."""

    id: str
    secret: str = field(repr=False)


#: ``gcloud auth application-default login``, and ``gcloud auth login``; the secrets are those of the practice cloud.
APPLICATION_DEFAULT = Client(
    "764086051850-6qr4p6gpi6hn506pt8ejuq83di341hur.apps.googleusercontent.com", "practice-secret-of-adc"
)
GCLOUD = Client("32555940559.apps.googleusercontent.com", "practice-secret-of-gcloud")


@dataclass(eq=False)
class Login:
    """A refresh token of a person."""

    email: str
    client: Client
    refresh_token: str = field(repr=False)
    scopes: tuple[str, ...]
    #: Why it is refused; None while it is valid.
    failure: Refused | None = None
    #: The proof of a new reauthentication, with which it is accepted in spite of `failure`.
    rapt: str | None = None

    @property
    def file(self) -> dict[str, str]:
        """The credential file. gcloud leaves the account of application-default logins empty."""
        return {
            "account": "",
            "client_id": self.client.id,
            "client_secret": self.client.secret,
            "refresh_token": self.refresh_token,
            "type": "authorized_user",
            "universe_domain": UNIVERSE,
        }


@dataclass(eq=False)
class ServiceAccountKey:
    """A key of a service account, made when it is first needed."""

    id: str
    email: str
    number: int = field(repr=False)
    is_deleted: bool = False

    @property
    def private_key(self) -> str:
        """PEM of PKCS #8."""
        form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        return _rsa_key(self.number).private_bytes(*form).decode()

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """The public key, as Google stores it."""
        return _rsa_key(self.number).public_key()

    @property
    def file(self) -> dict[str, str]:
        """The file that the Console offers for download."""
        certificates = "https://www.googleapis.com"
        return {
            "type": "service_account",
            "project_id": PROJECT,
            "private_key_id": self.id,
            "private_key": self.private_key,
            "client_email": self.email,
            "client_id": "100000000000000000001",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": TOKEN_URL,
            "auth_provider_x509_cert_url": f"{certificates}/oauth2/v1/certs",
            "client_x509_cert_url": f"{certificates}/robot/v1/metadata/x509/{self.email.replace('@', '%40')}",
            "universe_domain": UNIVERSE,
        }


@dataclass(eq=False)
class ServiceAccount:
    """A service account."""

    email: str
    keys: list[ServiceAccountKey] = field(default_factory=list)
    #: The principals with ``roles/iam.serviceAccountTokenCreator`` or ``roles/iam.workloadIdentityUser`` for it.
    impersonators: set[str] = field(default_factory=set)
    is_disabled: bool = False

    @property
    def impersonation_url(self) -> str:
        """The path at which others get its tokens."""
        path = f"/v1/projects/-/serviceAccounts/{self.email}:generateAccessToken"
        return "https://iamcredentials.googleapis.com" + path


class Accounts:
    """All people and service accounts."""

    def __init__(self) -> None:
        self._logins: dict[str, Login] = {}
        self._service_accounts: dict[str, ServiceAccount] = {}
        self._key_count = 0

    def log_in(self, name: str, client: Client = APPLICATION_DEFAULT, scopes: tuple[str, ...] | None = None) -> Login:
        """Sign a person in. As Google's, the refresh token has a character that forms encode."""
        granted = (CLOUD_PLATFORM, EMAIL, "openid", SQL_LOGIN) if scopes is None else scopes
        made = Login(f"{name}@contoso.example", client, "1//0" + secrets.token_urlsafe(72), granted)
        self._logins[made.refresh_token] = made
        return made

    def find_login(self, refresh_token: str) -> Login | None:
        """A login by its refresh token."""
        return self._logins.get(refresh_token)

    def service_account(self, name: str, *impersonators: str) -> ServiceAccount:
        """Add a service account that these principals may impersonate."""
        email = f"{name}@{PROJECT}.iam.gserviceaccount.com"
        self._service_accounts[email] = ServiceAccount(email, impersonators=set(impersonators))
        return self._service_accounts[email]

    def find_service_account(self, email: str) -> ServiceAccount | None:
        """A service account by its e-mail address."""
        return self._service_accounts.get(email)

    def key(self, account: ServiceAccount) -> ServiceAccountKey:
        """Add a key to a service account."""
        made = ServiceAccountKey(secrets.token_hex(20), account.email, self._key_count)
        self._key_count += 1
        account.keys.append(made)
        return made

    @property
    def secrets(self) -> list[str]:
        """The refresh tokens and private keys."""
        keys = [key for account in self._service_accounts.values() for key in account.keys]
        return [*self._logins, *(_middle(key.private_key) for key in keys)]


def _middle(pem: str) -> str:
    """A line that only this PEM has. JSON escapes line ends, so no file contains the whole text."""
    return pem.splitlines()[4]


#: Two threads that need a key at once would make two without it.
_making = threading.Lock()


def _rsa_key(number: int) -> rsa.RSAPrivateKey:
    """The keys are shared by the clouds of a process, because they take long to make."""
    with _making:
        return _made(number)


@functools.cache
def _made(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)

"""The directory of Entra: tenants, users, applications, managed identities, public clients, and their tokens."""

from __future__ import annotations

import itertools
import uuid
from dataclasses import dataclass, field

from ... import tokens
from .certificates import ClientCertificate

#: Azure DevOps as a resource, the same GUID in every tenant.
AZURE_DEVOPS = "499b84ac-1321-427f-aa17-267ca6975798"
#: The client id of the Azure CLI, as its tokens carry it.
AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
#: The client id of artifacts-credprovider.
AZURE_ARTIFACTS = "d5a56ea4-7369-46b8-a538-c370805301bf"
#: The client id of Git Credential Manager.
VISUAL_STUDIO = "872cd9fa-d31f-45e0-9eab-6e460a02d1f1"
#: The home tenant of personal Microsoft accounts.
PERSONAL_ACCOUNTS = "9188040d-6c67-4c5b-b112-36a304b66dad"
#: The tenant that issues their tokens for Azure DevOps.
PERSONAL_TRANSFER = "f8cdef31-a31e-4b4a-93e4-5f571e91255a"
TOKEN_EXCHANGE_AUDIENCE = "api://AzureADTokenExchange"
_NAMESPACE = uuid.UUID("5f4b2a0e-7f5c-4d09-9f0e-1c2d3e4f5a6b")


def identifier(name: str) -> str:
    """A GUID derived from a name, so that failures are reproducible."""
    return str(uuid.uuid5(_NAMESPACE, name))


@dataclass(eq=False)
class Tenant:
    """One Entra tenant, with its policies for people who sign in."""

    domain: str
    id: str
    #: A second factor at every sign-in; a login without one is asked for it.
    requires_mfa: bool = False
    #: Seconds after which a person signs in again (AADSTS70043).
    sign_in_frequency: float | None = None
    #: People consent to an application before its first token.
    requires_consent: bool = False

    def __str__(self) -> str:
        return self.id


@dataclass(eq=False)
class User:
    """A user. ``refuse`` is the AADSTS code of every refresh, such as ``"50076"``."""

    name: str
    tenants: list[Tenant]
    object_id: str
    refuse: str | None = None
    password: str = "speak-friend-and-enter"
    #: The second factor.
    one_time_code: str = "271828"
    is_disabled: bool = False
    #: The applications with consent, by tenant: (client id, tenant id).
    consents: set[tuple[str, str]] = field(default_factory=set)

    @property
    def home(self) -> Tenant:
        """The home tenant; in the others, the user is a guest."""
        return self.tenants[0]

    @property
    def is_personal(self) -> bool:
        """Whether it is a personal Microsoft account."""
        return self.home.id == PERSONAL_ACCOUNTS

    @property
    def issuing_tenant(self) -> Tenant:
        """The tenant of its tokens where the client names none (``organizations``)."""
        return self.tenants[1] if self.is_personal else self.home

    def object_id_in(self, tenant: Tenant) -> str:
        """The object id in a tenant: a guest has another one than at home."""
        return self.object_id if tenant is self.home else identifier(f"guest {self.name} of {tenant.id}")


@dataclass(eq=False)
class PublicClient:
    """An application without credentials that people sign in to: one for every tenant."""

    client_id: str
    #: "Allow public client flows"; without it, device codes need a secret (AADSTS7000218).
    allows_public_flows: bool = True
    #: Whether its refresh tokens serve every application of Microsoft's family.
    is_family: bool = False


@dataclass
class FederatedCredential:
    """An issuer and subject that an application trusts (workload identity federation)."""

    issuer: str
    subject: str
    audience: str = TOKEN_EXCHANGE_AUDIENCE


@dataclass(eq=False)
class Application:
    """An app registration with its service principal, or a managed identity, which has no credentials."""

    client_id: str
    tenant: Tenant
    object_id: str
    secrets: set[str] = field(default_factory=set)
    certificates: list[ClientCertificate] = field(default_factory=list)
    federated: list[FederatedCredential] = field(default_factory=list)
    refuse: str | None = None
    managed: bool = False

    def trust(self, issuer: str, subject: str, audience: str = TOKEN_EXCHANGE_AUDIENCE) -> FederatedCredential:
        """Accept an issuer's tokens for a subject."""
        credential = FederatedCredential(issuer, subject, audience)
        self.federated.append(credential)
        return credential

    def certificate(self) -> ClientCertificate:
        """Register a new certificate."""
        made = ClientCertificate()
        self.certificates.append(made)
        return made


class Directory:
    """All tenants and their content."""

    def __init__(self) -> None:
        self.tenants: list[Tenant] = []
        self.users: list[User] = []
        self.applications: list[Application] = []
        family = PublicClient(AZURE_CLI, is_family=True)
        self.public_clients = [family, PublicClient(AZURE_ARTIFACTS), PublicClient(VISUAL_STUDIO)]
        self._secret_numbers = itertools.count(1)

    def tenant(self, domain: str) -> Tenant:
        """The tenant of a domain, made on first use."""
        found = self.find_tenant(domain)
        if found is None:
            found = Tenant(domain, identifier("tenant " + domain))
            self.tenants.append(found)
        return found

    def find_tenant(self, text: str) -> Tenant | None:
        """By id or domain."""
        wanted = text.lower()
        return next((tenant for tenant in self.tenants if wanted in (tenant.id, tenant.domain)), None)

    def user(self, name: str, *tenants: Tenant) -> User:
        """Add a user: the home tenant first, then tenants with a guest account."""
        user = User(name, list(tenants), identifier("user " + name))
        self.users.append(user)
        return user

    def personal_account(self, name: str, *tenants: Tenant) -> User:
        """Add a personal Microsoft account, with guest accounts in ``tenants``."""
        found = [self._tenant("live.example", PERSONAL_ACCOUNTS), self._tenant("transfer.example", PERSONAL_TRANSFER)]
        return self.user(name, *found, *tenants)

    def _tenant(self, domain: str, tenant_id: str) -> Tenant:
        found = self.find_tenant(tenant_id)
        if found is None:
            found = Tenant(domain, tenant_id)
            self.tenants.append(found)
        return found

    def find_user(self, name: str) -> User | None:
        """By user name, in any case."""
        return next((user for user in self.users if user.name.lower() == name.lower()), None)

    def user_of(self, claims: dict) -> User | None:
        """The user of a token's claims."""
        return next(
            (
                user
                for user in self.users
                for tenant in user.tenants
                if (claims.get("oid"), claims.get("tid")) == (user.object_id_in(tenant), tenant.id)
            ),
            None,
        )

    def public_client(self, client_id: str) -> PublicClient | None:
        """By client id."""
        return next((one for one in self.public_clients if one.client_id == client_id), None)

    def application(self, name: str, tenant: Tenant, secret: str | None = None) -> Application:
        """Add an app registration, with a secret if one is given."""
        application = Application(identifier("application " + name), tenant, identifier("service principal " + name))
        if secret is not None:
            application.secrets.add(secret)
        self.applications.append(application)
        return application

    def managed_identity(self, name: str, tenant: Tenant) -> Application:
        """Add a managed identity."""
        identity = self.application(name, tenant)
        identity.managed = True
        return identity

    def user_token(
        self,
        user: User,
        tenant: Tenant | None = None,
        audience: str = AZURE_DEVOPS,
        lifetime: float = 3600,
        **claims: object,
    ) -> str:
        """A token of a user. None removes a claim."""
        issuer = tenant or user.issuing_tenant
        common = {
            "idtyp": "user",
            "scp": "user_impersonation",
            "upn": user.name,
            "unique_name": user.name,
            "oid": user.object_id_in(issuer),
            "sub": identifier("sub " + user.name),
            "appid": AZURE_CLI,
        }
        return _mint(common, issuer, audience, lifetime, claims)

    def application_token(
        self, application: Application, audience: str = AZURE_DEVOPS, lifetime: float = 3600, **claims: object
    ) -> str:
        """A token of an application. None removes a claim."""
        common = {
            "idtyp": "app",
            "oid": application.object_id,
            "sub": application.object_id,
            "appid": application.client_id,
            "appidacr": "2",
        }
        return _mint(common, application.tenant, audience, lifetime, claims)


def _mint(common: dict[str, str], tenant: Tenant, audience: str, lifetime: float, changes: dict) -> str:
    claims = {
        "aud": audience,
        "iss": f"https://sts.windows.net/{tenant.id}/",
        "tid": tenant.id,
        "ver": "1.0",
        "uti": uuid.uuid4().hex[:22],
    }
    claims.update(common)
    claims.update(changes)
    return tokens.mint({name: value for name, value in claims.items() if value is not None}, lifetime)

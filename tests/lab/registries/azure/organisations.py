"""Azure DevOps organisations: their feeds, permissions and challenges."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field

from ... import tokens
from ...messages import HeaderList
from ...packages import Package, normalize
from .directory import AZURE_DEVOPS, Directory, Tenant, User, identifier

READ, WRITE, MANAGE = "vso.packaging", "vso.packaging_write", "vso.packaging_manage"
#: A wider scope contains the narrower ones.
_CONTAINS = {READ: {READ}, WRITE: {READ, WRITE}, MANAGE: {READ, WRITE, MANAGE}}
NO_TENANT = "00000000-0000-0000-0000-000000000000"
#: The audiences of tokens for Azure DevOps.
AUDIENCES = (AZURE_DEVOPS, "https://app.vssps.visualstudio.com", "https://app.vssps.visualstudio.com/")
PIPELINE_ISSUER = "app.vstoken.visualstudio.com"


@dataclass
class Challenge:
    """The headers of a 401, which name tenant and authority.

    ``headers`` overrides everything else, verbatim.
    """

    #: None leaves ``authorization_uri`` out: a bare ``Bearer``, as personal organisations send it.
    authorization_uri: str | None
    realm: str
    resource_tenants: list[str]
    authorization_endpoints: list[str]
    joined: bool = False
    quoted: bool = False
    reverse: bool = False
    status: int = 401
    headers: HeaderList | None = None

    def header_list(self) -> HeaderList:
        """The headers."""
        if self.headers is not None:
            return list(self.headers)
        bearer = "Bearer"
        if self.authorization_uri is not None:
            bearer += " authorization_uri=" + ('"{}"' if self.quoted else "{}").format(self.authorization_uri)
        schemes = [bearer, f'Basic realm="{self.realm}"', "TFS-Federated"]
        if self.reverse:
            schemes.reverse()
        lines = [", ".join(schemes)] if self.joined else schemes
        found: HeaderList = [("WWW-Authenticate", line) for line in lines]
        found += [("X-VSS-ResourceTenant", tenant) for tenant in self.resource_tenants]
        found += [("X-VSS-AuthorizationEndpoint", endpoint) for endpoint in self.authorization_endpoints]
        return found


@dataclass
class Exchange:
    """The answers of an organisation to requests for session tokens."""

    #: None, or a failure: TF401444 (never signed in), TF400813 (not authorised), VS403463 (Conditional Access), licence
    #: (402), unauthorized (an empty 401).
    refuse: str | None = None
    #: Answer 400 if the request has ``validTo``.
    rejects_valid_to: bool = False
    #: Lifetime of a token in seconds without ``validTo`` in the request, and its maximum with it.
    lifetime: float = 3600
    maximum_lifetime: float = 90 * 24 * 3600
    #: Whether the answer has ``validTo``.
    tells_valid_to: bool = True


@dataclass
class Grant:
    """The permissions of a password."""

    kind: str
    scopes: set[str]
    expires: float
    #: The organisation; None for all of the tenant.
    organisation: str | None
    tenant: str | None = None

    @property
    def may_write(self) -> bool:
        """Whether uploads are allowed."""
        return WRITE in self.scopes


@dataclass(eq=False)
class Feed:
    """A feed with its packages, of an organisation or of a project in it."""

    organisation: Organisation
    name: str
    project: str | None = None
    #: Whether its saved packages are public.
    public: bool = False
    id: str = ""
    project_id: str = ""
    packages: dict[str, list[Package]] = field(default_factory=dict)

    def add(self, *packages: Package) -> None:
        """Add packages to the feed."""
        for package in packages:
            self.packages.setdefault(normalize(package.name), []).append(package)

    def find(self, file_name: str) -> Package | None:
        """A package by its file name."""
        return next((one for some in self.packages.values() for one in some if one.file_name == file_name), None)

    def url(self, form: str = "dev.azure.com", suffix: str = "simple/") -> str:
        """The URL of the index: ``pkgs.dev.azure.com/{org}/...`` or ``{org}.pkgs.visualstudio.com/...``."""
        scope = "/" + self.project if self.project else ""
        base = self.organisation.packages_url(form)
        return f"{base}{scope}/_packaging/{self.name}/pypi/{suffix}"

    def upload_url(self, form: str = "dev.azure.com") -> str:
        """The URL for twine."""
        return self.url(form, "upload")

    def file_url(self, package: Package, form: str = "dev.azure.com") -> str:
        """The URL of a file: with GUIDs, not below the index."""
        scope = "/" + self.project_id if self.project_id else ""
        base = f"{self.organisation.packages_url(form)}{scope}/_packaging/{self.id}/pypi/download"
        return f"{base}/{normalize(package.name)}/{package.version}/{package.file_name}"


class Organisation:
    """One organisation. ``challenge`` and ``exchange`` control its answers."""

    def __init__(self, name: str, tenant: Tenant | None, directory: Directory) -> None:
        self.name = name
        #: None for an organisation of personal Microsoft accounts.
        self.tenant = tenant
        self.directory = directory
        self.feeds: list[Feed] = []
        self.exchange = Exchange()
        self.challenge = Challenge(
            authorization_uri="https://login.windows.net/" + tenant.id if tenant else None,
            realm="https://pkgsprodcus1.pkgs.visualstudio.com/",
            resource_tenants=[tenant.id if tenant else NO_TENANT],
            authorization_endpoints=[f"https://vssps.dev.azure.com/{name}/"],
        )
        #: Object ids without access.
        self.denied: set[str] = set()
        #: The blob storage account its downloads redirect to.
        self.blob_host = "{}.blob.core.windows.net".format(identifier("blobs of " + name).replace("-", "")[:20])
        self._lock = threading.Lock()
        self._grants: dict[str, Grant] = {}

    def feed(self, name: str, project: str | None = None, public: bool = False) -> Feed:
        """Add a feed."""
        where = f"{self.name}/{project}/"
        project_id = identifier("project " + where) if project else ""
        feed = Feed(self, name, project, public, identifier("feed " + where + name), project_id)
        self.feeds.append(feed)
        return feed

    def packages_url(self, form: str = "dev.azure.com") -> str:
        """The base URL of all feeds, without a trailing slash."""
        if form in ("dev.azure.com", "codedev.ms"):
            return f"https://pkgs.{form}/{self.name}"
        return f"https://{self.name}.pkgs.{form}"

    @property
    def authority(self) -> str:
        """The base URL of session tokens."""
        return f"https://vssps.dev.azure.com/{self.name}/"

    def personal_access_token(self, *scopes: str, lifetime: float = 3600) -> str:
        """Create a PAT, by default one that reads packages."""
        token = secrets.token_hex(26)
        granted = set().union(*(_CONTAINS[scope] for scope in scopes or (READ,)))
        self.allow(token, Grant("pat", granted, time.time() + lifetime, self.name))
        return token

    def pipeline_token(self, lifetime: float = 3600) -> str:
        """SYSTEM_ACCESSTOKEN of a pipeline: a JWT issued by Azure DevOps itself."""
        claims = {
            "nameid": identifier("build service of " + self.name),
            "scp": "app_token",
            "aui": secrets.token_hex(8),
            "iss": PIPELINE_ISSUER,
            "aud": "{}|vso:{}".format(PIPELINE_ISSUER, identifier("organisation " + self.name)),
        }
        token = tokens.mint(claims, lifetime)
        self.allow(token, Grant("pipeline", {READ, WRITE}, time.time() + lifetime, self.name))
        return token

    def session_token(self, user: User, scope: str, lifetime: float) -> str:
        """Issue a session token, as the exchange does for a valid request."""
        claims = {
            "nameid": user.object_id,
            "scp": scope,
            "aui": secrets.token_hex(8),
            "appid": AZURE_DEVOPS,
            "iss": PIPELINE_ISSUER,
            "aud": PIPELINE_ISSUER,
        }
        token = tokens.mint(claims, lifetime)
        granted = set().union(*(_CONTAINS.get(one, {one}) for one in scope.split()))
        self.allow(token, Grant("session", granted, time.time() + lifetime, self.name))
        return token

    def allow(self, password: str, grant: Grant) -> None:
        """Accept a password."""
        with self._lock:
            self._grants[password] = grant

    def withdraw(self, password: str) -> None:
        """Revoke a password."""
        with self._lock:
            del self._grants[password]

    def check(self, password: str) -> Grant | None:
        """The permissions of a password; None if it is invalid.

        Entra tokens of applications are passwords; those of users must be exchanged.
        """
        with self._lock:
            grant = self._grants.get(password)
        if grant is None:
            grant = self._check_application(password)
        return grant if grant is not None and grant.expires > time.time() else None

    def _check_application(self, password: str) -> Grant | None:
        claims = tokens.verify(password) if password.count(".") == 2 else None
        if claims is None or claims.get("aud") not in AUDIENCES or not is_application(claims):
            return None
        if self.tenant is None or claims.get("tid") != self.tenant.id or claims.get("oid") in self.denied:
            return None
        return Grant("application", {READ, WRITE}, float(claims["exp"]), self.name)


def is_application(claims: dict) -> bool:
    """Whether an Entra token belongs to an application rather than to a person."""
    if "idtyp" in claims:
        return claims["idtyp"] == "app"
    return "scp" not in claims

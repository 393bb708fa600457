"""login.microsoftonline.com: the OAuth 2.0 endpoints of Entra (RFC 6749, RFC 8628, RFC 7523).

Instance discovery, OpenID configuration, the sign-in page, device codes, and the token endpoint for applications and
for people. A test writes::

    ada = cloud.entra.add_user("ada@contoso.example", guest_of=[fabrikam])
    cloud.azure.tenant.requires_mfa = True          # a second page; a refresh without it is refused
    cloud.entra.refuse("53003", user=ada)           # every request, or those of one tenant or grant
    cloud.entra.change_password(ada)                # her logins have ended
    cloud.entra.person.enters_next(ada)             # a device code, on another device
    assert cloud.entra.mistakes == []               # what the client should have sent

- `errors`: the AADSTS codes and their answers
- `applications`: client secrets and assertions
- `authorize`, `pages`: the sign-in in a browser
- `device_codes`: the sign-in on another device
- `logins`: refresh tokens, what ends them and what refuses them
- `requirements`: what a careful client sends
"""

from __future__ import annotations

from collections.abc import Iterable

from .... import tokens
from ....messages import Request, Response, html_response, json_response, not_found
from ....sites import Sites
from ..directory import AZURE_ARTIFACTS, Directory, PublicClient, Tenant, User
from . import requirements
from .applications import application_token
from .authorize import AuthorizationEndpoint, client_info
from .device_codes import DeviceCodes, Person
from .errors import Refused
from .logins import Login, Logins, Refusal
from .pages import error_page

HOSTS = (
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "sts.windows.net",
)
ANY_TENANT = ("common", "organizations", "consumers")


class Entra:
    """The login hosts of the accounts in `directory`."""

    def __init__(self, sites: Sites, directory: Directory) -> None:
        self.directory = directory
        #: The user who completes every device code at once; None leaves it to `person`.
        self.device_user: User | None = None
        #: Lifetime of a token in seconds.
        self.lifetime = 3599
        #: Fields of the answers to people that are replaced; None removes one.
        self.changes: dict[str, object] = {}
        #: Issued access tokens, by grant.
        self.issued: list[tuple[str, str]] = []
        #: Everything else that is secret, in the order of issue: codes, refresh tokens, ID tokens.
        self._issued_secrets: list[str] = []
        self._mistakes: list[str] = []
        self.logins = Logins()
        self.authorizations = AuthorizationEndpoint(directory, self.logins)
        self.device_codes = DeviceCodes(self.logins)
        #: Someone who enters device codes.
        self.person = Person(self.device_codes)
        for host in HOSTS:
            sites.add(host, self.answer)

    # -- people

    def add_user(
        self,
        name: str,
        password: str | None = None,
        home: Tenant | None = None,
        guest_of: Iterable[Tenant] = (),
    ) -> User:
        """Add a user, by default at home in the tenant of the domain; a guest in other tenants."""
        user = self.directory.user(name, home or self.directory.tenant(name.partition("@")[2]), *guest_of)
        user.password = password or user.password
        return user

    def add_personal_account(self, name: str, password: str | None = None, guest_of: Iterable[Tenant] = ()) -> User:
        """Add a personal Microsoft account, whose refresh tokens ``organizations`` refuses."""
        user = self.directory.personal_account(name, *guest_of)
        user.password = password or user.password
        return user

    def add_client(self, client_id: str, allows_public_flows: bool = True) -> PublicClient:
        """Register an application that people sign in to."""
        made = PublicClient(client_id, allows_public_flows)
        self.directory.public_clients.append(made)
        return made

    def sign_in(self, user: User, client_id: str = AZURE_ARTIFACTS, mfa: Iterable[Tenant] = ()) -> str:
        """A refresh token, as from an earlier sign-in with a second factor in the tenants ``mfa``."""
        login = self.logins.begin(user, client_id)
        login.mfa.update(mfa)
        return self.logins.issue(login)

    def expire_login(self, user: User) -> None:
        """Let 90 days pass since every use of a user's logins (AADSTS700082)."""
        self.logins.forget_use(user)

    def change_password(self, user: User, password: str | None = None) -> None:
        """End a user's logins (AADSTS50173)."""
        user.password = password or user.password + "-changed"
        self.logins.end(user, "50173")

    def revoke(self, user: User, code: str = "50173") -> None:
        """End a user's logins, as an administrator does; `code` is any AADSTS code."""
        self.logins.end(user, code)

    def refuse(
        self,
        code: str,
        user: User | None = None,
        tenant: Tenant | None = None,
        grant: str | None = None,
        times: int | None = None,
        error: str | None = None,
        suberror: str | None = None,
        claims: str | None = None,
    ) -> Refusal:
        """Refuse requests of people by an AADSTS code, ``times`` times (None: always).

        ``grant`` is ``authorize`` (the browser brings the error to the client), ``authorization_code``,
        ``device_code`` or ``refresh_token``. ``error`` and ``suberror`` replace those of the code;
        ``claims`` is a challenge, as JSON, that the client brings to ``authorize``.
        """
        rule = Refusal(code, user, tenant, grant, times, error, suberror, claims)
        self.logins.refusals.append(rule)
        return rule

    # -- what was seen

    @property
    def mistakes(self) -> list[str]:
        """What clients sent in another way than a careful one does, as sentences (see `requirements`)."""
        return self._mistakes + self.device_codes.mistakes

    @property
    def refresh_tokens(self) -> list[str]:
        """All of them, oldest first."""
        return self.logins.issued

    @property
    def secrets(self) -> list[str]:
        """Every code and token that people got, to search for where none may be."""
        codes = [one.code for one in self.authorizations.opened if one.code]
        codes += [one.code for one in self.device_codes.codes]
        return codes + self.logins.issued + [token for _, token in self.issued] + self._issued_secrets

    # -- endpoints

    def answer(self, request: Request) -> Response:
        """Dispatch by path."""
        segments = request.segments
        if segments[1:] == ["discovery", "instance"]:
            return self._instance_discovery(request)
        if segments[-2:] == [".well-known", "openid-configuration"]:
            return self._openid_configuration(request, segments[0])
        if segments[-1:] == ["keys"]:
            return json_response({"keys": [tokens.web_key()]})
        if segments[1:] in (["oauth2", "v2.0", "token"], ["oauth2", "token"]) and request.method == "POST":
            return self._answer_or_refuse(self._token, request, segments[0])
        if segments[1:] in (["oauth2", "v2.0", "devicecode"], ["oauth2", "devicecode"]):
            return self._answer_or_refuse(self._device_code, request, segments[0])
        if segments[1:] == ["oauth2", "v2.0", "authorize"]:
            return self._authorize(request, segments[0])
        if len(segments) == 3 and segments[1] == "login":
            return self.authorizations.step(request)
        if segments[:2] == ["common", "userrealm"] or segments[1:2] == ["userrealm"]:
            return json_response({"ver": "1.0", "account_type": "Managed", "cloud_instance_name": HOSTS[0]})
        if segments in ([], ["common", "oauth2", "authorize"]) or segments[1:] == ["oauth2", "authorize"]:
            return html_response("<html><title>Sign in to your account</title></html>")
        return not_found()

    def _answer_or_refuse(self, handle, request: Request, tenant_name: str) -> Response:
        try:
            return handle(request, self._tenant(tenant_name), tenant_name)
        except Refused as refused:
            return refused.response()

    def _tenant(self, name: str) -> Tenant | None:
        if name.lower() in ANY_TENANT:
            return None
        tenant = self.directory.find_tenant(name)
        if tenant is None:
            raise Refused("90002", tenant=name)
        return tenant

    def _instance_discovery(self, request: Request) -> Response:
        return json_response(
            {
                "tenant_discovery_endpoint": request.parameters.get("authorization_endpoint", "").replace(
                    "/oauth2/v2.0/authorize", "/v2.0/.well-known/openid-configuration"
                ),
                "api-version": "1.1",
                "metadata": [
                    {
                        "preferred_network": "login.microsoftonline.com",
                        "preferred_cache": "login.windows.net",
                        "aliases": [
                            "login.microsoftonline.com",
                            "login.windows.net",
                            "login.microsoft.com",
                            "sts.windows.net",
                        ],
                    }
                ],
            }
        )

    def _openid_configuration(self, request: Request, tenant_name: str) -> Response:
        try:
            tenant = self._tenant(tenant_name)
        except Refused as refused:
            return refused.response()
        base = f"https://{request.host}/{tenant.id if tenant else tenant_name}"
        return json_response(
            {
                "issuer": "https://login.microsoftonline.com/{}/v2.0".format(tenant.id if tenant else "{tenantid}"),
                "authorization_endpoint": base + "/oauth2/v2.0/authorize",
                "token_endpoint": base + "/oauth2/v2.0/token",
                "device_authorization_endpoint": base + "/oauth2/v2.0/devicecode",
                "end_session_endpoint": base + "/oauth2/v2.0/logout",
                "jwks_uri": base + "/discovery/v2.0/keys",
                "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "tenant_region_scope": None,
                "cloud_instance_name": "microsoftonline.com",
            }
        )

    def _authorize(self, request: Request, tenant_name: str) -> Response:
        self._mistakes += requirements.authorize_mistakes(request)
        try:
            return self.authorizations.open(request, self._tenant(tenant_name), tenant_name)
        except Refused as refused:
            return error_page(refused.describe())

    def _device_code(self, request: Request, tenant: Tenant | None, tenant_name: str) -> Response:
        self._mistakes += requirements.device_code_mistakes(request)
        form = {**request.parameters, **request.form}
        client = self._client(form, tenant_name)
        if not form.get("scope") and not form.get("resource"):
            raise Refused("900144", detail="scope")
        return json_response(self.device_codes.issue(client, tenant, form.get("scope", ""), self.device_user))

    def _client(self, form: dict[str, str], tenant_name: str) -> PublicClient:
        client_id = form.get("client_id", "")
        client = self.directory.public_client(client_id)
        if client is None:
            raise Refused("700016", client=client_id, tenant=tenant_name)
        return client

    def _token(self, request: Request, tenant: Tenant | None, tenant_name: str) -> Response:
        form = request.form
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            token = application_token(self.directory, request, tenant, tenant_name, self.lifetime)
            self.issued.append((grant, token))
            times = {"expires_in": self.lifetime, "ext_expires_in": self.lifetime}
            return json_response({"token_type": "Bearer", **times, "access_token": token})
        self._mistakes += requirements.token_mistakes(request)
        if grant not in ("authorization_code", "refresh_token", *requirements.DEVICE_CODE_GRANTS):
            raise Refused("70003", grant=grant)
        client = self._client(form, tenant_name)
        if grant == "refresh_token":
            login, target = self.logins.redeem(form.get("refresh_token", ""), client, tenant, tenant_name)
            return self._user_answer(form, login, target)
        if grant == "authorization_code":
            found, login = self.authorizations.redeem(form, client, tenant)
            scope = form.get("scope") or found.parameters["scope"]
            return self._user_answer({**form, "scope": scope}, login, found.target, found.parameters.get("nonce"))
        if not client.allows_public_flows:
            raise Refused("7000218")
        code = self.device_codes.poll(form.get("device_code", form.get("code", "")), client)
        if isinstance(code, Response):
            return code
        assert code.user is not None
        target = tenant or code.user.issuing_tenant
        return self._user_answer({"scope": code.scope, **form}, self.device_codes.approve(code, target), target)

    def _user_answer(self, form: dict[str, str], login: Login, target: Tenant, nonce: str | None = None) -> Response:
        user, client_id, grant = login.user, login.client_id, form["grant_type"]
        wanted = form.get("scope", "").split()
        scopes = [one for one in wanted if one not in ("openid", "profile", "offline_access")]
        audience = scopes[0].rpartition("/")[0] if scopes else form.get("resource", "")
        name = user.name.partition("@")[0]
        methods = ["pwd", "mfa"] if target in login.mfa else ["pwd"]
        claims = {"name": name, "appid": client_id, "amr": methods}
        token = self.directory.user_token(user, target, audience, self.lifetime, **claims)
        self.issued.append((grant, token))
        answer = {
            "token_type": "Bearer",
            "scope": " ".join([f"{audience}/user_impersonation", *scopes]),
            "expires_in": self.lifetime,
            "ext_expires_in": self.lifetime,
            "access_token": token,
        }
        if self.lifetime > 1:
            answer["refresh_in"] = self.lifetime // 2
        if "offline_access" in wanted or grant == "refresh_token":
            answer["refresh_token"] = self.logins.issue(login)
        if "openid" in wanted:
            answer["id_token"] = self._id_token(login, target, nonce)
            self._issued_secrets.append(answer["id_token"])
        if form.get("client_info") == "1":
            answer["client_info"] = client_info(user)
        client = self.directory.public_client(client_id)
        if client is not None and client.is_family:
            # The refresh token then serves every application of the family, like that of the Azure CLI.
            answer["foci"] = "1"
        changed = {**answer, **self.changes}
        return json_response({name: value for name, value in changed.items() if value is not None})

    def _id_token(self, login: Login, target: Tenant, nonce: str | None) -> str:
        user = login.user
        claims = {
            "aud": login.client_id,
            "iss": f"https://login.microsoftonline.com/{target.id}/v2.0",
            "name": user.name.partition("@")[0],
            "oid": user.object_id_in(target),
            "preferred_username": user.name,
            "sub": user.object_id_in(target),
            "tid": target.id,
            "ver": "2.0",
        }
        return tokens.mint({**claims, "nonce": nonce} if nonce else claims, self.lifetime)

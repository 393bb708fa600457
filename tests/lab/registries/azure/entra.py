"""login.microsoftonline.com: the OAuth 2.0 endpoints of Entra (RFC 6749, RFC 8628, RFC 7523).

The part that the Azure CLI and plain HTTP clients use: instance discovery, OpenID configuration, device codes,
and the token endpoint for client secrets, certificate and federated assertions, device codes and refresh tokens.
"""

from __future__ import annotations

import datetime
import itertools
import json
import secrets
import threading
import uuid

from ... import tokens
from ...messages import Request, Response, html_response, json_response, not_found
from ...sites import Sites
from .certificates import assertion_header, problem_of
from .directory import Application, Directory, Tenant, User

HOSTS = (
    "login.microsoftonline.com",
    "login.windows.net",
    "login.microsoft.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "sts.windows.net",
)
ANY_TENANT = ("common", "organizations", "consumers")
_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_DEVICE_CODE_GRANTS = ("urn:ietf:params:oauth:grant-type:device_code", "device_code")

#: Code: (OAuth error, status, text), with Entra's wording.
ERRORS: dict[str, tuple[str, int, str]] = {
    "7000215": (
        "invalid_client",
        401,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
        "not the client secret ID, for a secret added to app '{client}'.",
    ),
    "7000222": ("invalid_client", 401, "The provided client secret keys for app '{client}' are expired."),
    "7000218": (
        "invalid_client",
        401,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    "700027": (
        "invalid_client",
        401,
        "The certificate with identifier used to sign the client assertion is not registered on application, or the "
        "assertion is invalid. [Reason - {detail}]",
    ),
    "700016": (
        "unauthorized_client",
        400,
        "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    "70021": (
        "invalid_client",
        401,
        "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. "
        "Assertion Subject: '{subject}'. Assertion Audience: '{audience}'.",
    ),
    "90002": (
        "invalid_request",
        400,
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud.",
    ),
    "50059": (
        "invalid_request",
        400,
        "No tenant-identifying information found in either the request or implied by any provided credentials.",
    ),
    "50020": (
        "invalid_grant",
        400,
        "User account '{user}' does not exist in tenant '{tenant}' and cannot access the application in that tenant.",
    ),
    "50076": (
        "interaction_required",
        400,
        "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
        "use multi-factor authentication to access '{resource}'.",
    ),
    "50079": (
        "interaction_required",
        400,
        "Due to a configuration change made by your administrator, you must enroll in multi-factor authentication to "
        "access '{resource}'.",
    ),
    "53003": (
        "access_denied",
        400,
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
    ),
    "50097": ("interaction_required", 400, "Device authentication is required."),
    "700082": ("invalid_grant", 400, "The refresh token has expired due to inactivity."),
    "70016": ("authorization_pending", 400, "OAuth 2.0 device flow error. Authorization is pending. Continue polling."),
    "70019": ("bad_verification_code", 400, "Verification code expired."),
    "1002012": (
        "invalid_scope",
        400,
        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
        "/.default suffixed to the resource identifier (application ID URI).",
    ),
    "70003": ("unsupported_grant_type", 400, "The app requested an unsupported grant type '{grant}'."),
    "90023": ("temporarily_unavailable", 503, "The service is temporarily unavailable. Please retry later."),
}


class _Refused(Exception):
    """An error answer of Entra."""

    def __init__(self, code: str, **details: str) -> None:
        super().__init__(code)
        self.code = code
        self.details = details


class Entra:
    """The login hosts of the accounts in `directory`."""

    def __init__(self, sites: Sites, directory: Directory) -> None:
        self.directory = directory
        #: The user who completes a device code; None leaves the code pending.
        self.device_user: User | None = None
        #: Lifetime of a token in seconds.
        self.lifetime = 3599
        #: Issued tokens, by grant.
        self.issued: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._refresh_tokens: dict[str, User] = {}
        self._device_codes: dict[str, User | None] = {}
        for host in HOSTS:
            sites.add(host, self.answer)

    def sign_in(self, user: User) -> str:
        """A refresh token, as from an earlier interactive sign-in."""
        token = "1.practice-refresh-token-" + secrets.token_urlsafe(16)
        with self._lock:
            self._refresh_tokens[token] = user
        return token

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
        if segments[:2] == ["common", "userrealm"] or segments[1:2] == ["userrealm"]:
            return json_response({"ver": "1.0", "account_type": "Managed", "cloud_instance_name": HOSTS[0]})
        if segments in ([], ["common", "oauth2", "authorize"]) or segments[1:] == ["oauth2", "authorize"]:
            return html_response("<html><title>Sign in to your account</title></html>")
        return not_found()

    def _answer_or_refuse(self, handle, request: Request, tenant_name: str) -> Response:
        try:
            return handle(request, self._tenant(tenant_name), tenant_name)
        except _Refused as refused:
            return error_response(refused.code, **refused.details)

    def _tenant(self, name: str) -> Tenant | None:
        if name.lower() in ANY_TENANT:
            return None
        tenant = self.directory.find_tenant(name)
        if tenant is None:
            raise _Refused("90002", tenant=name)
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
        except _Refused as refused:
            return error_response(refused.code, **refused.details)
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

    def _device_code(self, request: Request, tenant: Tenant | None, tenant_name: str) -> Response:
        number = next(self._numbers)
        user_code = f"PRACTICE{number}"
        device_code = "practice-device-code-" + secrets.token_urlsafe(16)
        self._device_codes[device_code] = self.device_user
        return json_response(
            {
                "user_code": user_code,
                "device_code": device_code,
                "verification_uri": "https://microsoft.com/devicelogin",
                "expires_in": 900,
                "interval": 1,
                "message": "To sign in, use a web browser to open the page https://microsoft.com/devicelogin and enter "
                f"the code {user_code} to authenticate.",
            }
        )

    def _token(self, request: Request, tenant: Tenant | None, tenant_name: str) -> Response:
        form = request.form
        grant = form.get("grant_type", "")
        if grant == "client_credentials":
            return self._client_credentials(request, form, tenant, tenant_name)
        if grant in _DEVICE_CODE_GRANTS:
            code = form.get("device_code", form.get("code", ""))
            if code not in self._device_codes:
                raise _Refused("70019")
            user = self._device_codes[code]
            if user is None:
                raise _Refused("70016")
            return self._user_answer(form, user, tenant, grant)
        if grant == "refresh_token":
            with self._lock:
                user = self._refresh_tokens.get(form.get("refresh_token", ""))
            if user is None:
                raise _Refused("700082")
            return self._user_answer(form, user, tenant, grant)
        raise _Refused("70003", grant=grant)

    def _client_credentials(
        self, request: Request, form: dict[str, str], tenant: Tenant | None, tenant_name: str
    ) -> Response:
        if tenant is None:
            raise _Refused("50059")
        client = form.get("client_id", "")
        application = next(
            (one for one in self.directory.applications if one.client_id == client and one.tenant is tenant), None
        )
        if application is None or application.managed:
            raise _Refused("700016", client=client, tenant=tenant_name)
        self._authenticate(request, form, application)
        scope = form.get("scope") or form.get("resource", "") + "/.default"
        if not scope.endswith("/.default") or " " in scope:
            raise _Refused("1002012", scope=scope)
        audience = scope[: -len("/.default")]
        if application.refuse:
            raise _Refused(application.refuse, resource=audience, client=client, tenant=tenant_name)
        token = self.directory.application_token(application, audience, self.lifetime)
        self.issued.append(("client_credentials", token))
        return json_response(
            {
                "token_type": "Bearer",
                "expires_in": self.lifetime,
                "ext_expires_in": self.lifetime,
                "access_token": token,
            }
        )

    def _authenticate(self, request: Request, form: dict[str, str], application: Application) -> None:
        if "client_secret" in form:
            if form["client_secret"] not in application.secrets:
                raise _Refused("7000215", client=application.client_id)
            return
        assertion = form.get("client_assertion")
        if not assertion or form.get("client_assertion_type") != _JWT_BEARER:
            raise _Refused("7000218")
        header = assertion_header(assertion)
        if "x5t#S256" in header or ("x5t" in header and header.get("kid") != tokens.KEY_NAME):
            base = f"https://{request.host}/{request.segments[0]}"
            audiences = (base + "/oauth2/v2.0/token", base + "/v2.0")
            problem = problem_of(assertion, application.certificates, application.client_id, audiences)
            if problem:
                raise _Refused("700027", detail=problem)
            return
        claims = tokens.verify(assertion) or {}
        for credential in application.federated:
            if (claims.get("iss"), claims.get("sub"), claims.get("aud")) == (
                credential.issuer,
                credential.subject,
                credential.audience,
            ):
                return
        shown = claims or tokens.read(assertion) or {}
        raise _Refused(
            "70021", issuer=shown.get("iss", ""), subject=shown.get("sub", ""), audience=shown.get("aud", "")
        )

    def _user_answer(self, form: dict[str, str], user: User, tenant: Tenant | None, grant: str) -> Response:
        target = tenant or user.home
        scopes = [one for one in form.get("scope", "").split() if one not in ("openid", "profile", "offline_access")]
        audience = scopes[0].rpartition("/")[0] if scopes else form.get("resource", "")
        if target not in user.tenants:
            raise _Refused("50020", user=user.name, tenant=target.id)
        if user.refuse and grant == "refresh_token":
            raise _Refused(user.refuse, resource=audience)
        token = self.directory.user_token(user, target, audience, self.lifetime, name=user.name.partition("@")[0])
        self.issued.append((grant, token))
        client = form.get("client_id", "")
        id_claims = {
            "aud": client,
            "iss": f"https://login.microsoftonline.com/{target.id}/v2.0",
            "name": user.name.partition("@")[0],
            "oid": user.object_id,
            "preferred_username": user.name,
            "sub": user.object_id,
            "tid": target.id,
            "ver": "2.0",
        }
        info = json.dumps({"uid": user.object_id, "utid": user.home.id}).encode()
        return json_response(
            {
                "token_type": "Bearer",
                "scope": " ".join(scopes),
                "expires_in": self.lifetime,
                "ext_expires_in": self.lifetime,
                "access_token": token,
                "refresh_token": self.sign_in(user),
                "id_token": tokens.mint(id_claims, self.lifetime),
                "client_info": tokens.encode_segment(info),
                # The refresh token then serves every application of the family, like that of the Azure CLI.
                "foci": "1",
            }
        )


def error_response(code: str, **details: str) -> Response:
    """An error as Entra sends it: the AADSTS code in the description and in ``error_codes``."""
    error, status, text = ERRORS[code]
    known = {"client": "", "tenant": "", "resource": "", "user": "", "detail": "", "scope": "", "grant": ""}
    known.update(details)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    description = (
        f"AADSTS{code}: {text.format(**known)} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}"
    )
    body = {
        "error": error,
        "error_description": description,
        "error_codes": [int(code)],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": "https://login.microsoftonline.com/error?code=" + code,
    }
    if error == "interaction_required":
        body["suberror"] = "basic_action"
    return json_response(body, status)

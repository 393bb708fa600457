"""The token endpoint for applications: client secrets, certificate assertions and federated ones (RFC 7523)."""

from __future__ import annotations

from .... import tokens
from ....messages import Request
from ..certificates import assertion_header, problem_of
from ..directory import Application, Directory, Tenant
from .errors import Refused

_JWT_BEARER = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def application_token(
    directory: Directory, request: Request, tenant: Tenant | None, tenant_name: str, lifetime: float
) -> str:
    """The access token that a valid ``client_credentials`` request gets."""
    form = request.form
    if tenant is None:
        raise Refused("50059")
    client = form.get("client_id", "")
    application = next(
        (one for one in directory.applications if one.client_id == client and one.tenant is tenant), None
    )
    if application is None or application.managed:
        raise Refused("700016", client=client, tenant=tenant_name)
    _authenticate(request, form, application)
    scope = form.get("scope") or form.get("resource", "") + "/.default"
    if not scope.endswith("/.default") or " " in scope:
        raise Refused("1002012", scope=scope)
    audience = scope[: -len("/.default")]
    if application.refuse:
        raise Refused(application.refuse, resource=audience, client=client, tenant=tenant_name)
    return directory.application_token(application, audience, lifetime)


def _authenticate(request: Request, form: dict[str, str], application: Application) -> None:
    if "client_secret" in form:
        if form["client_secret"] not in application.secrets:
            raise Refused("7000215", client=application.client_id)
        return
    assertion = form.get("client_assertion")
    if not assertion or form.get("client_assertion_type") != _JWT_BEARER:
        raise Refused("7000218")
    header = assertion_header(assertion)
    if "x5t#S256" in header or ("x5t" in header and header.get("kid") != tokens.KEY_NAME):
        base = f"https://{request.host}/{request.segments[0]}"
        audiences = (base + "/oauth2/v2.0/token", base + "/v2.0")
        problem = problem_of(assertion, application.certificates, application.client_id, audiences)
        if problem:
            raise Refused("700027", detail=problem)
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
    raise Refused("70021", issuer=shown.get("iss", ""), subject=shown.get("sub", ""), audience=shown.get("aud", ""))

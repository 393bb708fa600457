"""vssps.dev.azure.com and its other names: exchange of bearers for session tokens."""

from __future__ import annotations

import datetime
import time
import uuid

from ... import tokens
from ...faults import SIGN_IN_ADDRESS
from ...messages import Request, Response, html_response, json_response, not_found, redirect_response
from ...sites import Sites
from .directory import Directory, User, identifier
from .organisations import AUDIENCES, MANAGE, READ, WRITE, Organisation, is_application

HOSTS = (
    "vssps.dev.azure.com",
    "vssps.visualstudio.com",
    "*.vssps.visualstudio.com",
    "vssps.codedev.ms",
    "*.vssps.codedev.ms",
    "vssps.vsts.me",
    "*.vssps.vsts.me",
)
#: The status of a refusal, unless it is 401.
_STATUSES = {"VS403463": 403, "licence": 402}
_PATH = ["_apis", "token", "sessiontokens"]


class SessionTokens:
    """``POST {authority}/_apis/Token/SessionTokens``."""

    def __init__(self, sites: Sites, directory: Directory, organisations: list[Organisation]) -> None:
        self._directory = directory
        self._organisations = organisations
        #: All issued session tokens, in order.
        self.issued: list[str] = []
        for host in HOSTS:
            sites.add(host, self.answer)

    def answer(self, request: Request) -> Response:
        """Check the request as the service does, then issue a token."""
        known, organisation, rest = self._organisation(request)
        if [segment.lower() for segment in rest] == ["_signin"]:
            return html_response("<html><title>Sign in to your account</title></html>")
        if not known or [segment.lower() for segment in rest] != _PATH:
            return not_found()
        if request.method != "POST":
            return Response(405)
        if (request.header("X-TFS-FedAuthRedirect") or "").lower() != "suppress":
            return redirect_response(SIGN_IN_ADDRESS)
        user = self._person(request, organisation)
        if user is None:
            return Response(401, [("WWW-Authenticate", "Bearer"), ("X-TFS-ServiceError", "TF400813")])
        # app.vssps.visualstudio.com serves all organisations of the user's tenant; any of them has the settings.
        target = organisation or self._organisation_of(user)
        if target is None:
            return _refusal(user, "TF400813")
        if target.exchange.refuse == "unauthorized":
            return Response(401, [("WWW-Authenticate", "Bearer")])
        if target.exchange.refuse or user.object_id in target.denied:
            return _refusal(user, target.exchange.refuse or "TF400813")
        return self._issue(request, target, organisation is None, user)

    def _organisation(self, request: Request) -> tuple[bool, Organisation | None, list[str]]:
        """Whether the URL exists, its organisation (None: all), and the rest of the path."""
        segments = request.segments
        label, _, rest_of_host = request.host.partition(".")
        if label == "vssps" and "visualstudio" not in request.host:
            name, rest = (segments[0] if segments else ""), segments[1:]
            if name.lower() == "_apis":
                return False, None, segments
        elif label in ("vssps", "app") or rest_of_host.startswith("app.vssps."):
            return True, None, segments
        else:
            name, rest = label, segments
        found = next((one for one in self._organisations if one.name.lower() == name.lower()), None)
        return found is not None or rest == ["_signin"], found, rest

    def _person(self, request: Request, organisation: Organisation | None) -> User | None:
        """The user of an Entra token; None if it cannot be exchanged here."""
        claims = tokens.verify(request.bearer or "")
        if claims is None or claims.get("aud") not in AUDIENCES or is_application(claims):
            return None
        if organisation and organisation.tenant and claims.get("tid") != organisation.tenant.id:
            return None
        return self._directory.user_of(claims)

    def _organisation_of(self, user: User) -> Organisation | None:
        return next((one for one in self._organisations if one.tenant is None or one.tenant in user.tenants), None)

    def _issue(self, request: Request, organisation: Organisation, everywhere: bool, user: User) -> Response:
        wanted = request.json()
        if not request.parameters.get("api-version", "").startswith("5.0-preview"):
            return _error(400, "VssVersionNotSpecifiedException", "No api-version was supplied for the POST request.")
        if not isinstance(wanted, dict) or wanted.get("scope") not in (READ, WRITE, MANAGE):
            return _error(400, "InvalidTokenScopeException", "The scope is missing or not valid.")
        exchange = organisation.exchange
        lifetime = exchange.lifetime
        if wanted.get("validTo") is not None:
            if exchange.rejects_valid_to:
                return _error(400, "ArgumentException", "The value of validTo is not accepted.")
            moment = _parse_time(wanted["validTo"])
            if moment is None:
                return _error(400, "ArgumentException", "validTo is not a time.")
            lifetime = min(moment - time.time(), exchange.maximum_lifetime)
        token = organisation.session_token(user, wanted["scope"], lifetime)
        if everywhere:
            for other in self._organisations:
                if other.tenant is organisation.tenant and other is not organisation:
                    other.allow(token, organisation.check(token))
        self.issued.append(token)
        now = time.time()
        answer = {
            "clientId": identifier("session tokens"),
            "accessId": str(uuid.uuid4()),
            "authorizationId": str(uuid.uuid4()),
            "hostAuthorizationId": str(uuid.uuid4()),
            "userId": user.object_id,
            "validFrom": _show_time(now),
            "validTo": _show_time(now + lifetime),
            "displayName": wanted.get("displayName"),
            "scope": wanted["scope"],
            "targetAccounts": [] if everywhere else [identifier("organisation " + organisation.name)],
            "token": token,
            "alternateToken": None,
            "isValid": True,
            "isPublic": False,
            "publicData": None,
            "source": None,
        }
        if not exchange.tells_valid_to:
            del answer["validTo"]
        return json_response(answer)


def _refusal(user: User, code: str) -> Response:
    texts = {
        "TF401444": f"TF401444: Please sign-in at least once as {user.home.id}\\{user.name} in a web browser "
        "to enable access to the service.",
        "TF400813": f"TF400813: The user '{user.object_id}' is not authorized to access this resource.",
        "VS403463": "VS403463: The conditional access policy defined by your Azure Active Directory administrator has "
        "failed.",
        "licence": f"The user '{user.object_id}' does not have a license for this resource.",
    }
    return _error(_STATUSES.get(code, 401), "UnauthorizedRequestException", texts[code])


def _error(status: int, key: str, message: str) -> Response:
    """An error of the Azure DevOps APIs."""
    return json_response(
        {
            "$id": "1",
            "innerException": None,
            "message": message,
            "typeName": f"Microsoft.TeamFoundation.Framework.Server.{key}, Microsoft.TeamFoundation",
            "typeKey": key,
            "errorCode": 0,
            "eventId": 3000,
        },
        status,
    )


def _show_time(moment: float) -> str:
    shown = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc)
    # Seven digits, as .NET writes them.
    return shown.strftime("%Y-%m-%dT%H:%M:%S.%f") + "0Z"


def _parse_time(text: object) -> float | None:
    if not isinstance(text, str):
        return None
    whole = text.rstrip("Zz").partition(".")[0].partition("+")[0]
    try:
        parsed = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S")
    except ValueError:
        return None
    return parsed.replace(tzinfo=datetime.timezone.utc).timestamp()

"""The IAM Credentials API: access tokens of service accounts for those who may impersonate them.

https://cloud.google.com/iam/docs/reference/credentials/rest/v1/projects.serviceAccounts/generateAccessToken
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from ...clock import iso_time
from ...messages import Request, Response
from .access_tokens import CLOUD_PLATFORM, IAM
from .refusals import Refused, api_refusal
from .service import Service

HOST = "iamcredentials.googleapis.com"
_PATH = re.compile(r"/v1/projects/-/serviceAccounts/(?P<email>[^/:]+):generateAccessToken")
_DELEGATE = re.compile(r"projects/-/serviceAccounts/(?P<email>[^/:]+)")
_LIFETIME = re.compile(r"(?P<seconds>[1-9]\d{0,4})s")
_DENIED = "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist)."


class Impersonation(Service):
    """``POST /v1/projects/-/serviceAccounts/EMAIL:generateAccessToken``."""

    name = "iamcredentials"

    #: The form of the moment at which tokens expire; the text ``{}`` is replaced, as in ``{}.123456789Z``.
    moment = "{}Z"

    def perform(self, request: Request) -> Response:
        found = _PATH.fullmatch(unquote(request.path))
        if found is None or request.query:
            raise Refused(404, "", "Requested entity was not found.", f"no such path: {request.target}")
        if request.method != "POST":
            raise Refused(405, "", "Method not allowed.", f"the method is {request.method}")
        token = self.google.tokens.find(request.bearer)
        if token is None:
            text = "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or "
            raise Refused(401, "", text + "other valid authentication credential.")
        if not {CLOUD_PLATFORM, IAM} & set(token.scopes):
            details = [
                {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "ACCESS_TOKEN_SCOPE_INSUFFICIENT"}
            ]
            text = "Request had insufficient authentication scopes."
            raise Refused(403, "", text, f"the scopes are {token.scopes}", details=details)
        scopes, lifetime, delegates = _fields(request)
        caller = token.principal
        for email in (*delegates, found["email"]):
            account = self.google.accounts.find_service_account(email)
            if account is None:
                raise Refused(404, "", f"Not found; Gaia id not found for email {email}")
            if caller not in account.impersonators:
                details = {
                    "@type": "type.googleapis.com/google.rpc.ErrorInfo",
                    "reason": "IAM_PERMISSION_DENIED",
                    "domain": "iam.googleapis.com",
                    "metadata": {"permission": "iam.serviceAccounts.getAccessToken"},
                }
                raise Refused(403, "", _DENIED, details=[details])
            caller = email
        made = self.google.tokens.issue(found["email"], scopes, lifetime)
        expires = self.moment.format(iso_time(made.expires).rstrip("Z"))
        return self.json({"accessToken": made.text, "expireTime": expires})

    def refusal(self, refused: Refused) -> Response:
        return api_refusal(refused)


def _fields(request: Request) -> tuple[tuple[str, ...], int, list[str]]:
    """Scopes, lifetime in seconds and delegates."""
    document = request.json()
    if request.header("Content-Type", "").partition(";")[0] != "application/json" or not isinstance(document, dict):
        raise _invalid("the body is no JSON object")
    if not {"scope"} <= set(document) <= {"scope", "lifetime", "delegates"}:
        raise _invalid(f"the members are {', '.join(sorted(document))}")
    scopes = document["scope"]
    if not isinstance(scopes, list) or not scopes or not all(isinstance(one, str) and one for one in scopes):
        raise _invalid(f"the scope is {scopes!r}")
    lifetime = _LIFETIME.fullmatch(str(document.get("lifetime", "3600s")))
    if lifetime is None:
        raise _invalid(f"the lifetime is {document['lifetime']!r}")
    seconds = int(lifetime["seconds"])
    if seconds > 3600:
        # An organisation may allow more, so the file can ask for it.
        text = "The token lifetime cannot exceed 3,600 seconds (1 hour) because the constraint "
        raise Refused(400, "", text + "`constraints/iam.allowServiceAccountCredentialLifetimeExtension` is not set.")
    delegates = [_DELEGATE.fullmatch(str(one)) for one in document.get("delegates") or []]
    if None in delegates:
        raise _invalid(f"the delegates are {document['delegates']!r}")
    return tuple(scopes), seconds, [one["email"] for one in delegates]


def _invalid(mistake: str) -> Refused:
    return Refused(400, "", "Request contains an invalid argument.", mistake)

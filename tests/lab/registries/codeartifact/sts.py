"""The Security Token Service: sessions of roles.

https://docs.aws.amazon.com/STS/latest/APIReference/welcome.html
"""

from __future__ import annotations

import re
import uuid
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from ... import tokens
from ...clock import iso_time
from ...messages import Request, Response
from .accounts import AccessKey, Role
from .endpoints import Endpoint
from .refusals import XML_NAMESPACE, Refused, xml_refusal, xml_response
from .service import Service

VERSION = "2011-06-15"
_ANY = re.compile(".+", re.DOTALL)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}")
_SESSION = re.compile(r"[\w+=,.@-]{2,64}")
_DURATION = re.compile(r"\d{1,5}")
_ASSUME_ROLE = {
    "RoleArn": _ROLE,
    "RoleSessionName": _SESSION,
    "ExternalId": re.compile(r"[\w+=,.@:/-]{2,1224}"),
    "DurationSeconds": _DURATION,
    "SerialNumber": re.compile(r"[\w+=/:,.@-]{9,256}"),
    "TokenCode": re.compile(r"\d{6}"),
}
_WITH_IDENTITY = {
    "RoleArn": _ROLE,
    "RoleSessionName": _SESSION,
    "WebIdentityToken": _ANY,
    "DurationSeconds": _DURATION,
}
_REQUIRED = ("RoleArn", "RoleSessionName", "WebIdentityToken")
#: The names of refused signatures, which differ from those of services with JSON.
_CODES = {
    "ExpiredTokenException": "ExpiredToken",
    "InvalidSignatureException": "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException": "MissingAuthenticationToken",
    "IncompleteSignatureException": "IncompleteSignature",
    "UnrecognizedClientException": "InvalidClientTokenId",
}


class SecurityTokens(Service):
    """``POST /`` with a form."""

    name = "sts"

    def perform(self, request: Request, endpoint: Endpoint) -> Response:
        actions = {
            "AssumeRole": self._assume_role,
            "AssumeRoleWithWebIdentity": self._assume_role_with_identity,
            "GetCallerIdentity": self._caller,
        }
        if request.path != "/" or request.query or request.method != "POST":
            raise Refused(404, "UnknownOperation", "", f"{request.method} {request.target}")
        if request.header("Content-Type", "").partition(";")[0] != "application/x-www-form-urlencoded":
            raise Refused(400, "MalformedInput", "The body is not a form.", "the body is not a form")
        form = request.form
        if form.get("Version") != VERSION or form.get("Action") not in actions:
            action = f"{form.get('Action')} of version {form.get('Version')}"
            raise Refused(400, "InvalidAction", f"Could not find operation {action}", action)
        return actions[form["Action"]](request, endpoint)

    def refusal(self, refused: Refused) -> Response:
        return xml_refusal(refused, self.aws.clock.now())

    def _signer(self, request: Request, endpoint: Endpoint) -> AccessKey:
        try:
            return self.aws.authentication.check(request, endpoint)
        except Refused as refused:
            refused.code = _CODES[refused.code]
            raise

    def _assume_role(self, request: Request, endpoint: Endpoint) -> Response:
        key = self._signer(request, endpoint)
        form = _checked(request, _ASSUME_ROLE)
        role = self.aws.accounts.find_role(form["RoleArn"])
        denied = Refused(
            403,
            "AccessDenied",
            f"User: {key.caller} is not authorized to perform: sts:AssumeRole on resource: {form['RoleArn']}",
        )
        if role is None or key.principal not in role.trusted:
            raise denied
        if role.external_id is not None and form.get("ExternalId") != role.external_id:
            raise denied
        if role.mfa is not None:
            if form.get("SerialNumber") != role.mfa[0] or "TokenCode" not in form:
                raise denied
            if form["TokenCode"] != role.mfa[1]:
                text = "MultiFactorAuthentication failed with invalid MFA one time pass code. "
                raise Refused(403, "AccessDenied", text)
        duration = _duration(form, role)
        if key.is_session_of_role and duration > 3600:
            text = "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
            raise Refused(400, "ValidationError", text)
        return self._session("AssumeRole", role, form["RoleSessionName"], duration)

    def _assume_role_with_identity(self, request: Request, endpoint: Endpoint) -> Response:
        if request.header("Authorization") is not None:
            raise Refused(400, "InvalidAction", "", "AssumeRoleWithWebIdentity has a signature")
        form = _checked(request, _WITH_IDENTITY)
        token = form["WebIdentityToken"]
        claims = tokens.read_genuine(token)
        if claims is None:
            text = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)"
            raise Refused(400, "InvalidIdentityToken", text, "" if token == token.strip() else "blanks in the token")
        if claims["exp"] <= self.aws.clock.now():
            raise Refused(400, "ExpiredTokenException", "Token expired: current date/time must be before the expiry")
        role = self.aws.accounts.find_role(form["RoleArn"])
        trusted = role.trusted_identities if role else []
        of_issuer = [one for one in trusted if one[0] == claims.get("iss")]
        if role is not None and not of_issuer:
            text = f"No OpenIDConnect provider found in your account for {claims.get('iss')}"
            raise Refused(400, "InvalidIdentityToken", text)
        audiences = claims.get("aud") if isinstance(claims.get("aud"), list) else [claims.get("aud")]
        if role is not None and not any(audience in audiences for _, _, audience in of_issuer):
            raise Refused(400, "InvalidIdentityToken", "Incorrect token audience")
        if role is None or not any(one[1] == claims.get("sub") and one[2] in audiences for one in of_issuer):
            raise Refused(403, "AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity")
        subject = f"<SubjectFromWebIdentityToken>{escape(claims['sub'])}</SubjectFromWebIdentityToken>"
        duration = _duration(form, role)
        return self._session("AssumeRoleWithWebIdentity", role, form["RoleSessionName"], duration, subject)

    def _caller(self, request: Request, endpoint: Endpoint) -> Response:
        key = self._signer(request, endpoint)
        _checked(request, {})
        result = f"<Arn>{escape(key.caller)}</Arn><UserId>AIDA{key.id[4:]}</UserId><Account>{key.account}</Account>"
        return self._xml("GetCallerIdentity", result)

    def _session(self, action: str, role: Role, name: str, duration: float, more: str = "") -> Response:
        key = self.aws.accounts.session_of_role(role, name, duration)
        user = f"<AssumedRoleId>AROA{key.id[4:]}:{escape(name)}</AssumedRoleId><Arn>{escape(key.caller)}</Arn>"
        return self._xml(action, f"<AssumedRoleUser>{user}</AssumedRoleUser>{_credentials(key)}{more}")

    def _xml(self, action: str, result: str) -> Response:
        metadata = f"<ResponseMetadata><RequestId>{uuid.uuid4()}</RequestId></ResponseMetadata>"
        text = f'<{action}Response xmlns="{XML_NAMESPACE}">\n  <{action}Result>{result}</{action}Result>\n'
        return xml_response(f"{text}  {metadata}\n</{action}Response>\n", 200, self.aws.clock.now())


def _credentials(key: AccessKey) -> str:
    values = {
        "AccessKeyId": key.id,
        "SecretAccessKey": key.secret,
        "SessionToken": key.session_token,
        "Expiration": iso_time(key.expires),
    }
    inner = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    return f"<Credentials>{inner}</Credentials>"


def _checked(request: Request, rules: dict[str, re.Pattern[str]]) -> dict[str, str]:
    pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    form = {name: value for name, value in pairs if name not in ("Action", "Version")}
    wrong = [name for name, value in form.items() if name not in rules or not rules[name].fullmatch(value)]
    wrong += [name for name in _REQUIRED if name in rules and name not in form]
    if len({name for name, _ in pairs}) != len(pairs):
        wrong.append("twice the same")
    if wrong:
        text = f"Validation error detected: {', '.join(wrong)}"
        raise Refused(400, "ValidationError", text, text)
    return form


def _duration(form: dict[str, str], role: Role) -> int:
    duration = int(form.get("DurationSeconds", 3600))
    if not 900 <= duration <= 43200:
        text = "Member must have value between 900 and 43200"
        raise Refused(400, "ValidationError", text, f"DurationSeconds is {duration}")
    if duration > role.maximum_duration:
        text = "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        raise Refused(400, "ValidationError", text)
    return duration

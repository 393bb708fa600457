"""Who signed a request: the checks of AWS's services."""

from __future__ import annotations

import calendar
import hashlib
import time

from ...clock import Clock
from ...messages import Request
from . import signatures
from .accounts import AccessKey, Accounts
from .endpoints import Endpoint
from .refusals import Refused

#: Seconds by which the time of a signature may differ.
TOLERANCE = 300


class Authentication:
    """Checks signatures."""

    def __init__(self, accounts: Accounts, clock: Clock) -> None:
        self._accounts = accounts
        self._clock = clock

    def check(self, request: Request, endpoint: Endpoint) -> AccessKey:
        """The access key with which a request was signed."""
        header = request.header("Authorization")
        if header is None:
            raise Refused(403, "MissingAuthenticationTokenException", "Missing Authentication Token", "no signature")
        signature = signatures.read(header)
        moment = request.header("X-Amz-Date", "")
        if signature is None or _seconds(moment) is None:
            text = "Authorization header requires 'Credential', 'Signature', 'SignedHeaders' and a date."
            raise Refused(400, "IncompleteSignatureException", text, "a malformed signature or date")
        self._check_scope(signature, moment, endpoint)
        _check_headers(request, signature)
        self._check_time(moment)
        key = self._find_key(request, signature)
        self._check_digits(request, signature, moment, key)
        if key.expires is not None and key.expires <= self._clock.now():
            raise Refused(403, "ExpiredTokenException", "The security token included in the request is expired")
        return key

    def _check_scope(self, signature: signatures.Signature, moment: str, endpoint: Endpoint) -> None:
        if signature.service != endpoint.service:
            _refuse(f"Credential should be scoped to correct service: '{endpoint.service}'.", signature.scope)
        if endpoint.region is not None and signature.region != endpoint.region:
            _refuse(f"Credential should be scoped to a valid region, not '{signature.region}'.", signature.scope)
        if signature.date != moment[:8]:
            _refuse(f"Date in Credential scope does not match YYYYMMDD from ISO-8601: {moment}", signature.scope)

    def _check_time(self, moment: str) -> None:
        now = self._clock.now()
        away = _seconds(moment) - now
        if abs(away) <= TOLERANCE:
            return
        shown = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        said = "expired" if away < 0 else "not yet current"
        mistake = "" if self._clock.offset else f"signed {away:.0f} s away from now"
        raise Refused(403, "InvalidSignatureException", f"Signature {said}: {moment} and {shown} (5 min.)", mistake)

    def _find_key(self, request: Request, signature: signatures.Signature) -> AccessKey:
        key = self._accounts.find(signature.access_key_id)
        token = request.header("X-Amz-Security-Token")
        if key is None or not key.is_active or token != key.session_token:
            text = "The security token included in the request is invalid."
            raise Refused(403, "UnrecognizedClientException", text)
        return key

    def _check_digits(self, request: Request, signature: signatures.Signature, moment: str, key: AccessKey) -> None:
        canonical = signatures.canonical_request(
            request.method, request.target, request.headers, signature.headers, request.body
        )
        if signatures.compute(signature, key.secret, moment, canonical) == signature.digits:
            return
        expected = [signatures.compute(signature, secret, moment, canonical) for secret in key.wrong_secrets]
        text = "The request signature we calculated does not match the signature you provided. "
        text += "Check your AWS Secret Access Key and signing method. Consult the service documentation for details."
        mistake = "" if signature.digits in expected else "the signature does not match the request"
        raise Refused(403, "InvalidSignatureException", text, mistake)


def _check_headers(request: Request, signature: signatures.Signature) -> None:
    sent = {name.lower() for name, _ in request.headers}
    needed = {name for name in sent if name in ("host", "content-type") or name.startswith("x-amz-")}
    unsigned = sorted(needed - set(signature.headers))
    if unsigned:
        _refuse(f"'{', '.join(unsigned)}' must be a 'SignedHeader' in the AWS Authorization.", "unsigned headers")
    if sorted(set(signature.headers)) != list(signature.headers) or not set(signature.headers) <= sent:
        _refuse("The signed headers are not sorted, or were not sent.", ";".join(signature.headers))
    digest = request.header("X-Amz-Content-Sha256")
    if digest not in (None, hashlib.sha256(request.body).hexdigest()):
        _refuse("The hash of the body does not match it.", "x-amz-content-sha256")


def _refuse(message: str, mistake: str) -> None:
    raise Refused(403, "InvalidSignatureException", message, f"{message} ({mistake})")


def _seconds(moment: str) -> float | None:
    try:
        return calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None

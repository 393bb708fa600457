"""The assertions of service accounts: JSON Web Tokens that prove that the client has a key.

https://developers.google.com/identity/protocols/oauth2/service-account#httprest
"""

from __future__ import annotations

import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from ... import tokens
from .accounts import OLD_TOKEN_URLS, TOKEN_URL, ServiceAccount
from .refusals import SHORT_LIVED, Refused
from .service import Google

_CLAIMS = {"iss", "scope", "aud", "iat", "exp"}
#: Seconds by which ``iat`` may be ahead.
_TOLERANCE = 300


def check(google: Google, assertion: str) -> tuple[ServiceAccount, tuple[str, ...]]:
    """The account that signed an assertion, and the scopes that it asks for."""
    header, claims, signed, signature = _parse(assertion)
    if (header.get("alg"), header.get("typ")) != ("RS256", "JWT") or set(header) - {"alg", "typ", "kid"}:
        raise Refused(400, "invalid_grant", "Invalid JWT Signature.", f"the header is {header}")
    if set(claims) != _CLAIMS:
        raise Refused(400, "invalid_grant", "Bad Request", f"the claims are {', '.join(sorted(claims))}")
    account = google.accounts.find_service_account(str(claims["iss"]))
    if account is None:
        raise Refused(400, "invalid_grant", "Invalid grant: account not found")
    if account.is_disabled:
        raise Refused(400, "invalid_grant", "Invalid grant: account disabled")
    _check_signature(account, header.get("kid"), signed, signature)
    _check_time(google, claims)
    if claims["aud"] not in (TOKEN_URL, *OLD_TOKEN_URLS):
        raise Refused(400, "invalid_grant", "Invalid JWT: Failed audience check.", f"the audience is {claims['aud']}")
    scopes = tuple(str(claims["scope"]).split(" "))
    if not all(scope.startswith("https://www.googleapis.com/auth/") for scope in scopes):
        text = "Invalid OAuth scope or ID token audience provided."
        raise Refused(400, "invalid_scope", text, f"the scope is {claims['scope']!r}")
    return account, scopes


def _parse(assertion: str) -> tuple[dict, dict, bytes, bytes]:
    signed, _, signature = assertion.rpartition(".")
    try:
        if "=" in assertion:
            raise ValueError("base64url with padding")
        header, claims = (json.loads(tokens.decode_segment(part)) for part in signed.split("."))
        return dict(header), dict(claims), signed.encode(), tokens.decode_segment(signature)
    except (ValueError, TypeError) as reason:
        text = "Invalid JWT: the assertion is malformed"
        raise Refused(400, "invalid_grant", text, "the assertion is no JWT") from reason


def _check_signature(account: ServiceAccount, key_id: object, signed: bytes, signature: bytes) -> None:
    wrong = Refused(400, "invalid_grant", "Invalid JWT Signature.")
    key = next((one for one in account.keys if one.id == key_id), None)
    if key is None:
        wrong.mistake = "an unknown key id"
        raise wrong
    if key.is_deleted:
        raise wrong
    try:
        key.public_key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        wrong.mistake = "a wrong signature"
        raise wrong from None


def _check_time(google: Google, claims: dict) -> None:
    now = google.clock.now()
    begins, ends = claims["iat"], claims["exp"]
    if type(begins) is not int or type(ends) is not int:
        raise Refused(400, "invalid_grant", SHORT_LIVED, "a time that is no integer")
    if not begins - _TOLERANCE <= now < ends or not 0 < ends - begins <= 3600:
        mistake = "" if google.clock.offset else f"the times are {begins - now:.0f} s and {ends - now:.0f} s from now"
        raise Refused(400, "invalid_grant", SHORT_LIVED, mistake)

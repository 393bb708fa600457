"""Subject tokens of AWS: signed requests that Google sends to AWS to learn who signed them.

https://cloud.google.com/iam/docs/workload-identity-federation-with-other-clouds
"""

from __future__ import annotations

import calendar
import json
import re
import time
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from ..codeartifact import signatures
from ..codeartifact.accounts import AccessKey, Accounts
from .refusals import Refused

TARGET = "x-goog-cloud-target-resource"
_QUERY = "Action=GetCallerIdentity&Version=2011-06-15"
_HOST = re.compile(r"sts\.(?P<region>[a-z]{2}(-[a-z]+)+-\d+)\.amazonaws\.com")
#: Seconds for which AWS accepts a signature.
_LIFETIME = 900


@dataclass(frozen=True)
class Caller:
    """Who signed a request."""

    key: AccessKey
    #: Whether the signature covers the provider. Google recommends it; google-auth leaves it out.
    has_signed_target: bool


def check(subject_token: str, audience: str, accounts: Accounts, now: float) -> Caller:
    """Who signed the request of a subject token for a provider."""
    url, headers = _parse(subject_token)
    parts = urlsplit(url)
    host = _HOST.fullmatch(parts.netloc)
    if parts.scheme != "https" or host is None or parts.path not in ("", "/") or parts.query != _QUERY:
        raise _wrong(f"the request is for {url}")
    names = {name.lower(): value for name, value in headers}
    if len(names) != len(headers) or names.get("host") != parts.netloc:
        raise _wrong("a repeated header, or another host")
    if names.get(TARGET) not in (audience, "https:" + audience):
        raise _wrong(f"{TARGET} is {names.get(TARGET)}")
    signature = signatures.read(names.get("authorization", ""))
    moment = names.get("x-amz-date", "")
    if signature is None or not re.fullmatch(r"\d{8}T\d{6}Z", moment) or signature.date != moment[:8]:
        raise _wrong("a malformed signature or date")
    if (signature.service, signature.region) != ("sts", host["region"]):
        raise _wrong(f"the signature is for {signature.scope}")
    needed = {"host", "x-amz-date"} | ({"x-amz-security-token"} & set(names))
    if list(signature.headers) != sorted(set(signature.headers)) or not needed <= set(signature.headers) <= set(names):
        raise _wrong(f"the signed headers are {';'.join(signature.headers)}")
    key = accounts.find(signature.access_key_id)
    if key is None or key.session_token != names.get("x-amz-security-token"):
        raise _denied("InvalidClientTokenId")
    canonical = signatures.canonical_request("POST", f"/?{parts.query}", headers, signature.headers, b"")
    if signatures.compute(signature, key.secret, moment, canonical) != signature.digits:
        raise _wrong("the signature does not match the request")
    age = now - calendar.timegm(time.strptime(moment, "%Y%m%dT%H%M%SZ"))
    if not -300 <= age <= _LIFETIME or (key.expires is not None and key.expires <= now):
        raise _denied("ExpiredToken")
    return Caller(key, TARGET in signature.headers)


def _parse(subject_token: str) -> tuple[str, list[tuple[str, str]]]:
    try:
        document = json.loads(unquote(subject_token))
        headers = [(one["key"], one["value"]) for one in document["headers"] if set(one) == {"key", "value"}]
        if set(document) != {"headers", "method", "url"} or len(headers) != len(document["headers"]):
            raise _wrong(f"the members are {', '.join(sorted(document))}")
        if document["method"] != "POST":
            raise _wrong(f"the method is {document['method']}")
        return document["url"], headers
    except (ValueError, TypeError, KeyError) as reason:
        raise _wrong("the subject token is no request") from reason


def _wrong(mistake: str) -> Refused:
    text = "Unable to verify the AWS subject token: the serialized GetCallerIdentity request is not valid"
    return Refused(400, "invalid_grant", text, f"AWS: {mistake}")


def _denied(code: str) -> Refused:
    text = f"Received an error from AWS while exchanging the token: {code}"
    return Refused(400, "invalid_grant", text)

"""What a careful client sends to the endpoints, beyond what Entra itself insists on.

Every check returns sentences about what is wrong; `Entra.mistakes` collects them.
"""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from ....messages import Request
from ..directory import AZURE_DEVOPS

#: The scope of every request, as one string.
SCOPE = f"{AZURE_DEVOPS}/.default offline_access openid profile"
DEVICE_CODE_GRANTS = ("urn:ietf:params:oauth:grant-type:device_code", "device_code")

_LOCALHOST = re.compile(r"http://localhost:[1-9][0-9]{0,4}")
#: 32 random bytes as base64url are 43 characters.
_RANDOM = re.compile(r"[A-Za-z0-9_-]{43,}")
_HASH = re.compile(r"[A-Za-z0-9_-]{43}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ANY = re.compile(".+")
_SYSTEM = re.compile(r"\((Linux|Windows|macOS|Macintosh|X11)")

_AUTHORIZE = {
    "client_id": _GUID,
    "response_type": "code",
    "redirect_uri": _LOCALHOST,
    "scope": SCOPE,
    "state": _RANDOM,
    "nonce": _RANDOM,
    "code_challenge": _HASH,
    "code_challenge_method": "S256",
    "prompt": re.compile("select_account|login"),
    "response_mode": "form_post",
    "client_info": "1",
}
_AUTHORIZE_OPTIONAL = dict.fromkeys(("login_hint", "domain_hint", "claims"), _ANY)
_DEVICE_CODE = {"client_id": _GUID, "scope": SCOPE}
_GRANTS = {
    "authorization_code": {
        "client_id": _GUID,
        "code": _ANY,
        "redirect_uri": _LOCALHOST,
        "code_verifier": _RANDOM,
        "scope": SCOPE,
        "client_info": "1",
    },
    "refresh_token": {"client_id": _GUID, "refresh_token": _ANY, "scope": SCOPE, "client_info": "1"},
    **{grant: {"client_id": _GUID, "device_code": _ANY, "client_info": "1"} for grant in DEVICE_CODE_GRANTS},
}
#: MSAL for Python repeats the device code for old servers, MSAL for .NET the scope.
_GRANTS_OPTIONAL = {grant: {"code": _ANY, "scope": SCOPE} for grant in DEVICE_CODE_GRANTS}


def authorize_mistakes(request: Request) -> list[str]:
    """Of the address that a browser opens."""
    pairs = parse_qsl(request.query, keep_blank_values=True)
    found = _compare("authorize", pairs, _AUTHORIZE, _AUTHORIZE_OPTIONAL) + _common("authorize", request)
    values = dict(pairs)
    if values.get("state") and values.get("state") == values.get("nonce"):
        found.append("authorize: state and nonce are the same")
    return found


def device_code_mistakes(request: Request) -> list[str]:
    """Of a request for a device code."""
    return _post("devicecode", request) + _compare("devicecode", _pairs(request), _DEVICE_CODE)


def token_mistakes(request: Request) -> list[str]:
    """Of a request of a person's grant. Those of applications are not checked."""
    grant = request.form.get("grant_type", "")
    if grant not in _GRANTS:
        return []
    place = f"token ({grant.rpartition(':')[2]})"
    optional = {"grant_type": _ANY, **_GRANTS_OPTIONAL.get(grant, {})}
    return _post(place, request) + _compare(place, _pairs(request), _GRANTS[grant], optional)


def _pairs(request: Request) -> list[tuple[str, str]]:
    return parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)


def _post(place: str, request: Request) -> list[str]:
    found = _common(place, request)
    if request.method != "POST":
        found.append(f"{place}: the method is {request.method}")
    if request.header("Content-Type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        found.append(f"{place}: the body is not a form")
    if not _SYSTEM.search(request.header("User-Agent", "")):
        found.append(f"{place}: User-Agent names no operating system")
    if [name for name, _ in parse_qsl(request.query) if name != "mkt"]:
        found.append(f"{place}: fields in the query")
    return found


def _common(place: str, request: Request) -> list[str]:
    if request.segments[0] in ("common", "consumers"):
        return [f"{place}: Azure DevOps accepts no tokens of {request.segments[0]}"]
    return []


def _compare(
    place: str,
    pairs: list[tuple[str, str]],
    wanted: dict[str, str | re.Pattern[str]],
    optional: dict[str, str | re.Pattern[str]] | None = None,
) -> list[str]:
    found = []
    names = [name for name, _ in pairs]
    values = dict(pairs)
    known = {**wanted, **(optional or {})}
    for name, rule in known.items():
        if name not in values:
            if name in wanted:
                found.append(f"{place}: no {name}")
        elif not (rule.fullmatch(values[name]) if isinstance(rule, re.Pattern) else rule == values[name]):
            # A secret is not shown, even here.
            shown = values[name] if isinstance(rule, str) or rule is _LOCALHOST or rule is _GUID else "a value"
            found.append(f"{place}: {name} is {shown!r}")
    for name in sorted(set(names)):
        if names.count(name) > 1:
            found.append(f"{place}: {name} twice")
        if name not in known:
            found.append(f"{place}: {name} is not wanted")
    if "xms_cc" in values.get("claims", ""):
        found.append(f"{place}: declares client capabilities")
    return found

"""The errors of Entra: AADSTS codes with what surrounds them in an answer.

https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import datetime
import uuid
from typing import NamedTuple

from ....messages import Response, json_response


class EntraError(NamedTuple):
    """An error answer: OAuth error, status, text, and Entra's ``suberror``."""

    error: str
    status: int
    text: str
    suberror: str | None = None


class Refused(Exception):
    """An error answer of Entra. ``error`` and ``suberror`` replace those of the code; ``claims`` is a challenge."""

    def __init__(
        self,
        code: str,
        error: str | None = None,
        suberror: str | None = None,
        claims: str | None = None,
        **details: str,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.error = error
        self.suberror = suberror
        self.claims = claims
        self.details = details

    def response(self) -> Response:
        """As the token endpoint sends it."""
        return error_response(self.code, self.error, self.suberror, self.claims, **self.details)

    def fields(self) -> dict[str, str]:
        """As the browser brings it to the redirect URI."""
        found = {"error": self.error or ERRORS[self.code].error, "error_description": self.describe()}
        return {**found, "error_subcode": "cancel"} if self.code == "65004" else found

    def describe(self) -> str:
        """The ``error_description``."""
        return _describe(self.code, self.details)[0]


_MFA = (
    "Due to a configuration change made by your administrator, or because you moved to a new location, you must "
    "{action} to access '{resource}'."
)

#: The errors by code, with Entra's wording.
ERRORS: dict[str, EntraError] = {
    # The login has ended.
    "50173": EntraError(
        "invalid_grant",
        400,
        "The provided grant has expired due to it being revoked, a fresh auth token is needed. The user might have "
        "changed or reset their password.",
        "bad_token",
    ),
    "700082": EntraError(
        "invalid_grant",
        400,
        "The refresh token has expired due to inactivity and was inactive for 90.00:00:00.",
        "bad_token",
    ),
    "700081": EntraError("invalid_grant", 400, "The refresh token has expired due to maximum lifetime.", "bad_token"),
    "700084": EntraError(
        "invalid_grant",
        400,
        "The refresh token was issued to a single page app (SPA), and therefore has a fixed, limited lifetime.",
        "token_expired",
    ),
    # The suberror is that of a token to delete, although the login serves again after a sign-in.
    "70043": EntraError(
        "invalid_grant",
        400,
        "The refresh token has expired or is invalid due to sign-in frequency checks by conditional access. The "
        "maximum allowed lifetime for this request is 86400.",
        "token_expired",
    ),
    "70008": EntraError(
        "invalid_grant", 400, "The provided authorization code or refresh token has expired due to inactivity."
    ),
    "50089": EntraError("invalid_grant", 400, "Authentication failed due to flow token expired."),
    "50057": EntraError("invalid_grant", 400, "The user account is disabled."),
    "70000": EntraError(
        "invalid_grant", 400, "The provided value for the input parameter 'refresh_token' is not valid.", "bad_token"
    ),
    # The tenant wants more of the person.
    "50076": EntraError(
        "interaction_required", 400, _MFA.replace("{action}", "use multi-factor authentication"), "basic_action"
    ),
    "50079": EntraError(
        "interaction_required", 400, _MFA.replace("{action}", "enroll in multi-factor authentication"), "basic_action"
    ),
    "50078": EntraError(
        "interaction_required",
        400,
        "Presented multi-factor authentication has expired due to policies configured by your administrator, you must "
        "refresh your multi-factor authentication to access '{resource}'.",
        "basic_action",
    ),
    "50074": EntraError("interaction_required", 400, "Strong Authentication is required.", "basic_action"),
    "50158": EntraError("interaction_required", 400, "External security challenge not satisfied.", "basic_action"),
    # The device.
    "50097": EntraError("interaction_required", 400, "Device authentication is required.", "additional_action"),
    "50129": EntraError("interaction_required", 400, "Device is not workplace joined.", "additional_action"),
    "50155": EntraError("invalid_grant", 400, "Device authentication failed for this user.", "additional_action"),
    "53000": EntraError(
        "interaction_required",
        400,
        "Your device is required to be managed to access this resource.",
        "message_only",
    ),
    "53001": EntraError(
        "interaction_required",
        400,
        "Your device is required to be domain joined to access this resource.",
        "message_only",
    ),
    "530002": EntraError(
        "interaction_required", 400, "Your device is required to be compliant to access this resource.", "message_only"
    ),
    "530003": EntraError(
        "interaction_required", 400, "Your device is required to be managed to access this resource.", "message_only"
    ),
    # Conditional Access.
    "53003": EntraError(
        "access_denied",
        400,
        "Access has been blocked by Conditional Access policies. The access policy does not allow token issuance.",
        "message_only",
    ),
    "53004": EntraError(
        "interaction_required",
        400,
        "User needs to complete multi-factor authentication registration process before accessing this content.",
        "message_only",
    ),
    # Consent.
    "65001": EntraError(
        "invalid_grant",
        400,
        "The user or administrator has not consented to use the application with ID '{client}'. Send an interactive "
        "authorization request for this user and resource.",
        "consent_required",
    ),
    "65002": EntraError(
        "invalid_request",
        400,
        "Consent between first party application '{client}' and first party resource '{resource}' must be configured "
        "via preauthorization.",
    ),
    "65004": EntraError("access_denied", 400, "User declined to consent to access the app."),
    "90094": EntraError(
        "access_denied", 400, "Admin consent is required for the permissions requested by this application."
    ),
    "90095": EntraError("access_denied", 400, "Admin consent is required. An approval request was sent."),
    # The application, the resource, the tenant, the account.
    "700016": EntraError(
        "unauthorized_client",
        400,
        "Application with identifier '{client}' was not found in the directory '{tenant}'. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant. You may have sent your authentication request to the wrong tenant.",
    ),
    "500011": EntraError(
        "invalid_resource",
        400,
        "The resource principal named {resource} was not found in the tenant named {tenant}. This can happen if the "
        "application has not been installed by the administrator of the tenant or consented to by any user in the "
        "tenant.",
    ),
    "500014": EntraError("invalid_resource", 400, "The service principal for resource '{resource}' is disabled."),
    "50020": EntraError(
        "invalid_grant",
        400,
        "User account '{user}' does not exist in tenant '{tenant}' and cannot access the application in that tenant.",
    ),
    "90072": EntraError(
        "interaction_required",
        400,
        "User account '{user}' from identity provider 'live.com' does not exist in tenant '{tenant}' and cannot access "
        "the application in that tenant. The account needs to be added as an external user in the tenant first.",
    ),
    "50034": EntraError(
        "invalid_grant",
        400,
        "The user account does not exist in the {tenant} directory. To sign into this application, "
        "the account must be added to the directory.",
    ),
    "50105": EntraError(
        "interaction_required",
        400,
        "Your administrator has configured the application to block users unless they are specifically granted access. "
        "The signed in user '{user}' is blocked because they are not a direct member of a group with access.",
    ),
    "90002": EntraError(
        "invalid_request",
        400,
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are signing into the "
        "correct cloud.",
    ),
    "50059": EntraError(
        "invalid_request",
        400,
        "No tenant-identifying information found in either the request or implied by any provided credentials.",
    ),
    "50011": EntraError(
        "invalid_request",
        400,
        "The redirect URI '{detail}' specified in the request does not match the redirect URIs configured for the "
        "application '{client}'.",
    ),
    "500113": EntraError("invalid_request", 400, "No reply address is registered for the application."),
    "50126": EntraError("invalid_grant", 400, "Error validating credentials due to invalid username or password."),
    # Authorization codes.
    "54005": EntraError(
        "invalid_grant",
        400,
        "OAuth2 Authorization code was already redeemed, please retry with a new valid code or use an existing refresh "
        "token.",
    ),
    "501481": EntraError(
        "invalid_grant",
        400,
        "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
    ),
    "500112": EntraError(
        "invalid_client",
        400,
        "The reply address '{detail}' does not match the reply address provided when requesting Authorization code.",
    ),
    "700005": EntraError(
        "invalid_grant", 400, "The provided Authorization Code is intended to be used against another tenant."
    ),
    "9002313": EntraError("invalid_request", 400, "Invalid request. Request is malformed or invalid."),
    "900144": EntraError("invalid_request", 400, "The request body must contain the following parameter: '{detail}'."),
    # Device codes.
    "70016": EntraError(
        "authorization_pending", 400, "OAuth 2.0 device flow error. Authorization is pending. Continue polling."
    ),
    "70017": EntraError("slow_down", 400, "The client polls too frequently."),
    "70018": EntraError("bad_verification_code", 400, "Invalid verification code."),
    "70019": EntraError("bad_verification_code", 400, "Verification code expired."),
    "70020": EntraError("expired_token", 400, "The provided value for the input parameter 'device_code' has expired."),
    "70021": EntraError(
        "invalid_client",
        401,
        "No matching federated identity record found for presented assertion. Assertion Issuer: '{issuer}'. "
        "Assertion Subject: '{subject}'. Assertion Audience: '{audience}'.",
    ),
    "50199": EntraError("authorization_declined", 400, "The user declined the sign-in on another device."),
    # Clients and their credentials.
    "7000215": EntraError(
        "invalid_client",
        401,
        "Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, "
        "not the client secret ID, for a secret added to app '{client}'.",
    ),
    "7000222": EntraError("invalid_client", 401, "The provided client secret keys for app '{client}' are expired."),
    "7000218": EntraError(
        "invalid_client",
        401,
        "The request body must contain the following parameter: 'client_assertion' or 'client_secret'.",
    ),
    "700027": EntraError(
        "invalid_client",
        401,
        "The certificate with identifier used to sign the client assertion is not registered on application, or the "
        "assertion is invalid. [Reason - {detail}]",
    ),
    "1002012": EntraError(
        "invalid_scope",
        400,
        "The provided value for scope {scope} is not valid. Client credential flows must have a scope value with "
        "/.default suffixed to the resource identifier (application ID URI).",
    ),
    "70003": EntraError("unsupported_grant_type", 400, "The app requested an unsupported grant type '{grant}'."),
    "90023": EntraError("temporarily_unavailable", 503, "The service is temporarily unavailable. Please retry later."),
}


def error_response(
    code: str, error: str | None = None, suberror: str | None = None, claims: str | None = None, **details: str
) -> Response:
    """An error as Entra sends it: the AADSTS code in the description and in ``error_codes``."""
    known = ERRORS[code]
    description, now, trace, correlation = _describe(code, details)
    body = {
        "error": error or known.error,
        "error_description": description,
        "error_codes": [int(code)],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": correlation,
        "error_uri": "https://login.microsoftonline.com/error?code=" + code,
    }
    if suberror or known.suberror:
        body["suberror"] = suberror or known.suberror
    if claims:
        body["claims"] = claims
    return json_response(body, known.status)


def _describe(code: str, details: dict[str, str]) -> tuple[str, str, str, str]:
    names = ("client", "tenant", "resource", "user", "detail", "scope", "grant", "issuer", "subject", "audience")
    known = {**dict.fromkeys(names, ""), **details}
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")
    trace, correlation = str(uuid.uuid4()), str(uuid.uuid4())
    text = ERRORS[code].text.format(**known)
    return (
        f"AADSTS{code}: {text} Trace ID: {trace} Correlation ID: {correlation} Timestamp: {now}",
        now,
        trace,
        correlation,
    )

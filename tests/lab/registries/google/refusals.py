"""Refusals, in the forms in which Google's services send errors."""

from __future__ import annotations

from ...faults import Fault, status
from ...messages import Response, json_response
from ...refusal import Refused

REAUTHENTICATION_HELP = "https://support.google.com/a/answer/9368756"
SHORT_LIVED = (
    "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
    "Check your iat and exp values in the JWT claim."
)
#: The status codes of Google's APIs by their HTTP status.
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    429: "RESOURCE_EXHAUSTED",
    503: "UNAVAILABLE",
}


def expired_or_revoked() -> Refused:
    """A refresh token that has ended, or was withdrawn."""
    return Refused(400, "invalid_grant", "Token has been expired or revoked.")


def bad_request() -> Refused:
    """A refresh token that is malformed, or whose session has ended."""
    return Refused(400, "invalid_grant", "Bad Request")


def reauthentication(subtype: str = "invalid_rapt") -> Refused:
    """The organisation's session length is over: ``invalid_rapt`` or ``rapt_required``."""
    text = f"reauth related error ({subtype})"
    return Refused(400, "invalid_grant", text, error_subtype=subtype, error_uri=REAUTHENTICATION_HELP)


def invalid_client() -> Refused:
    """Another secret than that of the client."""
    return Refused(401, "invalid_client", "Unauthorized")


def oauth_refusal(refused: Refused) -> Response:
    """As token endpoints send it (RFC 6749, section 5.2)."""
    document = {"error": refused.code, "error_description": refused.message, **refused.more}
    return json_response(document, refused.status)


def api_refusal(refused: Refused) -> Response:
    """As Google's APIs send it: https://google.aip.dev/193"""
    error = {"code": refused.status, "message": refused.message, "status": _STATUSES[refused.status], **refused.more}
    return json_response({"error": error}, refused.status)


def busy(code: int = 503, retry_after: int | None = None) -> Fault:
    """A service that asks to try again later: 503 or 429."""
    headers = {"Content-Type": "text/html; charset=UTF-8"}
    if retry_after is not None:
        headers["Retry-After"] = str(retry_after)
    return status(code, headers, b"<!DOCTYPE html><title>Error</title><p>That is all we know.")


def internal_failure() -> Fault:
    """A token endpoint that fails, and says so in the form of OAuth."""
    return lambda request, answer: oauth_refusal(Refused(500, "internal_failure", "internal_failure"))

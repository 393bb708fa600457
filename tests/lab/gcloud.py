"""Answers of a fake gcloud.

``gcloud config config-helper`` is what Google documents for other programs.
"""

from __future__ import annotations

import datetime
import json
import time

from .fake_programs import Answer

#: The arguments of the documented call, and of the one without expiry.
CONFIG_HELPER = ("config config-helper", "--format=json(credential)")
PRINT_ACCESS_TOKEN = ("auth print-access-token",)
_LOG_IN = "Please run:\n\n  $ gcloud auth login\n\nto obtain new credentials.\n"
_OTHER_ACCOUNT = (
    "\nIf you have already logged in with a different account, run:\n\n"
    "  $ gcloud config set account ACCOUNT\n\nto select an already authenticated account to use.\n"
)


def logged_in(token: str, lifetime: float | None = 3599, **behaviour: object) -> list[Answer]:
    """The active account's token, which has no expiry if it was given to gcloud (None).

    More fields are those of `Answer`, such as ``delay`` and ``read_stdin``.
    """
    return [
        Answer(document(token, lifetime), when=CONFIG_HELPER, **behaviour),
        Answer(token + "\n", when=PRINT_ACCESS_TOKEN, **behaviour),
    ]


def with_junk(token: str, lifetime: float = 3599) -> Answer:
    """The same behind notices, which wrappers and old versions print on either stream."""
    notice = "Your active configuration is: [default]\n"
    update = "\n\nUpdates are available for some Google Cloud CLI components.  To install them, please run:\n"
    update += "  $ gcloud components update\n"
    warning = "WARNING: Python 3.9.x is no longer officially supported by the Google Cloud CLI\n"
    return Answer(notice + document(token, lifetime) + update, stderr=warning, when=CONFIG_HELPER)


def of_old_version(token: str, lifetime: float | None = 3599) -> list[Answer]:
    """The same of a gcloud that does not know ``--min-expiry``."""
    text = "ERROR: (gcloud.config.config-helper) unrecognized arguments: --min-expiry=5m\n\n"
    text += "To search the help text of gcloud commands, run:\n  gcloud help -- SEARCH_TERMS\n"
    return [Answer(stderr=text, code=2, when=("--min-expiry",)), *logged_in(token, lifetime)]


def not_logged_in() -> Answer:
    """gcloud before ``gcloud auth login``."""
    return _refuses("You do not currently have an active account selected.")


def requires_reauthentication() -> Answer:
    """The organisation's session length is over, and nobody is there to answer."""
    text = "There was a problem reauthenticating while refreshing your current auth tokens: Reauthentication failed. "
    text += "cannot prompt during non-interactive execution.\n" + _LOG_IN.replace("run", "retry your command or run", 1)
    return Answer(stderr=f"ERROR: (gcloud.config.config-helper) {text}", code=1)


def has_revoked_token() -> Answer:
    """A refresh token that has ended, or was withdrawn."""
    return _refuses(
        "There was a problem refreshing your current auth tokens: ('invalid_grant: Token has been expired or "
        "revoked.', {'error': 'invalid_grant', 'error_description': 'Token has been expired or revoked.'})"
    )


def impersonating(token: str, email: str, lifetime: float | None = 3599) -> list[Answer]:
    """The token of a service account that the active account impersonates."""
    return logged_in(token, lifetime, stderr=_impersonation(email))


def may_not_impersonate(email: str) -> Answer:
    """A service account that the active account may not impersonate."""
    text = (
        f"ERROR: (gcloud.config.config-helper) Failed to impersonate [{email}]. Make sure the account that's trying to "
        'impersonate it has access to the service account itself and the "roles/iam.serviceAccountTokenCreator" role. '
        "Permission 'iam.serviceAccounts.getAccessToken' denied on resource (or it may not exist).\n"
    )
    return Answer(stderr=_impersonation(email) + text, code=1)


def _impersonation(email: str) -> str:
    text = "WARNING: This command is using service account impersonation. All API calls will be executed as "
    return f"{text}[{email}].\n"


def document(token: str, lifetime: float | None) -> str:
    """What config-helper prints."""
    ends = None
    if lifetime is not None:
        moment = datetime.datetime.fromtimestamp(time.time() + lifetime, datetime.timezone.utc)
        ends = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    credential = {"access_token": token, "id_token": None, "token_expiry": ends}
    return json.dumps({"credential": credential}, indent=2) + "\n"


def _refuses(message: str) -> Answer:
    text = f"ERROR: (gcloud.config.config-helper) {message}\n{_LOG_IN}{_OTHER_ACCOUNT}"
    return Answer(stderr=text, code=1)

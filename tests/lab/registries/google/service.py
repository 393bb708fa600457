"""The base of every Google service."""

from __future__ import annotations

from email.utils import formatdate
from urllib.parse import parse_qsl

from ...clock import Clock
from ...messages import HeaderList, Request, Response, json_response
from .access_tokens import AccessTokens
from .accounts import Accounts
from .refusals import Refused, oauth_refusal


class Google:
    """The state that services share: the time, the accounts, the tokens, and the mistakes of clients."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.accounts = Accounts()
        self.tokens = AccessTokens(self.clock)
        #: Requests that a correct client does not send, as sentences.
        self.mistakes: list[str] = []


class Service:
    """A service on hosts of its own."""

    #: Its name in `Google.mistakes`.
    name = ""

    def __init__(self, google: Google) -> None:
        self.google = google

    def answer(self, request: Request) -> Response:
        """The answer, or the refusal."""
        try:
            response = self.perform(request)
        except Refused as refused:
            if refused.mistake:
                self.google.mistakes.append(f"{self.name}: {refused.mistake}")
            response = self.refusal(refused)
        response.headers.append(("Date", formatdate(self.google.clock.now(), usegmt=True)))
        return response

    def perform(self, request: Request) -> Response:
        """The answer; raises `Refused`."""
        raise NotImplementedError

    def refusal(self, refused: Refused) -> Response:
        """A refusal in the service's own form."""
        return oauth_refusal(refused)

    def json(self, value: object, headers: HeaderList | None = None) -> Response:
        """An answer as JSON, which must not be cached (RFC 6749, section 5.1)."""
        return json_response(value, headers=[("Cache-Control", "no-cache, no-store, max-age=0"), *(headers or [])])


def require(request: Request, method: str, path: str) -> None:
    """Refuse another method or path, and any query."""
    if request.path != path:
        raise Refused(404, "not_found", "", f"no such path: {request.path}")
    if request.method != method:
        raise Refused(405, "method_not_allowed", "", f"the method of {path} is {request.method}")
    if request.query:
        raise Refused(400, "invalid_request", "Bad Request", f"{path} has a query")


def form_fields(request: Request, required: set[str], optional: set[str] = frozenset()) -> dict[str, str]:
    """The fields of a form; refuses missing, unknown, empty and repeated ones."""
    if request.header("Content-Type", "").partition(";")[0] != "application/x-www-form-urlencoded":
        raise Refused(400, "invalid_request", "Bad Request", "the body is not a form")
    pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    fields = dict(pairs)
    wrong = sorted((required - set(fields)) | (set(fields) - required - optional))
    wrong += sorted(name for name, value in fields.items() if not value)
    if len(fields) != len(pairs):
        wrong.append("twice the same")
    if wrong:
        text = f"missing, unknown or empty fields: {', '.join(wrong)}"
        raise Refused(400, "invalid_request", text, text)
    return fields

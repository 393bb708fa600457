"""What the services of AWS have in common."""

from __future__ import annotations

from ...clock import Clock
from ...messages import HeaderList, Request, Response, json_response
from .accounts import Accounts
from .authentication import Authentication
from .endpoints import Endpoint
from .refusals import Refused, common_headers, json_refusal


class Account:
    """What every service knows: the time, the accounts, and what clients did wrong."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.accounts = Accounts(self.clock)
        self.authentication = Authentication(self.accounts, self.clock)
        #: Requests that a correct client does not send, as sentences.
        self.mistakes: list[str] = []


class Service:
    """A service, at any of its endpoints."""

    #: Its name in signatures and in `endpoints`.
    name = ""

    def __init__(self, aws: Account) -> None:
        self.aws = aws

    def answer(self, request: Request, endpoint: Endpoint) -> Response:
        """The answer, or the refusal."""
        try:
            return self.perform(request, endpoint)
        except Refused as refused:
            if refused.mistake:
                self.aws.mistakes.append(f"{self.name}: {refused.mistake}")
            return self.refusal(refused)

    def perform(self, request: Request, endpoint: Endpoint) -> Response:
        """The answer; raises `Refused`."""
        raise NotImplementedError

    def refusal(self, refused: Refused) -> Response:
        """A refusal in the service's own form."""
        return json_refusal(refused, self.aws.clock.now())

    def json(self, value: object, headers: HeaderList | None = None) -> Response:
        """An answer as JSON."""
        return json_response(value, headers=[*common_headers(self.aws.clock.now()), *(headers or [])])


def require(request: Request, method: str, path: str) -> None:
    """Refuse another method or path."""
    if request.path != path:
        raise Refused(404, "UnknownOperationException", "", f"no such path: {request.path}")
    if request.method != method:
        raise Refused(405, "UnknownOperationException", "", f"the method of {path} is {request.method}")


def json_fields(request: Request, required: set[str], optional: set[str] = frozenset()) -> dict[str, object]:
    """The fields of a JSON body; refuses missing, unknown and empty ones."""
    if request.header("Content-Type", "").partition(";")[0] != "application/json":
        raise Refused(400, "ValidationException", "The content type is not JSON.", "the content type is not JSON")
    fields = request.json()
    if not isinstance(fields, dict):
        raise Refused(400, "ValidationException", "The body is not an object.", "the body is not an object")
    wrong = sorted((required - set(fields)) | (set(fields) - required - optional))
    wrong += sorted(name for name, value in fields.items() if not isinstance(value, str) or not value)
    if wrong:
        text = f"Missing, unknown or empty fields: {', '.join(wrong)}"
        raise Refused(400, "ValidationException", text, text)
    return fields

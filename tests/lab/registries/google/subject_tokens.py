"""A service of a CI that hands out subject tokens at a URL, as GitHub Enterprise Server and others do."""

from __future__ import annotations

import secrets

from ...messages import Request, Response, json_response
from .refusals import Refused
from .service import Google, Service

HOST = "identity.contoso.example"
_PATH = "/jobs/1/token"


class SubjectTokens(Service):
    """``GET`` with a bearer. Until a test sets `token`, there is none."""

    name = "subject tokens"
    url = f"https://{HOST}{_PATH}?version=1"

    def __init__(self, google: Google) -> None:
        super().__init__(google)
        self.token = ""
        #: The field of a JSON object; the answer is the bare token without one.
        self.field: str | None = None
        self.bearer = secrets.token_urlsafe(40)

    @property
    def headers(self) -> dict[str, str]:
        """What requests must have."""
        return {"Authorization": f"Bearer {self.bearer}", "X-Contoso-Job": "1"}

    def perform(self, request: Request) -> Response:
        if request.url != self.url:
            raise Refused(404, "not_found", "", f"no such address: {request.url}")
        if request.method != "GET" or request.body:
            raise Refused(405, "method_not_allowed", "", f"the method is {request.method}")
        if any(request.header(name) != value for name, value in self.headers.items()):
            raise Refused(401, "unauthorized", "", "not the headers of the file")
        if self.field is None:
            return Response(200, [("Content-Type", "text/plain")], self.token.encode())
        return json_response({"expires_in": 300, self.field: self.token})

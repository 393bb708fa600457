"""The Resource Manager, which google-auth asks for the name of a project. ringbearer needs none.

https://cloud.google.com/resource-manager/reference/rest/v1/projects/get
"""

from __future__ import annotations

from ...messages import Request, Response
from .accounts import PROJECT, PROJECT_NUMBER
from .refusals import Refused, api_refusal
from .service import Service, require

HOST = "cloudresourcemanager.googleapis.com"


class Projects(Service):
    """``GET /v1/projects/NUMBER``."""

    name = "cloudresourcemanager"

    def perform(self, request: Request) -> Response:
        require(request, "GET", f"/v1/projects/{PROJECT_NUMBER}")
        if self.google.tokens.find(request.bearer) is None:
            raise Refused(401, "", "Request had invalid authentication credentials.")
        return self.json({"projectNumber": PROJECT_NUMBER, "projectId": PROJECT, "lifecycleState": "ACTIVE"})

    def refusal(self, refused: Refused) -> Response:
        return api_refusal(refused)

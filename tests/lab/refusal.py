"""The refusal of a request by a practice service."""

from __future__ import annotations


class Refused(Exception):
    """A request is refused. ``mistake`` names the rule that the client broke; empty if the user's login is at fault."""

    def __init__(self, status: int, code: str, message: str, mistake: str = "", **more: object) -> None:
        super().__init__(message)
        self.status = status
        #: The service's own name of the error, such as ``invalid_grant``.
        self.code = code
        self.message = message
        self.mistake = mistake
        #: More fields of the answer.
        self.more = more

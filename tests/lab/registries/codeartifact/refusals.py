"""Refusals, in the forms in which AWS's services send errors."""

from __future__ import annotations

import time
import uuid
from email.utils import formatdate
from xml.sax.saxutils import escape

from ...faults import Fault
from ...messages import HeaderList, Response, json_response
from ...refusal import Refused

XML_NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def common_headers(now: float) -> HeaderList:
    """The headers of every answer, with the time of the service."""
    return [("x-amzn-RequestId", str(uuid.uuid4())), ("Date", formatdate(now, usegmt=True))]


def json_refusal(refused: Refused, now: float) -> Response:
    """As services with JSON send it."""
    kind = f"{refused.code}:http://internal.amazon.com/coral/com.amazonaws/"
    headers = [("x-amzn-ErrorType", kind), *common_headers(now)]
    return json_response({"message": refused.message, **refused.more}, refused.status, headers)


def xml_response(text: str, status: int, now: float) -> Response:
    """XML."""
    return Response(status, [("Content-Type", "text/xml"), *common_headers(now)], text.encode())


def xml_refusal(refused: Refused, now: float) -> Response:
    """As STS sends it."""
    kind = "Sender" if refused.status < 500 else "Receiver"
    return xml_response(
        f'<ErrorResponse xmlns="{XML_NAMESPACE}">\n  <Error>\n    <Type>{kind}</Type>\n'
        f"    <Code>{escape(refused.code)}</Code>\n    <Message>{escape(refused.message)}</Message>\n"
        f"  </Error>\n  <RequestId>{uuid.uuid4()}</RequestId>\n</ErrorResponse>\n",
        refused.status,
        now,
    )


def throttled(retry_after: int | None = 1) -> Fault:
    """Too many requests, at a service with JSON."""
    refused = Refused(429, "ThrottlingException", "Rate exceeded")
    wait = [] if retry_after is None else [("Retry-After", str(retry_after))]

    def respond(request, answer) -> Response:
        response = json_refusal(refused, time.time())
        response.headers += wait
        return response

    return respond


def throttled_by_sts() -> Fault:
    """Too many requests, at STS."""
    return lambda request, answer: xml_refusal(Refused(400, "Throttling", "Rate exceeded"), time.time())

"""Uploads as twine and uv send them: the legacy API's forms."""

from __future__ import annotations

import email.parser
import email.policy

from .messages import Request


def read_upload(request: Request) -> tuple[dict[str, str], str, bytes]:
    """The fields, the file's name and the file of a ``multipart/form-data`` body (RFC 7578)."""
    head = "Content-Type: {}\r\n\r\n".format(request.header("Content-Type") or "text/plain").encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + request.body)
    fields: dict[str, str] = {}
    file_name, content = "", b""
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True) or b""
        if name == "content":
            file_name, content = part.get_filename() or "", value
        else:
            fields[str(name)] = value.decode("utf-8", "replace")
    return fields, file_name, content

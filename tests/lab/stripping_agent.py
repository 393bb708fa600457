"""An agent that writes RSA signatures as gpg-agent does: as numbers without leading zeros."""

from __future__ import annotations

import base64
import os
import shutil
import socket
import struct
import tempfile
import threading

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from .ssh import Key

_FAILURE = b"\x05"


class StrippingAgent:
    """Serves one RSA key on a Unix socket, until :meth:`close`."""

    def __init__(self, key: Key) -> None:
        with open(key.path, "rb") as stream:
            self._private = serialization.load_ssh_private_key(stream.read(), None)
        self._blob = base64.b64decode(key.text.split()[1])
        #: The length of each signature.
        self.lengths: list[int] = []
        # A socket's path may have 107 bytes, which the directories of tests exceed.
        self._directory = tempfile.mkdtemp(prefix="agent-")
        self.socket = os.path.join(self._directory, "s")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.socket)
        self._listener.listen()
        self._is_open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._is_open = False
        # Closing would not wake the accepting thread.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as last:
            last.connect(self.socket)
        self._thread.join(10)
        self._listener.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def _serve(self) -> None:
        while self._is_open:
            connection, _ = self._listener.accept()
            with connection, connection.makefile("rwb") as stream:
                connection.settimeout(10)
                while length := stream.read(4):
                    answer = self._answer(stream.read(struct.unpack(">I", length)[0]))
                    stream.write(_string(answer))
                    stream.flush()

    def _answer(self, message: bytes) -> bytes:
        if message == b"\x0b":
            return b"\x0c" + struct.pack(">I", 1) + _string(self._blob) + _string(b"scripted")
        fields = []
        rest = message[1:]
        for _ in range(2):
            end = 4 + struct.unpack(">I", rest[:4])[0]
            fields.append(rest[4:end])
            rest = rest[end:]
        blob, data = fields
        if message[0] != 13 or blob != self._blob or rest != struct.pack(">I", 4):
            return _FAILURE
        signature = self._private.sign(data, padding.PKCS1v15(), hashes.SHA512()).lstrip(b"\0")
        self.lengths.append(len(signature))
        return b"\x0e" + _string(_string(b"rsa-sha2-512") + _string(signature))


def _string(content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + content

"""An ssh-agent that misbehaves as scripted: RFC 9987 over a Unix socket, with a real key.

With a key of `lab.ssh` a test writes::

    with HostileAgent(key, signing=hang()) as agent:
        store.fails("get_password", "service", "user", SSH_AUTH_SOCK=agent.socket)
    assert agent.count(SIGN) == 1

A fault is a function from a request, which carries the honest answer, to what is sent instead.
"""

from __future__ import annotations

import base64
import os
import random
import shutil
import socket
import struct
import tempfile
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from .interruptible import eventually
from .ssh import Key

LIST, LIST_ANSWER, SIGN, SIGN_ANSWER = 11, 12, 13, 14
#: Failure messages: of the protocol, of its extensions, SSH2_AGENT_FAILURE, SSH_COM_AGENT2_FAILURE.
FAILURE, EXTENSION_FAILURE, SSH2_FAILURE, SSH_COM_FAILURE = 5, 28, 30, 102
#: The signature flag for RSA keys: rsa-sha2-512.
SHA2_512 = 4


def number(value: int) -> bytes:
    """Four bytes, big-endian."""
    return struct.pack(">I", value)


def string(content: bytes) -> bytes:
    """Prefixed with its length."""
    return number(len(content)) + content


def frame(message: bytes) -> bytes:
    """A framed message."""
    return string(message)


def read_strings(content: bytes, count: int) -> tuple[list[bytes], bytes]:
    """This many strings, and the rest."""
    found = []
    for _ in range(count):
        (length,) = struct.unpack_from(">I", content)
        found.append(content[4 : 4 + length])
        content = content[4 + length :]
    return found, content


class Signer:
    """The private half of a key."""

    def __init__(self, key: Key) -> None:
        with open(key.path, "rb") as stream:
            self.private = load_ssh_private_key(stream.read(), None)
        public = self.private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        self.blob = base64.b64decode(public.split()[1])

    def sign(self, data: bytes, flags: int = SHA2_512) -> tuple[bytes, bytes]:
        """Algorithm and signature of OpenSSH's agent for these flags."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return b"ssh-ed25519", self.private.sign(data)
        assert isinstance(self.private, rsa.RSAPrivateKey)
        name, digest = {
            SHA2_512: (b"rsa-sha2-512", hashes.SHA512()),
            2: (b"rsa-sha2-256", hashes.SHA256()),
            0: (b"ssh-rsa", hashes.SHA1()),
        }[flags]
        return name, self.private.sign(data, padding.PKCS1v15(), digest)


@dataclass
class Request:
    """A request and the honest answer."""

    kind: int
    signer: Signer
    honest: bytes
    #: Only of signing requests.
    data: bytes = b""
    flags: int = 0
    #: The number of earlier requests of its kind.
    earlier: int = 0


@dataclass
class Reply:
    """Bytes to send, and how."""

    wire: bytes = b""
    #: Seconds between one byte and the next.
    pause: float = 0
    #: Send nothing more and keep the connection open.
    hang: bool = False
    #: Close the connection.
    close: bool = False


Fault = Callable[[Request], Reply]


class HostileAgent:
    """Serves in its own threads until it is closed."""

    def __init__(
        self,
        key: Key,
        listing: Fault | None = None,
        signing: Fault | None = None,
        comment: bytes = b"a comment",
        others: Iterable[tuple[bytes, bytes]] = (),
    ) -> None:
        self.signer = Signer(key)
        self.listing = listing
        self.signing = signing
        #: Blob and comment of each key, the real one last.
        self.identities = [*others, (self.signer.blob, comment)]
        self.kinds: list[int] = []
        self._lock = threading.Lock()
        self._over = threading.Event()
        # A socket's path may have 107 bytes, which the directories of tests exceed.
        self._directory = tempfile.mkdtemp(prefix="hostile-")
        self.socket = os.path.join(self._directory, "s")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.socket)
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def __enter__(self) -> HostileAgent:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._over.set()
        with socket.socket(socket.AF_UNIX) as knock:
            knock.connect(self.socket)
        self._thread.join(10)
        self._listener.close()
        shutil.rmtree(self._directory, ignore_errors=True)

    def count(self, kind: int) -> int:
        """The number of requests of a kind so far."""
        with self._lock:
            return self.kinds.count(kind)

    def wait_for(self, kind: int, count: int = 1) -> None:
        """Wait for this many requests of a kind."""
        assert eventually(lambda: self.count(kind) >= count), self.kinds

    def _accept(self) -> None:
        while not self._over.is_set():
            connection, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while not self._over.is_set():
                    message = _receive(connection)
                    if message is None or not self._answer(connection, message):
                        return
            except OSError:
                # The client closed the connection, as it may.
                return

    def _answer(self, connection: socket.socket, message: bytes) -> bool:
        request = self._understand(message)
        fault = self.listing if request.kind == LIST else self.signing
        reply = fault(request) if fault else Reply(frame(request.honest))
        if reply.pause:
            for byte in reply.wire:
                connection.sendall(bytes([byte]))
                self._over.wait(reply.pause)
        else:
            connection.sendall(reply.wire)
        if reply.hang:
            self._over.wait()
        return not (reply.close or reply.hang)

    def _understand(self, message: bytes) -> Request:
        kind = message[0]
        with self._lock:
            earlier = self.kinds.count(kind)
            self.kinds.append(kind)
        if kind == LIST:
            keys = b"".join(string(blob) + string(comment) for blob, comment in self.identities)
            honest = bytes([LIST_ANSWER]) + number(len(self.identities)) + keys
            return Request(kind, self.signer, honest, earlier=earlier)
        if kind == SIGN:
            (blob, data), rest = read_strings(message[1:], 2)
            (flags,) = struct.unpack(">I", rest)
            is_ours = blob == self.signer.blob
            honest = signed(*self.signer.sign(data, flags)) if is_ours else bytes([FAILURE])
            return Request(kind, self.signer, honest, data, flags, earlier)
        return Request(kind, self.signer, bytes([FAILURE]), earlier=earlier)


def _receive(connection: socket.socket) -> bytes | None:
    received = b""
    while len(received) < 4 or len(received) < 4 + struct.unpack_from(">I", received)[0]:
        more = connection.recv(65536)
        if not more:
            return None
        received += more
    return received[4:]


def signed(algorithm: bytes, signature: bytes) -> bytes:
    """The answer to a signing request."""
    return bytes([SIGN_ANSWER]) + string(string(algorithm) + string(signature))


def hang(after: int = 0) -> Fault:
    """This many honest answers, then silence."""
    return lambda request: Reply(frame(request.honest)) if request.earlier < after else Reply(hang=True)


def hang_once() -> Fault:
    """Silence on the first connection, then honest answers on new ones."""
    return lambda request: Reply(frame(request.honest)) if request.earlier else Reply(hang=True)


def drip(pause: float = 0.2) -> Fault:
    """The honest answer, byte by byte."""
    return lambda request: Reply(frame(request.honest), pause=pause)


def announce(length: int, then: Reply | None = None) -> Fault:
    """A wrong length, then some bytes and silence."""
    rest = then or Reply(b"\x0c" * 64, hang=True)
    return lambda _: Reply(number(length) + rest.wire, hang=rest.hang, close=rest.close)


def say(message: bytes) -> Fault:
    """Always the same answer."""
    return lambda _: Reply(frame(message))


def noise(length: int, seed: int) -> Fault:
    """Random bytes in a valid frame, determined by the seed."""
    return say(bytes(random.Random(seed).randrange(256) for _ in range(length)))


def change(how: Callable[[bytes], bytes]) -> Fault:
    """The honest answer, changed."""
    return lambda request: Reply(frame(how(request.honest)))


def cut(keep: int | None = None) -> Fault:
    """Close the connection after this many bytes of the honest answer; by default before the last."""
    return lambda request: Reply(frame(request.honest)[: -1 if keep is None else keep], close=True)


def sign_by(how: Callable[[Request], tuple[bytes, bytes]]) -> Fault:
    """Algorithm and signature as returned by `how`."""
    return lambda request: Reply(frame(signed(*how(request))))

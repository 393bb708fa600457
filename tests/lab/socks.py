"""A SOCKS5 proxy (RFC 1928) in front of the practice cloud."""

from __future__ import annotations

import select
import socket

from .server import Listener


class SocksProxy:
    """Forwards every connection to the CONNECT proxy. `asked` has the requested addresses."""

    def __init__(self, proxy_port: int, names: dict[str, str] | None = None) -> None:
        self._proxy_port = proxy_port
        #: Host names by address, for clients that resolve names themselves.
        self._names = names or {}
        self.asked: list[str] = []
        self._listener = Listener(self._serve)
        self.address = f"127.0.0.1:{self._listener.port}"

    def _serve(self, client: socket.socket) -> None:
        with client, client.makefile("rb", buffering=0) as reader:
            _, methods = reader.read(2)
            reader.read(methods)
            client.sendall(b"\x05\x00")
            kind = reader.read(4)[3]
            host = reader.read(reader.read(1)[0]).decode() if kind == 3 else socket.inet_ntoa(reader.read(4))
            self.asked.append(host)
            target = "{}:{}".format(self._names.get(host, host), int.from_bytes(reader.read(2), "big"))
            with socket.create_connection(("127.0.0.1", self._proxy_port)) as proxy:
                proxy.sendall(f"CONNECT {target} HTTP/1.1\r\n\r\n".encode())
                proxy.recv(4096)
                client.sendall(b"\x05\x00\x00\x01" + bytes(6))
                others = {client: proxy, proxy: client}
                while True:
                    for ready in select.select(list(others), [], [])[0]:
                        data = ready.recv(65536)
                        if not data:
                            return
                        others[ready].sendall(data)

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

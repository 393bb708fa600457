"""The practice cloud, put together."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable

from .authority import EARLY, EXPIRED, MISNAMED, UNTRUSTED, CertificateAuthority
from .azure.entra import Entra
from .azure.service import Azure
from .chainguard import Chainguard
from .environment import TRUST_VARIABLES, child_environment, programs_directory
from .faults import Faults
from .hostile import Hostile
from .log import RequestLog
from .menda import Menda
from .proxy import Proxy
from .server import Server
from .sites import Sites


class PracticeCloud:
    """Start with ``with PracticeCloud() as cloud``; made in milliseconds, so every test has its own.

    An authority may be shared by many clouds, to save its making.
    """

    def __init__(self, authority: CertificateAuthority | None = None, port: int = 0) -> None:
        self._own_authority = authority is None
        self.authority = authority or CertificateAuthority()
        self.log = RequestLog()
        self.faults = Faults()
        self.sites = Sites()
        self._server = Server(self.log, self.faults)
        self._directory = tempfile.TemporaryDirectory(prefix="lab-cloud-")
        self.programs = programs_directory(os.path.join(self._directory.name, "programs"))
        self.azure = Azure(self.sites, self._server)
        self.chainguard = Chainguard(self.sites)
        self.menda = Menda(self.sites)
        self.hostile = Hostile(self.sites)
        self.proxy = Proxy(self._server, self.sites, self.authority, port)

    @property
    def entra(self) -> Entra:
        """The login hosts."""
        return self.azure.entra

    @property
    def metadata(self):
        """The managed identity endpoints."""
        return self.azure.metadata

    @property
    def proxy_url(self) -> str:
        """For HTTPS_PROXY."""
        return self.proxy.url

    @property
    def ca_file(self) -> str:
        """For REQUESTS_CA_BUNDLE and its like."""
        return self.authority.ca_file

    def distrust(self, host: str) -> None:
        """Let a host show a certificate of an authority that nobody trusts."""
        self.proxy.show_certificate(host, UNTRUSTED)

    def expire(self, host: str) -> None:
        """Let a host show a certificate that has expired."""
        self.proxy.show_certificate(host, EXPIRED)

    def postdate(self, host: str) -> None:
        """Let a host show a certificate that is not valid yet, as one whose clock is hours ahead would."""
        self.proxy.show_certificate(host, EARLY)

    def misname(self, host: str) -> None:
        """Let a host show another host's certificate."""
        self.proxy.show_certificate(host, MISNAMED)

    def hang_up(self) -> None:
        """End every connection: what comes next is sent on a new one."""
        self._server.hang_up()

    def environment(
        self,
        home: object,
        path: Iterable[object] = (),
        trust: tuple[str, ...] = TRUST_VARIABLES,
        **variables: str | None,
    ) -> dict[str, str]:
        """A complete environment for a child process: ``path`` in front of a few system programs, and ``variables``.

        A variable given as None is left out. ``trust`` tells which variables name the authority's file.
        """
        return child_environment(
            str(home),
            [str(entry) for entry in path] + [self.programs],
            self.proxy.url,
            self.ca_file,
            self.metadata.imds.url,
            trust,
            variables,
        )

    def close(self) -> None:
        """End everything at once."""
        self.proxy.close()
        self.azure.close()
        self._server.close()
        self._directory.cleanup()
        if self._own_authority:
            self.authority.close()

    def __enter__(self) -> PracticeCloud:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

"""The practice cloud: proxy, servers and sites."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable

from .authority import EARLY, EXPIRED, MISNAMED, UNTRUSTED, CertificateAuthority
from .environment import TRUST_VARIABLES, child_environment, programs_directory
from .faults import Faults
from .hostile import Hostile
from .log import RequestLog
from .proxy import Proxy
from .registries import REGISTRIES
from .relay import Relay
from .server import Server
from .sites import Sites


class PracticeCloud:
    """Start with ``with PracticeCloud() as cloud``; it starts in milliseconds, so every test has its own.

    Clouds may share an authority, which takes long to create. The site of each registry of
    `lab.registries` is the attribute of its name: ``cloud.azure``.
    """

    def __init__(self, authority: CertificateAuthority | None = None, port: int = 0) -> None:
        self._own_authority = authority is None
        self.authority = authority or CertificateAuthority()
        self.log = RequestLog()
        self.faults = Faults()
        self.sites = Sites()
        self.server = Server(self.log, self.faults)
        self._directory = tempfile.TemporaryDirectory(prefix="lab-cloud-")
        self.programs = programs_directory(os.path.join(self._directory.name, "programs"))
        self._registries = {name: registry.site(self) for name, registry in REGISTRIES.items()}
        vars(self).update(self._registries)
        lookalikes = (host for site in self._registries.values() for host in site.lookalikes)
        self.hostile = Hostile(self.sites, lookalikes)
        self.proxy = Proxy(self.server, self.sites, self.authority, port)
        self._relay: Relay | None = None

    @property
    def entra(self):
        """The login hosts of Azure."""
        return self.azure.entra

    @property
    def metadata(self):
        """The managed identity endpoints of Azure."""
        return self.azure.metadata

    @property
    def proxy_url(self) -> str:
        """For HTTPS_PROXY."""
        return f"http://127.0.0.1:{self._relay.port}" if self._relay else self.proxy.url

    @property
    def round_trip_ms(self) -> float | None:
        """Milliseconds of a round trip between clients and hosts (see `relay`); None: clients reach the proxy directly.

        Environments that were created before the first value bypass the relay.
        """
        return self._relay.round_trip_ms if self._relay else None

    @round_trip_ms.setter
    def round_trip_ms(self, milliseconds: float) -> None:
        if self._relay is None:
            self._relay = Relay(self.proxy.port, milliseconds)
        self._relay.round_trip_ms = milliseconds

    @property
    def ca_file(self) -> str:
        """For REQUESTS_CA_BUNDLE and similar variables."""
        return self.authority.ca_file

    def distrust(self, host: str) -> None:
        """Let a host present a certificate of an untrusted authority."""
        self.proxy.show_certificate(host, UNTRUSTED)

    def expire(self, host: str) -> None:
        """Let a host present an expired certificate."""
        self.proxy.show_certificate(host, EXPIRED)

    def postdate(self, host: str) -> None:
        """Let a host present a certificate that is not valid yet, as if its clock were hours ahead."""
        self.proxy.show_certificate(host, EARLY)

    def misname(self, host: str) -> None:
        """Let a host present another host's certificate."""
        self.proxy.show_certificate(host, MISNAMED)

    def hang_up(self) -> None:
        """Close every connection: later requests use a new one."""
        self.server.hang_up()

    def environment(
        self,
        home: object,
        path: Iterable[object] = (),
        trust: tuple[str, ...] = TRUST_VARIABLES,
        **variables: str | None,
    ) -> dict[str, str]:
        """A complete environment for a child process: ``path`` in front of a few system programs, and ``variables``.

        None removes a variable. ``trust`` lists the variables that name the authority's file.
        """
        own: dict[str, str | None] = {}
        for site in self._registries.values():
            own.update(site.environment(str(home)))
        return child_environment(
            str(home),
            [str(entry) for entry in path] + [self.programs],
            self.proxy_url,
            self.ca_file,
            self.loopback_variables(),
            trust,
            {**own, **variables},
        )

    def loopback_variables(self) -> dict[str, str]:
        """The variables that keep clients from the machine's own metadata services."""
        return {name: value for site in self._registries.values() for name, value in site.loopback_variables().items()}

    def close(self) -> None:
        """Stop everything."""
        if self._relay:
            self._relay.close()
        self.proxy.close()
        for site in self._registries.values():
            site.close()
        self.server.close()
        self._directory.cleanup()
        if self._own_authority:
            self.authority.close()

    def __enter__(self) -> PracticeCloud:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

"""The keyring backends. Each is a thin wrapper around the native core.

All imports are at the top: pip 26.3 forbids imports once it has begun to install.
"""

import _thread
import atexit
import os
import sys
from typing import Any, Callable, ClassVar, Optional

from keyring.backend import KeyringBackend
from keyring.backends.chainer import ChainerBackend
from keyring.credentials import SimpleCredential

from ringbearer import _core, debugging, errors
from ringbearer import warning as warning  # loaded now: the native core uses it

#: The registries of the native core: id and priority, by the name of the class.
_REGISTRIES = {name: (registry, priority) for name, registry, priority in _core.registries()}


def _is_main_interpreter() -> bool:
    """Whether this is the process's first interpreter; False if that is unknown."""
    if hasattr(_thread, "_is_main_interpreter"):
        return bool(_thread._is_main_interpreter())
    try:
        import _xxsubinterpreters as interpreters  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return False
    return bool(interpreters.get_current() == interpreters.get_main())


# Daemon threads that wait for a lookup never resume, and its child processes must end. Only for the main interpreter:
# when a subinterpreter exits, the lookups of the others go on.
if _is_main_interpreter():
    atexit.register(_core.cancel_lookups)


class _Properties:
    """Attributes from KEYRING_PROPERTY_* variables, except those that the class has: a variable must not replace a
    backend's methods or its priority.
    """

    def set_properties_from_env(self) -> None:
        """Called by keyring for each new instance."""
        prefix = "KEYRING_PROPERTY_"
        for variable, value in os.environ.items():
            name = variable[len(prefix) :].lower()
            is_taken = name.startswith("__") or any(name in vars(kind) for kind in type(self).__mro__)
            if variable.startswith(prefix) and not is_taken:
                vars(self)[name] = value


class _IndexKeyring(_Properties):
    """Base class of the index backends; not a KeyringBackend, or keyring would list it.

    Index backends get credentials and store none. The credential is the same whatever user name is asked for.
    """

    #: The id of the registry in the native core. It is read from the class: callers may set attributes of
    #: instances with `with_properties`.
    _registry: ClassVar[str] = ""
    priority: ClassVar[float]

    def __init_subclass__(cls) -> None:
        """Sets the id and the priority of the class's registry; further subclasses inherit them."""
        super().__init_subclass__()
        if cls.__name__ in _REGISTRIES:
            cls._registry, cls.priority = _REGISTRIES[cls.__name__]

    def get_credential(self, service: str, username: Optional[str]) -> Optional[SimpleCredential]:
        """The user name and password for an index URL or host; None if it is not claimed or there is no credential."""
        found = _core.get_credential(type(self)._registry, service)
        return None if found is None else SimpleCredential(*found)

    def get_password(self, service: str, username: Optional[str]) -> Optional[str]:
        """The password alone. None, and one warning, for a user name with which the registry would refuse it."""
        if isinstance(username, str) and username.startswith("pypi_token:"):
            # flit looks for a PyPI token under this name, and would send any answer as the user `__token__`.
            return None
        found = _core.get_credential(type(self)._registry, service, username)
        return None if found is None else found[1]

    def set_password(self, service: str, username: str, password: str) -> None:
        """Raises ReadOnlyError: there is nothing to store."""
        raise self._refusal()

    def delete_password(self, service: str, username: str) -> None:
        """Raises ReadOnlyError: there is nothing to delete."""
        raise self._refusal()

    def _refusal(self) -> errors.RingbearerError:
        if all(isinstance(backend, _IndexKeyring) for backend in ChainerBackend.backends):
            # The program limited keyring to some backends (`keyring.core.recommended`), and NoStoreKeyring is not among
            # them: otherwise nothing would report that the password was not stored.
            return errors.NoStoreError(_NO_STORE)
        return errors.ReadOnlyError(
            f"{type(self).__name__} gets its credentials from a service and stores none; choose a backend that stores "
            "with `keyring -b BACKEND set ...`, or make ringbearer's store with `ringbearer store init`, which needs "
            "an ssh-agent (SSH_AUTH_SOCK)"
        )


class AzureArtifactsKeyring(_IndexKeyring, KeyringBackend):
    """Azure DevOps Artifacts: `pkgs.dev.azure.com`, `*.pkgs.visualstudio.com`, servers that a feed endpoint names."""


class MendaCodeArtifactKeyring(_IndexKeyring, KeyringBackend):
    """Menda cloud's registries on AWS CodeArtifact: `NAME-ACCOUNT.d.codeartifact.REGION.amazonaws.com`."""


class CodeArtifactKeyring(_IndexKeyring, KeyringBackend):
    """AWS CodeArtifact with an AWS account: `DOMAIN-ACCOUNT.d.codeartifact.REGION.amazonaws.com` and other forms."""


class GoogleArtifactRegistryKeyring(_IndexKeyring, KeyringBackend):
    """Google Artifact Registry: `LOCATION-python.pkg.dev`, `python.LOCATION.rep.pkg.dev`."""


class ChainguardLibrariesKeyring(_IndexKeyring, KeyringBackend):
    """Chainguard Libraries: `libraries.cgr.dev` and the other hosts below `cgr.dev`."""


class _ClassProperty:
    """A property of a class. keyring has its own, but in another module before 24.0."""

    def __init__(self, get: Callable[[Any], float]) -> None:
        self._get = get

    def __get__(self, instance: object, owner: type) -> float:
        try:
            return self._get(owner)
        except RuntimeError:
            if instance is None:
                raise
            # keyring re-evaluates it on every call, and the agent may be gone by then: that must not end the chain for
            # the other backends.
            return -1


class SSHAgentKeyring(_Properties, KeyringBackend):
    """A store on this machine, encrypted at rest, which a signature of the ssh-agent unlocks."""

    @_ClassProperty
    def priority(cls) -> float:
        """2.2 once the store is set up or in use; before that -1, so that it is not used unless chosen by name. A
        RuntimeError, keyring's sign of a backend that cannot work here, if there is no agent.
        """
        if not os.environ.get("SSH_AUTH_SOCK") and sys.platform != "win32":
            raise RuntimeError("SSH_AUTH_SOCK is not set. Start an agent, or log in with agent forwarding.")
        return 2.2 if _core.store_is_in_use() else -1

    def get_password(self, service: str, username: str) -> Optional[str]:
        """The password; None if there is none. Every failure is raised."""
        return _core.store_get(service, username)

    def get_credential(self, service: str, username: Optional[str]) -> Optional[SimpleCredential]:
        """User name and password; without a user name, those of any user of the service."""
        if username is None:
            found = _core.store_find(service)
            return None if found is None else SimpleCredential(*found)
        password = _core.store_get(service, username)
        return None if password is None else SimpleCredential(username, password)

    def set_password(self, service: str, username: str, password: str) -> None:
        """Stores a password. When this returns, it is on the disk."""
        if not isinstance(password, str):
            # keyring's callers pass strings; the str() of anything else would not be the intended password.
            raise TypeError(f"a password is a str, not {type(password).__name__}")
        try:
            _core.store_set(service, username, password)
        except errors.RingbearerError as error:
            raise errors.of_set(error) from None

    def delete_password(self, service: str, username: str) -> None:
        """Removes a password. When this returns, it is gone from the disk."""
        try:
            _core.store_delete(service, username)
        except errors.RingbearerError as error:
            raise errors.of_delete(error) from None


class NoStoreKeyring(_Properties, KeyringBackend):
    """The end of keyring's chain: it has no passwords and reports that it stores none.

    keyring's chainer skips backends that only read, and returns None if there are no others: without this one, a
    password that no backend can store would be silently lost.
    """

    #: Above 0, to be in the chain; below every backend that stores.
    priority: ClassVar[float] = 0.01

    def get_password(self, service: str, username: Optional[str]) -> Optional[str]:
        """None."""
        return None

    def get_credential(self, service: str, username: Optional[str]) -> Optional[SimpleCredential]:
        """None."""
        return None

    def set_password(self, service: str, username: str, password: str) -> None:
        """Raises NoStoreError."""
        raise errors.NoStoreError(_NO_STORE)

    def delete_password(self, service: str, username: str) -> None:
        """Raises NoStoreError."""
        raise errors.NoStoreError(_NO_STORE)


_NO_STORE = (
    "no keyring backend here stores passwords, and nothing was stored or deleted; make ringbearer's own store with "
    "`ringbearer store init`, which needs an ssh-agent (SSH_AUTH_SOCK), or install another backend, such as "
    "keyrings.alt (Poetry writes to its own file if POETRY_KEYRING_ENABLED=false)"
)

debugging.to_stderr()

"""The exceptions. Every message is one line that says what failed and what to do next.

Reads of the index backends raise none of them unless RINGBEARER_STRICT is set: they log one warning and return None.
The store raises every failure; None means that there is no such record. (A search without a user name skips records
that cannot be decrypted, with a warning.)
"""

from typing import Optional

from keyring.errors import KeyringError, KeyringLocked, NoKeyringError, PasswordDeleteError, PasswordSetError

__all__ = [
    "AuthenticationError",
    "ChainctlAuthError",
    "ChainctlCommandError",
    "ChainctlNotFoundError",
    "ChainctlTimeoutError",
    "ConfigurationError",
    "InternalError",
    "InvalidCachedTokenError",
    "LookupTimeoutError",
    "M2MProfileWithoutClientCredentialsError",
    "MendaCloudAPIError",
    "MendaKeyRingError",
    "MendaNetworkError",
    "MendaTimeoutError",
    "NetworkError",
    "NoCachedLoginError",
    "NoStoreError",
    "ProcessError",
    "ProfileNotFoundError",
    "ProfileWithoutHostError",
    "ProtocolError",
    "ReadOnlyError",
    "RingbearerError",
    "StoreConfigurationError",
    "StoreCorrupted",
    "StoreCorruptedDeleteError",
    "StoreCorruptedSetError",
    "StoreDeleteError",
    "StoreError",
    "StoreLocked",
    "StoreLockedDeleteError",
    "StoreLockedSetError",
    "StoreNotFound",
    "StoreSetError",
    "StoreTimeoutError",
]


class RingbearerError(KeyringError):
    """The base class of all exceptions of ringbearer."""


class ConfigurationError(RingbearerError):
    """A setting is wrong: an unknown provider, an unreadable file, a host that is not allowed."""


class NetworkError(RingbearerError):
    """The network did not carry a request: name, connection, proxy, TLS."""


class LookupTimeoutError(RingbearerError):
    """A time limit ran out."""


class AuthenticationError(RingbearerError):
    """No source provided a credential, or the service refused it."""


class ProtocolError(RingbearerError):
    """The response of a service or the output of a program cannot be used."""


class ProcessError(RingbearerError):
    """A program that prints a token could not be run, or failed."""


class InternalError(RingbearerError):
    """A bug in ringbearer. Please report it."""


class ReadOnlyError(RingbearerError, PasswordSetError, PasswordDeleteError, NotImplementedError):
    """The backend gets its credentials from a service and stores none.

    It is also a NotImplementedError, so that keyring's chainer tries the next backend.
    """


class ChainctlAuthError(RingbearerError):
    """chainctl provided no token. This name and the next ones are those of keyrings-chainguard-libraries."""


class ChainctlNotFoundError(ChainctlAuthError, ProcessError):
    """chainctl is not on PATH."""


class ChainctlCommandError(ChainctlAuthError, ProcessError):
    """chainctl failed, or printed something other than a token."""


class ChainctlTimeoutError(ChainctlAuthError, LookupTimeoutError):
    """chainctl took too long."""


class MendaKeyRingError(RingbearerError):
    """Menda provided no token. This name and the next ones are those of menda-keyring."""

    #: The HTTP status of Menda's response, if there was one.
    status_code: Optional[int] = None

    def __init__(self, message: Optional[str] = None, *, status_code: Optional[int] = None) -> None:
        super().__init__((type(self).__doc__ or "") if message is None else message)
        self.status_code = status_code


class MendaNetworkError(MendaKeyRingError, NetworkError):
    """The network did not carry a request to Menda."""


class MendaTimeoutError(MendaKeyRingError, LookupTimeoutError):
    """A time limit ran out before Menda answered."""


class ProfileWithoutHostError(MendaKeyRingError, ConfigurationError):
    """The profile has no host."""


class M2MProfileWithoutClientCredentialsError(MendaKeyRingError, ConfigurationError):
    """The m2m profile lacks client_id or client_secret."""


class ProfileNotFoundError(MendaKeyRingError, ConfigurationError):
    """There is no such profile in the configuration file."""


class InvalidCachedTokenError(MendaKeyRingError, ConfigurationError):
    """The token cache of the Menda CLI cannot be used."""


class NoCachedLoginError(MendaKeyRingError, AuthenticationError):
    """There is no login, or it has expired."""


class MendaCloudAPIError(MendaKeyRingError, AuthenticationError):
    """Menda cloud returned an error."""


class NoStoreError(RingbearerError, NoKeyringError):
    """No backend stores passwords."""


class StoreError(RingbearerError, RuntimeError):
    """The store cannot be read or written.

    It is also a RuntimeError, as ssh-agent-keyring raises.
    """


class StoreLocked(StoreError, KeyringLocked):
    """The store cannot be unlocked: no ssh-agent, not the right key in it, or its owner declined."""


class StoreCorrupted(StoreError):
    """The store is damaged or was tampered with, or a newer version wrote it."""


class StoreConfigurationError(StoreError, ConfigurationError):
    """A setting of the store is wrong, or does not fit the store."""


class StoreTimeoutError(StoreError, LookupTimeoutError):
    """A time limit ran out before the store was read or written."""


class StoreSetError(StoreError, PasswordSetError):
    """The password was not stored."""


class StoreLockedSetError(StoreLocked, StoreSetError):
    """The password was not stored, because the store cannot be unlocked."""


class StoreCorruptedSetError(StoreCorrupted, StoreSetError):
    """The password was not stored, because the store is damaged."""


class StoreDeleteError(StoreError, PasswordDeleteError):
    """The password was not removed."""


class StoreNotFound(StoreDeleteError):
    """The password was not removed, because there is none."""


class StoreLockedDeleteError(StoreLocked, StoreDeleteError):
    """The password was not removed, because the store cannot be unlocked."""


class StoreCorruptedDeleteError(StoreCorrupted, StoreDeleteError):
    """The password was not removed, because the store is damaged."""


def of_set(error: RingbearerError) -> RingbearerError:
    """Converts a failure of the store to a PasswordSetError of the same kind."""
    if isinstance(error, StoreLocked):
        return StoreLockedSetError(*error.args)
    if isinstance(error, StoreCorrupted):
        return StoreCorruptedSetError(*error.args)
    return StoreSetError(*error.args)


def of_delete(error: RingbearerError) -> RingbearerError:
    """Converts a failure of the store to a PasswordDeleteError of the same kind."""
    if isinstance(error, StoreLocked):
        return StoreLockedDeleteError(*error.args)
    if isinstance(error, StoreCorrupted):
        return StoreCorruptedDeleteError(*error.args)
    return error if isinstance(error, StoreDeleteError) else StoreDeleteError(*error.args)

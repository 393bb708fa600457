"""What ringbearer raises. Every message is one line that says what failed and what to do next.

Reads of the index backends raise nothing of this unless RINGBEARER_STRICT is set: they log one warning and answer None.
The store raises whatever fails: an answer of None means that there is no such record. (To look for a service without a
user name, it passes over records that do not open, with a warning.)
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
    """The base of all errors here."""


class ConfigurationError(RingbearerError):
    """A setting is wrong: an unknown provider, an unreadable file, a host that is not allowed."""


class NetworkError(RingbearerError):
    """The network did not carry a request: name, connection, proxy, TLS."""


class LookupTimeoutError(RingbearerError):
    """A time limit ran out."""


class AuthenticationError(RingbearerError):
    """No source of a credential served, or the service refused what one gave."""


class ProtocolError(RingbearerError):
    """A service or a program answered with something that cannot be used."""


class ProcessError(RingbearerError):
    """A program that was to give a token could not be run, or failed."""


class InternalError(RingbearerError):
    """A fault of ringbearer itself. Please report it."""


class ReadOnlyError(RingbearerError, PasswordSetError, PasswordDeleteError, NotImplementedError):
    """The backend gets its credentials from a service and stores none.

    It is a NotImplementedError too, so that keyring's chainer goes on to a backend that can store.
    """


class ChainctlAuthError(RingbearerError):
    """No token came from chainctl. The names here and below are those of keyrings-chainguard-libraries."""


class ChainctlNotFoundError(ChainctlAuthError, ProcessError):
    """chainctl is not on PATH."""


class ChainctlCommandError(ChainctlAuthError, ProcessError):
    """chainctl failed, or printed something that is no token."""


class ChainctlTimeoutError(ChainctlAuthError, LookupTimeoutError):
    """chainctl took too long."""


class MendaKeyRingError(RingbearerError):
    """No token came from Menda. The names here and below are those of menda-keyring."""

    #: The HTTP status that Menda answered with, where there is one.
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
    """The profile is for a machine and lacks client_id or client_secret."""


class ProfileNotFoundError(MendaKeyRingError, ConfigurationError):
    """There is no such profile in the configuration file."""


class InvalidCachedTokenError(MendaKeyRingError, ConfigurationError):
    """The file with the Menda CLI's tokens cannot be used."""


class NoCachedLoginError(MendaKeyRingError, AuthenticationError):
    """Nobody is logged in, or no longer; sign in again."""


class MendaCloudAPIError(MendaKeyRingError, AuthenticationError):
    """Menda cloud answered a request with an error."""


class NoStoreError(RingbearerError, NoKeyringError):
    """Nothing here stores passwords."""


class StoreError(RingbearerError, RuntimeError):
    """The store cannot be read or written.

    It and its kin are RuntimeErrors too, since that is what the package ssh-agent-keyring raised.
    """


class StoreLocked(StoreError, KeyringLocked):
    """The store cannot be unlocked: no ssh-agent, not the right key in it, or its owner said no."""


class StoreCorrupted(StoreError):
    """The store does not hold what it should: it was damaged or tampered with, or a newer program wrote it."""


class StoreConfigurationError(StoreError, ConfigurationError):
    """A setting of the store is wrong, or does not fit the store."""


class StoreTimeoutError(StoreError, LookupTimeoutError):
    """A time limit ran out before the store was read or written."""


class StoreSetError(StoreError, PasswordSetError):
    """The password was not stored."""


class StoreLockedSetError(StoreLocked, StoreSetError):
    """The password was not stored, because the store cannot be unlocked."""


class StoreCorruptedSetError(StoreCorrupted, StoreSetError):
    """The password was not stored, because the store does not hold what it should."""


class StoreDeleteError(StoreError, PasswordDeleteError):
    """The password was not removed."""


class StoreNotFound(StoreDeleteError):
    """The password was not removed, because there is none."""


class StoreLockedDeleteError(StoreLocked, StoreDeleteError):
    """The password was not removed, because the store cannot be unlocked."""


class StoreCorruptedDeleteError(StoreCorrupted, StoreDeleteError):
    """The password was not removed, because the store does not hold what it should."""


def of_set(error: RingbearerError) -> RingbearerError:
    """What a failure of the store becomes when a password was to be stored: a PasswordSetError of its kind."""
    if isinstance(error, StoreLocked):
        return StoreLockedSetError(*error.args)
    if isinstance(error, StoreCorrupted):
        return StoreCorruptedSetError(*error.args)
    return StoreSetError(*error.args)


def of_delete(error: RingbearerError) -> RingbearerError:
    """What a failure of the store becomes when a password was to be removed: a PasswordDeleteError of its kind."""
    if isinstance(error, StoreLocked):
        return StoreLockedDeleteError(*error.args)
    if isinstance(error, StoreCorrupted):
        return StoreCorruptedDeleteError(*error.args)
    return error if isinstance(error, StoreDeleteError) else StoreDeleteError(*error.args)

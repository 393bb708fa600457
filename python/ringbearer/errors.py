"""What ringbearer raises. Every message is one line that says what failed and what to do next.

Reads of the index backends raise nothing of this unless RINGBEARER_STRICT is set: they log one warning and answer None.
"""

from keyring.errors import KeyringError, PasswordDeleteError, PasswordSetError

__all__ = [
    "AuthenticationError",
    "ConfigurationError",
    "InternalError",
    "LookupTimeoutError",
    "NetworkError",
    "ProcessError",
    "ProtocolError",
    "ReadOnlyError",
    "RingbearerError",
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

"""Device codes (RFC 8628), and the person who enters them."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from dataclasses import dataclass, field

from ....faults import drop, status
from ....messages import Response
from ..directory import PublicClient, Tenant, User
from .errors import ERRORS, Refused
from .logins import Login, Logins

#: AADSTS code by the OAuth error of a poll.
_POLL_ERRORS = {
    "authorization_pending": "70016",
    "slow_down": "70017",
    "authorization_declined": "50199",
    "expired_token": "70020",
    "bad_verification_code": "70018",
}
#: Seconds that a poll may come early without being a mistake.
_TOLERANCE = 0.2


@dataclass(eq=False)
class DeviceCode:
    """One device code and the way to its approval."""

    code: str
    user_code: str
    client: PublicClient
    tenant: Tenant | None
    scope: str
    begun: float
    interval: float
    #: The user who entered it.
    user: User | None = None
    is_declined: bool = False
    is_redeemed: bool = False
    #: The times of the polls (`time.monotonic`).
    polls: list[float] = field(default_factory=list)


class DeviceCodes:
    """The endpoint ``devicecode`` and the polls that follow."""

    def __init__(self, logins: Logins) -> None:
        self._logins = logins
        #: Seconds between polls; a string is sent as one.
        self.interval: int | str = 1
        #: Seconds that a code lives.
        self.expires_in = 900
        self.verification_uri = "https://microsoft.com/devicelogin"
        #: Replaces the whole user code, to test what is shown.
        self.user_code: str | None = None
        #: What the next polls get, before the code itself counts: OAuth errors, AADSTS codes (with the
        #: error ``authorization_declined``), HTTP statuses, or ``drop``.
        self.script: list[str | int] = []
        #: The codes, oldest first.
        self.codes: list[DeviceCode] = []
        #: Sentences about polls that came too early.
        self.mistakes: list[str] = []
        self._numbers = itertools.count(1)
        self._changed = threading.Condition()

    def issue(self, client: PublicClient, tenant: Tenant | None, scope: str, user: User | None) -> dict[str, object]:
        """The answer with a new code. ``user`` enters it at once."""
        made = DeviceCode(
            "practice-device-code-" + secrets.token_urlsafe(16),
            self.user_code or f"PRACTICE{next(self._numbers)}",
            client,
            tenant,
            scope,
            self._logins.now(),
            float(self.interval),
            user,
        )
        with self._changed:
            self.codes.append(made)
            self._changed.notify_all()
        return {
            "user_code": made.user_code,
            "device_code": made.code,
            "verification_uri": self.verification_uri,
            "expires_in": self.expires_in,
            "interval": self.interval,
            "message": f"To sign in, use a web browser to open the page {self.verification_uri} and enter the code "
            f"{made.user_code} to authenticate.",
        }

    def wait(self, count: int = 1, timeout: float = 20) -> DeviceCode:
        """The latest code, once there are this many."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self.codes) >= count, timeout):
                raise AssertionError(f"waited {timeout} s for {count} device codes, saw {len(self.codes)}")
            return self.codes[-1]

    def find(self, user_code: str) -> DeviceCode:
        """By the code that the person types."""
        return next(one for one in reversed(self.codes) if one.user_code == user_code)

    def poll(self, code: str, client: PublicClient) -> DeviceCode | Response:
        """The approved code, or what a scripted poll answers. Refuses the others as Entra does."""
        found = next((one for one in self.codes if one.code == code), None)
        if found is None or found.client is not client:
            raise Refused("70018")
        self._record(found)
        if self.script:
            return self._scripted(found, self.script.pop(0))
        if self._logins.now() - found.begun > self.expires_in:
            raise Refused("70020")
        if found.is_declined:
            raise Refused("50199")
        if found.user is None:
            raise Refused("70016")
        if found.is_redeemed:
            raise Refused("54005")
        return found

    def approve(self, found: DeviceCode, tenant: Tenant) -> Login:
        """The login of an approved code, if the tenant's policies allow it."""
        user = found.user
        assert user is not None
        try:
            self._logins.admit(user, found.client, tenant, "device_code")
        except Refused as refused:
            # The person read the reason in the browser; the client learns that the sign-in was declined.
            refused.error = refused.error or "authorization_declined"
            raise
        login = self._logins.begin(user, found.client.client_id)
        login.mfa.add(tenant)
        user.consents.add((found.client.client_id, tenant.id))
        found.is_redeemed = True
        return login

    def _record(self, found: DeviceCode) -> None:
        now = time.monotonic()
        if found.polls and now - found.polls[-1] < found.interval - _TOLERANCE:
            pause = now - found.polls[-1]
            self.mistakes.append(f"device code: polled after {pause:.1f} s, the interval is {found.interval:g} s")
        found.polls.append(now)

    def _scripted(self, found: DeviceCode, step: str | int) -> Response:
        if step == "drop":
            return drop()(None, None)
        if isinstance(step, int):
            return status(step)(None, None)
        if step == "slow_down":
            found.interval += 5
        if step in _POLL_ERRORS:
            raise Refused(_POLL_ERRORS[step])
        assert step in ERRORS, f"no step of a device code: {step}"
        raise Refused(step, error="authorization_declined")


class Person:
    """Someone with a browser elsewhere, who reads a code and enters it."""

    def __init__(self, device_codes: DeviceCodes) -> None:
        self._device_codes = device_codes

    def enters(self, user_code: str, user: User) -> None:
        """Sign in as ``user`` on another device, with the second factor."""
        self._device_codes.find(user_code).user = user

    def declines(self, user_code: str) -> None:
        """Refuse the sign-in on another device."""
        self._device_codes.find(user_code).is_declined = True

    def enters_next(self, user: User, count: int = 1, timeout: float = 20) -> str:
        """Wait for the code, enter it, and return it."""
        found = self._device_codes.wait(count, timeout)
        self.enters(found.user_code, user)
        return found.user_code

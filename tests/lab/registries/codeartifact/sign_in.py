"""The logins of ``aws login``: access keys that live for minutes, and are refreshed with a proof of possession.

https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-sign-in.html
DPoP: https://www.rfc-editor.org/rfc/rfc9449
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from ...clock import iso_time
from ...messages import Request, Response
from ...tokens import decode_segment, encode_segment
from .accounts import REFRESH_LOGIN, AccessKey
from .authentication import TOLERANCE
from .endpoints import Endpoint
from .refusals import Refused
from .service import Account, Service, json_fields, require

#: Seconds that an access key lives.
LIFETIME = 900


@dataclass(eq=False)
class Login:
    """A person's login."""

    user: AccessKey
    key: AccessKey
    region: str
    refresh_token: str = field(repr=False)
    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    #: Why the next refresh is refused: ``TOKEN_EXPIRED``, ``USER_CREDENTIALS_CHANGED``.
    refuse: str | None = None
    #: The refresh tokens before the present one.
    replaced: list[str] = field(repr=False, default_factory=list)
    client_id: str = "arn:aws:signin:::devtools/same-device"

    @property
    def arn(self) -> str:
        """The value of ``login_session`` in the profile."""
        return self.user.principal

    @property
    def pem(self) -> str:
        """The private key as the AWS CLI keeps it (SEC 1)."""
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()

    @property
    def web_key(self) -> dict[str, str]:
        """The public key as a JSON Web Key."""
        numbers = self.private_key.public_key().public_numbers()
        x, y = (encode_segment(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    @property
    def file(self) -> dict[str, object]:
        """The file that the AWS CLI writes."""
        return {
            "accessToken": {
                "accessKeyId": self.key.id,
                "secretAccessKey": self.key.secret,
                "sessionToken": self.key.session_token,
                "accountId": self.user.account,
                "expiresAt": iso_time(self.key.expires),
            },
            "tokenType": "aws_sigv4",
            "clientId": self.client_id,
            "refreshToken": self.refresh_token,
            "idToken": "eyJpZCI6" + secrets.token_urlsafe(64),
            "dpopKey": self.pem,
            "signInRegion": self.region,
        }


class SignIn(Service):
    """``POST /v1/token``."""

    name = "signin"

    def __init__(self, aws: Account) -> None:
        super().__init__(aws)
        self.logins: list[Login] = []
        self._used: set[str] = set()

    def log_in(self, user: AccessKey, lifetime: float = LIFETIME, region: str = "eu-central-1") -> Login:
        """Log a person in. A negative lifetime is that of a key that ended."""
        key = self.aws.accounts.session_of_user(user, lifetime)
        made = Login(user, key, region, _token(), ec.generate_private_key(ec.SECP256R1()))
        self.logins.append(made)
        return made

    def perform(self, request: Request, endpoint: Endpoint) -> Response:
        require(request, "POST", "/v1/token")
        fields = json_fields(request, {"clientId", "grantType", "refreshToken"})
        token = fields["refreshToken"]
        login = next((one for one in self.logins if token in (one.refresh_token, *one.replaced)), None)
        if fields["grantType"] != "refresh_token" or login is None or fields["clientId"] != login.client_id:
            raise _refusal("INVALID_REQUEST", "a wrong grant type, client or token")
        mistake = self._proof_mistake(request, login)
        if mistake:
            raise _refusal("INVALID_REQUEST", f"DPoP: {mistake}")
        if endpoint.region not in (None, login.region):
            raise _refusal("INVALID_REQUEST", f"refreshed in {endpoint.region}, not in {login.region}")
        if token != login.refresh_token:
            raise _refusal("TOKEN_EXPIRED", "an old refresh token")
        if login.refuse or REFRESH_LOGIN in login.user.denied:
            raise _refusal(login.refuse or "INSUFFICIENT_PERMISSIONS")
        login.replaced.append(token)
        login.refresh_token = _token()
        login.key = self.aws.accounts.session_of_user(login.user, LIFETIME)
        return self.json(
            {
                "accessToken": {
                    "accessKeyId": login.key.id,
                    "secretAccessKey": login.key.secret,
                    "sessionToken": login.key.session_token,
                },
                "tokenType": "aws_sigv4",
                "expiresIn": LIFETIME,
                "refreshToken": login.refresh_token,
            }
        )

    def _proof_mistake(self, request: Request, login: Login) -> str | None:
        """What is wrong with the proof that the client has the private key."""
        try:
            signed, _, signature = request.header("DPoP", "").rpartition(".")
            header, payload = (json.loads(decode_segment(part)) for part in signed.split("."))
            digits = decode_segment(signature)
            pair = encode_dss_signature(int.from_bytes(digits[:32], "big"), int.from_bytes(digits[32:], "big"))
            login.private_key.public_key().verify(pair, signed.encode(), ec.ECDSA(hashes.SHA256()))
        except (ValueError, InvalidSignature):
            return "not a JWT that the key of the login signed"
        if len(digits) != 64 or set(header) != {"typ", "alg", "jwk"}:
            return "a wrong length or header"
        if (header["typ"], header["alg"], header["jwk"]) != ("dpop+jwt", "ES256", login.web_key):
            return "a wrong type, algorithm or public key"
        host = request.header("Host", "")
        url = f"{request.scheme}://{host}{request.path}"
        if (payload.get("htm"), payload.get("htu")) != (request.method, url):
            return f"for {payload.get('htm')} {payload.get('htu')}, not {request.method} {url}"
        issued, number = payload.get("iat"), payload.get("jti")
        if not isinstance(issued, int) or abs(issued - self.aws.clock.now()) > TOLERANCE:
            return "a wrong time"
        if not isinstance(number, str) or len(number) < 16 or number in self._used:
            return "a number that is missing, short or used before"
        self._used.add(number)
        return None


def _refusal(error: str, mistake: str = "") -> Refused:
    return Refused(401, "AccessDeniedException", f"The request was refused: {error}", mistake, error=error)


def _token() -> str:
    return "rt1." + secrets.token_urlsafe(300)

"""Client certificates, and the assertions signed with them."""

from __future__ import annotations

import datetime
import functools
import json
import time
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from ... import tokens

#: The salt length that PS256 prescribes (RFC 7518, section 3.5): as long as the hash.
_PS256_SALT = 32


@functools.cache
def _key(number: int) -> rsa.RSAPrivateKey:
    # Two keys suffice for different certificates, and generating RSA keys is slow.
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class ClientCertificate:
    """A self-signed certificate with its key."""

    def __init__(self, key_number: int = 0, life: datetime.timedelta = datetime.timedelta(days=30)) -> None:
        self._private_key = _key(key_number)
        now = datetime.datetime.now(datetime.timezone.utc)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "practice application")])
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._private_key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=60))
            .not_valid_after(now + life)
            .sign(self._private_key, hashes.SHA256())
        )

    @property
    def key_pem(self) -> str:
        """The private key, PKCS #8."""
        return self._private_pem(serialization.PrivateFormat.PKCS8)

    @property
    def traditional_key_pem(self) -> str:
        """The private key, PKCS #1: ``BEGIN RSA PRIVATE KEY``."""
        return self._private_pem(serialization.PrivateFormat.TraditionalOpenSSL)

    @property
    def certificate_pem(self) -> str:
        """The certificate alone."""
        return self._certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def pem(self) -> str:
        """Key and certificate in one file, for AZURE_CLIENT_CERTIFICATE_PATH."""
        return self.key_pem + self.certificate_pem

    @property
    def thumbprint_sha256(self) -> str:
        """As a JWT header's ``x5t#S256`` carries it."""
        return tokens.encode_segment(self._certificate.fingerprint(hashes.SHA256()))

    def _private_pem(self, form: serialization.PrivateFormat) -> str:
        return self._private_key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()

    def sign_assertion(self, claims: dict[str, object]) -> str:
        """An assertion as a client makes it, for comparison."""
        header = {"typ": "JWT", "alg": "PS256", "x5t#S256": self.thumbprint_sha256}
        text = ".".join(tokens.encode_segment(json.dumps(part).encode()) for part in (header, claims))
        salted = padding.PSS(padding.MGF1(hashes.SHA256()), _PS256_SALT)
        return text + "." + tokens.encode_segment(self._private_key.sign(text.encode(), salted, hashes.SHA256()))

    def signed(self, assertion: str) -> bool:
        """Whether this certificate's key signed an assertion, with PS256 and nothing else."""
        signed, _, signature = assertion.rpartition(".")
        try:
            self._certificate.public_key().verify(
                tokens.decode_segment(signature),
                signed.encode(),
                padding.PSS(padding.MGF1(hashes.SHA256()), _PS256_SALT),
                hashes.SHA256(),
            )
        except (InvalidSignature, ValueError):
            return False
        return True


def assertion_header(assertion: str) -> dict[str, str]:
    """The header of a JWT; empty if it is not a JWT."""
    try:
        header = json.loads(tokens.decode_segment(assertion.split(".")[0]))
    except ValueError:
        return {}
    return header if isinstance(header, dict) else {}


def problem_of(
    assertion: str, certificates: Iterable[ClientCertificate], client_id: str, audiences: Iterable[str]
) -> str | None:
    """The defect of a certificate's assertion (RFC 7523, section 3); None if it is valid."""
    header = assertion_header(assertion)
    if header.get("alg") != "PS256":
        return "the algorithm is {}, not PS256".format(header.get("alg"))
    named = [one for one in certificates if one.thumbprint_sha256 == header.get("x5t#S256")]
    if not any(certificate.signed(assertion) for certificate in named):
        return "no registered certificate with this x5t#S256 signed it"
    claims = tokens.read(assertion) or {}
    now = time.time()
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        return "iss and sub must be the client id"
    if claims.get("aud") not in tuple(audiences):
        return "the audience is {}".format(claims.get("aud"))
    if not claims.get("jti"):
        return "jti is missing"
    if not isinstance(claims.get("exp"), int) or not now < claims["exp"] <= now + 3600:
        return "exp is missing, past or too far away"
    if not isinstance(claims.get("nbf"), int) or claims["nbf"] > now + 300:
        return "nbf is missing or in the future"
    return None

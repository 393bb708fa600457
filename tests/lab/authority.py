"""A throwaway certificate authority.

Leaf certificates are made when a host is first asked for and kept for the process: all leaves share one EC key, so a
new host costs about a millisecond.
"""

from __future__ import annotations

import base64
import datetime
import hashlib
import ipaddress
import os
import ssl
import tempfile
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

#: The kinds of certificates that a host can present. A client may accept only the first.
TRUSTED, UNTRUSTED, EXPIRED, EARLY, MISNAMED = "trusted", "untrusted", "expired", "early", "misnamed"

_DAY = datetime.timedelta(days=1)


class CertificateAuthority:
    """Issues leaf certificates for host names. Clients trust `ca_file`."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory(prefix="lab-authority-")
        self._lock = threading.Lock()
        self._contexts: dict[tuple[str, str], ssl.SSLContext] = {}
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._issuers = {TRUSTED: _Issuer("Practice cloud authority"), UNTRUSTED: _Issuer("Untrusted authority")}
        self.ca_file = os.path.join(self._directory.name, "authority.pem")
        with open(self.ca_file, "wb") as stream:
            stream.write(_pem(self._issuers[TRUSTED].certificate))

    @property
    def leaf_key_hash(self) -> str:
        """Base64 of the SHA-256 of the public key that all leaves have, as browsers name it (RFC 7469, section 2.4)."""
        form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        return base64.b64encode(hashlib.sha256(self._leaf_key.public_key().public_bytes(*form)).digest()).decode()

    def context(self, host: str, kind: str = TRUSTED) -> ssl.SSLContext:
        """The server side's TLS settings for a host."""
        with self._lock:
            if (host, kind) not in self._contexts:
                self._contexts[host, kind] = self._make_context(host, kind)
            return self._contexts[host, kind]

    def _make_context(self, host: str, kind: str) -> ssl.SSLContext:
        issuer = self._issuers[UNTRUSTED if kind == UNTRUSTED else TRUSTED]
        named = "somebody-else.example" if kind == MISNAMED else host
        leaf = issuer.issue(named, self._leaf_key, kind)
        path = os.path.join(self._directory.name, f"leaf-{len(self._contexts)}.pem")
        with open(path, "wb") as stream:
            stream.write(
                self._leaf_key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                + _pem(leaf)
            )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        context.set_alpn_protocols(["http/1.1"])
        return context

    def close(self) -> None:
        """Remove the files."""
        self._directory.cleanup()


class _Issuer:
    """One self-signed certificate and its key (RFC 5280)."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = (
            _builder(self.name, self.name, self.key.public_key(), -2 * _DAY, 30 * _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_key_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def issue(self, host: str, key: ec.EllipticCurvePrivateKey, kind: str) -> x509.Certificate:
        # The early one is from an issuer whose clock is hours ahead.
        begin = _DAY / 4 if kind == EARLY else -2 * _DAY
        end = -_DAY if kind == EXPIRED else 20 * _DAY
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host[:64])])
        return (
            _builder(subject, self.name, key.public_key(), begin, end)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            # Python 3.13's default VERIFY_X509_STRICT requires this extension.
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )


def _builder(
    subject, issuer, public_key, begin: datetime.timedelta, end: datetime.timedelta
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.timezone.utc)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begin)
        .not_valid_after(now + end)
    )


def _key_usage(**used: bool) -> x509.KeyUsage:
    names = [
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    ]
    return x509.KeyUsage(**{name: used.get(name, False) for name in names})


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)

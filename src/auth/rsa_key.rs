//! RSA private keys in PEM (RFC 7468), for signatures.

use std::fmt;

use ring::signature::RsaKeyPair;
use rustls::pki_types::pem::{PemObject, SectionKind};
use zeroize::Zeroizing;

/// Reads the first private key in a PEM text, as PKCS#8 (`PRIVATE KEY`) or as PKCS#1 (`RSA PRIVATE KEY`). Other sections, such
/// as certificates, are skipped.
pub(crate) fn read(pem: &[u8]) -> Result<RsaKeyPair, Malformed> {
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(pem) {
        let (kind, der) = section.map_err(|_| Malformed::NotPem)?;
        let der = Zeroizing::new(der);
        let key = match kind {
            SectionKind::PrivateKey => RsaKeyPair::from_pkcs8(&der).ok(),
            SectionKind::RsaPrivateKey => RsaKeyPair::from_der(&der).ok(),
            SectionKind::EcPrivateKey => None,
            _ => continue,
        };
        return key.ok_or(Malformed::Unusable);
    }
    Err(Malformed::NoKey)
}

/// Why a text is not a key. Displayed as a clause about the file that holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// A section without its end, or not in base64.
    NotPem,
    /// No private key, or an encrypted one.
    NoKey,
    /// Another algorithm or size, or damaged.
    Unusable,
}

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotPem => "is not valid PEM",
            Self::NoKey => "holds no unencrypted key",
            Self::Unusable => "holds no RSA key of 2048 to 4096 bits",
        })
    }
}

#[cfg(test)]
mod tests {
    use ring::signature::KeyPair;

    use super::*;

    const PKCS8: &str = include_str!("../../tests/vectors/rsa2048/pkcs8.pem");
    const PKCS1: &str = include_str!("../../tests/vectors/rsa2048/pkcs1.pem");

    #[test]
    fn a_key_is_read_in_both_encodings() {
        let public: &[u8] = include_bytes!("../../tests/vectors/rsa2048/public.der");
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for pem in [PKCS8, PKCS1, &PKCS8.replace('\n', "\r\n"), &format!("{certificate}{PKCS1}{certificate}")] {
            assert_eq!(read(pem.as_bytes()).unwrap().public_key().as_ref(), public, "{pem:.40}");
        }
    }

    #[test]
    fn a_text_without_a_usable_key_says_why() {
        for (pem, expected) in [
            ("", Malformed::NoKey),
            ("PRIVATE KEY", Malformed::NoKey),
            (&PKCS8.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"), Malformed::NoKey),
            (&PKCS8[..900], Malformed::NotPem),
            (&PKCS8.replace("PRIVATE KEY", "RSA PRIVATE KEY"), Malformed::Unusable),
            ("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n", Malformed::Unusable),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", Malformed::Unusable),
        ] {
            assert_eq!(read(pem.as_bytes()).err(), Some(expected), "{pem:.40}");
        }
    }
}

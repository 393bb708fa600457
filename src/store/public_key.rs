//! The public keys that a store can be locked with.

use std::ops::RangeInclusive;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use ring::signature::{self, RsaPublicKeyComponents, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use super::wire::Reader;

/// The key types with deterministic signatures, on which a store depends.
pub(super) const SUPPORTED: [&str; 2] = ["ssh-ed25519", "ssh-rsa"];

/// The RSA key sizes in bits that ring verifies.
const RSA_BITS: RangeInclusive<usize> = 1024..=8192;

/// A public key that can lock a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PublicKey {
    /// Type and Base64 of a key file, without the comment; part of the challenge.
    text: String,
    /// The key blob of the SSH protocols (RFC 4253, section 6.6).
    blob: Vec<u8>,
    numbers: Numbers,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Numbers {
    Ed25519(Vec<u8>),
    /// Modulus and public exponent, big-endian, without leading zeros.
    Rsa(Vec<u8>, Vec<u8>),
}

/// Why a text or blob cannot be the key of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unusable {
    /// Not an OpenSSH public key.
    NotAKey,
    /// A key type without deterministic signatures, or a certificate.
    Type(String),
    /// An RSA key of a size that ring does not verify, in bits.
    Size(usize),
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotAKey => formatter.write_str("SSH public key must contain at least key type and key data"),
            Self::Size(bits) => write!(
                formatter,
                "an RSA key of {bits} bits cannot lock a store: use one of {} to {} bits",
                RSA_BITS.start(),
                RSA_BITS.end()
            ),
            Self::Type(kind) => {
                let reason = match kind.as_str() {
                    kind if kind.contains("-cert-") => "a certificate is not a key: name the key that it certifies",
                    kind if kind.starts_with("sk-") => {
                        "a security key puts a counter into each signature, so no two signatures are the same"
                    }
                    kind if kind.starts_with("ecdsa-") => {
                        "OpenSSH uses a random number each time, so no two signatures are the same"
                    }
                    _ => "its signatures are not known to be deterministic",
                };
                write!(
                    formatter,
                    "Unsupported SSH public key type: {kind}. It cannot lock a store: {reason}. A store requires \
                     deterministic signatures and only supports: {}",
                    SUPPORTED.join(", ")
                )
            }
        }
    }
}

impl PublicKey {
    /// Parses a line of a public key file: type, Base64, optional comment.
    pub(super) fn parse(line: &str) -> Result<Self, Unusable> {
        let mut words = line.split_whitespace();
        let (Some(kind), Some(data)) = (words.next(), words.next()) else { return Err(Unusable::NotAKey) };
        if !SUPPORTED.contains(&kind) {
            return Err(Unusable::Type(readable(kind.as_bytes())));
        }
        let blob = STANDARD.decode(data).map_err(|_| Unusable::NotAKey)?;
        let numbers = numbers(&blob)?;
        if !blob.get(4..).is_some_and(|rest| rest.starts_with(kind.as_bytes())) {
            return Err(Unusable::NotAKey);
        }
        Ok(Self { text: format!("{kind} {data}"), blob, numbers })
    }

    /// Parses a key blob.
    pub(super) fn from_blob(blob: &[u8]) -> Result<Self, Unusable> {
        let numbers = numbers(blob)?;
        let kind = match numbers {
            Numbers::Ed25519(_) => "ssh-ed25519",
            Numbers::Rsa(..) => "ssh-rsa",
        };
        Ok(Self { text: format!("{kind} {}", STANDARD.encode(blob)), blob: blob.to_owned(), numbers })
    }

    /// Type and Base64, as in a key file, without a comment.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The key blob, by which the agent knows the key.
    pub(super) fn blob(&self) -> &[u8] {
        &self.blob
    }

    /// The name of the signature algorithm and the flags of the sign request (RFC 9987, section 3.6: 4 is
    /// `SSH_AGENT_RSA_SHA2_512`).
    pub(super) fn algorithm(&self) -> (&'static str, u32) {
        match self.numbers {
            Numbers::Ed25519(_) => ("ssh-ed25519", 0),
            Numbers::Rsa(..) => ("rsa-sha2-512", 4),
        }
    }

    /// The length of every signature in bytes.
    pub(super) fn signature_length(&self) -> usize {
        match &self.numbers {
            Numbers::Ed25519(_) => 64,
            Numbers::Rsa(modulus, _) => modulus.len(),
        }
    }

    /// Whether `signature` is a valid signature of `message` by this key.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.numbers {
            Numbers::Ed25519(key) => UnparsedPublicKey::new(&signature::ED25519, key).verify(message, signature),
            // Existing stores may have 1024-bit keys.
            Numbers::Rsa(n, e) => RsaPublicKeyComponents { n, e }.verify(
                &signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
                message,
                signature,
            ),
        }
        .is_ok()
    }

    /// The fingerprint as `ssh-add -l` prints it: `SHA256:` and Base64 without padding.
    pub(super) fn fingerprint(&self) -> String {
        fingerprint(&self.blob)
    }
}

/// The fingerprint of a key blob.
pub(super) fn fingerprint(blob: &[u8]) -> String {
    format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(blob)))
}

fn numbers(blob: &[u8]) -> Result<Numbers, Unusable> {
    let mut reader = Reader::new(blob);
    let kind = reader.string().ok_or(Unusable::NotAKey)?;
    let numbers = match kind {
        b"ssh-ed25519" => reader.string().filter(|key| key.len() == 32).map(|key| Numbers::Ed25519(key.to_owned())),
        b"ssh-rsa" => {
            let (exponent, modulus) = reader.string().zip(reader.string()).ok_or(Unusable::NotAKey)?;
            let modulus = positive(modulus).ok_or(Unusable::NotAKey)?;
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
            if !RSA_BITS.contains(&bits) {
                return Err(Unusable::Size(bits));
            }
            positive(exponent).map(|exponent| Numbers::Rsa(modulus.to_owned(), exponent.to_owned()))
        }
        other => return Err(Unusable::Type(readable(other))),
    };
    numbers.filter(|_| reader.end().is_some()).ok_or(Unusable::NotAKey)
}

/// The bytes of a positive mpint (RFC 4251, section 5) without leading zeros.
fn positive(number: &[u8]) -> Option<&[u8]> {
    let start = number.iter().position(|&byte| byte != 0)?;
    number.get(start..)
}

/// A key type made safe for display.
fn readable(kind: &[u8]) -> String {
    String::from_utf8_lossy(kind).chars().filter(char::is_ascii_graphic).take(60).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str = include_str!("../../tests/vectors/ssh-agent/ed25519/id.pub");
    const RSA: &str = include_str!("../../tests/vectors/ssh-agent/rsa2048/id.pub");

    #[test]
    fn key_files_and_blobs_give_the_same_key() {
        for (line, fingerprint) in [
            (ED25519, include_str!("../../tests/vectors/ssh-agent/ed25519/fingerprint.txt")),
            (RSA, include_str!("../../tests/vectors/ssh-agent/rsa2048/fingerprint.txt")),
        ] {
            let key = PublicKey::parse(line).unwrap();
            assert_eq!(PublicKey::from_blob(key.blob()).unwrap(), key);
            assert!(fingerprint.contains(&key.fingerprint()), "{fingerprint}");
            assert!(line.starts_with(key.text()));
        }
    }

    #[test]
    fn keys_without_deterministic_signatures_are_refused() {
        for (line, reason) in [
            ("ecdsa-sha2-nistp256 AAAA", "random number"),
            ("sk-ssh-ed25519@openssh.com AAAA", "counter"),
            ("ssh-ed25519-cert-v01@openssh.com AAAA", "certificate"),
            ("ssh-dss AAAA", "not known"),
        ] {
            let refused = PublicKey::parse(line).unwrap_err().to_string();
            assert!(refused.starts_with("Unsupported SSH public key type: ") && refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn rsa_keys_of_unsupported_sizes_are_refused() {
        for (bits, is_fit) in [(1016, false), (1024, true), (8192, true), (9216, false)] {
            let mut blob = Vec::new();
            for field in [b"ssh-rsa".to_vec(), vec![1, 0, 1], [vec![0], vec![0xff; bits / 8]].concat()] {
                super::super::wire::put_string(&field, &mut blob);
            }
            let key = PublicKey::from_blob(&blob);
            assert_eq!(key.is_ok(), is_fit, "{bits}");
            assert!(is_fit || key == Err(Unusable::Size(bits)), "{bits}");
        }
    }

    #[test]
    fn malformed_keys_are_refused() {
        let key = ED25519.split(' ').nth(1).unwrap();
        for line in ["", "ssh-ed25519", "ssh-ed25519 ****", "ssh-ed25519 AAAA", &format!("ssh-rsa {key}")] {
            assert_eq!(PublicKey::parse(line), Err(Unusable::NotAKey), "{line}");
        }
        assert_eq!(PublicKey::from_blob(&[0xff; 9]), Err(Unusable::NotAKey));
    }
}

//! SSH signatures as `ssh-keygen -Y sign` makes them (OpenSSH, PROTOCOL.sshsig): the signed bytes, and the armored text
//! from which the key of a store is derived.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::{public_key::PublicKey, wire::put_string};

const MAGIC: &[u8] = b"SSHSIG";
/// The namespace of ssh-agent-keyring, which separates its signatures from those of other programs.
const NAMESPACE: &[u8] = b"ssh-agent-keyring";
const HASH: &[u8] = b"sha512";
/// The line length of the armor, in characters.
const LINE: usize = 70;

/// The bytes that the agent signs for a challenge.
pub(super) fn signed_bytes(challenge: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for field in [NAMESPACE, b"", HASH, &Sha512::digest(challenge)] {
        put_string(field, &mut bytes);
    }
    bytes
}

/// A verified signature. It unlocks the store.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Signature {
    algorithm: &'static str,
    /// The signature, zero-padded on the left to the key's signature length.
    bytes: Zeroizing<Vec<u8>>,
}

impl Signature {
    /// Verifies the agent's signature. gpg-agent strips leading zeros from RSA signatures: they are restored.
    pub(super) fn verify(key: &PublicKey, challenge: &[u8], given: &[u8]) -> Option<Self> {
        let (algorithm, flags) = key.algorithm();
        let mut bytes = Zeroizing::new(vec![0; key.signature_length()]);
        let missing = bytes.len().checked_sub(given.len())?;
        if missing > 0 && flags == 0 {
            return None;
        }
        bytes.get_mut(missing..)?.copy_from_slice(given);
        key.verifies(&signed_bytes(challenge), &bytes).then_some(Self { algorithm, bytes })
    }

    /// Whether agents encode it differently: OpenSSH's keeps leading zeros, gpg-agent strips them.
    pub(super) fn has_two_forms(&self) -> bool {
        self.algorithm != "ssh-ed25519" && self.bytes.first() == Some(&0)
    }

    /// The armored text.
    pub(super) fn armored(&self, key: &PublicKey) -> Zeroizing<String> {
        armor(key, self.algorithm, &self.bytes)
    }

    /// The armored text of the signature without leading zeros, as gpg-agent encodes it.
    pub(super) fn armored_without_zeros(&self, key: &PublicKey) -> Zeroizing<String> {
        let start = self.bytes.iter().position(|&byte| byte != 0).unwrap_or_default();
        armor(key, self.algorithm, self.bytes.get(start..).unwrap_or_default())
    }
}

fn armor(key: &PublicKey, algorithm: &str, signature: &[u8]) -> Zeroizing<String> {
    let mut inner = Zeroizing::new(Vec::with_capacity(8 + algorithm.len() + signature.len()));
    put_string(algorithm.as_bytes(), &mut inner);
    put_string(signature, &mut inner);
    let fixed = MAGIC.len() + 4 + key.blob().len() + NAMESPACE.len() + HASH.len() + 5 * 4;
    let mut blob = Zeroizing::new(Vec::with_capacity(fixed + inner.len()));
    blob.extend_from_slice(MAGIC);
    blob.extend_from_slice(&1_u32.to_be_bytes());
    for field in [key.blob(), NAMESPACE, b"", HASH, inner.as_slice()] {
        put_string(field, &mut blob);
    }
    let encoded = Zeroizing::new(STANDARD.encode(&*blob));
    let mut text = Zeroizing::new(String::with_capacity(encoded.len() + encoded.len() / LINE + 100));
    text.push_str("-----BEGIN SSH SIGNATURE-----\n");
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(LINE).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END SSH SIGNATURE-----\n");
    text
}

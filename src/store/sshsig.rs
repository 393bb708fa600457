//! Signatures as `ssh-keygen -Y sign` makes them (OpenSSH, PROTOCOL.sshsig): what the agent signs, and the
//! armored text that the key of a store is derived from.

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

use super::{public_key::PublicKey, wire::put_string};

const MAGIC: &[u8] = b"SSHSIG";
/// The namespace of ssh-agent-keyring's signatures, which keeps them apart from all others.
const NAMESPACE: &[u8] = b"ssh-agent-keyring";
const HASH: &[u8] = b"sha512";
/// The columns of a line of armor.
const LINE: usize = 70;

/// What the agent signs for a challenge.
pub(super) fn signed_bytes(challenge: &[u8]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    for field in [NAMESPACE, b"", HASH, &Sha512::digest(challenge)] {
        put_string(field, &mut bytes);
    }
    bytes
}

/// A signature that was verified. Whoever has it can open the store.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Signature {
    algorithm: &'static str,
    /// As long as the key's signatures are, with zeros in front.
    bytes: Zeroizing<Vec<u8>>,
}

impl Signature {
    /// Verifies what an agent gave. RSA signatures are numbers, and gpg-agent leaves out the zeros in
    /// front: they are put back.
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

    /// Whether agents write it differently: OpenSSH's with the zeros in front, gpg-agent without.
    pub(super) fn has_two_forms(&self) -> bool {
        self.algorithm != "ssh-ed25519" && self.bytes.first() == Some(&0)
    }

    /// The armored text.
    pub(super) fn armored(&self, key: &PublicKey) -> Zeroizing<String> {
        armor(key, self.algorithm, &self.bytes)
    }

    /// The armored text of the signature without the zeros in front, as gpg-agent gives it.
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

//! The keys of a store, and encryption with them.
//!
//! The signature of the challenge yields the key encryption key (KEK). It wraps the data encryption key (DEK), from which
//! the index key (record identifiers) and the value key (records) are derived.

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{
    json::{escape, longest_escape, unescape},
    public_key::PublicKey,
    record::Record,
};
use crate::secret::SecretText;

/// A 256-bit key, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// The challenge that the agent signs to unlock a store.
pub(super) fn challenge(store_id: &[u8], key: &PublicKey) -> Vec<u8> {
    let mut challenge = b"ssh-agent-keyring-unlock\0v1\0".to_vec();
    challenge.extend_from_slice(store_id);
    challenge.push(0);
    challenge.extend_from_slice(&Sha256::digest(key.text()));
    challenge
}

/// Derives the key encryption key from the armored signature.
pub(super) fn key_encryption_key(armored: &str, salt: &[u8]) -> Option<Key> {
    derive(armored.as_bytes(), Some(salt), "ssh-agent-keyring/kek/v1")
}

/// Encrypts the data encryption key.
pub(super) fn wrap(kek: &Key, dek: &Key, challenge: &[u8], nonce: &[u8; 12]) -> Option<Vec<u8>> {
    let mut buffer = Zeroizing::new(Vec::with_capacity(48));
    buffer.extend_from_slice(dek.as_slice());
    cipher(kek).encrypt_in_place(nonce.into(), challenge, &mut *buffer).ok()?;
    Some(buffer.to_vec())
}

/// Decrypts the data encryption key; `None` if another key encryption key wrapped it.
pub(super) fn unwrap(kek: &Key, wrapped: &[u8], challenge: &[u8], nonce: &[u8; 12]) -> Option<Key> {
    let mut buffer = Zeroizing::new(wrapped.to_owned());
    cipher(kek).decrypt_in_place(nonce.into(), challenge, &mut *buffer).ok()?;
    let mut dek = Key::default();
    (buffer.len() == dek.len()).then(|| dek.copy_from_slice(&buffer))?;
    Some(dek)
}

/// The keys of an unlocked store.
#[derive(Clone)]
pub(super) struct Keys {
    index: Key,
    value: Key,
}

/// A decrypted record.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) service: Zeroizing<Vec<u8>>,
    pub(super) username: Zeroizing<Vec<u8>>,
    pub(super) password: SecretText,
}

impl Keys {
    /// Derives the keys from the data encryption key.
    pub(super) fn new(dek: &Key) -> Option<Self> {
        let subkey = |purpose| derive(dek.as_slice(), None, purpose);
        Some(Self { index: subkey("ssh-agent-keyring/index/v1")?, value: subkey("ssh-agent-keyring/value/v1")? })
    }

    /// The record identifier of a service and a user name.
    pub(super) fn record_id(&self, service: &str, username: &str) -> String {
        let mut mac = keyed(&self.index);
        mac.update(service.as_bytes());
        mac.update(&[0]);
        mac.update(username.as_bytes());
        let digest = mac.finalize().into_bytes();
        let mut id = String::with_capacity(64);
        for byte in digest {
            id.extend([byte >> 4, byte & 0xf].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)));
        }
        id
    }

    /// Encrypts a record.
    pub(super) fn seal(
        &self,
        id: &str,
        nonce: [u8; 12],
        service: &[u8],
        username: &[u8],
        password: &SecretText,
    ) -> Option<Record> {
        let password = password.expose();
        let lengths = [service, username, password].map(|text| longest_escape(text.len()));
        let mut buffer = Zeroizing::new(Vec::with_capacity(lengths.iter().sum::<usize>() + 64));
        buffer.extend_from_slice(b"{\"password\":");
        escape(password, &mut buffer);
        buffer.extend_from_slice(b",\"service\":");
        escape(service, &mut buffer);
        buffer.extend_from_slice(b",\"username\":");
        escape(username, &mut buffer);
        buffer.push(b'}');
        cipher(&self.value).encrypt_in_place((&nonce).into(), id.as_bytes(), &mut *buffer).ok()?;
        // A copy of the exact length: the buffer has room for the longest escapes.
        Some(Record { nonce, ciphertext: buffer.to_vec() })
    }

    /// Decrypts a record; `None` if it was not encrypted under this identifier.
    pub(super) fn open(&self, id: &str, record: Record) -> Option<Plain> {
        #[derive(Deserialize)]
        struct Members<'text> {
            #[serde(borrow)]
            password: &'text RawValue,
            #[serde(borrow)]
            service: &'text RawValue,
            #[serde(borrow)]
            username: &'text RawValue,
        }
        let mut buffer = Zeroizing::new(record.ciphertext);
        cipher(&self.value).decrypt_in_place((&record.nonce).into(), id.as_bytes(), &mut *buffer).ok()?;
        // Serde accepts an array of the three strings too.
        buffer.starts_with(b"{").then_some(())?;
        let members: Members<'_> = serde_json::from_slice(&buffer).ok()?;
        Some(Plain {
            service: unescape(members.service.get())?,
            username: unescape(members.username.get())?,
            password: SecretText::new(unescape(members.password.get())?),
        })
    }
}

fn cipher(key: &Key) -> ChaCha20Poly1305 {
    ChaCha20Poly1305::new((&**key).into())
}

/// HKDF-SHA256 (RFC 5869), one block.
fn derive(material: &[u8], salt: Option<&[u8]>, purpose: &str) -> Option<Key> {
    let (mut extracted, hkdf) = Hkdf::<Sha256>::extract(salt, material);
    extracted.as_mut_slice().zeroize();
    let mut key = Key::default();
    hkdf.expand(purpose.as_bytes(), key.as_mut_slice()).ok()?;
    Some(key)
}

/// HMAC-SHA256. The key is padded to a block, as HMAC pads shorter keys (RFC 2104, section 2), because `new` takes a block
/// and cannot fail.
fn keyed(key: &Key) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key.as_slice());
    Hmac::<Sha256>::new((&*block).into())
}

//! The keys of a store, and what is encrypted with them.
//!
//! A signature over the challenge gives the key encryption key (KEK), which wraps the data encryption key
//! (DEK), which gives the key of the record identifiers and that of the records.

use chacha20poly1305::{AeadInOut, ChaCha20Poly1305, KeyInit};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::{
    json_text::{escape, longest_escape, unescape},
    public_key::PublicKey,
    record::Record,
};
use crate::secret::SecretText;

/// A key of 32 bytes, wiped when dropped.
pub(super) type Key = Zeroizing<[u8; 32]>;

/// What is signed to unlock a store.
pub(super) fn challenge(store_id: &[u8], key: &PublicKey) -> Vec<u8> {
    let mut challenge = b"ssh-agent-keyring-unlock\0v1\0".to_vec();
    challenge.extend_from_slice(store_id);
    challenge.push(0);
    challenge.extend_from_slice(&Sha256::digest(key.text()));
    challenge
}

/// The key encryption key, from the armored signature.
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

/// Decrypts the data encryption key; `None` if the key encryption key is not the one that wrapped it.
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

/// The cipher leaves the rows of its last key in the processor's vector registers, from where whoever saves them
/// next puts them into memory. One with a key of zeros takes their place.
impl Drop for Keys {
    fn drop(&mut self) {
        let mut nothing = vec![0; 256];
        let done = cipher(&Key::default()).encrypt_in_place((&[0; 12]).into(), b"", &mut nothing);
        let _ = std::hint::black_box((done, nothing));
    }
}

/// Service, user name and password of a record.
#[derive(Debug)]
pub(super) struct Plain {
    pub(super) service: Zeroizing<Vec<u8>>,
    pub(super) username: Zeroizing<Vec<u8>>,
    pub(super) password: SecretText,
}

impl Keys {
    /// The keys that a data encryption key gives.
    pub(super) fn new(dek: &Key) -> Option<Self> {
        let subkey = |purpose| derive(dek.as_slice(), None, purpose);
        Some(Self { index: subkey("ssh-agent-keyring/index/v1")?, value: subkey("ssh-agent-keyring/value/v1")? })
    }

    /// The identifier of the record of a service and a user name.
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
        // The buffer has room for the longest text there may be; what is kept is as long as it is.
        Some(Record { nonce, ciphertext: buffer.to_vec() })
    }

    /// Decrypts a record; `None` if it is not what was encrypted under this identifier.
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
        // Serde would take a list of three strings too.
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

/// HKDF with SHA-256 (RFC 5869), one block.
fn derive(material: &[u8], salt: Option<&[u8]>, purpose: &str) -> Option<Key> {
    let (mut extracted, hkdf) = Hkdf::<Sha256>::extract(salt, material);
    extracted.as_mut_slice().zeroize();
    let mut key = Key::default();
    hkdf.expand(purpose.as_bytes(), key.as_mut_slice()).ok()?;
    Some(key)
}

/// HMAC with SHA-256. The key fills a block, with zeros behind it, as HMAC does with every shorter key
/// (RFC 2104, section 2): so there is no length that could be refused.
fn keyed(key: &Key) -> Hmac<Sha256> {
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key.as_slice());
    Hmac::<Sha256>::new((&*block).into())
}

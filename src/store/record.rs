//! A stored record: a nonce and a ciphertext, in Base64.

use std::borrow::Cow;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde::Deserialize;

/// An encrypted record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) nonce: [u8; 12],
    pub(super) ciphertext: Vec<u8>,
}

impl Record {
    /// Parses the JSON text of a record; `None` if it is malformed.
    pub(super) fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Stored<'text> {
            #[serde(borrow)]
            ciphertext: Cow<'text, str>,
            #[serde(borrow)]
            nonce: Cow<'text, str>,
        }
        // Serde accepts an array of the two values too.
        let stored: Stored<'_> = serde_json::from_str(Some(text).filter(|text| text.starts_with('{'))?).ok()?;
        Some(Self { nonce: decode(&stored.nonce)?.try_into().ok()?, ciphertext: decode(&stored.ciphertext)? })
    }

    /// The JSON text of the record.
    pub(super) fn print(&self) -> String {
        format!(r#"{{"ciphertext":"{}","nonce":"{}"}}"#, encode(&self.ciphertext), encode(&self.nonce))
    }
}

/// Base64 as Python's `urlsafe_b64encode` writes it.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Decodes either Base64 alphabet: stores of other writers may use the standard one.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text)).ok()
}

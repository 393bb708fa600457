//! A record as it is stored: a nonce and what was encrypted with it, in Base64.

use std::borrow::Cow;

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde::Deserialize;

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) nonce: [u8; 12],
    pub(super) ciphertext: Vec<u8>,
}

impl Record {
    /// Reads a record; `None` if it is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Stored<'text> {
            #[serde(borrow)]
            ciphertext: Cow<'text, str>,
            #[serde(borrow)]
            nonce: Cow<'text, str>,
        }
        // Serde would take a list of the two too, in their order.
        let stored: Stored<'_> = serde_json::from_str(Some(text).filter(|text| text.starts_with('{'))?).ok()?;
        Some(Self { nonce: decode(&stored.nonce)?.try_into().ok()?, ciphertext: decode(&stored.ciphertext)? })
    }

    /// Its members, in order.
    pub(super) fn members(&self) -> [(&'static str, String); 2] {
        [("ciphertext", encode(&self.ciphertext)), ("nonce", encode(&self.nonce))]
    }
}

/// Base64 as Python's `urlsafe_b64encode` writes it.
pub(super) fn encode(bytes: &[u8]) -> String {
    URL_SAFE.encode(bytes)
}

/// Base64 in either alphabet: Python's reader takes both.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE.decode(text).or_else(|_| STANDARD.decode(text)).ok()
}

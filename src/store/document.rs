//! The text of a store file: version 1 of ssh-agent-keyring's format, in the layout of Python's
//! `json.dumps(indent=2, sort_keys=True)`.
//!
//! Unknown members and untouched records are kept.

use std::io;

use serde::Deserialize;

use super::{
    json::{Object, break_line, escape, print_member, print_object},
    record::{Record, decode, encode},
};

/// The version of the format.
const VERSION: f64 = 1.0;

/// The member that holds the records.
const RECORDS: &str = "records";

/// Bytes that are collected before each write.
const BUFFER: usize = 128 * 1024;

/// Why a text is not a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// Malformed: what is wrong.
    Shape(String),
    /// Another version of the format.
    Version(String),
}

fn shape(what: impl Into<String>) -> Problem {
    Problem::Shape(what.into())
}

/// The parameters that unlock a store, all public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The public key whose signature unlocks the store, as the file spells it.
    pub(super) public_key: String,
    /// Identifies the store in the challenge.
    pub(super) store_id: Vec<u8>,
    /// Salt of the key derivation.
    pub(super) salt: Vec<u8>,
    /// Nonce of the wrapped key.
    pub(super) nonce: [u8; 12],
    /// The encrypted data encryption key.
    pub(super) wrapped_dek: Vec<u8>,
}

/// A store file.
pub(super) struct Document<'text> {
    header: Header,
    /// The top-level members except the records.
    members: Object<'text>,
    records: Object<'text>,
}

impl<'text> Document<'text> {
    /// A new store without records.
    pub(super) fn new(header: Header) -> Self {
        let mut document = Self { header: header.clone(), members: Object::default(), records: Object::default() };
        document.members.0.insert("version".into(), "1".into());
        document.set_header(header);
        document
    }

    /// Parses a store file.
    pub(super) fn parse(text: &'text [u8]) -> Result<Self, Problem> {
        if text.iter().all(u8::is_ascii_whitespace) {
            return Err(shape("it is empty"));
        }
        if text.iter().all(|&byte| byte == 0) {
            return Err(shape("it holds nothing but zero bytes"));
        }
        let text = std::str::from_utf8(text).map_err(|_| shape("it is not UTF-8"))?;
        if !text.trim_ascii_start().starts_with('{') {
            return Err(shape("it is not a JSON object"));
        }
        let (members, records) = match Object::parse_with_part(text, RECORDS) {
            Ok(parsed) => parsed,
            // Another version may have other records.
            Err(_) => (serde_json::from_str(text).map_err(|error| not_json(&error))?, None),
        };
        let header = read_header(&members)?;
        match records {
            Some(records) => Ok(Self { header, members, records }),
            None if members.0.contains_key(RECORDS) => Err(malformed(RECORDS)),
            None => Err(shape("it has no \"records\"")),
        }
    }

    /// The parameters that unlock the store.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Replaces the parameters that unlock the store.
    pub(super) fn set_header(&mut self, header: Header) {
        self.update("identity", &[("public_key", &header.public_key)]);
        self.update(
            "unlock",
            &[
                ("nonce", &encode(&header.nonce)),
                ("salt", &encode(&header.salt)),
                ("store_id", &encode(&header.store_id)),
                ("wrapped_dek", &encode(&header.wrapped_dek)),
            ],
        );
        self.header = header;
    }

    /// Sets string members of a top-level object and keeps its other members.
    fn update(&mut self, part: &'static str, strings: &[(&'static str, &str)]) {
        let text = self.members.0.remove(part).unwrap_or_default();
        let mut object: Object<'_> = serde_json::from_str(&text).unwrap_or_default();
        for &(name, value) in strings {
            object.0.insert(name.into(), quoted(value).into());
        }
        let mut printed = Vec::new();
        print_object(&object, 1, &mut printed);
        self.members.0.insert(part.into(), String::from_utf8_lossy(&printed).into_owned().into());
    }

    /// The number of records.
    pub(super) fn len(&self) -> usize {
        self.records.0.len()
    }

    /// The identifiers of the records, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.records.0.keys().map(AsRef::as_ref)
    }

    /// The record of this identifier, if there is one.
    pub(super) fn record(&self, id: &str) -> Option<Result<Record, Problem>> {
        let text = self.records.0.get(id)?;
        Some(Record::read(text).ok_or_else(|| shape("a record is malformed")))
    }

    /// Whether there is a record of this identifier.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.records.0.contains_key(id)
    }

    /// Inserts or replaces a record.
    pub(super) fn put(&mut self, id: &str, record: &Record) {
        self.records.0.insert(id.to_owned().into(), record.print().into());
    }

    /// Removes a record.
    pub(super) fn remove(&mut self, id: &str) {
        self.records.0.remove(id);
    }

    /// Removes all records.
    pub(super) fn clear(&mut self) {
        self.records.0.clear();
    }

    /// Writes the text of the file in pieces, so that a large store is not in memory twice.
    pub(super) fn write(&self, to: &mut dyn io::Write) -> io::Result<()> {
        let mut out = Vec::with_capacity(2 * BUFFER);
        let (before, after): (Vec<_>, Vec<_>) = self.members.0.iter().partition(|(name, _)| name.as_ref() < RECORDS);
        out.push(b'{');
        for (name, value) in before {
            break_line(1, &mut out);
            print_member(name, value, 1, &mut out);
            out.push(b',');
        }
        break_line(1, &mut out);
        out.extend_from_slice(b"\"records\": {");
        let mut separator: &[u8] = b"";
        for (id, record) in &self.records.0 {
            out.extend_from_slice(separator);
            break_line(2, &mut out);
            print_member(id, record, 2, &mut out);
            separator = b",";
            if out.len() >= BUFFER {
                to.write_all(&out)?;
                out.clear();
            }
        }
        if !self.records.0.is_empty() {
            break_line(1, &mut out);
        }
        out.push(b'}');
        for (name, value) in after {
            out.push(b',');
            break_line(1, &mut out);
            print_member(name, value, 1, &mut out);
        }
        out.extend_from_slice(b"\n}\n");
        to.write_all(&out)
    }

    /// The text of the file.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn print(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Writing to memory does not fail.
        let _ = self.write(&mut text);
        text
    }
}

fn quoted(text: &str) -> String {
    let mut out = Vec::new();
    escape(text.as_bytes(), &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

fn read_header(members: &Object<'_>) -> Result<Header, Problem> {
    #[derive(Deserialize)]
    struct Identity {
        public_key: String,
    }
    #[derive(Deserialize)]
    struct Unlock {
        nonce: String,
        salt: String,
        store_id: String,
        wrapped_dek: String,
    }
    let version = members.0.get("version").map_or("none", AsRef::as_ref);
    if version.parse::<f64>() != Ok(VERSION) {
        return Err(Problem::Version(version.chars().take(20).collect()));
    }
    let part = |name: &str| members.0.get(name).ok_or_else(|| shape(format!("it has no {name:?}")));
    let identity: Identity = parse_part(part("identity")?, "identity")?;
    let unlock: Unlock = parse_part(part("unlock")?, "unlock")?;
    let decode = |name: &str, value: &str, length: usize| {
        let bytes = decode(value).filter(|bytes| bytes.len() == length);
        bytes.ok_or_else(|| shape(format!("its {name:?} is not {length} bytes in Base64")))
    };
    Ok(Header {
        public_key: identity.public_key,
        store_id: decode("store_id", &unlock.store_id, 16)?,
        salt: decode("salt", &unlock.salt, 32)?,
        nonce: decode("nonce", &unlock.nonce, 12)?.try_into().map_err(|_| shape("its \"nonce\" is not 12 bytes"))?,
        wrapped_dek: decode("wrapped_dek", &unlock.wrapped_dek, 48)?,
    })
}

fn parse_part<'text, T: Deserialize<'text>>(text: &'text str, part: &str) -> Result<T, Problem> {
    // Serde accepts an array of the members' values too.
    let parsed = Some(text).filter(|text| text.starts_with('{')).and_then(|text| serde_json::from_str(text).ok());
    parsed.ok_or_else(|| malformed(part))
}

fn malformed(part: &str) -> Problem {
    shape(format!("its {part:?} is malformed"))
}

/// Where parsing failed, without the parser's quotation of the text.
fn not_json(error: &serde_json::Error) -> Problem {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        serde_json::error::Category::Data => "a name occurs twice",
        _ => "it is not JSON",
    };
    shape(format!("{what} (line {}, column {})", error.line(), error.column()))
}

//! The text of a store file (version 1 of ssh-agent-keyring's format), taken apart as far as it is
//! needed, and put together again as Python's `json.dumps(indent=2, sort_keys=True)` writes it.
//!
//! Whatever this program does not know is kept: members that a later version may add, and the records that
//! a change does not concern.

use std::{borrow::Cow, collections::BTreeMap, fmt, io};

use serde::Deserialize;

use super::{
    members::{Members, Value, print_member},
    printed,
    record::{Record, decode},
};

/// The version of the format.
const VERSION: f64 = 1.0;

/// About how many bytes of a store belong to one record, for a first guess at their number.
const USUAL_RECORD: usize = 250;

/// About how much is written at once. In bytes.
const PIECE: usize = 128 * 1024;

/// Why a text is no store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Problem {
    /// It is not what a store looks like: what is wrong.
    Shape(String),
    /// It is a store of another version: which.
    Version(String),
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shape(what) => formatter.write_str(what),
            Self::Version(version) => write!(formatter, "it has version {version}"),
        }
    }
}

fn shape(what: impl Into<String>) -> Problem {
    Problem::Shape(what.into())
}

/// What unlocks a store: all of it public.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    /// The public key whose signature unlocks, as the file has it.
    pub(super) public_key: String,
    /// Names the store in the challenge.
    pub(super) store_id: Vec<u8>,
    /// Of the key derivation.
    pub(super) salt: Vec<u8>,
    /// Of the wrapped key.
    pub(super) nonce: [u8; 12],
    /// The data encryption key, encrypted.
    pub(super) wrapped_dek: Vec<u8>,
}

/// A store file.
pub(super) struct Document<'text> {
    members: Members<'text>,
    header: Header,
    /// Those that the file has.
    records: Members<'text>,
    /// Those that it has not: apart, since to put each in its place among many thousand would take long.
    added: BTreeMap<String, Value<'text>>,
}

impl<'text> Document<'text> {
    /// A new store without records.
    pub(super) fn new(header: Header) -> Self {
        let mut document = Self {
            members: Members::default(),
            header: header.clone(),
            records: Members::default(),
            added: BTreeMap::new(),
        };
        document.members.put("version", Value::Number(1));
        document.set_header(header);
        document
    }

    /// Takes the text of a store file apart.
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
        if let Some(document) = Self::parse_printed(text) {
            return Ok(document);
        }
        let mut members: Members<'text> = serde_json::from_str(text).map_err(|error| not_json(&error))?;
        let header = read_head(&members)?;
        let records = match members.remove("records") {
            Some(Value::Kept(Cow::Borrowed(records))) => parse_part(records.get(), "records")?,
            _ => return Err(shape("it has no \"records\"")),
        };
        Ok(Self { members, header, records, added: BTreeMap::new() })
    }

    /// Takes apart what is in the printed form, where the records need not be read to be found; `None` for
    /// all else.
    fn parse_printed(text: &'text str) -> Option<Self> {
        let mut records = Members(Vec::with_capacity(text.len() / USUAL_RECORD));
        let skeleton = printed::read(text, |id, value| records.0.push((Cow::Borrowed(id), Value::Printed(value))))?;
        let mut members: Members<'_> = serde_json::from_str(&skeleton.text).ok()?;
        // They may be the records of something else, deeper inside.
        if members.text("records")?.as_ptr() != skeleton.text.get(skeleton.place..)?.as_ptr() {
            return None;
        }
        let header = read_head(&members).ok()?;
        members.remove("records");
        Some(Self { members: members.into_owned(), header, records, added: BTreeMap::new() })
    }

    /// What unlocks the store.
    pub(super) fn header(&self) -> &Header {
        &self.header
    }

    /// Replaces what unlocks the store.
    pub(super) fn set_header(&mut self, header: Header) {
        let mut identity = self.part("identity");
        identity.put("public_key", Value::Text(header.public_key.clone()));
        self.members.put("identity", Value::Members(identity));
        let mut unlock = self.part("unlock");
        unlock.put("nonce", Value::bytes(&header.nonce));
        unlock.put("salt", Value::bytes(&header.salt));
        unlock.put("store_id", Value::bytes(&header.store_id));
        unlock.put("wrapped_dek", Value::bytes(&header.wrapped_dek));
        self.members.put("unlock", Value::Members(unlock));
        self.header = header;
    }

    /// The members of a part of the store, to be changed; none if it is not there yet.
    fn part(&self, name: &str) -> Members<'text> {
        let part: Option<Members<'_>> = self.members.text(name).and_then(|text| serde_json::from_str(text).ok());
        part.map(Members::into_owned).unwrap_or_default()
    }

    /// How many records there are.
    pub(super) fn len(&self) -> usize {
        self.records.0.len() + self.added.len()
    }

    /// The records, in order.
    fn all_records(&self) -> Vec<(&str, &Value<'text>)> {
        let mut records: Vec<_> = self.records.iter().collect();
        if !self.added.is_empty() {
            records.extend(self.added.iter().map(|(id, value)| (id.as_str(), value)));
            // Two runs in order, which a stable sort only merges.
            records.sort_by_key(|(id, _)| *id);
        }
        records
    }

    /// The identifiers of the records, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.all_records().into_iter().map(|(id, _)| id)
    }

    /// The record of this identifier, if there is one.
    pub(super) fn record(&self, id: &str) -> Option<Result<Record, Problem>> {
        let record = match self.records.get(id).or_else(|| self.added.get(id))? {
            Value::Sealed(record) => Some(record.clone()),
            Value::Kept(raw) => Record::read(raw.get()),
            Value::Printed(text) => Record::read(text),
            _ => None,
        };
        Some(record.ok_or_else(|| shape("a record is not what a store has there")))
    }

    /// Whether there is a record of this identifier.
    pub(super) fn contains(&self, id: &str) -> bool {
        self.records.position(id).is_ok() || self.added.contains_key(id)
    }

    /// Puts a record in, in the place of the one of the same identifier.
    pub(super) fn put(&mut self, id: &str, record: Record) {
        match self.records.get_mut(id) {
            Some(value) => *value = Value::Sealed(record),
            None => drop(self.added.insert(id.to_owned(), Value::Sealed(record))),
        }
    }

    /// Takes a record out; whether it was there.
    pub(super) fn remove(&mut self, id: &str) -> bool {
        self.records.remove(id).is_some() || self.added.remove(id).is_some()
    }

    /// Takes all records out, to make room for their successors.
    pub(super) fn clear(&mut self) {
        self.records.0.clear();
        self.added.clear();
    }

    /// Writes the text of the file, piece by piece: most of a large store stands in the text that was read, and
    /// need not be put together once more.
    pub(super) fn write(&self, to: &mut dyn io::Write) -> io::Result<()> {
        let mut out = Vec::with_capacity(2 * PIECE);
        out.extend_from_slice(b"{\n  ");
        let place = self.members.position("records").unwrap_or_else(|place| place);
        let (before, after) = self.members.0.split_at(place);
        let mut separator: &[u8] = b"";
        for (name, value) in before {
            out.extend_from_slice(separator);
            print_member(name, value, 1, &mut out);
            separator = b",\n  ";
        }
        out.extend_from_slice(separator);
        out.extend_from_slice(b"\"records\": {");
        let mut separator: &[u8] = b"\n    ";
        let records = self.all_records();
        for (id, value) in &records {
            out.extend_from_slice(separator);
            print_member(id, value, 2, &mut out);
            separator = b",\n    ";
            if out.len() >= PIECE {
                to.write_all(&out)?;
                out.clear();
            }
        }
        out.extend_from_slice(if records.is_empty() { b"}" } else { b"\n  }" });
        for (name, value) in after {
            out.extend_from_slice(b",\n  ");
            print_member(name, value, 1, &mut out);
        }
        out.extend_from_slice(b"\n}\n");
        to.write_all(&out)
    }

    /// The text of the file.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn print(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // Memory takes everything.
        let _ = self.write(&mut text);
        text
    }
}

fn read_head(members: &Members<'_>) -> Result<Header, Problem> {
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
    let version = members.text("version").unwrap_or("none");
    if version.parse::<f64>() != Ok(VERSION) {
        return Err(Problem::Version(version.chars().take(20).collect()));
    }
    let part = |name: &str| members.text(name).ok_or_else(|| shape(format!("it has no {name:?}")));
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
    // Serde would take a list of the right values too, in their order.
    let part_of_store =
        Some(text).filter(|text| text.starts_with('{')).and_then(|text| serde_json::from_str(text).ok());
    part_of_store.ok_or_else(|| shape(format!("its {part:?} is not what a store has there")))
}

/// A parser's complaint without its quotations: the place alone.
fn not_json(error: &serde_json::Error) -> Problem {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it breaks off",
        serde_json::error::Category::Data => "it is not what a store has there",
        _ => "it is not JSON",
    };
    shape(format!("{what} (line {}, column {})", error.line(), error.column()))
}

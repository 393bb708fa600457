//! The text of a store file (version 1 of ssh-agent-keyring's format), taken apart as far as it is
//! needed, and put together again as Python's `json.dumps(indent=2, sort_keys=True)` writes it.
//!
//! Whatever this program does not know is kept: members that a later version may add, and the records that
//! a change does not concern.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    json_text::{escape, unescape},
    printed,
};

/// The version of the format.
const VERSION: f64 = 1.0;

/// How deep unknown members are put into Python's form. Deeper ones stay as they are: whoever nests so
/// deep is after the stack.
const DEEPEST: usize = 32;

/// About how many bytes of a store belong to one record, for a first guess at their number.
const USUAL_RECORD: usize = 250;

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

/// A record as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) nonce: [u8; 12],
    pub(super) ciphertext: Vec<u8>,
}

impl Record {
    /// Prints the record as a member of the records.
    fn print(&self, depth: usize, out: &mut Vec<u8>) {
        let members = [("ciphertext", self.ciphertext.as_slice()), ("nonce", self.nonce.as_slice())];
        let print = |(name, bytes): (&'static str, &[u8])| (Cow::Borrowed(name), Value::bytes(bytes));
        Members(members.map(print).into()).print(depth, out);
    }
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
        match self.records.get(id).or_else(|| self.added.get(id))? {
            Value::Sealed(record) => Some(Ok(record.clone())),
            Value::Kept(raw) => Some(read_record(raw.get())),
            Value::Printed(text) => Some(read_record(text)),
            _ => None,
        }
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

    /// The text of the file.
    pub(super) fn print(&self) -> Vec<u8> {
        let records = self.all_records();
        let length = |(name, value): (&str, &Value<'_>)| name.len() + value.length() + 16;
        let lengths = records.iter().copied().chain(self.members.iter()).map(length);
        let mut out = Vec::with_capacity(lengths.sum::<usize>() + 512);
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
        out.extend_from_slice(b"\"records\": ");
        print_members(&records, 1, &mut out);
        for (name, value) in after {
            out.extend_from_slice(b",\n  ");
            print_member(name, value, 1, &mut out);
        }
        out.extend_from_slice(b"\n}\n");
        out
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

pub(super) fn read_record(text: &str) -> Result<Record, Problem> {
    #[derive(Deserialize)]
    struct Stored<'text> {
        #[serde(borrow)]
        ciphertext: Cow<'text, str>,
        #[serde(borrow)]
        nonce: Cow<'text, str>,
    }
    let stored: Stored<'_> = parse_part(text, "records")?;
    let nonce = decode(&stored.nonce).and_then(|nonce| nonce.try_into().ok());
    let ciphertext = decode(&stored.ciphertext);
    match (nonce, ciphertext) {
        (Some(nonce), Some(ciphertext)) => Ok(Record { nonce, ciphertext }),
        _ => Err(shape("a record is not in Base64")),
    }
}

/// Base64 in either alphabet: Python's reader takes both.
fn decode(value: &str) -> Option<Vec<u8>> {
    URL_SAFE.decode(value).or_else(|_| STANDARD.decode(value)).ok()
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

/// A value of a document.
enum Value<'text> {
    /// As the file has it.
    Kept(Cow<'text, RawValue>),
    /// A record as the file has it, in the printed form.
    Printed(&'text str),
    /// A record that is new.
    Sealed(Record),
    Text(String),
    Number(u8),
    Members(Members<'text>),
}

impl Value<'_> {
    fn bytes(bytes: &[u8]) -> Self {
        Self::Text(URL_SAFE.encode(bytes))
    }

    fn length(&self) -> usize {
        match self {
            Self::Kept(raw) => raw.get().len(),
            Self::Printed(text) => text.len(),
            Self::Sealed(record) => record.ciphertext.len().div_ceil(3) * 4 + 100,
            Self::Text(text) => text.len() + 2,
            Self::Number(_) => 3,
            Self::Members(Members(members)) => {
                members.iter().map(|(name, value)| name.len() + value.length() + 24).sum::<usize>()
            }
        }
    }

    fn print(&self, depth: usize, out: &mut Vec<u8>) {
        match self {
            Self::Kept(raw) => print_raw(raw.get(), depth, out),
            Self::Printed(text) => out.extend_from_slice(text.as_bytes()),
            Self::Sealed(record) => record.print(depth, out),
            Self::Text(text) => escape(text.as_bytes(), out),
            Self::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Members(members) => members.print(depth, out),
        }
    }
}

/// The members of an object, sorted by name as Python sorts them (by code points, which is also the
/// order of their UTF-8), each name once.
#[derive(Default)]
struct Members<'text>(Vec<(Cow<'text, str>, Value<'text>)>);

impl<'text> Members<'text> {
    fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_ref().cmp(name))
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &Value<'text>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    fn get(&self, name: &str) -> Option<&Value<'text>> {
        self.0.get(self.position(name).ok()?).map(|(_, value)| value)
    }

    fn get_mut(&mut self, name: &str) -> Option<&mut Value<'text>> {
        let place = self.position(name).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// The text of a member that is as the file has it.
    fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Kept(raw) => Some(raw.get()),
            _ => None,
        }
    }

    /// The same members, as a copy. They must be as the file has them.
    fn into_owned(self) -> Members<'static> {
        let own = |(name, value): (Cow<'_, str>, Value<'_>)| match value {
            Value::Kept(raw) => Some((Cow::Owned(name.into_owned()), Value::Kept(Cow::Owned(raw.into_owned())))),
            _ => None,
        };
        Members(self.0.into_iter().filter_map(own).collect())
    }

    fn put(&mut self, name: &str, value: Value<'text>) {
        match self.position(name) {
            Ok(place) => self.0.splice(place..=place, [(Cow::Owned(name.to_owned()), value)]).for_each(drop),
            Err(place) => self.0.insert(place, (Cow::Owned(name.to_owned()), value)),
        }
    }

    fn remove(&mut self, name: &str) -> Option<Value<'text>> {
        self.position(name).ok().map(|place| self.0.remove(place).1)
    }

    fn print(&self, depth: usize, out: &mut Vec<u8>) {
        print_members(&self.iter().collect::<Vec<_>>(), depth, out);
    }
}

fn print_members(members: &[(&str, &Value<'_>)], depth: usize, out: &mut Vec<u8>) {
    if members.is_empty() {
        return out.extend_from_slice(b"{}");
    }
    let mut separator = b'{';
    for (name, value) in members {
        out.push(separator);
        break_line(depth + 1, out);
        print_member(name, value, depth + 1, out);
        separator = b',';
    }
    break_line(depth, out);
    out.push(b'}');
}

fn print_member(name: &str, value: &Value<'_>, depth: usize, out: &mut Vec<u8>) {
    escape(name.as_bytes(), out);
    out.extend_from_slice(b": ");
    value.print(depth, out);
}

fn break_line(depth: usize, out: &mut Vec<u8>) {
    const BLANKS: &[u8] = b"\n                                                                ";
    out.extend_from_slice(BLANKS.get(..=2 * depth).unwrap_or(BLANKS));
}

/// Prints what is kept in Python's form. Numbers stay as they are written.
fn print_raw(raw: &str, depth: usize, out: &mut Vec<u8>) {
    if depth >= DEEPEST {
        return out.extend_from_slice(raw.as_bytes());
    }
    match raw.as_bytes().first() {
        Some(b'{') => match serde_json::from_str::<Members<'_>>(raw) {
            Ok(members) => members.print(depth, out),
            // A name that is no Unicode, or that is there twice.
            Err(_) => out.extend_from_slice(raw.as_bytes()),
        },
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(raw) {
            Ok(items) if items.is_empty() => out.extend_from_slice(b"[]"),
            Ok(items) => {
                let mut separator = b'[';
                for item in items {
                    out.push(separator);
                    break_line(depth + 1, out);
                    print_raw(item.get(), depth + 1, out);
                    separator = b',';
                }
                break_line(depth, out);
                out.push(b']');
            }
            Err(_) => out.extend_from_slice(raw.as_bytes()),
        },
        Some(b'"') => match unescape(raw) {
            Some(text) => escape(&text, out),
            None => out.extend_from_slice(raw.as_bytes()),
        },
        _ => out.extend_from_slice(raw.as_bytes()),
    }
}

impl<'text> Deserialize<'text> for Members<'text> {
    fn deserialize<D: Deserializer<'text>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'text> Visitor<'text> for MembersVisitor {
    type Value = Members<'text>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'text>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        /// A name, without a copy if it has no escapes.
        #[derive(Deserialize)]
        struct Name<'text>(#[serde(borrow)] Cow<'text, str>);
        let mut members: Vec<(Cow<'text, str>, Value<'text>)> = Vec::new();
        let mut is_sorted = true;
        while let Some(Name(name)) = map.next_key::<Name<'text>>()? {
            is_sorted = is_sorted && members.last().is_none_or(|(last, _)| *last < name);
            members.push((name, Value::Kept(Cow::Borrowed(map.next_value()?))));
        }
        if !is_sorted {
            members.sort_by(|(left, _), (right, _)| left.cmp(right));
            // Which of the two counts? Whoever guesses may lose a secret.
            if members.windows(2).any(|pair| matches!(pair, [(left, _), (right, _)] if left == right)) {
                return Err(A::Error::custom("a name is there twice"));
            }
        }
        Ok(Members(members))
    }
}

//! The members of the objects in a store file, kept as the file has them or made anew, and printed as Python's
//! `json.dumps(indent=2, sort_keys=True)` prints them.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    json_text::{escape, unescape},
    record::{Record, encode},
};

/// How deep unknown members are put into Python's form. Deeper ones stay as they are: whoever nests so
/// deep is after the stack.
const DEEPEST: usize = 32;

/// A value of a document.
pub(super) enum Value<'text> {
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
    pub(super) fn bytes(bytes: &[u8]) -> Self {
        Self::Text(encode(bytes))
    }

    fn print(&self, depth: usize, out: &mut Vec<u8>) {
        match self {
            Self::Kept(raw) => print_raw(raw.get(), depth, out),
            Self::Printed(text) => out.extend_from_slice(text.as_bytes()),
            Self::Sealed(record) => {
                let members = record.members().map(|(name, text)| (name, Value::Text(text)));
                print_members(&members.iter().map(|(name, value)| (*name, value)).collect::<Vec<_>>(), depth, out);
            }
            Self::Text(text) => escape(text.as_bytes(), out),
            Self::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
            Self::Members(members) => members.print(depth, out),
        }
    }
}

/// The members of an object, sorted by name as Python sorts them (by code points, which is also the
/// order of their UTF-8), each name once.
#[derive(Default)]
pub(super) struct Members<'text>(pub(super) Vec<(Cow<'text, str>, Value<'text>)>);

impl<'text> Members<'text> {
    pub(super) fn position(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.as_ref().cmp(name))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Value<'text>)> {
        self.0.iter().map(|(name, value)| (name.as_ref(), value))
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value<'text>> {
        self.0.get(self.position(name).ok()?).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Value<'text>> {
        let place = self.position(name).ok()?;
        self.0.get_mut(place).map(|(_, value)| value)
    }

    /// The text of a member that is as the file has it.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Value::Kept(raw) => Some(raw.get()),
            _ => None,
        }
    }

    /// The same members, as a copy. They must be as the file has them.
    pub(super) fn into_owned(self) -> Members<'static> {
        let own = |(name, value): (Cow<'_, str>, Value<'_>)| match value {
            Value::Kept(raw) => Some((Cow::Owned(name.into_owned()), Value::Kept(Cow::Owned(raw.into_owned())))),
            _ => None,
        };
        Members(self.0.into_iter().filter_map(own).collect())
    }

    pub(super) fn put(&mut self, name: &str, value: Value<'text>) {
        match self.position(name) {
            Ok(place) => self.0.splice(place..=place, [(Cow::Owned(name.to_owned()), value)]).for_each(drop),
            Err(place) => self.0.insert(place, (Cow::Owned(name.to_owned()), value)),
        }
    }

    pub(super) fn remove(&mut self, name: &str) -> Option<Value<'text>> {
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

pub(super) fn print_member(name: &str, value: &Value<'_>, depth: usize, out: &mut Vec<u8>) {
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

//! JSON as Python's `json` module reads and writes it, on top of serde_json's raw values.
//!
//! Python strings may hold unpaired surrogates, which JSON can escape (`\udc80`) and UTF-8 cannot encode. Here they are
//! WTF-8: each has the three bytes that UTF-8 would give it.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

/// Nesting depth from which [`print`] copies a value as it is, so that a hostile file cannot exhaust the stack.
const DEEPEST: usize = 32;

/// An object whose values are JSON text. Its names are sorted by code point, as Python sorts them, and unique.
#[derive(Default)]
pub(super) struct Object<'text>(pub(super) BTreeMap<Cow<'text, str>, Cow<'text, str>>);

impl<'text> Deserialize<'text> for Object<'text> {
    fn deserialize<D: Deserializer<'text>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor { part: None })
    }
}

impl<'text> Object<'text> {
    /// Parses an object and, in the same pass, the member `name` as an object of its own: parsing the records of a store
    /// in a second pass takes almost twice as long.
    pub(super) fn parse_with_part(text: &'text str, name: &str) -> serde_json::Result<(Self, Option<Self>)> {
        let mut part = None;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = deserializer.deserialize_map(ObjectVisitor { part: Some((name, &mut part)) })?;
        deserializer.end()?;
        Ok((object, part))
    }
}

struct ObjectVisitor<'all, 'text> {
    part: Option<(&'all str, &'all mut Option<Object<'text>>)>,
}

impl<'text> Visitor<'text> for ObjectVisitor<'_, 'text> {
    type Value = Object<'text>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'text>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        /// Borrows a name without escapes, which serde does not do for a plain `Cow`.
        #[derive(Deserialize)]
        struct Name<'text>(#[serde(borrow)] Cow<'text, str>);
        let mut members = Vec::new();
        let mut has_duplicates = false;
        while let Some(Name(name)) = map.next_key()? {
            match &mut self.part {
                Some((part, object)) if *part == name => has_duplicates |= object.replace(map.next_value()?).is_some(),
                _ => members.push((name, Cow::Borrowed(map.next_value::<&RawValue>()?.get()))),
            }
        }
        let count = members.len();
        let members = BTreeMap::from_iter(members);
        if has_duplicates || members.len() < count {
            // Keeping either of two values could lose a secret.
            return Err(A::Error::custom("duplicate name"));
        }
        Ok(Object(members))
    }
}

/// Prints JSON text as `json.dumps(indent=2, sort_keys=True)` does. Numbers keep their spelling, and so do objects with
/// names that occur twice or are not Unicode.
pub(super) fn print(raw: &str, depth: usize, out: &mut Vec<u8>) {
    let printed = match raw.as_bytes() {
        _ if depth >= DEEPEST => None,
        [b'{', ..] => serde_json::from_str(raw).ok().map(|object| print_object(&object, depth, out)),
        [b'[', ..] => serde_json::from_str(raw).ok().map(|items: Vec<&RawValue>| {
            print_all(*b"[]", &items, depth, out, |item, out| print(item.get(), depth + 1, out));
        }),
        [b'"', text @ .., b'"'] if !is_plain(text) => unescape(raw).map(|text| escape(&text, out)),
        _ => None,
    };
    if printed.is_none() {
        out.extend_from_slice(raw.as_bytes());
    }
}

pub(super) fn print_object(object: &Object<'_>, depth: usize, out: &mut Vec<u8>) {
    print_all(*b"{}", &object.0, depth, out, |(name, value), out| print_member(name, value, depth + 1, out));
}

/// Prints a member without a line break in front.
pub(super) fn print_member(name: &str, value: &str, depth: usize, out: &mut Vec<u8>) {
    escape(name.as_bytes(), out);
    out.extend_from_slice(b": ");
    print(value, depth, out);
}

fn print_all<Item>(
    [open, close]: [u8; 2],
    items: impl IntoIterator<Item = Item>,
    depth: usize,
    out: &mut Vec<u8>,
    mut print_item: impl FnMut(Item, &mut Vec<u8>),
) {
    out.push(open);
    let first = out.len();
    for item in items {
        if out.len() > first {
            out.push(b',');
        }
        break_line(depth + 1, out);
        print_item(item, out);
    }
    if out.len() > first {
        break_line(depth, out);
    }
    out.push(close);
}

pub(super) fn break_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + 2 * depth, b' ');
}

/// Writes WTF-8 as a JSON string in ASCII: all else is `\uXXXX` in lower case, above U+FFFF as a surrogate pair. Bytes
/// that are not WTF-8 are dropped.
pub(crate) fn escape(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    if is_plain(text) {
        out.extend_from_slice(text);
        return out.push(b'"');
    }
    for_each_character(text, |code| match code {
        0x22 => out.extend_from_slice(b"\\\""),
        0x5c => out.extend_from_slice(b"\\\\"),
        0x0a => out.extend_from_slice(b"\\n"),
        0x0d => out.extend_from_slice(b"\\r"),
        0x09 => out.extend_from_slice(b"\\t"),
        0x08 => out.extend_from_slice(b"\\b"),
        0x0c => out.extend_from_slice(b"\\f"),
        0x20..=0x7e => out.extend(u8::try_from(code)),
        0x1_0000.. => {
            let offset = code - 0x1_0000;
            push_unit(0xd800 + (offset >> 10), out);
            push_unit(0xdc00 + (offset & 0x3ff), out);
        }
        _ => push_unit(code, out),
    });
    out.push(b'"');
}

/// Whether a string needs no escapes: printable ASCII without quotes and backslashes.
fn is_plain(text: &[u8]) -> bool {
    text.iter().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\'))
}

/// Upper bound of the bytes that [`escape`] writes for a text of this length: a control character becomes six.
pub(crate) fn longest_escape(length: usize) -> usize {
    length.saturating_mul(6).saturating_add(2)
}

fn push_unit(unit: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.extend(char::from_digit((unit >> shift) & 0xf, 16).and_then(|digit| u8::try_from(digit).ok()));
    }
}

/// Decodes WTF-8.
fn for_each_character(text: &[u8], mut see: impl FnMut(u32)) {
    let mut bytes = text.iter().copied().map(u32::from);
    while let Some(first) = bytes.next() {
        let (mut code, following) = match first {
            0x00..=0x7f => (first, 0),
            0xc0..=0xdf => (first & 0x1f, 1),
            0xe0..=0xef => (first & 0x0f, 2),
            0xf0..=0xf7 => (first & 0x07, 3),
            _ => continue,
        };
        for _ in 0..following {
            code = code << 6 | bytes.next().unwrap_or_default() & 0x3f;
        }
        see(code);
    }
}

/// Decodes a valid JSON string, quotes included, to WTF-8; `None` for another value. The buffer never grows and is wiped:
/// serde_json would decode into a scratch buffer that it frees unwiped.
pub(super) fn unescape(raw: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut rest = raw.strip_prefix('"')?.strip_suffix('"')?.as_bytes();
    let mut text = Zeroizing::new(Vec::with_capacity(rest.len()));
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if first != b'\\' {
            text.push(first);
            continue;
        }
        let (&escaped, after) = rest.split_first()?;
        rest = after;
        match escaped {
            b'"' | b'\\' | b'/' => text.push(escaped),
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'b' => text.push(0x08),
            b'f' => text.push(0x0c),
            b'u' => {
                let mut code = unit(&mut rest)?;
                if (0xd800..0xdc00).contains(&code) {
                    code = with_low_surrogate(code, &mut rest);
                }
                push_character(code, &mut text);
            }
            _ => return None,
        }
    }
    Some(text)
}

/// Reads the four hexadecimal digits after `\u`.
fn unit(rest: &mut &[u8]) -> Option<u32> {
    let (digits, after) = rest.split_at_checked(4)?;
    *rest = after;
    digits.iter().try_fold(0, |code, &digit| Some(code << 4 | char::from(digit).to_digit(16)?))
}

/// Combines a high surrogate with the low surrogate that follows; without one it stays as it is.
fn with_low_surrogate(first: u32, rest: &mut &[u8]) -> u32 {
    let mut ahead = *rest;
    let second = ahead.strip_prefix(b"\\u").and_then(|after| {
        ahead = after;
        unit(&mut ahead).filter(|second| (0xdc00..0xe000).contains(second))
    });
    match second {
        Some(second) => {
            *rest = ahead;
            0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        }
        None => first,
    }
}

fn push_character(code: u32, text: &mut Vec<u8>) {
    match char::from_u32(code) {
        Some(character) => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        // A surrogate, 0xd800..0xe000.
        None => text.extend(
            [0xe0 | code >> 12, 0x80 | code >> 6 & 0x3f, 0x80 | code & 0x3f].into_iter().flat_map(u8::try_from),
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &[u8]) -> String {
        let mut out = Vec::new();
        escape(text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_escaped_as_in_python() {
        // json.dumps('"\\/\x08\x0c\n\r\t\x00\x1f\x7f é\u2028😀')
        let text = "\"\\/\u{8}\u{c}\n\r\t\0\u{1f}\u{7f} é\u{2028}😀";
        let expected = r#""\"\\/\b\f\n\r\t\u0000\u001f\u007f \u00e9\u2028\ud83d\ude00""#;
        assert_eq!(escaped(text.as_bytes()), expected);
    }

    #[test]
    fn unpaired_surrogates_round_trip() {
        for raw in [r#""\udc80\ud800""#, r#""\ud800x""#, r#""\ud800\ud800\udc00""#, r#""\ud83d\n""#] {
            let text = unescape(raw).unwrap();
            assert!(std::str::from_utf8(&text).is_err());
            if !raw.contains("\\udc00") {
                assert_eq!(escaped(&text), raw);
            }
        }
        assert_eq!(unescape(r#""\ud83d\ude00""#).unwrap().as_slice(), "😀".as_bytes());
        // '\udc80'.encode('utf-8', 'surrogatepass')
        assert_eq!(unescape(r#""\udc80""#).unwrap().as_slice(), [0xed, 0xb2, 0x80]);
    }

    proptest! {
        #[test]
        fn escaped_strings_round_trip_here_and_in_serde_json(text in "\\PC*|[\\x00-\\x7f]*") {
            let raw = escaped(text.as_bytes());
            prop_assert!(raw.is_ascii() && raw.len() <= longest_escape(text.len()));
            let read = unescape(&raw).unwrap();
            prop_assert_eq!(read.as_slice(), text.as_bytes());
            prop_assert_eq!(serde_json::from_str::<String>(&raw).unwrap(), text);
        }

        #[test]
        fn unescaped_strings_fit_their_buffer(raw in "\"([a-z\\\\\"u/dDcC089]|\\\\u[dD][89abcdef][0-9]{2}|é)*\"") {
            if let Some(text) = unescape(&raw) {
                prop_assert!(text.len() <= raw.len());
                let _ = escaped(&text);
            }
        }

        #[test]
        fn any_bytes_can_be_escaped(text in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert!(escaped(&text).is_ascii());
        }
    }
}

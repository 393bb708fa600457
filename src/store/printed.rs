//! The records of a store that is written as Python and this program write it, found without taking
//! apart what is in them. That is nearly every store, and most of its bytes.

use super::json_text::is_printable;

/// What stands in front of the records, and behind the brace that begins them.
pub(super) const BEGIN: &str = "\n  \"records\": {";

/// What ends the last record, in front of the brace that ends the records.
pub(super) const LAST: &str = "\"\n    }\n  ";

/// What stands in front of an identifier.
pub(super) const BEFORE_ID: &str = "\n    \"";

/// What is left of a store when its records are taken out.
pub(super) struct Skeleton {
    /// The text with `{}` in the place of the records: little, and sound exactly if the whole is.
    pub(super) text: String,
    /// Where those braces are.
    pub(super) place: usize,
}

/// Finds the records, and hands out identifier and value of each, in order. `None` if the text is not in
/// that form to the last byte of its records, or they are not in order: it may still be a store, or no
/// JSON at all, and what was handed out counts for nothing.
pub(super) fn read<'text>(text: &'text str, mut see: impl FnMut(&'text str, &'text str)) -> Option<Skeleton> {
    let place = text.find(BEGIN)? + BEGIN.len() - 1;
    let mut rest = text.get(place + 1..)?;
    let mut last = None;
    loop {
        let (id, value, after) = read_record(rest)?;
        if last.is_some_and(|last| last >= id) {
            return None;
        }
        see(id, value);
        last = Some(id);
        rest = after;
        let Some(next) = rest.strip_prefix(',') else { break };
        rest = next;
    }
    let tail = rest.strip_prefix("\n  }")?;
    let records = text.get(place..text.len() - tail.len())?;
    let text = [text.get(..place)?, "{}", tail].concat();
    has_no_controls(records).then_some(Skeleton { text, place })
}

/// One record: its identifier, its value with the braces, and what follows.
pub(super) fn read_record(text: &str) -> Option<(&str, &str, &str)> {
    let (id, value) = read_string(text.strip_prefix(BEFORE_ID)?)?;
    let value = value.strip_prefix(": ")?;
    let (_, rest) = read_string(value.strip_prefix("{\n      \"ciphertext\": \"")?)?;
    let (_, rest) = read_string(rest.strip_prefix(",\n      \"nonce\": \"")?)?;
    let after = rest.strip_prefix("\n    }")?;
    Some((id, value.get(..value.len() - after.len())?, after))
}

/// The first record that begins in a piece of the records' text: where, and its identifier.
pub(super) fn first_record(piece: &str) -> Option<(usize, &str)> {
    piece.match_indices(BEFORE_ID).find_map(|(place, before)| {
        let (id, after) = read_string(piece.get(place + before.len()..)?)?;
        after.starts_with(": {").then_some((place, id))
    })
}

/// A string without escapes, up to its closing quote, and what follows.
fn read_string(text: &str) -> Option<(&str, &str)> {
    let end = memchr::memchr3(b'"', b'\\', b'\n', text.as_bytes())?;
    let (string, rest) = text.split_at_checked(end)?;
    Some((string, rest.strip_prefix('"')?))
}

/// Whether a text has nothing in it that Python would escape in a string, except at the ends of lines.
fn has_no_controls(text: &str) -> bool {
    text.split('\n').all(|line| is_printable(line.as_bytes()))
}

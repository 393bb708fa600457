//! The export file: the records of a store as JSON, unencrypted.

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::{
    json::{escape, longest_escape, unescape},
    maintenance::Entry,
};
use crate::{
    error::{Error, Kind, Result},
    secret::SecretText,
};

/// The version of the format.
const VERSION: u32 = 1;

/// The text of an export file.
pub(crate) fn print(entries: &[Entry]) -> Zeroizing<Vec<u8>> {
    let longest = |entry: &Entry| {
        let lengths = [entry.service.len(), entry.username.len(), entry.password.expose().len()];
        lengths.map(longest_escape).iter().sum::<usize>() + 80
    };
    // A growing buffer would leave copies of the passwords in freed memory.
    let mut out = Zeroizing::new(Vec::with_capacity(entries.iter().map(longest).sum::<usize>() + 80));
    out.extend_from_slice(format!("{{\n  \"ringbearer-export\": {VERSION},\n  \"records\": [").as_bytes());
    let mut separator: &[u8] = b"\n    {\"service\": ";
    for entry in entries {
        out.extend_from_slice(separator);
        escape(entry.service.as_bytes(), &mut out);
        out.extend_from_slice(b", \"username\": ");
        escape(entry.username.as_bytes(), &mut out);
        out.extend_from_slice(b", \"password\": ");
        escape(entry.password.expose(), &mut out);
        out.push(b'}');
        separator = b",\n    {\"service\": ";
    }
    out.extend_from_slice(if entries.is_empty() { b"]\n}\n" } else { b"\n  ]\n}\n" });
    out
}

/// Parses an export file. `name` names the file in errors.
pub(crate) fn read(content: &[u8], name: &str) -> Result<Vec<Entry>> {
    #[derive(Deserialize)]
    struct File<'text> {
        #[serde(rename = "ringbearer-export")]
        version: u32,
        #[serde(borrow)]
        records: Vec<Record<'text>>,
    }
    #[derive(Deserialize)]
    struct Record<'text> {
        service: String,
        username: String,
        #[serde(borrow)]
        password: &'text RawValue,
    }
    let wrong = |what: String| {
        Error::new(Kind::Configuration, format!("{name} is not an export of a keyring store: {what}"))
            .with_hint("`ringbearer store export` writes one; nothing was changed")
    };
    if !content.trim_ascii_start().starts_with(b"{") {
        return Err(wrong("it is not a JSON object".to_owned()));
    }
    let file: File<'_> = serde_json::from_slice(content)
        .map_err(|error| wrong(format!("malformed at line {}, column {}", error.line(), error.column())))?;
    if file.version != VERSION {
        return Err(wrong(format!("it has version {}", file.version)));
    }
    let entry = |record: Record<'_>| {
        let password = unescape(record.password.get());
        let password = password.ok_or_else(|| wrong("a password is not a string".to_owned()))?;
        Ok(Entry { service: record.service, username: record.username, password: SecretText::new(password) })
    };
    file.records.into_iter().map(entry).collect()
}

//! Parser for the `.ini` files of Python's configparser.

use std::{collections::BTreeSet, fmt};

use zeroize::Zeroizing;

/// The section whose keys count in every other one.
pub(crate) const DEFAULT_SECTION: &str = "DEFAULT";

/// The sections and keys of a file.
///
/// The grammar is the common part of configparser's: `[section]`, `key = value` or `key: value`, comment lines that start
/// with `#` or `;`, case-insensitive keys, case-sensitive sections, and continuation lines indented deeper than their key.
/// Other lines are skipped and a later key replaces an earlier one, since another program owns the file.
/// <https://docs.python.org/3/library/configparser.html#supported-ini-file-structure>
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ini {
    sections: Vec<String>,
    entries: Vec<Entry>,
}

#[derive(Clone, PartialEq, Eq)]
struct Entry {
    section: String,
    key: String,
    /// It may be a secret.
    value: Zeroizing<String>,
}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "[{}] {}", self.section, self.key)
    }
}

impl Ini {
    /// Parses the text of a file.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Self {
        let mut sections = Vec::new();
        let mut entries: Vec<Entry> = Vec::new();
        let mut section = None;
        let mut continues = false;
        // The indentation of the last heading or key.
        let mut depth = 0;
        for line in text.trim_start_matches('\u{feff}').lines() {
            let trimmed = line.trim();
            if trimmed.is_empty() || trimmed.starts_with(['#', ';']) {
                continue;
            }
            let indent = line.len() - line.trim_start().len();
            if continues
                && indent > depth
                && let Some(entry) = entries.last_mut()
            {
                entry.value.push('\n');
                entry.value.push_str(trimmed);
                continue;
            }
            (continues, depth) = (false, indent);
            if let Some(name) = trimmed.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(name, _)| name) {
                sections.push(name.to_owned());
                section = Some(name.to_owned());
            } else if let (Some(section), Some((key, value))) = (&section, trimmed.split_once(['=', ':'])) {
                let key = key.trim_end().to_lowercase();
                entries.push(Entry { section: section.clone(), key, value: value.trim_start().to_owned().into() });
                continues = true;
            }
        }
        Self { sections, entries }
    }

    /// Whether a section has a heading, with or without keys.
    #[must_use]
    pub(crate) fn has_section(&self, name: &str) -> bool {
        self.sections.iter().any(|section| section == name)
    }

    /// The headings, in file order.
    pub(crate) fn sections(&self) -> impl Iterator<Item = &str> {
        self.sections.iter().map(String::as_str)
    }

    /// Section, key and untrimmed value of every key, in file order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.entries.iter().map(|entry| (entry.section.as_str(), entry.key.as_str(), entry.value.as_str()))
    }

    /// The value of a key, without surrounding white space; `None` if missing or blank.
    #[must_use]
    pub(crate) fn value(&self, section: &str, key: &str) -> Option<&str> {
        let entry =
            self.entries.iter().rev().find(|entry| entry.section == section && entry.key.eq_ignore_ascii_case(key))?;
        let value = entry.value.trim();
        (!value.is_empty()).then_some(value)
    }
}

/// A line that Python's configparser rejects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// Its number, from 1.
    pub(crate) line: usize,
    /// What is wrong with it, in a clause.
    pub(crate) what: &'static str,
}

/// Section, lower-case name and line number, from 1, of every key, if configparser accepts the text in its strict mode,
/// which is its default; else the first line that it rejects. [`Ini`] skips such lines.
/// <https://github.com/python/cpython/blob/v3.14.0/Lib/configparser.py>
pub(crate) fn key_lines(text: &str) -> Result<Vec<(String, String, usize)>, Rejection> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut sections = BTreeSet::new();
    let mut keys: Vec<(String, String, usize)> = Vec::new();
    let mut section = None;
    let mut continues = false;
    let mut depth = 0;
    for (number, line) in (1..).zip(text.lines()) {
        let reject = |what| Err(Rejection { line: number, what });
        let trimmed = line.trim();
        if number == 1 && trimmed.starts_with('\u{feff}') {
            return reject("begins with a byte order mark");
        }
        let indent = line.len() - line.trim_start().len();
        if trimmed.is_empty() || trimmed.starts_with(['#', ';']) || continues && indent > depth {
            continue;
        }
        (continues, depth) = (false, indent);
        let heading = trimmed.strip_prefix('[').and_then(|rest| rest.rsplit_once(']')).map(|(name, _)| name);
        if let Some(name) = heading.filter(|name| !name.is_empty()) {
            if name != DEFAULT_SECTION && !sections.insert(name) {
                return reject("begins a section a second time");
            }
            section = Some(name);
            continue;
        }
        let Some(section) = section else { return reject("is in no section") };
        let key = trimmed.split_once(['=', ':']).map(|(key, _)| key.trim_end().to_lowercase());
        let Some(key) = key.filter(|key| !key.is_empty()) else {
            return reject("is neither a section nor a key with a value");
        };
        if keys.iter().any(|(place, known, _)| place == section && *known == key) {
            return reject("sets a key a second time");
        }
        keys.push((section.to_owned(), key, number));
        continues = true;
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_file_is_read_as_configparser_reads_it() {
        let ini = Ini::parse(
            "\u{feff}# comment\nstray = 1\n[backend]\ndefault-keyring=a.B\n\n[some_backend]\r\n; note\r\n\
             Provider : some_cli \r\n[list]\nnames = one\n  two\n\tthree\n",
        );
        assert_eq!(ini.value("some_backend", "provider"), Some("some_cli"));
        assert_eq!(ini.value("backend", "default-keyring"), Some("a.B"));
        assert_eq!(ini.value("list", "names"), Some("one\ntwo\nthree"));
        let indented = Ini::parse(" [a]\n  b = 1\n  c = 2\n    3\n d = 4\n");
        assert_eq!((indented.value("a", "b"), indented.value("a", "c")), (Some("1"), Some("2\n3")));
        assert_eq!(indented.value("a", "d"), Some("4"));
        assert_eq!(ini.value("BACKEND", "default-keyring"), None);
        assert_eq!(ini.value("list", "stray"), None);
    }

    #[test]
    fn a_blank_value_counts_as_absent() {
        assert_eq!(Ini::parse("[a]\nb =  \n").value("a", "b"), None);
    }

    #[test]
    fn lines_that_configparser_rejects_are_numbered() {
        for (text, line, what) in [
            ("a = 1\n", 1, "is in no section"),
            ("\n[backend\n", 2, "is in no section"),
            ("[]\n", 1, "is in no section"),
            ("\u{feff}[a]\n", 1, "begins with a byte order mark"),
            ("[a]\r\nb = 1\r\njunk\r\n", 3, "is neither a section nor a key with a value"),
            ("[a]\n = 1\n", 2, "is neither a section nor a key with a value"),
            ("[a]\n[b]\n[a]\n", 3, "begins a section a second time"),
            ("[a]\rb = 1\rB : 2\r", 3, "sets a key a second time"),
        ] {
            assert_eq!(key_lines(text), Err(Rejection { line, what }), "{text:?}");
        }
        let text = "# x\n[DEFAULT]\nb = 1\n[DEFAULT]\n[a]\nB:\n  junk\n\n  ; no\n  [c]\nc =\n";
        let place = |section: &str, key: &str, line| (section.to_owned(), key.to_owned(), line);
        let expected = vec![place("DEFAULT", "b", 3), place("a", "b", 6), place("a", "c", 11)];
        assert_eq!(key_lines(text), Ok(expected));
    }

    proptest! {
        #[test]
        fn accepted_keys_are_those_that_are_read(
            text in "((\\[[a-c]\\]|[ab] ?[=:] ?[a-z]{0,2}|  [ab]=|junk|# x|)\n){0,8}"
        ) {
            if let Ok(keys) = key_lines(&text) {
                let ini = Ini::parse(&text);
                let read = ini.entries().map(|(section, key, _)| (section, key));
                prop_assert!(read.eq(keys.iter().map(|(section, key, _)| (section.as_str(), key.as_str()))));
            }
        }

        #[test]
        fn parsing_never_panics(text in "[\\[\\]=:;# \ta-z\n\r\u{feff}]{0,200}") {
            let _ = (Ini::parse(&text).value("a", "b"), key_lines(&text));
        }

        #[test]
        fn a_written_value_is_read_back(section in "[a-z_]{1,12}", key in "[a-z_]{1,12}", value in "[a-zA-Z0-9=:/%. -]{0,30}[a-z]") {
            let ini = Ini::parse(&format!("[{section}]\n{key} = {value}\n"));
            prop_assert_eq!(ini.value(&section, &key), Some(value.trim()));
        }
    }
}

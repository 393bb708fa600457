//! Edits of an INI file: lines are added, and existing lines stay as they are.

use super::{Refusal, UNSUITABLE};
use crate::ini::Ini;

/// Inserts a block after a line, counted from 0.
fn insert_after(text: &str, line: usize, block: &str) -> String {
    let end = text.split_inclusive('\n').take(line + 1).map(str::len).sum::<usize>();
    let (head, tail) = text.split_at(end);
    let gap = if head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{gap}{block}{tail}")
}

/// Appends a block after an empty line.
fn append(text: &str, block: &str) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{block}")
}

/// Adds a key at the end of a section, and the section at the end of the file if it is missing. The lines of a value that
/// starts with a line feed are indented.
pub(super) fn set(text: &str, section: &str, key: &str, value: &str) -> Result<String, Refusal> {
    let value = value.replace('\n', "\n    ");
    let block = format!("{key} ={}{value}\n", if value.starts_with('\n') { "" } else { " " });
    let after = match lines_of_section(text, section) {
        Some((header, lines)) => {
            let last = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(header, |last| header + 1 + last);
            insert_after(text, last, &block)
        }
        None => append(text, &format!("[{section}]\n{block}")),
    };
    checked(text, after, section, key)
}

/// Adds a line to the value of a key.
pub(super) fn add_line(text: &str, section: &str, key: &str, line: &str) -> Result<String, Refusal> {
    let Some((header, lines)) = lines_of_section(text, section) else { return Err(UNSUITABLE.to_owned()) };
    let is_key = |line: &&str| {
        !line.starts_with([' ', '\t'])
            && line.split(['=', ':']).next().is_some_and(|name| name.trim().eq_ignore_ascii_case(key))
    };
    let place = lines.iter().position(is_key).ok_or(UNSUITABLE)?;
    let after = insert_after(text, header + 1 + place, &format!("    {line}\n"));
    checked(text, after, section, key)
}

/// The name in the header of a section.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.split_once(']').map(|(name, _)| name)
}

/// The line number of the header of a section, from 0, and the lines below it.
fn lines_of_section<'text>(text: &'text str, section: &str) -> Option<(usize, Vec<&'text str>)> {
    let is_header = |line: &&str| line.starts_with('[');
    let header = text.lines().position(|line| heading(line) == Some(section))?;
    Some((header, text.lines().skip(header + 1).take_while(|line| !is_header(line)).collect()))
}

/// The new text, if it has every other entry of the old one unchanged, and the edited key once.
fn checked(before: &str, after: String, section: &str, key: &str) -> Result<String, Refusal> {
    let (old, new) = (Ini::parse(before), Ini::parse(&after));
    let is_edited = |entry: &(&str, &str, &str)| entry.0 == section && entry.1.eq_ignore_ascii_case(key);
    let others = |ini: &Ini| -> Vec<String> {
        ini.entries().filter(|entry| !is_edited(entry)).map(|entry| format!("{entry:?}")).collect()
    };
    let edited = |ini: &Ini| -> Vec<String> {
        ini.entries()
            .filter(is_edited)
            .flat_map(|(_, _, value)| value.lines())
            .map(|line| line.trim().to_owned())
            .collect()
    };
    let keeps_its_lines = edited(&old).iter().all(|line| edited(&new).contains(line));
    let is_once = new.entries().filter(is_edited).count() == 1;
    // Headers are recognised at the start of a line only, so the parser must see the same ones: not indented headers, nor
    // lines of a value that look like one.
    let headings = before.lines().filter_map(heading);
    if keeps_its_lines && is_once && headings.eq(old.sections()) && others(&old) == others(&new) {
        Ok(after)
    } else {
        Err(UNSUITABLE.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_added_at_the_end_of_its_section() {
        assert_eq!(set("[x]\n  b = 2\n\n[y]\n", "x", "a", "1").unwrap(), "[x]\n  b = 2\na = 1\n\n[y]\n");
        assert_eq!(set("", "x", "a", "\n1").unwrap(), "[x]\na =\n    1\n");
        assert!(set(" [x]\n  b = 1\n", "x", "a", "1").is_err());
        let in_value = "[y]\nb = 1\n  [x]\n";
        assert_eq!(set(in_value, "x", "a", "1").unwrap(), format!("{in_value}\n[x]\na = 1\n"));
    }

    #[test]
    fn a_line_is_added_to_a_value() {
        assert_eq!(add_line("[x]\na = 1\n  2\n", "x", "a", "3").unwrap(), "[x]\na = 1\n    3\n  2\n");
        assert!(add_line("[x]\n  a = 1\n", "x", "a", "3").is_err());
    }
}

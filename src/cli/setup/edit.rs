//! Putting lines into a file that somebody else wrote: what is there stays as it is, to the letter.

use crate::cli::tools::{Table, parse_toml};

/// Why lines cannot be put in, in a clause.
pub(super) type Refusal = String;

/// Puts lines behind a section's header, or the section at the end.
pub(super) fn into_section(text: &str, section: &str, lines: &[String]) -> String {
    let header = format!("[{section}]");
    let is_header = |line: &str| line.split(['#', ';']).next().unwrap_or_default().trim() == header;
    let block = lines.join("\n") + "\n";
    match text.lines().position(is_header) {
        Some(place) => behind_line(text, place, &block),
        None => at_end(text, &format!("{header}\n{block}")),
    }
}

/// Puts lines behind one line, by its number from 0.
pub(super) fn behind_line(text: &str, place: usize, block: &str) -> String {
    let end = text.split_inclusive('\n').take(place + 1).map(str::len).sum::<usize>();
    let (head, tail) = text.split_at(end);
    let gap = if head.ends_with('\n') { "" } else { "\n" };
    format!("{head}{gap}{block}{tail}")
}

/// Puts lines at the end, behind an empty one.
pub(super) fn at_end(text: &str, block: &str) -> String {
    let gap = match text {
        "" => "",
        text if text.ends_with("\n\n") => "",
        text if text.ends_with('\n') => "\n",
        _ => "\n\n",
    };
    format!("{text}{gap}{block}")
}

/// The number of the line that sets a key in a section of an INI file, from 0, if there is one.
pub(super) fn line_of_key(text: &str, section: &str, keys: &[&str]) -> Option<usize> {
    let mut inside = false;
    text.lines().position(|line| {
        if line.starts_with('[') {
            inside = line.split(']').next() == Some(&format!("[{section}"));
        }
        let key = line.split(['=', ':']).next().unwrap_or_default();
        inside && !key.starts_with([' ', '\t']) && keys.contains(&key.trim())
    })
}

/// Reads TOML, or says that it is none.
pub(super) fn toml(text: &str) -> Result<Table, Refusal> {
    parse_toml(text).ok_or_else(|| "it is not valid TOML".to_owned())
}

/// The new text, if it says all that the old one says.
pub(super) fn checked(before: &str, after: String) -> Result<String, Refusal> {
    let is_whole = toml(&after).is_ok_and(|new| toml(before).is_ok_and(|old| new.has_all_of(&old)));
    if is_whole { Ok(after) } else { Err("it is written in a way in which no line can be added".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_behind_the_header_or_to_the_end() {
        let lines = ["a = 1".to_owned()];
        assert_eq!(into_section("[x]\nb = 2\n", "x", &lines), "[x]\na = 1\nb = 2\n");
        assert_eq!(into_section("[y]\nb = 2", "x", &lines), "[y]\nb = 2\n\n[x]\na = 1\n");
        assert_eq!(into_section("[x] # why", "x", &lines), "[x] # why\na = 1\n");
        assert_eq!(into_section("", "x", &lines), "[x]\na = 1\n");
    }

    #[test]
    fn a_key_is_found_in_its_section_alone() {
        let text = "[a]\nkey = 1\n[b]\n  key = 2\nkey: 3\n";
        assert_eq!(line_of_key(text, "b", &["key"]), Some(4));
        assert_eq!(line_of_key(text, "c", &["key"]), None);
    }
}

//! Putting lines into a file that somebody else wrote: what is there stays as it is, to the letter.

use crate::{
    cli::tools::{Table, parse_toml},
    ini::Ini,
};

/// Why lines cannot be put in, in a clause.
pub(super) type Refusal = String;

/// Why, where the reason is how the file is written.
const ODD: &str = "it is written in a way in which no line can be added";

/// Puts lines behind one line, by its number from 0.
fn behind_line(text: &str, place: usize, block: &str) -> String {
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

/// Puts a line behind the header of a table of TOML, or the table at the end.
pub(super) fn into_table(text: &str, table: &str, line: &str) -> String {
    let header = format!("[{table}]");
    let is_header = |line: &str| line.split('#').next().unwrap_or_default().trim() == header;
    match text.lines().position(is_header) {
        Some(place) => behind_line(text, place, &format!("{line}\n")),
        None => at_end(text, &format!("{header}\n{line}\n")),
    }
}

/// Reads TOML, or says that it is none.
pub(super) fn toml(text: &str) -> Result<Table, Refusal> {
    parse_toml(text).ok_or_else(|| "it is not valid TOML".to_owned())
}

/// The new TOML, if it says all that the old one says.
pub(super) fn checked_toml(before: &str, after: String) -> Result<String, Refusal> {
    let is_whole = toml(&after).is_ok_and(|new| toml(before).is_ok_and(|old| new.has_all_of(&old)));
    if is_whole { Ok(after) } else { Err(ODD.to_owned()) }
}

/// Puts a key with its value at the end of a section of an INI file, or the section at the end. A value of several
/// lines has them indented, behind an empty first one.
pub(super) fn set_ini(text: &str, section: &str, key: &str, value: &str) -> Result<String, Refusal> {
    let value = value.replace('\n', "\n    ");
    let block = format!("{key} ={}{value}\n", if value.starts_with('\n') { "" } else { " " });
    let after = match lines_of_section(text, section) {
        Some((header, lines)) => {
            let last = lines.iter().rposition(|line| !line.trim().is_empty()).map_or(header, |last| header + 1 + last);
            behind_line(text, last, &block)
        }
        None => at_end(text, &format!("[{section}]\n{block}")),
    };
    checked_ini(text, after, section, key)
}

/// Puts a line to those of a key's value.
pub(super) fn add_to_ini(text: &str, section: &str, key: &str, line: &str) -> Result<String, Refusal> {
    let Some((header, lines)) = lines_of_section(text, section) else { return Err(ODD.to_owned()) };
    let is_key = |line: &&str| {
        !line.starts_with([' ', '\t'])
            && line.split(['=', ':']).next().is_some_and(|name| name.trim().eq_ignore_ascii_case(key))
    };
    let place = lines.iter().position(is_key).ok_or(ODD)?;
    let after = behind_line(text, header + 1 + place, &format!("    {line}\n"));
    checked_ini(text, after, section, key)
}

/// The name of the section that a line begins.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix('[')?.split_once(']').map(|(name, _)| name)
}

/// The number of a section's header, from 0, and the lines behind it.
fn lines_of_section<'text>(text: &'text str, section: &str) -> Option<(usize, Vec<&'text str>)> {
    let is_header = |line: &&str| line.starts_with('[');
    let header = text.lines().position(|line| heading(line) == Some(section))?;
    Some((header, text.lines().skip(header + 1).take_while(|line| !is_header(line)).collect()))
}

/// The new INI file, if every entry of the old one is in it as it was, and the one that was meant is there once.
fn checked_ini(before: &str, after: String, section: &str, key: &str) -> Result<String, Refusal> {
    let (old, new) = (Ini::parse(before), Ini::parse(&after));
    let is_meant = |entry: &(&str, &str, &str)| entry.0 == section && entry.1.eq_ignore_ascii_case(key);
    let others = |ini: &Ini| -> Vec<String> {
        ini.entries().filter(|entry| !is_meant(entry)).map(|entry| format!("{entry:?}")).collect()
    };
    let meant = |ini: &Ini| -> Vec<String> {
        ini.entries()
            .filter(is_meant)
            .flat_map(|(_, _, value)| value.lines())
            .map(|line| line.trim().to_owned())
            .collect()
    };
    let keeps_its_lines = meant(&old).iter().all(|line| meant(&new).contains(line));
    let is_once = new.entries().filter(is_meant).count() == 1;
    // Headings are looked for at the beginning of a line alone: where there are others, or what looks like one stands in
    // a value, the two must agree all the same.
    let headings = before.lines().filter_map(heading);
    if keeps_its_lines && is_once && headings.eq(old.sections()) && others(&old) == others(&new) {
        Ok(after)
    } else {
        Err(ODD.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_behind_the_header_of_its_table_or_to_the_end() {
        assert_eq!(into_table("[x]\nb = 2\n", "x", "a = 1"), "[x]\na = 1\nb = 2\n");
        assert_eq!(into_table("[y]\nb = 2", "x", "a = 1"), "[y]\nb = 2\n\n[x]\na = 1\n");
        assert_eq!(into_table("[x] # why", "x", "a = 1"), "[x] # why\na = 1\n");
        assert_eq!(into_table("", "x", "a = 1"), "[x]\na = 1\n");
    }

    #[test]
    fn a_key_goes_to_the_end_of_its_section() {
        assert_eq!(set_ini("[x]\n  b = 2\n\n[y]\n", "x", "a", "1").unwrap(), "[x]\n  b = 2\na = 1\n\n[y]\n");
        assert_eq!(set_ini("", "x", "a", "\n1").unwrap(), "[x]\na =\n    1\n");
        assert!(set_ini(" [x]\n  b = 1\n", "x", "a", "1").is_err());
        let in_value = "[y]\nb = 1\n  [x]\n";
        assert_eq!(set_ini(in_value, "x", "a", "1").unwrap(), format!("{in_value}\n[x]\na = 1\n"));
    }

    #[test]
    fn a_line_is_added_to_a_value() {
        assert_eq!(add_to_ini("[x]\na = 1\n  2\n", "x", "a", "3").unwrap(), "[x]\na = 1\n    3\n  2\n");
        assert!(add_to_ini("[x]\n  a = 1\n", "x", "a", "3").is_err());
    }
}

//! The help of a command, written from its definition.

use super::definitions::Definition;
use crate::registry::{ALL, ExecVariables};

/// The width of the text, in columns.
const WIDTH: usize = 100;

/// The exit code that every command has.
pub(super) const WRONG_ARGUMENTS: (&str, &str) = ("2", "wrong arguments");

/// What `--help` prints.
pub(super) fn text(command: &Definition) -> String {
    let about: Vec<_> = command.about.lines().map(|paragraph| wrapped(paragraph, 0) + "\n").collect();
    let mut sections = vec![about.concat(), format!("Usage: {}\n", command.usage())];
    let commands: Vec<_> =
        command.commands.iter().map(|below| (below.name().to_owned(), below.summary.to_owned())).collect();
    let options: Vec<_> = command.all_options().map(|option| (option.signature(), option.help.to_owned())).collect();
    let exit_codes: Vec<_> = exit_codes(command).map(|(code, meaning)| (code.to_owned(), meaning.to_owned())).collect();
    for (title, rows) in
        [("Commands", commands), ("Options", options), ("Variables", variables(command)), ("Exit codes", exit_codes)]
    {
        if !rows.is_empty() {
            sections.push(format!("{title}:\n{}", columns(&rows)));
        }
    }
    let examples: Vec<_> = command.examples.iter().map(|line| format!("  {line}\n")).collect();
    sections.push(format!("Examples:\n{}", examples.concat()));
    sections.join("\n")
}

/// The exit codes in ascending order; none for a list of commands that says nothing of them.
pub(super) fn exit_codes(command: &Definition) -> impl Iterator<Item = (&'static str, &'static str)> {
    let common = (!command.exit_codes.is_empty()).then_some(WRONG_ARGUMENTS);
    let is_before = |(code, _): &(&str, &str)| matches!(*code, "0" | "1");
    let (before, after) = command.exit_codes.split_at(command.exit_codes.partition_point(is_before));
    before.iter().copied().chain(common).chain(after.iter().copied())
}

/// The variables that a command sets for each registry; none for a command that sets none.
pub(super) fn variables(command: &Definition) -> Vec<(String, String)> {
    let names = |variables: &ExecVariables| {
        variables.username.into_iter().chain([variables.password]).collect::<Vec<_>>().join(" and ")
    };
    let registries = ALL.iter().filter(|_| command.lists_variables);
    let row = registries.map(|registry| {
        let alternatives: Vec<_> = registry.exec_variables.iter().map(names).collect();
        (registry.title.to_owned(), alternatives.join(", or "))
    });
    row.collect()
}

/// Two columns, the second one wrapped.
fn columns(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(first, _)| first.len()).max().unwrap_or_default();
    let lines = rows.iter().map(|(first, second)| format!("  {first:width$}  {}\n", wrapped(second, width + 4)));
    lines.collect()
}

/// A paragraph in lines of at most `WIDTH` columns, all but the first indented.
fn wrapped(paragraph: &str, indent: usize) -> String {
    let mut text = String::new();
    let mut column = indent;
    for word in paragraph.split(' ') {
        if column > indent && column + 1 + word.len() > WIDTH {
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if column > indent {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::definitions::RINGBEARER;

    #[test]
    fn lines_are_wrapped_and_lists_aligned() {
        let command = RINGBEARER.command("token").unwrap();
        let text = text(command);
        assert!(text.starts_with("Prints the token (or password) for") && text.contains(" can\nread.\n"), "{text}");
        assert!(text.contains("\n\nUsage: ringbearer token URL [--output-file FILE]\n\n"), "{text}");
        assert!(text.contains("\n  --output-file FILE  write the token to FILE"), "{text}");
        assert!(text.contains("\n  -h, --help          print this help\n"), "{text}");
        assert!(
            text.contains("\n  1  there is no credential, or the command failed\n  2  wrong arguments\n"),
            "{text}"
        );
        for command in RINGBEARER.tree() {
            assert!(super::text(command).lines().all(|line| line.len() <= 120), "{}", command.path);
        }
    }
}
